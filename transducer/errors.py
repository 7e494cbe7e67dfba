"""Every exception that this package raises on purpose.

::

    TransducerError                                  catch this one to catch all of them
    ├── UnknownNameError(KeyError)                   a name that is in no table: layer, fusion, method, engine, ...
    ├── ConfigurationError(ValueError)               settings that are out of range or contradict each other
    │   └── BudgetError                              a budget of parameters that not even a method's smallest size fits
    ├── ShapeError(ValueError)                       tensors that do not fit together
    ├── DataError(ValueError)                        an example, a file of examples or a graph that cannot be used
    ├── BackboneError(ValueError)                    a language model that cannot be loaded or is of no known family
    │   └── BackboneMismatchError                    an artefact made for another language model than the one given
    ├── OutputExistsError(FileExistsError)           an output that would be overwritten
    ├── HubError(OSError)                            a hub that cannot be reached, or refuses what was asked of it
    ├── DependencyError(ImportError)                 an optional library that is absent or cannot serve the request
    ├── MemoryLimitError(MemoryError)                a model or a run that needs more memory than there is
    └── TrainingError(RuntimeError)                  a run that cannot go on, such as one whose loss is not a number

Errors about saved transducers are those of ``checkpoints.errors``.

Each error also is the builtin that it stands for, so ``except ValueError`` and ``except FileExistsError`` keep their
meaning. A message is one line: what is wrong, what was given, what was expected, what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TransducerError(Exception):
    """Base of every error of this package."""


class UnknownNameError(TransducerError, KeyError):
    """A name that is in no table. Its text is the message itself, not the quoted form that ``KeyError`` prints."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""

    @classmethod
    def among(cls, kind: str, name: object, table: Iterable[str]) -> UnknownNameError:
        """The error for ``name``, which is not in ``table``; names the nearest entry and lists the table.

        Args:
            kind: what the table holds, in the singular ("layer", "fusion").
            name: what was asked for.
            table: the names that exist.
        """
        names = list(table)
        nearest = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
        hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
        return cls(f"unknown {kind} {name!r}; expected one of: {', '.join(names)}.{hint}")


class ConfigurationError(TransducerError, ValueError):
    """A setting out of its legal range, or settings that contradict each other."""


class BudgetError(ConfigurationError):
    """A budget that not even the smallest size of a method fits; `smallest` is that size in trainable parameters, 0 where
    it is not known."""

    def __init__(self, message: str, smallest: int = 0):
        super().__init__(message)
        self.smallest = smallest


class ShapeError(TransducerError, ValueError):
    """Tensors whose shapes do not fit together."""


class DataError(TransducerError, ValueError):
    """An example, a file of examples or a graph that cannot be used."""


class BackboneError(TransducerError, ValueError):
    """A language model that cannot be loaded, or whose family this package does not know."""


class BackboneMismatchError(BackboneError):
    """An artefact that was made for another language model than the one given."""


class OutputExistsError(TransducerError, FileExistsError):
    """An output that would be overwritten without having been asked to."""


class HubError(TransducerError, OSError):
    """A hub that cannot be reached, or refuses what was asked of it."""


class DependencyError(TransducerError, ImportError):
    """An optional library that is absent, or present and unable to serve the request."""


class MemoryLimitError(TransducerError, MemoryError):
    """A model or a run that needs more memory than there is."""


class TrainingError(TransducerError, RuntimeError):
    """A run that cannot go on, such as one whose loss is not a number."""
