"""Code with damage: operations on real code that a random generator or hypothesis puts together.

A plan is a list of (operation, first, second, third), numbers below `RANGE` that say where and how much. The same
seeds and plan give the same bytes.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import sysconfig
from collections.abc import Callable
from pathlib import Path

import cpg
from tests.cpg.samples import PROGRAMS

RANGE = 1 << 16
SIZE_LIMIT = 6_000
"""Mutants are cut off here, so that many can be tried."""

Step = tuple[str, int, int, int]

_PIECES = (
    "{", "}", "(", ")", "[", "]", "<", ">", ";", ":", ",", ".", "=", "=>", "->", "::", "?", "?.", "??", "&&", "||", "!", "*",
    "&", "@", "#", "$", "\\", "'", '"', "`", "'''", '"""', "//", "/*", "*/", "/", "\n", "\r\n", "\r", "\t", "\f", "\v", "\x00",
    "\ufeff", "\u2028", "\u00e9", "\U0001f600", "0", "1e9", "x", "if", "else", "for", "while", "do", "switch", "case",
    "default", "match", "try", "catch", "except", "finally", "with", "using", "return", "break", "continue", "goto", "yield",
    "await", "async", "throw", "raise", "defer", "go", "select", "class", "struct", "interface", "namespace", "function",
    "func", "def", "lambda", "var", "let", "const", "int", "auto", "new", "delete", "import", "package", "template", "#if 0",
    "#endif", "#define", "operator", "label:", "static", "public", "global", "nonlocal", "in", "is", "not", "and", "or",
)  # fmt: skip


def _span(text: bytes, start: int, length: int, most: int = 200) -> tuple[int, int]:
    begin = start % (len(text) + 1)
    return begin, min(len(text), begin + length % most)


def _delete(text: bytes, other: bytes, a: int, b: int, c: int) -> bytes:
    start, end = _span(text, a, b)
    return text[:start] + text[end:]


def _duplicate(text: bytes, other: bytes, a: int, b: int, c: int) -> bytes:
    start, end = _span(text, a, b)
    return text[:end] + text[start:end] * (1 + c % 3) + text[end:]


def _swap(text: bytes, other: bytes, a: int, b: int, c: int) -> bytes:
    cuts = sorted(place % (len(text) + 1) for place in (a, b, c))
    end = min(len(text), cuts[2] + (cuts[1] - cuts[0]))
    return text[: cuts[0]] + text[cuts[2] : end] + text[cuts[1] : cuts[2]] + text[cuts[0] : cuts[1]] + text[end:]


def _move(text: bytes, other: bytes, a: int, b: int, c: int) -> bytes:
    start, end = _span(text, a, b)
    rest = text[:start] + text[end:]
    place = c % (len(rest) + 1)
    return rest[:place] + text[start:end] + rest[place:]


def _bytes(text: bytes, other: bytes, a: int, b: int, c: int) -> bytes:
    start, end = _span(text, a, b, 8)
    return text[:start] + random.Random(c).randbytes(1 + c % 12) + text[end:]


def _flip(text: bytes, other: bytes, a: int, b: int, c: int) -> bytes:
    place = a % max(len(text), 1)
    return text[:place] + bytes((byte ^ (1 << b % 8)) for byte in text[place : place + 1]) + text[place + 1 :]


def _cut_end(text: bytes, other: bytes, a: int, b: int, c: int) -> bytes:
    return text[: a % (len(text) + 1)]


def _cut_start(text: bytes, other: bytes, a: int, b: int, c: int) -> bytes:
    return text[a % (len(text) + 1) :]


def _splice(text: bytes, other: bytes, a: int, b: int, c: int) -> bytes:
    return text[: a % (len(text) + 1)] + other[b % (len(other) + 1) :]


def _graft(text: bytes, other: bytes, a: int, b: int, c: int) -> bytes:
    start, end = _span(other, b, c)
    place = a % (len(text) + 1)
    return text[:place] + other[start:end] + text[place:]


def _insert(text: bytes, other: bytes, a: int, b: int, c: int) -> bytes:
    place = a % (len(text) + 1)
    return text[:place] + (b" " + _PIECES[b % len(_PIECES)].encode() + b" ") * (1 + c % 2) + text[place:]


