"""Mined rows in a file until they are written: memory does not hold the texts of what was found, however much it is.

Of each row a `RowKey` stays in memory, by which rows are put into splits and counted. The file lies in the folder for
temporary files and is gone when nothing refers to its rows any more.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import weakref
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from sys import intern
from typing import IO, Any, overload

from ..base import Example, Task
from ..errors import MiningError


@dataclass(frozen=True, slots=True)
class RowKey:
    """What is known of a row without reading it.

    Attributes:
        offset: where it begins in the file.
        tree, file, language: see `language_miner.Mined`.
        name: class and test of an assertion, else the function.
        focal, focal_by, confidence: of an assertion, else empty.
    """

    offset: int
    tree: str
    file: str
    language: str
    name: str
    focal: str
    focal_by: str
    confidence: str


class RowStore:
    """Rows of a task in the order in which they came, with ids that depend on their place in the trees and their text alone.

    Attributes:
        keys: of each row.

    Raises:
        MiningError: by any method: a row cannot be written.
    """

    def __init__(self, task: Task):
        self.task = task
        self.keys: list[RowKey] = []
        self._seen: dict[str, Counter[int]] = defaultdict(Counter)
        self._file = tempfile.TemporaryFile(prefix="transducer-rows-")
        self._end = 0
        self._context: tuple[dict[str, Any], str] = {}, "{}"
        weakref.finalize(self, _closed, self._file)

    def __len__(self) -> int:
        return len(self.keys)

    def append(self, row: Mapping[str, Any]) -> None:
        """Adds a row of a miner (`language_miner.Mined`)."""
        facts = row["metadata"]
        if row["context"] is not self._context[0]:  # rows of one function follow each other, and have one
            self._context = row["context"], json.dumps(row["context"])
        own = json.dumps([self._identity(row), row["source"], row["target"], row["language"], facts])
        line = f"{own}\t{self._context[1]}\n".encode("ascii")
        with _told_lack_of_room():
            if self._file.tell() != self._end:  # something was read since
                self._file.seek(self._end)
            self._file.write(line)
        self.keys.append(RowKey(self._end, *map(intern, (
            facts["tree"], facts["file"], row["language"], facts["test"] if "test" in facts else facts["function"],
            facts.get("focal", ""), facts.get("focal_by", ""), facts.get("confidence", "")))))
        self._end += len(line)

    def _identity(self, row: Mapping[str, Any]) -> str:
        facts = row["metadata"]
        text = f"{facts['file']}:{facts['line']}:{facts.get('commit', '')}:{row['source']}"
        digits = hashlib.sha256(text.encode("utf-8")).hexdigest()[:10]
        seen = self._seen[facts["tree"]]
        seen[int(digits, 16)] += 1
        times = seen[int(digits, 16)]
        return f"{self.task.name}-{facts['tree']}-{digits}" + (f"-{times}" if times > 1 else "")

    def example(self, key: RowKey) -> Example:
        """The row of a key, read."""
        with _told_lack_of_room():  # what was written last leaves its buffer now
            self._file.seek(key.offset)
        own, context = map(json.loads, self._file.readline().split(b"\t"))
        own[-1]["context"] = context
        return Example(*own)


def _closed(file: IO[bytes]) -> None:
    with suppress(OSError):  # what could not be written is lost anyway
        file.close()


@contextmanager
def _told_lack_of_room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MiningError(f"what was found could not be written to {tempfile.gettempdir()} ({error.strerror}); expected room for "
                          "some kilobytes an example: name another folder for temporary files in TMPDIR") from error


class StoredExamples(Sequence[Example]):
    """Rows of a store as examples, each read when it is asked for."""

    def __init__(self, store: RowStore, keys: Sequence[RowKey]):
        self.store = store
        self.keys = keys

    def __len__(self) -> int:
        return len(self.keys)

    @overload
    def __getitem__(self, place: int) -> Example: ...

    @overload
    def __getitem__(self, place: slice) -> StoredExamples: ...

    def __getitem__(self, place: int | slice) -> Example | StoredExamples:
        if isinstance(place, slice):
            return StoredExamples(self.store, self.keys[place])
        return self.store.example(self.keys[place])

    def __iter__(self) -> Iterator[Example]:
        return map(self.store.example, self.keys)
