"""Where the items of a corpus come from: folders, globs, source files and data sets.

A source is read as a stream, in an order that its content alone decides: names sorted within each folder,
lines in the order of the file. What cannot be read becomes an item with a failure; it stops nothing.
"""

from __future__ import annotations

import fnmatch
import gzip
import io
import json
import os
import re
import stat
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from cpg.errors import CorpusSourceError, CpgError
from cpg.languages import LANGUAGES, get_language
from cpg.packages import need

DATA_SETS = (".jsonl", ".jsonl.gz", ".jsonl.zst")
MAX_FILE_BYTES = 64 << 20
"""A larger source file is not read: its graph would take some hundred times as much memory."""
_MAGIC = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an item has no graph: "unreadable", "record", "raised", "timeout", "died" or "node"; and one line."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Item:
    """One text to extract from. `code` is None where `failure` says why."""

    id: str
    origin: dict[str, Any]
    """`source`: the file; for data sets also `line`, from 1, and `column`."""
    language: str = ""
    code: bytes | None = None
    failure: Failure | None = None


@dataclass(frozen=True)
class Columns:
    """How the lines of data sets are read."""

    code: tuple[tuple[str, str | None], ...] = ()
    """Names of the columns that hold code, each with its language, None for `language`. One item each."""
    language: str | None = None
    """Language of all columns and source files that name none. Folders then give the files of this language."""
    language_column: str | None = None
    """Column with the language of a line, for the columns that name none."""
    id: str = "id"
    """Column with the id of a line; where it has none, the id is file and line."""

    def check(self) -> None:
        """Raises UnknownLanguageError where a language has no tables."""
        for language in (self.language, *(language for _, language in self.code)):
            if language is not None:
                get_language(language)


@dataclass(frozen=True)
class Sources:
    """The items of some arguments. Iterating reads them; each iteration starts anew."""

    names: Sequence[str]
    columns: Columns = field(default_factory=Columns)

    def __iter__(self) -> Iterator[Item]:
        for name in self.names:
            for path in _paths(name, self.columns):
                yield from _items(path, self.columns)

    def count(self) -> int:
        """How many items there are. Walks folders and reads data sets once; no source file is opened."""
        total = 0
        for name in self.names:
            for path in _paths(name, self.columns):
                total += _count_lines(path) * len(self.columns.code) if _is_data_set(path) else 1
        return total

    def check(self) -> None:
        """Look at the beginning of every argument.

        Raises:
            CorpusSourceError: one names nothing, no language fits a file, or a data set lacks a column.
            UnknownLanguageError: a language that has no tables.
            MissingPackageError: a data set is compressed in a way that needs a package.
        """
        self.columns.check()
        if not self.names:
            raise CorpusSourceError("no source; give folders, globs, source files or data sets")
        for name in self.names:
            first = next(_paths(name, self.columns), None)
            if first is None:
                known = " ".join(sorted(_extensions(self.columns.language)))
                raise CorpusSourceError(f"{name!r} has nothing to extract from; known extensions: {known} {' '.join(DATA_SETS)}")
            if _is_data_set(first):
                _check_data_set(first, self.columns)


# ------------------------------------------------------------------------------------------------ names
def _paths(name: str, columns: Columns) -> Iterator[str]:
    """The files that one argument names, in order."""
    if os.path.isdir(name):
        yield from _walk(name, _extensions(columns.language))
    elif os.path.lexists(name):
        if not _is_data_set(name) and _language_of(name, columns) is None:
            known = ", ".join(sorted(LANGUAGES))
            raise CorpusSourceError(f"cannot tell the language of {name!r} by its extension; give --language, one of: {known}")
        yield name
    elif _MAGIC.search(name):
        yield from _matching(name, columns)
    else:
        raise CorpusSourceError(f"no such file, folder or glob: {name!r}")


def _walk(folder: str, extensions: set[str]) -> Iterator[str]:
    """Files with these extensions, below any depth. Hidden entries and linked folders are left out."""
    for entry in _entries(folder):
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path, extensions)
        elif os.path.splitext(entry.name)[1] in extensions and not entry.is_dir():
            yield entry.path


def _matching(pattern: str, columns: Columns) -> Iterator[str]:
    """The data sets and source files that a glob matches; `**` stands for any folders."""
    parts = Path(pattern).parts
    base = ""
    while parts and not _MAGIC.search(parts[0]):
        base, parts = os.path.join(base, parts[0]), parts[1:]
    for path in _expanded(base, parts):
        if os.path.isdir(path):
            yield from _walk(path, _extensions(columns.language))
        elif _is_data_set(path) or _language_of(path, columns) is not None:
            yield path


def _expanded(base: str, parts: Sequence[str]) -> Iterator[str]:
    """One component after the other, so that no list of all names is held."""
    if not parts:
        yield base
        return
    part, rest = parts[0], parts[1:]
    if part == "**":
        if rest:
            yield from _expanded(base, rest)
        for entry in _entries(base):
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
                yield from _expanded(os.path.join(base, entry.name), parts)
            elif not rest and not entry.is_dir() and not entry.name.startswith("."):
                yield os.path.join(base, entry.name)
    elif not _MAGIC.search(part):
        if os.path.lexists(os.path.join(base, part)):
            yield from _expanded(os.path.join(base, part), rest)
    else:
        for entry in _entries(base):
            hidden = entry.name.startswith(".") and not part.startswith(".")
            if fnmatch.fnmatchcase(entry.name, part) and not hidden and (not rest or entry.is_dir()):
                yield from _expanded(os.path.join(base, entry.name), rest)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder or ".") as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:  # a folder that may not be read holds nothing
        return []


