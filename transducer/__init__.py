"""Transducer: code property graphs for frozen language models."""
