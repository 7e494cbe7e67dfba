"""Exceptions of this package.

::

    CheckpointError                          catch this one to catch all of them
    ├── ArtefactError(ValueError)            a saved transducer that cannot be used
    │   ├── ArtefactContentError             missing, surplus, misshapen, truncated or altered content
    │   └── ArtefactVersionError             written in a schema that this release does not know
    └── MissingArtefactError(FileNotFoundError)   no saved transducer or checkpoint where one is expected
"""
from __future__ import annotations


class CheckpointError(Exception):
    """Base of every error of this package."""


class ArtefactError(CheckpointError, ValueError):
    """A saved transducer that cannot be used."""


class ArtefactContentError(ArtefactError):
    """A saved transducer with missing, surplus, misshapen, truncated or altered content."""


class ArtefactVersionError(ArtefactError):
    """A saved transducer in a schema that this release does not know."""


class MissingArtefactError(CheckpointError, FileNotFoundError):
    """No saved transducer or checkpoint where one is expected."""
