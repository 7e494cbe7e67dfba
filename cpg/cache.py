"""GraphCache: graphs on disk, found by the content of the code.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, GraphCache(folder) as cache:
    ...     first, second = cache.get("int x;", "java"), cache.get("int x;", "java")
    ...     (first == second, cache.hits, cache.misses)
    (True, 1, 1)

The key is the sha256 of language, grammar packages with their versions, extractor version and code; so a new
extractor or grammar finds nothing of the old one and no entry is ever stale. Processes may use one folder at
the same time; each sees what was there when it opened the folder, and its own. Old entries stay on disk:
delete the folder to free it.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cpg.errors import GraphFormatError
from cpg.extraction import extract
from cpg.graph import CodePropertyGraph
from cpg.languages import get_language
from cpg.packed import pack, unpack
from cpg.parse import raw_bytes
from cpg.segments import Segments
from cpg.version import extractor_version, grammar_version


def cache_key(code: str | bytes, language: str) -> bytes:
    """The 32 bytes under which the graph of that code is stored. Two microseconds and the hash of the code.

    Raises:
        CodeTypeError: `code` is neither str nor bytes.
    """
    digest = _prefix(language, extractor_version(language), grammar_version()).copy()
    digest.update(raw_bytes(code))
    return digest.digest()


@functools.lru_cache(maxsize=None)
def _prefix(language: str, extractor: str, grammars: str) -> Any:
    return hashlib.sha256(f"{language}\n{extractor}\n{grammars}\n".encode())


class GraphCache:
    """Graphs of a folder. `hits`, `misses` and `damaged` count what was asked for."""

    def __init__(self, folder: str | Path) -> None:
        self._segments = Segments(Path(folder))
        self.hits = 0
        self.misses = 0
        self.damaged = 0
        """Records that failed their checksum or could not be read back; each is a miss too."""

    def __len__(self) -> int:
        """Graphs that this object can see."""
        return self._segments.count

    def __enter__(self) -> GraphCache:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files. What was stored is stored."""
        self._segments.close()

    def get(self, code: str | bytes, language: str) -> CodePropertyGraph:
        """`extract(code, language)`, from the folder where it is there; else it is stored. Raises as `extract`."""
        get_language(language)
        key = cache_key(code, language)
        packed = self.read(key)
        if packed is not None:
            try:
                return unpack(packed)
            except GraphFormatError:  # intact bytes of another program
                self.hits, self.misses, self.damaged = self.hits - 1, self.misses + 1, self.damaged + 1
        graph = extract(code, language)
        self.write([(key, pack(graph))])
        return graph

    def read(self, key: bytes) -> bytes | None:
        """The packed graph of a key, None where it is not there or damaged."""
        packed, damaged = self._segments.read(key)
        self.damaged += damaged
        self.hits += packed is not None
        self.misses += packed is None
        return packed

    def write(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        """Store packed graphs by key, all in one write.

        Raises:
            OSError: the file system takes no more.
        """
        self._segments.write(entries)
