"""Every exception that this package raises on purpose.

::

    TaskError                              catch this one to catch all of them
    ├── UnknownTaskError(KeyError)         a task that is in no table
    ├── UnknownMetricError(KeyError)       a metric that is in no table
    ├── UnknownSourceError(ValueError)     a source of data that is in no table, or one without its argument
    ├── TaskLanguageError(ValueError)      a language that the task does not know, or one that cannot be told
    ├── TaskInputError(TypeError)          something else than text where a model's input is made
    ├── MissingDataError(FileNotFoundError)    no file, folder, split or package where one is expected
    ├── DataFormatError(ValueError)        a file of examples that cannot be read or whose rows are wrong
    │   └── PlaceholderError               a source without its placeholder, or with several
    ├── MissingPackageError(ImportError)   a package that an optional part needs
    ├── CommandArgumentError(ValueError)   an argument of a command that cannot be used
    ├── MetricInputError(ValueError)       predictions and references that cannot be scored together
    ├── MiningError(RuntimeError)          source trees that give no data set: no files, no tests, no git, too little
    └── AccountingError(RuntimeError)      examples found are not examples kept plus examples dropped

A message is one line: what is wrong, what was given, what was expected, what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TaskError(Exception):
    """Base of every error of this package."""


class _UnknownName(TaskError, KeyError):
    """Shows its message as it is; ``KeyError`` alone would print it in quotes."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class UnknownTaskError(_UnknownName):
    """The task is in no table."""


class UnknownMetricError(_UnknownName):
    """The metric is in no table."""


class UnknownSourceError(TaskError, ValueError):
    """The source of data is in no table, or lacks its argument."""


class TaskLanguageError(TaskError, ValueError):
    """The language is none of the task's, or cannot be told from the data."""


class TaskInputError(TaskError, TypeError):
    """A model's input is made from text alone, and something else was given."""


class MissingDataError(TaskError, FileNotFoundError):
    """A file, folder, split or installed package that is not there."""


class MissingPackageError(TaskError, ImportError):
    """A package that an optional part needs is not installed."""


class DataFormatError(TaskError, ValueError):
    """A file of examples that cannot be read, or a row of it that is wrong."""


class PlaceholderError(DataFormatError):
    """A source holds its placeholder not exactly once."""


class CommandArgumentError(TaskError, ValueError):
    """An argument of a command that cannot be used."""


class MetricInputError(TaskError, ValueError):
    """Predictions, references and languages do not belong together, or there are none."""


class MiningError(TaskError, RuntimeError):
    """Source trees that no data set can be made of, or mining that was cut off."""


class AccountingError(TaskError, RuntimeError):
    """Examples found differ from examples kept plus examples dropped: a defect of this package."""


def unknown_name(what: str, got: object, known: Iterable[str]) -> str:
    """One line that names what is unknown, the nearest known name and the whole table."""
    names = sorted(known)
    near = difflib.get_close_matches(str(got).lower(), names, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"unknown {what} {got!r}; expected one of: {', '.join(names)}.{hint}"
