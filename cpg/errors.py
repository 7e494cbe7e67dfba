"""Errors of the package.

    CpgError
    ├── UnknownLanguageError (ValueError)   extract() was asked for a language that has no tables
    ├── CodeTypeError (TypeError)           the code is neither str nor bytes
    ├── GraphFormatError (ValueError)       a dictionary or JSON text is not a "cpg/1" graph
    ├── GraphInvariantError (ValueError)    a graph contradicts itself
    ├── UnknownFormatError (ValueError)     export() was asked for a format that has no writer
    ├── EdgeKindError (ValueError)          a kind of edge that there is none of, or that a format cannot leave out
    ├── OutputError (ValueError)            an output would replace files that are none of this package's
    ├── MissingProgramError (RuntimeError)  a format needs a program that is not on the PATH
    ├── MissingPackageError (ImportError)   a file type or engine needs a package that is not installed
    ├── CorpusArgumentError (ValueError)    an argument of a corpus run is not among the possible ones
    ├── CorpusSourceError (ValueError)      a source of a corpus names nothing that can be read
    ├── CorpusOutputError (ValueError)      the output of a corpus cannot be written or read
    └── CorpusEngineError (RuntimeError)    the processes or nodes that extract cannot be started

Broken source code is not an error: it becomes UNKNOWN nodes and diagnostics of the graph.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CpgError(Exception):
    """Base of every error that the package raises on purpose."""


class UnknownLanguageError(CpgError, ValueError):
    """The language has no tables."""


class CodeTypeError(CpgError, TypeError):
    """The code is neither str nor bytes."""


class GraphFormatError(CpgError, ValueError):
    """A dictionary or JSON text does not follow the schema."""


class GraphInvariantError(CpgError, ValueError):
    """A graph contradicts itself, for example an edge without a node at its end."""


class UnknownFormatError(CpgError, ValueError):
    """The interchange format has no writer."""


class EdgeKindError(CpgError, ValueError):
    """There is no such kind of edge, or the format always holds all of them."""


class OutputError(CpgError, ValueError):
    """An output would replace what is none of this package's output."""


class MissingProgramError(CpgError, RuntimeError):
    """A format needs a program that is not installed."""


class MissingPackageError(CpgError, ImportError):
    """A file type or engine needs a package that is not installed."""


class CorpusArgumentError(CpgError, ValueError):
    """An argument of a corpus run is not among the possible ones."""


class CorpusSourceError(CpgError, ValueError):
    """A source of a corpus names nothing that can be read."""


class CorpusOutputError(CpgError, ValueError):
    """The output of a corpus has no writer, is being written by another run, or is not such a file."""


class CorpusEngineError(CpgError, RuntimeError):
    """The processes or nodes that extract cannot be started or cannot go on."""


def unknown_name(what: str, got: object, known: Iterable[str]) -> str:
    """One line that names what is unknown, the nearest known name and the whole table."""
    names = sorted(known)
    near = difflib.get_close_matches(str(got).lower(), names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"unknown {what} {got!r}.{hint} Expected one of: {', '.join(names)}."