def _extensions(language: str | None) -> set[str]:
    languages = LANGUAGES.values() if language is None else [get_language(language)]
    return {extension for known in languages for extension in known.extensions}


def _is_data_set(path: str) -> bool:
    return path.endswith(DATA_SETS)


def _language_of(path: str, columns: Columns) -> str | None:
    if columns.language is not None:
        return columns.language
    extension = os.path.splitext(path)[1]
    return next((language.name for language in LANGUAGES.values() if extension in language.extensions), None)


# ------------------------------------------------------------------------------------------------ items
def _items(path: str, columns: Columns) -> Iterator[Item]:
    if _is_data_set(path):
        yield from _data_set(path, columns)
        return
    name = _printable(path)
    origin = {"source": name}
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait for its writer
            yield Item(name, origin, failure=Failure("unreadable", "not a regular file"))
            return
        with open(path, "rb") as file:
            code = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        yield Item(name, origin, failure=Failure("unreadable", error.strerror or str(error)))
        return
    if len(code) > MAX_FILE_BYTES:
        yield Item(name, origin, failure=Failure("unreadable", f"more than {MAX_FILE_BYTES >> 20} MiB of source"))
        return
    yield Item(name, origin, _language_of(path, columns) or "", code)


def _data_set(path: str, columns: Columns) -> Iterator[Item]:
    name = _printable(path)
    number = 0
    try:
        with open_lines(path) as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield from _line(name, number, line, columns)
    except (OSError, EOFError, ValueError, *_decompression_errors(path)) as error:
        origin = {"source": name, "line": number + 1}
        yield Item(f"{name}:{number + 1}", origin, failure=Failure("unreadable", f"the rest of the file is lost: {error}"))


def _line(name: str, number: int, line: bytes, columns: Columns) -> Iterator[Item]:
    """The items of one line, one for each column of code."""
    base = f"{name}:{number}"
    try:
        record = json.loads(line)
        if not isinstance(record, dict):
            raise ValueError(f"a JSON object was expected, got {type(record).__name__}")
    except (ValueError, RecursionError) as error:
        yield Item(base, {"source": name, "line": number}, failure=Failure("record", f"not a record: {error}"))
        return
    given = record.get(columns.id)
    base = _printable(str(given)) if isinstance(given, (str, int)) and given != "" else base
    for column, language in columns.code:
        item_id = base if len(columns.code) == 1 else f"{base}#{column}"
        origin = {"source": name, "line": number, "column": column}
        try:
            code = _text(record, column)
            language = language or (_text(record, columns.language_column) if columns.language_column else columns.language)
            get_language(language)
        except (CpgError, ValueError) as error:
            yield Item(item_id, origin, failure=Failure("record", str(error)))
            continue
        yield Item(item_id, origin, language or "", code.encode("utf-8", "surrogatepass"))


def _text(record: dict[str, Any], column: str) -> str:
    value = record.get(column)
    if not isinstance(value, str):
        what = type(value).__name__ if column in record else "no such column"
        raise ValueError(f"column {column!r} should be text, got {what}")
    return value


def _check_data_set(path: str, columns: Columns) -> None:
    """The first line has the columns, and every column a language."""
    try:
        with open_lines(path) as lines:
            record = json.loads(next(iter(lines), b"{}"))
    except (OSError, EOFError, ValueError, *_decompression_errors(path)) as error:
        raise CorpusSourceError(f"{path!r} is not a data set: {error}") from error
    have = ", ".join(record) if isinstance(record, dict) else type(record).__name__
    if not columns.code:
        raise CorpusSourceError(f"{path!r} is a data set; name its column of code with --column, one of: {have}")
    wanted = [name for name, _ in columns.code] + ([columns.language_column] if columns.language_column else [])
    for name in wanted:
        if not isinstance(record, dict) or name not in record:
            raise CorpusSourceError(f"{path!r} has no column {name!r}; its columns: {have}")
    without = [name for name, language in columns.code if language is None]
    if without and not columns.language and not columns.language_column:
        raise CorpusSourceError(
            f"no language for column {without[0]!r}; give --language L, --language-column NAME or --column {without[0]}=L"
        )


def open_lines(path: str) -> IO[bytes]:
    """A data set as a stream of lines, by its extension. Raises OSError and MissingPackageError."""
    if path.endswith(".gz"):
        return gzip.open(path, "rb")
    if path.endswith(".zst"):
        zstandard = need("zstandard", f"reading {path!r}")
        stream = zstandard.ZstdDecompressor().stream_reader(open(path, "rb"), read_across_frames=True, closefd=True)
        return io.BufferedReader(stream, 1 << 18)
    return open(path, "rb")


def _decompression_errors(path: str) -> tuple[type[Exception], ...]:
    return (need("zstandard", f"reading {path!r}").ZstdError,) if path.endswith(".zst") else (zlib.error,)


def _count_lines(path: str) -> int:
    """Lines of a data set as far as it can be read."""
    count = 0
    try:
        with open_lines(path) as lines:
            count = sum(1 for line in lines if line.strip())
    except (OSError, EOFError, *_decompression_errors(path)):
        pass
    return count


def _printable(text: str) -> str:
    """A name as text that every output format takes: what is not UTF-8 is replaced."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
