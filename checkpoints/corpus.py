"""Documents for pre-training the embedded base model, and the check that none of them gives a test away.

Sources, each a stream of its own with a share of the training windows:

* ``python``, ``python_tests``: the `.py` files of packages installed in this environment, their tests apart, without
  the packages behind the embedded task (`networkx`, `numpy`);
* ``java``, ``csharp``: `corpus/java_methods` and `corpus/csharp_methods` of a data folder, documentation in front;
* ``java_tests``, ``java_summaries``, ``java_translation``, ``java_repair``: the *source* sides of the train splits,
  tests without the placeholder of their assertion.

What is forbidden is listed by `forbidden_texts`: every function of the packages behind the embedded task and both
sides of every validation and test row of the data folder. A document is dropped when it contains half or more of the
8-token shingles of a forbidden text, or the whole of a short one (`ContaminationIndex`). Python files lose just the
functions concerned; methods and rows are dropped whole.
"""
from __future__ import annotations

import ast
import gzip
import hashlib
import json
import re
import sysconfig
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from .errors import CorpusError

EMBEDDED_TASK_PACKAGES = ("networkx", "numpy")
"""The packages whose modules the embedded `assert` task is mined from; none of their text is trained on."""

PYTHON_PACKAGE_CHARACTERS = 14_000_000
"""Cap per package and stream, so that no single package makes up most of the Python text."""

METHODS = {"java": "corpus/java_methods.jsonl.gz", "csharp": "corpus/csharp_methods.jsonl.gz"}
"""Stream -> file of a data folder whose methods it has."""

TASK_FOLDERS = {"java_tests": "assert", "java_summaries": "summarization", "java_translation": "translation",
                "java_repair": "repair"}

PLACEHOLDER_STATEMENT = re.compile(r'\s*"<AssertPlaceHolder>" ;')
"""Stands where an assertion was taken out; a model that reads it as code learns to write it in place of assertions."""

TEST_FILE = re.compile(r"(^|/)tests?/|(^|/)(test_[^/]*|[^/]*_test|conftest)\.py$")

SHINGLE = 8
CONTAINMENT = 0.5
MINIMUM_TOKENS = 24
"""Forbidden texts below this length are getters and the like, the same in every project: they are matched whole."""

_TOKEN = re.compile(r"[A-Za-z_]\w*|\d+|[^\s\w]")


def lexical_tokens(text: str) -> list[str]:
    """Words, numbers and single punctuation characters: equal for two layouts of the same code."""
    return _TOKEN.findall(text)


def _shingles(tokens: list[str]) -> set[int]:
    return {hash(tuple(tokens[i:i + SHINGLE])) for i in range(len(tokens) - SHINGLE + 1)}


class ContaminationIndex:
    """Which forbidden text a document gives away, by containment of token shingles. Cost: one look-up per token."""

    def __init__(self, texts: Iterable[str]):
        self._owners: dict[int, list[int]] = {}
        self._sizes: list[int] = []
        self._short: set[int] = set()
        for text in texts:
            tokens = lexical_tokens(text)
            if len(tokens) < MINIMUM_TOKENS:
                self._short.add(hash(tuple(tokens)))
                continue
            shingles = _shingles(tokens)
            for shingle in shingles:
                owners = self._owners.setdefault(shingle, [])
                if len(owners) < 50:  # a shingle that fifty texts share tells nothing about any of them
                    owners.append(len(self._sizes))
            self._sizes.append(len(shingles))

    def __len__(self) -> int:
        return len(self._sizes) + len(self._short)

    def gives_away(self, document: str) -> bool:
        tokens = lexical_tokens(document)
        if hash(tuple(tokens)) in self._short:
            return True
        shared: Counter[int] = Counter()
        for shingle in _shingles(tokens):
            shared.update(self._owners.get(shingle, ()))
        return any(count >= CONTAINMENT * self._sizes[owner] for owner, count in shared.items())


def site_packages() -> Path:
    return Path(sysconfig.get_paths()["purelib"])


def read_rows(path: Path) -> Iterator[dict]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def python_files(package: Path) -> list[Path]:
    return sorted(path for path in package.rglob("*.py") if path.is_file())


