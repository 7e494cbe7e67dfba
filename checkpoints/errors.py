"""Exceptions of this package.

::

    CheckpointError                          catch this one to catch all of them
    ├── ArtefactError(ValueError)            a saved transducer that cannot be used
    │   ├── ArtefactContentError             missing, surplus, misshapen, truncated or altered content
    │   └── ArtefactVersionError             written in a schema that this release does not know
    ├── MissingArtefactError(FileNotFoundError)   no saved transducer or checkpoint where one is expected
    ├── UnknownModelError(KeyError)          a short name that is neither an embedded nor a fetchable model
    ├── MissingModelError(FileNotFoundError) a fetchable model that has not been fetched
    ├── CorpusError(ValueError)              a data folder without what a corpus is made of
    ├── PretrainingError(ValueError)         a base model that cannot be trained or written as asked
    ├── ExaminationError(ValueError)         models or a corpus that cannot be compared
    └── FetchError(RuntimeError)             a model that cannot be fetched, converted or written
        └── FetchDependencyError(ImportError)    a package that fetching needs is not installed
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


class UnknownModelError(CheckpointError, KeyError):
    """A short name of no model. Its text is the message itself, not the quoted form that `KeyError` prints."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class MissingModelError(CheckpointError, FileNotFoundError):
    """A fetchable model that has not been fetched."""


class CorpusError(CheckpointError, ValueError):
    """A data folder without what a corpus is made of."""


class PretrainingError(CheckpointError, ValueError):
    """A base model that cannot be trained or written as asked."""


class ExaminationError(CheckpointError, ValueError):
    """Models or a corpus that cannot be compared."""


class FetchError(CheckpointError, RuntimeError):
    """A model that cannot be fetched, converted or written."""


class FetchDependencyError(FetchError, ImportError):
    """A package that fetching needs is not installed."""
