"""Which extractor made a graph: the part of a cache key that is not the code.

`EXTRACTOR_VERSIONS` holds, for each language, a number and a hash of the graphs of a few fixed programs
(`tests/cpg/fingerprints.py`). A test fails while the hash does not hold, so graphs cannot change unnoticed:

    python -m tests.cpg.fingerprints               raises the number of each language whose graphs changed
    python -m tests.cpg.fingerprints --raise java  raises it where the fixed programs do not show the change

The command writes the table anew and also takes a table with conflict markers in it.
"""

from __future__ import annotations

import functools

EXTRACTOR_VERSIONS: dict[str, tuple[int, str]] = {
    "c": (1, "67889280a451ebbc"),
    "cpp": (1, "02a5047e73d044cd"),
    "csharp": (1, "84be199a1f231417"),
    "go": (4, "a3459d51aaa3ea71"),
    "java": (4, "558a95cf72bfcfc7"),
    "javascript": (3, "0dcd8e92c7c47dca"),
    "python": (5, "c848aefab5a7c8cf"),
    "typescript": (2, "32e0ff296f9ae786"),
}

GRAMMAR_PACKAGES = ("tree-sitter", "tree-sitter-languages")
"""The packages whose version decides what a text parses to."""


def extractor_version(language: str) -> str:
    """The version of everything in this package that makes a graph of that language."""
    number, fingerprint = EXTRACTOR_VERSIONS.get(language, (0, "unrecorded"))
    return f"{number}-{fingerprint}"


@functools.lru_cache(maxsize=None)
def grammar_version() -> str:
    """Names and versions of the grammar packages; about a millisecond on the first call."""
    from importlib.metadata import version

    return " ".join(f"{name}={version(name)}" for name in GRAMMAR_PACKAGES)
