"""The declarations of one language in all trees, in a database on disk: memory stays flat however many there are.

A database of SQLite in the folder for temporary files, of which a process keeps what it asked for last. Worker processes read
the same one. It is gone when the index is.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from functools import lru_cache
from pathlib import Path
from sys import intern
from typing import Any

from ..errors import MiningError
from .language_miner import Declaration, read_text

TEXTS_KEPT = 64
"""Files whose text is kept at hand for `TreeIndex.text_of`."""

ANSWERS_KEPT = 512
"""Of each question, the answers that are kept at hand."""

NAMES_KEPT = 16384
"""Names of which it is kept at hand whether anything is called so; most that are asked for are of nothing in the trees."""

PAGES_KEPT_KIB = 4096
"""Of the database, in memory."""

_TABLE = ("CREATE TABLE declarations (place INTEGER PRIMARY KEY, file TEXT, name TEXT, kind TEXT, owner TEXT, qualified_name TEXT, "
          "is_test INTEGER, content TEXT)")
_KEYS = ("file", "name", "owner, name", "qualified_name")
_COLUMNS = "file, name, kind, owner, qualified_name, is_test, content"


class TreeIndex:
    """What trees declare; the same whatever the number of processes that read them.

    Args:
        language: of the declarations.
        roots: name of a tree -> its folder.
        declarations: in the order of the files. Their `extra` comes back as JSON has it.

    Raises:
        MiningError: the database cannot be written.
    """

    def __init__(self, language: str, roots: Mapping[str, str], declarations: Iterable[Declaration]):
        self.language = language
        self.roots = dict(roots)
        folder = tempfile.TemporaryDirectory(prefix="transducer-index-")
        self._path = str(Path(folder.name, "declarations.sqlite"))
        with ExitStack() as undone:
            undone.callback(folder.cleanup)
            try:
                _write(self._path, declarations)
            except sqlite3.OperationalError as error:
                raise MiningError(f"what the trees declare could not be written to {folder.name} ({error}); expected room for some "
                                  "kilobytes a source file: name another folder for temporary files in TMPDIR") from error
            self._open()
            undone.pop_all()
        self._end = weakref.finalize(self, _removed, self._database, folder)

    def _open(self) -> None:
        # It may be closed in another thread: in that of a pool of processes which held the index last.
        self._database = sqlite3.connect(f"file:{self._path}?mode=ro&immutable=1", uri=True, check_same_thread=False)
        self._database.execute(f"PRAGMA cache_size = -{PAGES_KEPT_KIB}")
        self._text = lru_cache(TEXTS_KEPT)(self._read)
        self.named = lru_cache(ANSWERS_KEPT)(self._named)
        self.qualified = lru_cache(ANSWERS_KEPT)(self._qualified)
        self.members = lru_cache(ANSWERS_KEPT)(self._members)
        self.in_file = lru_cache(TEXTS_KEPT)(self._in_file)
        self.first_in_file = lru_cache(ANSWERS_KEPT)(self._first_in_file)
        self.is_class = lru_cache(NAMES_KEPT)(self._is_class)
        self.is_declared = lru_cache(NAMES_KEPT)(self._is_declared)

    def __getstate__(self) -> dict[str, Any]:
        return {"language": self.language, "roots": self.roots, "_path": self._path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    def __len__(self) -> int:
        return self._database.execute("SELECT count(*) FROM declarations").fetchone()[0]

    def __iter__(self) -> Iterator[Declaration]:
        return map(_declaration, self._database.execute(f"SELECT {_COLUMNS} FROM declarations ORDER BY place"))

    def of_kind(self, kind: str) -> Iterator[Declaration]:
        """Those of a kind, in their order."""
        return map(_declaration, self._database.execute(
            f"SELECT {_COLUMNS} FROM declarations WHERE kind = ? ORDER BY place", (kind,)))

    def _named(self, name: str) -> tuple[Declaration, ...]:
        """Those with a simple name."""
        return self._where("name = ?", name)

    def _qualified(self, name: str) -> tuple[Declaration, ...]:
        """Those with a qualified name: overloads, or one name in several trees."""
        return self._where("qualified_name = ?", name)

    def _members(self, owner: str, name: str = "") -> tuple[Declaration, ...]:
        """Those directly inside a class, by its qualified name; with `name` only those called so."""
        if not owner:
            return ()
        return self._where("owner = ? AND name = ?", owner, name) if name else self._where("owner = ?", owner)

    def _in_file(self, path: str) -> tuple[Declaration, ...]:
        """Those of a file."""
        return self._where("file = ?", path)

    def _first_in_file(self, path: str) -> Declaration | None:
        """The first of a file."""
        return next(map(_declaration, self._database.execute(
            f"SELECT {_COLUMNS} FROM declarations WHERE file = ? ORDER BY place LIMIT 1", (path,))), None)

    def _is_class(self, qualified: str) -> bool:
        """Whether a class has this qualified name."""
        return self._any("qualified_name = ? AND kind = 'class'", qualified)

    def _is_declared(self, name: str) -> bool:
        """Whether anything has this simple name."""
        return self._any("name = ?", name)

    def _any(self, condition: str, name: str) -> bool:
        return self._database.execute(f"SELECT 1 FROM declarations WHERE {condition} LIMIT 1", (name,)).fetchone() is not None

    def _where(self, condition: str, *values: str) -> tuple[Declaration, ...]:
        return tuple(map(_declaration, self._database.execute(
            f"SELECT {_COLUMNS} FROM declarations WHERE {condition} ORDER BY place", values)))

    def files(self) -> list[str]:
        """Paths of the files that declare anything, in order."""
        return self._files("")

    def files_with_tests(self) -> list[str]:
        """Paths of the files that declare a test, in order."""
        return self._files("WHERE is_test")

    def _files(self, condition: str) -> list[str]:
        return [path for path, in self._database.execute(
            f"SELECT file FROM declarations {condition} GROUP BY file ORDER BY min(place)")]

    def file_text(self, path: str) -> str:
        """The text of a file of the trees; the last `TEXTS_KEPT` are kept.

        Raises:
            OSError: it cannot be read.
            UnicodeDecodeError: it is not UTF-8.
        """
        return self._text(path)[0]

    def text_of(self, declaration: Declaration, whole_lines: bool = False) -> str:
        """The text of a declaration, read from its file; see `file_text`. With `whole_lines`: from the beginning of its
        first line, so that its indentation is seen."""
        data = self._text(declaration.file)[1]
        start = data.rfind(b"\n", 0, declaration.start) + 1 if whole_lines else declaration.start
        return data[start:declaration.end].decode("utf-8")

    def _read(self, path: str) -> tuple[str, bytes]:
        tree, _, place = path.partition("/")
        text = read_text(Path(self.roots[tree], place))
        return text, text.encode("utf-8")


def _write(path: str, declarations: Iterable[Declaration]) -> None:
    with closing(sqlite3.connect(path)) as database:
        # Nobody goes on with it after a crash.
        database.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {_TABLE};")
        database.executemany(f"INSERT INTO declarations ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", map(_row, declarations))
        for count, key in enumerate(_KEYS):
            database.execute(f"CREATE INDEX key_{count} ON declarations ({key})")
        database.commit()


def _removed(database: sqlite3.Connection, folder: tempfile.TemporaryDirectory) -> None:
    database.close()
    folder.cleanup()


def _row(one: Declaration) -> tuple[str | bool, ...]:
    content = [one.signature, one.start, one.end, one.parameters, one.extra]
    return one.file, one.name, one.kind, one.owner, one.qualified_name, one.is_test, json.dumps(content)


def _declaration(row: tuple[Any, ...]) -> Declaration:
    file, name, kind, owner, qualified_name, is_test, content = row
    signature, start, end, parameters, extra = json.loads(content)
    # Every answer has words of its own for the same few keys, kinds and files, which would be most of what it holds.
    return Declaration(intern(file), name, intern(kind), intern(owner), qualified_name, signature, start, end, parameters,
                       bool(is_test), {intern(key): value for key, value in extra.items()})
