"""Rows of the files of trees: the two passes over every file, and what became of each."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from ..errors import AccountingError
from ..mining import without_collector
from .language_miner import Declaration, LanguageMiner, Mined, SourceFile, Unparsable, miner_of, read_text
from .tree import Tree
from .tree_index import TreeIndex
from .workers import over_chunks

LOG = logging.getLogger(__name__)
MAX_BYTES = 1_000_000
"""Of a file; larger ones are generated, or data."""

READ = "read"
FILE_TASKS = {"assert": "assertions", "summarize": "summaries"}
"""Task -> the method of a miner that makes its rows from a file."""


@dataclass
class Account:
    """What was looked at in one language. `files` is a sum of outcomes: read and declared, or why not."""

    language: str
    files: Counter[str] = field(default_factory=Counter)
    declarations: int = 0
    files_with_tests: int = 0
    tests: int = 0
    found: int = 0
    drops: Counter[str] = field(default_factory=Counter)
    not_mined: int = 0
    """Files that were left out because enough rows were found (`--limit`)."""


def read_file(path: str, roots: dict[str, str]) -> SourceFile | str:
    """The file, or the reason for which it cannot be read."""
    tree, _, place = path.partition("/")
    full = Path(roots[tree], place)
    try:
        if full.stat().st_size > MAX_BYTES:
            return "too_large"
        return SourceFile(path, tree, read_text(full))
    except UnicodeDecodeError:
        return "not_utf8"
    except OSError:
        return "unreadable"


@dataclass
class _Pass(ABC):
    """A pass over files in some process; its miner is made there."""

    language: str
    roots: dict[str, str]
    miner: LanguageMiner | None = None

    def __call__(self, paths: Sequence[str]) -> list[tuple[str, Any]]:
        """For each file the outcome (`READ`, or why not) and what it gave."""
        if self.miner is None:
            self.miner = miner_of(self.language)
        with without_collector():
            return [self._attempt(path) for path in paths]

    def _attempt(self, path: str) -> tuple[str, Any]:
        file = read_file(path, self.roots)
        if isinstance(file, str):
            return file, None
        try:
            return READ, self.look(file)
        except Unparsable:
            return "not_parsed", None
        except AccountingError:
            raise
        except Exception:  # a defect of a miner costs the file that shows it, not the run
            LOG.warning("%s: the %s miner failed; the file is left out: report this as a defect", path, self.language,
                        exc_info=True)
            return "miner_failed", None

    @abstractmethod
    def look(self, file: SourceFile) -> Any:
        """What is wanted of a file."""


class Declaring(_Pass):
    """Declarations of files."""

    def look(self, file: SourceFile) -> Any:
        return self.miner.declarations(file)


@dataclass
class RowMaking(_Pass):
    """Rows of files."""

    index: TreeIndex | None = None
    method: str = ""

    def look(self, file: SourceFile) -> Mined:
        return getattr(self.miner, self.method)(file, self.index).check(file.path)


def indexed(trees: Sequence[Tree], miner: LanguageMiner, jobs: int, progress: bool) -> tuple[TreeIndex, Account]:
    """The declarations of a language's files, and what became of the files."""
    roots = {tree.name: str(tree.folder) for tree in trees}
    paths = [path for tree in trees for path in tree.with_suffixes(miner.suffixes)]
    account = Account(miner.language)
    outcomes = over_chunks(Declaring(miner.language, roots), paths, jobs, f"reading {miner.language}", progress)
    index = TreeIndex(miner.language, roots, _declared(outcomes, account))
    if sum(account.files.values()) != len(paths):
        raise AccountingError(f"{miner.language}: {len(paths)} files, but {sum(account.files.values())} accounted for; report "
                              f"this as a defect of tasks.mine")
    return index, account


def _declared(outcomes: Iterable[list[tuple[str, list[Declaration] | None]]], account: Account) -> Iterator[Declaration]:
    """The declarations of the files as they come; adds to the account."""
    for outcome, declarations in chain.from_iterable(outcomes):
        account.files[outcome] += 1
        declarations = declarations or ()
        account.declarations += len(declarations)
        tests = [declaration for declaration in declarations if declaration.is_test and declaration.kind != "class"]
        account.tests += sum(test.extra.get("tests", 1) for test in tests)
        account.files_with_tests += len({test.file for test in tests})
        yield from declarations


def file_rows(task: str, index: TreeIndex, account: Account, jobs: int, limit: int | None,
              progress: bool) -> Iterator[dict[str, Any]]:
    """Rows of a task in the order of the files, at most `limit`, as they are found; the account is whole after the last."""
    if task == "assert":
        paths = index.files_with_tests()
    else:
        paths = index.files()
    work = RowMaking(index.language, index.roots, None, index, FILE_TASKS[task])
    looked_at = 0
    wanted = Wanted(limit)
    with closing(over_chunks(work, paths, jobs, f"mining {index.language}", progress)) as chunks:
        for outcomes in chunks:
            for outcome, mined in outcomes:
                looked_at += 1
                if mined is None:
                    account.files[outcome] += 1
                    account.files[READ] -= 1
                    continue
                account.found += mined.found
                account.drops += mined.drops
                yield from wanted.of(mined.rows, account.drops)
            if wanted.enough:
                break
    account.not_mined = len(paths) - looked_at


@dataclass
class Wanted:
    """How many rows are still to come; None for all."""

    left: int | None

    def of(self, rows: Sequence[dict[str, Any]], drops: Counter[str]) -> Sequence[dict[str, Any]]:
        """Those of `rows` that are still wanted; the others are counted."""
        if self.left is None:
            return rows
        kept = rows[:self.left]
        self.left -= len(kept)
        if len(kept) < len(rows):
            drops["over_limit"] += len(rows) - len(kept)
        return kept

    @property
    def enough(self) -> bool:
        return self.left == 0
