"""Repair pairs from the history of git checkouts: a function before and after a commit that says that it fixes something.

A commit is looked at when its message holds one of `FIX_WORDS` as a word. It gives a pair when it changes one source file of
the language (tests, documentation and other files may change with it), when in that file exactly one function differs and
nothing is added, removed or changed around it but imports and comments, and when the difference is more than comments and
layout. Merges and commits without a parent are passed over. Both texts are without comments and documentation. What was
changed is one commit's view: a fix may do more than repair, and `fix` may mean a typing error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..code_tokens import code_tokens
from ..errors import MiningError
from .context import context_of
from .git import Change, Commit, Contents, Git, NoCheckout
from .language_miner import (FUNCTION_KINDS, LanguageMiner, Mined, SourceFile, Unparsable,
                             miner_of)
from .rows import MAX_BYTES, Account, Wanted
from .tree import Tree
from .tree_index import TreeIndex
from .workers import over_chunks

FIX_WORDS = ("fix", "fixes", "fixed", "fixing", "bug", "bugs", "bugfix", "hotfix", "defect", "defects", "faulty", "broken",
             "repair", "repairs", "repaired", "regression", "crash", "crashes", "crashed")
"""A message that holds one of them as a word, in any case, says that its commit is a fix."""

PATTERN = rf"(^|[^[:alnum:]_])({'|'.join(FIX_WORDS)})([^[:alnum:]_]|$)"

MAX_CHARACTERS = 1600
"""Of a function, on either side."""

_TEST_PATH = re.compile(r"(^|/)(tests?|testing|[\w.]*\.tests?)/"
                        r"|(^|/)(test_[^/]*|[^/]*_test|conftest|[^/]*Tests?|Test[A-Z][^/]*)\.\w+$")
_COMMENT = re.compile(r"^\s*(//|/\*|\*|#(?!include|if|else|elif|endif|define))")
_CALL = re.compile(r"\b(\w+)\s*\(")
_IMPORT = re.compile(r"^\s*(import|from|using|package|#include)\b")


@dataclass
class HistoryPass:
    """Pairs from commits, in some process."""

    folder: str
    tree: str
    language: str
    suffixes: tuple[str, ...]
    miner: LanguageMiner | None = None
    contents: Contents | None = None

    def __call__(self, commits: Sequence[Commit]) -> Mined:
        if self.miner is None:
            self.miner = miner_of(self.language)
        self.contents = Git(Path(self.folder)).contents()
        mined = Mined()
        try:
            for commit in commits:
                mined.found += 1
                try:
                    mined.rows.append(self._row(commit))
                except NoPair as reason:
                    mined.drops[str(reason)] += 1
        finally:
            self.contents.close()
            self.contents = None
        return mined.check(f"{self.tree} history")

    def _row(self, commit: Commit) -> dict[str, Any]:
        change = self._only_change(commit)
        before, after = self._text(change.before), self._text(change.after)
        (name, old, start, end), new = self._changed_function(before, after)
        try:
            source, target = self.miner.bare(old), self.miner.bare(new)
        except Unparsable as reason:
            raise NoPair("not_parsed") from reason
        if code_tokens(source) == code_tokens(target):
            raise NoPair("only_comments_or_layout")
        if max(len(source), len(target)) > MAX_CHARACTERS:
            raise NoPair("long_function")
        path = f"{self.tree}/{change.path}"
        return {"source": source, "target": target, "language": self.language,
                "context": self._context(path, before, start, end),
                "metadata": {"file": path, "line": before.encode("utf-8")[:start].count(b"\n") + 1, "tree": self.tree,
                             "function": name, "commit": commit.identity, "time": commit.time, "subject": commit.subject}}

    def _context(self, path: str, text: str, start: int, end: int) -> dict[str, Any]:
        """What lies around the function at a byte range, as far as its own file says it: callees are known by name alone."""
        index = TreeIndex(self.language, {}, self.miner.declarations(SourceFile(path, self.tree, text)))
        functions = [declaration for declaration in index if declaration.kind in FUNCTION_KINDS]
        owner = next((declaration.owner for declaration in functions if declaration.end == end), "")
        called = dict.fromkeys(_CALL.findall(text.encode("utf-8")[start:end].decode("utf-8")))
        callees = (declaration for name in called for declaration in functions
                   if declaration.name == name and declaration.end != end)
        return context_of(owner, callees, _imports(text), index)

    def _only_change(self, commit: Commit) -> Change:
        sources = [change for change in commit.changes
                   if change.path.endswith(self.suffixes) and not _TEST_PATH.search(change.path)]
        if not sources:
            raise NoPair("no_source_file")
        if len(sources) > 1:
            raise NoPair("several_source_files")
        if sources[0].status != "M":
            raise NoPair("file_added_or_removed")
        return sources[0]

    def _text(self, identity: str) -> str:
        data = self.contents.read(identity)
        if data is None:
            raise NoPair("content_not_there")
        if len(data) > MAX_BYTES:
            raise NoPair("too_large")
        try:
            return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError as error:
            raise NoPair("not_utf8") from error

    def _changed_function(self, before: str, after: str) -> tuple[tuple[str, str, int, int], str]:
        """Name, text and byte range before of the one function that differs, and its text after."""
        try:
            old, new = _functions(before, self.miner), _functions(after, self.miner)
        except Unparsable as reason:
            raise NoPair("not_parsed") from reason
        if [name for name, *_ in old] != [name for name, *_ in new]:
            raise NoPair("function_added_or_removed")
        changed = [place for place, (left, right) in enumerate(zip(old, new)) if left[1] != right[1]]
        if len(changed) != 1:
            raise NoPair("no_function_changed" if not changed else "several_functions_changed")
        if _around(before, old) != _around(after, new):
            raise NoPair("changed_outside_functions")
        return old[changed[0]], new[changed[0]][1]


class NoPair(Exception):
    """A commit that gives no pair; its text is the reason."""


def _functions(text: str, miner: LanguageMiner) -> list[tuple[str, str, int, int]]:
    """Name, text from the beginning of its first line, and byte range of each function."""
    data = text.encode("utf-8")
    found = []
    for name, start, end in miner.functions(text):
        line_start = data.rfind(b"\n", 0, start) + 1
        first = line_start if not data[line_start:start].strip() else start
        found.append((name, data[first:end].decode("utf-8"), first, end))
    return found


def _around(text: str, functions: list[tuple[str, str, int, int]]) -> list[str]:
    """The tokens of what stands outside functions, without imports and lines of comments."""
    data, parts, place = text.encode("utf-8"), [], 0
    for _, _, start, end in functions:
        parts.append(data[place:start].decode("utf-8", "replace"))
        place = max(place, end)
    parts.append(data[place:].decode("utf-8", "replace"))
    return code_tokens("\n".join(line for line in "\n".join(parts).split("\n")
                                 if not _IMPORT.match(line) and not _COMMENT.match(line)))


def _imports(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if _IMPORT.match(line) and not line[:1].isspace()]


def history_rows(tree: Tree, miner: LanguageMiner, account: Account, jobs: int, limit: int | None,
                 progress: bool) -> Iterator[dict[str, Any]]:
    """Pairs of a checkout, newest first, at most `limit`, as they are found; the account is whole after the last.

    Raises:
        MiningError: the tree is no git checkout, or git is not on the path.
    """
    try:
        git = Git(tree.folder)
    except NoCheckout as reason:
        raise MiningError(f"source tree {tree.folder}: {reason}; expected a git checkout, and git on the path, since repairs are "
                          f"mined from the history: clone the repository with its history, or give pairs with file:PATH") from reason
    if not tree.commit:
        raise MiningError(f"source tree {tree.folder}: the git checkout around it tracks none of its files; expected a checkout "
                          f"with a history: clone the repository, or give pairs with file:PATH")
    commits = list(git.commits(PATTERN))
    work = HistoryPass(str(tree.folder), tree.name, miner.language, miner.suffixes)
    looked_at = 0
    wanted = Wanted(limit)
    with closing(over_chunks(work, commits, jobs, f"history of {tree.name}", progress)) as chunks:
        for mined in chunks:
            looked_at += mined.found
            account.drops += mined.drops
            yield from wanted.of(mined.rows, account.drops)
            if wanted.enough:
                break
    account.found += looked_at
    account.not_mined += len(commits) - looked_at
