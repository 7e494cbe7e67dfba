"""Tests of the transducer package."""