def _functions(source: str) -> list[tuple[int, int, str]]:
    """(first line, last line, text) of every outermost function, 1-based; none where the file does not parse."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return []
    lines = source.splitlines(keepends=True)
    found, pending = [], list(ast.iter_child_nodes(tree))
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.append((node.lineno, node.end_lineno, "".join(lines[node.lineno - 1:node.end_lineno])))
        elif isinstance(node, (ast.ClassDef, ast.If, ast.Try)):
            pending.extend(ast.iter_child_nodes(node))
    return sorted(found)


def forbidden_texts(data: Path | None, packages: Iterable[str] = EMBEDDED_TASK_PACKAGES) -> Iterator[str]:
    """Every text that must not be learnt: functions behind the embedded task, validation and test rows of `data`."""
    for package in packages:
        for path in python_files(site_packages() / package):
            for _, _, text in _functions(path.read_text(encoding="utf-8", errors="replace")):
                yield text
    if data is None:
        return
    for folder in sorted(path for path in data.iterdir() if path.is_dir()):
        for split in ("valid", "test"):
            path = folder / f"{split}.jsonl.gz"
            if path.exists():
                for row in read_rows(path):
                    for field in ("source", "target", "test_method", "focal_method"):
                        if row.get(field):
                            yield row[field]


def python_documents(index: ContaminationIndex, report: Counter) -> Iterator[tuple[str, str]]:
    """(stream, text) of the installed packages' files, without forbidden functions, repeated ones and opening comments."""
    seen: set[bytes] = set()
    for package in sorted(path for path in site_packages().iterdir() if path.is_dir()):
        if package.name in EMBEDDED_TASK_PACKAGES or not package.name.isidentifier():
            continue
        taken: Counter[str] = Counter()
        # Files in hash order, so that a capped package contributes a cross-section of itself.
        for path in sorted(python_files(package), key=lambda path: hashlib.sha1(str(path.relative_to(package)).encode()).digest()):
            place = path.relative_to(package.parent).as_posix()
            if "numpy" in place:
                report["python: files named after numpy, skipped"] += 1
                continue
            stream = "python_tests" if TEST_FILE.search(place) else "python"
            if taken[stream] > PYTHON_PACKAGE_CHARACTERS:
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
            if not 200 < len(text) < 400_000 or "\ufffd" in text:
                continue
            lines: list[str | None] = text.splitlines(keepends=True)
            for first, last, function in _functions(text):
                digest = hashlib.sha1(" ".join(lexical_tokens(function)).encode()).digest()
                if digest in seen:
                    report["python: repeated functions removed"] += 1
                elif index.gives_away(function):
                    report["python: forbidden functions removed"] += 1
                else:
                    seen.add(digest)
                    continue
                lines[first - 1:last] = [None] * (last - first + 1)
            kept = "".join(line for line in lines if line is not None)
            kept = re.sub(r"\A(\s*#[^\n]*\n|\s+)+", "", kept)
            if len(kept) < 200:
                continue
            yield stream, kept
            taken[stream] += len(kept)
            if taken[stream] > PYTHON_PACKAGE_CHARACTERS:
                report[f"{stream}: packages cut at {PYTHON_PACKAGE_CHARACTERS} characters"] += 1


def method_documents(path: Path) -> Iterator[str]:
    """Methods of a corpus file; a documentation sentence stands in front as a comment."""
    for row in read_rows(path):
        doc = (row.get("doc") or "").strip()
        yield (f"/** {doc} */\n" if doc else "") + row["code"]


def source_documents(path: Path) -> Iterator[str]:
    """The source sides of a task's rows, without the placeholder of an assertion."""
    for row in read_rows(path):
        yield PLACEHOLDER_STATEMENT.sub("", row["source"])


def require_data(data: Path) -> None:
    """Raises CorpusError where a data folder lacks a file that `documents` reads."""
    files = [*METHODS.values(), *(f"{folder}/train.jsonl.gz" for folder in TASK_FOLDERS.values())]
    missing = [file for file in files if not (data / file).is_file()]
    if missing:
        raise CorpusError(f"{data} lacks {', '.join(missing)}; give a folder that holds them, or leave it out: then only the Python "
                          "of this environment is used")


def documents(data: Path | None, index: ContaminationIndex, report: Counter) -> Iterator[tuple[str, str]]:
    """(stream, text) of every document that may be trained on; `report` counts what was kept and dropped."""
    def checked(stream: str, texts: Iterable[str]) -> Iterator[tuple[str, str]]:
        for text in texts:
            if index.gives_away(text):
                report[f"{stream}: documents dropped as forbidden"] += 1
                continue
            report[f"{stream}: documents"] += 1
            report[f"{stream}: characters"] += len(text)
            yield stream, text

    for stream, text in python_documents(index, report):
        report[f"{stream}: documents"] += 1
        report[f"{stream}: characters"] += len(text)
        yield stream, text
    if data is None:
        return
    for stream, path in METHODS.items():
        yield from checked(stream, method_documents(data / path))
    for stream, folder in TASK_FOLDERS.items():
        yield from checked(stream, source_documents(data / folder / "train.jsonl.gz"))