def _replace_word(text: bytes, other: bytes, a: int, b: int, c: int) -> bytes:
    words = list(re.finditer(rb"\w+|[^\w\s]", text))
    if not words:
        return text
    word = words[a % len(words)]
    instead = _PIECES[b % len(_PIECES)].encode() if c % 2 else words[b % len(words)].group()
    return text[: word.start()] + instead + text[word.end() :]


def _drop_line(text: bytes, other: bytes, a: int, b: int, c: int) -> bytes:
    lines = text.split(b"\n")
    start = a % len(lines)
    return b"\n".join(lines[:start] + lines[start + 1 + b % 3 :])


def _indent(text: bytes, other: bytes, a: int, b: int, c: int) -> bytes:
    lines = text.split(b"\n")
    start = a % len(lines)
    for line in range(start, min(len(lines), start + 1 + b % 5)):
        lines[line] = lines[line].lstrip() if c % 2 else b" " * (c % 9) + lines[line]
    return b"\n".join(lines)


def _nest(text: bytes, other: bytes, a: int, b: int, c: int) -> bytes:
    start, end = _span(text, a, b)
    before, after = ((b"(", b")"), (b"{", b"}"), (b"[", b"]"), (b"if (x) {", b"}"), (b"(", b""), (b"", b"}"))[c % 6]
    count = 1 + c % 40
    return text[:start] + before * count + text[start:end] + after * count + text[end:]


OPERATIONS: dict[str, Callable[[bytes, bytes, int, int, int], bytes]] = {
    "delete": _delete, "duplicate": _duplicate, "swap": _swap, "move": _move, "bytes": _bytes, "flip": _flip,
    "cut end": _cut_end, "cut start": _cut_start, "splice": _splice, "graft": _graft, "insert": _insert,
    "replace word": _replace_word, "drop line": _drop_line, "indent": _indent, "nest": _nest,
}  # fmt: skip


def mutant(text: bytes, other: bytes, plan: list[Step]) -> bytes:
    """`text` after the steps of a plan; `other` is what is spliced into it."""
    for name, *numbers in plan:
        text = OPERATIONS[name](text, other, *numbers)[:SIZE_LIMIT]
    return text


def random_mutant(seeds: list[bytes], generator: random.Random) -> bytes:
    """A mutant of one of the seeds, with one to five steps."""
    names = list(OPERATIONS)
    text, other = generator.choice(seeds), generator.choice(seeds)
    if len(text) > SIZE_LIMIT:
        start = generator.randrange(len(text) - SIZE_LIMIT)
        text = text[start : start + SIZE_LIMIT]
    plan = [
        (generator.choice(names), *(generator.randrange(RANGE) for _ in range(3))) for _ in range(generator.randint(1, 5))
    ]
    return mutant(text, other, plan)


# ------------------------------------------------------------------------------------------------ seeds
_EXAMPLE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def seeds(language: str) -> list[bytes]:
    """The examples of the language on the specification's pages, and the program of the tests."""
    main = Path(cpg.__file__).with_name("SPEC.md")
    pages = [main, *sorted(main.with_name("spec").glob("*.md"))]
    texts = [match for page in pages for match in _EXAMPLE.findall(page.read_text(encoding="utf-8"))]
    found = [code.encode() for kind, code in texts if kind == language]
    return [*found, PROGRAMS[language].encode()]


_DATA = {
    "java": ("corpus/java_methods.jsonl.gz", "code"),
    "csharp": ("corpus/csharp_methods.jsonl.gz", "code"),
}
_INSTALLED = {"python": ("stdlib", "*.py"), "c": ("include", "**/*.h"), "cpp": ("include", "**/*.h")}
"""Source that comes with Python: the standard library, and the headers of the interpreter."""


def more_seeds(language: str, folder: Path, count: int) -> list[bytes]:
    """Up to `count` functions of a data set under the folder, or files that come with Python; none where none are."""
    if language in _INSTALLED:
        name, pattern = _INSTALLED[language]
        return [path.read_bytes() for path in sorted(Path(sysconfig.get_path(name)).glob(pattern))[:count]]
    name, field = _DATA.get(language, ("", ""))
    path = folder / name
    if not name or not path.is_file():
        return []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line)[field].encode() for _, line in zip(range(count), lines)]
