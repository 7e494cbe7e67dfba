"""Source trees to a data set: rows, splits without duplicates, and the accounts of all that was looked at.

Texts stay on disk (`row_store`); what is put into splits and counted are the rows' keys.

Files are in one split as a whole, and so are files whose tests or functions have the same names (`tasks.splitting`) and,
for assertions, the focal functions. The result is the same whatever the number of processes.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import attrgetter
from typing import Any

from ..base import Task
from ..datasets import SPLITS, DatasetSplits
from ..decontaminate import THRESHOLD, without_duplicates
from ..errors import MiningError, TaskLanguageError
from ..mining import check_accounts
from ..splitting import groups_by_names, one_split_per_focal, split_of
from .history import FIX_WORDS, history_rows
from .language_miner import MINERS, LanguageMiner, miner_of
from .row_store import RowKey, RowStore, StoredExamples
from .rows import FILE_TASKS, Account, file_rows, indexed
from .tree import Tree
from .workers import default_jobs

MINED_TASKS = (*FILE_TASKS, "repair")


@dataclass(frozen=True)
class Order:
    """What is to be mined.

    Attributes:
        task: for which task.
        languages: in which languages; empty for all that the task and the miners know and the trees hold.
        jobs: worker processes; None for one a core.
        limit: rows to stop after, per language (for repairs per tree and language); None for all.
        progress: whether to show bars.
    """

    task: Task
    languages: tuple[str, ...] = ()
    jobs: int | None = None
    limit: int | None = None
    progress: bool = True


def build(trees: Sequence[Tree], order: Order, name: str) -> DatasetSplits:
    """The data set of trees; its examples are read from a temporary file when they are asked for
    (`DatasetSplits.in_memory`).

    Raises:
        MiningError: the task cannot be mined; the trees hold no files of the languages, no tests, or too little for three
            splits; for repairs: no git checkout.
        TaskLanguageError: a language that the task or the miners do not know.
        AccountingError: something found was lost without a reason.
    """
    task = order.task
    if task.name not in MINED_TASKS:
        raise MiningError(f"task {task.name!r} has no examples in source trees; expected one of: {', '.join(MINED_TASKS)}: give "
                          f"data with file:PATH")
    store = RowStore(task)
    accounts = [_of_language(trees, miner, order, store) for miner in _miners(trees, order)]
    if task.name == "assert" and not any(account.tests for account in accounts):
        raise _no_tests(trees, accounts)
    drops = sum((account.drops for account in accounts), Counter())
    found = sum(account.found for account in accounts)
    check_accounts(found, len(store), drops, name)
    if not store:
        raise MiningError(f"{name}: {found} {_what_is_found(task)} were found, and none became an example "
                          f"({_listed(drops) or 'none'}); expected at least three: give larger trees")
    splits, later = split_rows(store, order.progress)
    drops += later
    check_accounts(found, sum(map(len, splits.values())), drops, name)
    empty = [split for split in SPLITS if not splits[split]]
    if empty:
        raise MiningError(f"{name}: {sum(map(len, splits.values()))} examples, but none for the split {empty[0]!r}, since whole "
                          f"files go into one split and near duplicates are removed ({_listed(drops)}); expected examples from "
                          f"at least three files that are not alike: give larger trees, or several")
    examples = {split: StoredExamples(store, kept) for split, kept in splits.items()}
    return DatasetSplits.of(examples, name, _description(trees, order, accounts, splits, found, drops))


def _of_language(trees: Sequence[Tree], miner: LanguageMiner, order: Order, store: RowStore) -> Account:
    """Puts the rows of a language into the store; what was looked at."""
    jobs = order.jobs or default_jobs()
    if order.task.name != "repair":
        index, account = indexed(trees, miner, jobs, order.progress)
        rows = file_rows(order.task.name, index, account, jobs, order.limit, order.progress)
    else:
        account = Account(miner.language)
        rows = chain.from_iterable(history_rows(tree, miner, account, jobs, order.limit, order.progress) for tree in trees)
    for row in rows:
        store.append(row)
    return account


def _miners(trees: Sequence[Tree], order: Order) -> list[LanguageMiner]:
    """Miners of the languages that are asked for, or that the trees hold files of."""
    for language in order.languages:
        order.task.check_language(language)
    known = [language for language in MINERS if language in order.task.languages]
    miners = [miner_of(language) for language in order.languages or known]
    with_files = [miner for miner in miners if any(tree.with_suffixes(miner.suffixes) for tree in trees)]
    lacking = [miner for miner in miners if miner not in with_files] if order.languages else []
    if lacking or not with_files:
        wanted = ", ".join(f"{miner.language} ({', '.join('*' + suffix for suffix in miner.suffixes)})"
                           for miner in lacking or miners)
        looked = "; ".join(f"{tree.folder}: {len(tree.files)} files" +
                           (f", skipped {_listed(tree.skipped)}" if tree.skipped else "") for tree in trees)
        raise MiningError(f"no files of {wanted} in the source trees ({looked}); expected at least one: give another folder or "
                          f"another language")
    return with_files


def _no_tests(trees: Sequence[Tree], accounts: Sequence[Account]) -> MiningError:
    where = ", ".join(str(tree.folder) for tree in trees)
    looked = "; ".join(f"{account.language}, {sum(account.files.values())} files ({_listed(account.files)}): "
                       f"{miner_of(account.language).looked_for}" for account in accounts)
    return MiningError(f"no tests in {where}; looked for, in {looked}; expected at least one test: give the folder that holds the "
                       f"tests as well (several with commas between), or use task 'summarize'")


def split_rows(store: RowStore, progress: bool) -> tuple[dict[str, list[RowKey]], Counter[str]]:
    """The keys of a store in splits, and counts of the drops."""
    is_assert = store.task.name == "assert"
    names: dict[str, set[str]] = {}
    for key in store.keys:
        known = key.name.split(".") if is_assert else [key.name] if store.task.name == "summarize" else []
        names.setdefault(key.file, set()).update(known)
    homes = assigned(groups_by_names(names))
    splits: dict[str, list[RowKey]] = {split: [] for split in SPLITS}
    for key in store.keys:
        splits[homes[key.file]].append(key)
    drops: Counter[str] = Counter()
    if is_assert:
        splits, drops = one_split_per_focal(splits, attrgetter("focal"))
    splits, duplicates = without_duplicates(splits, progress=progress, source=lambda key: store.example(key).source)
    drops += duplicates
    if not is_assert:
        held_out = {example.target for split in ("valid", "test") for example in StoredExamples(store, splits[split])}
        kept = [key for key in splits["train"] if store.example(key).target not in held_out]
        drops["train_target_in_valid_or_test"] += len(splits["train"]) - len(kept)
        splits["train"] = kept
    return splits, +drops


def assigned(groups: Mapping[str, str]) -> dict[str, str]:
    """File -> split, by the hash of its group (`split_of`); of few groups, where that leaves a split empty, the group of the
    fullest split whose hash comes first moves there."""
    homes = {group: split_of(group) for group in sorted(set(groups.values()))}
    for split in ("test", "valid", "train"):
        if split not in homes.values():
            counts = Counter(homes.values())
            fullest = max(SPLITS, key=lambda other: (counts[other], -SPLITS.index(other)))
            if counts[fullest] > 1:
                moved = min((group for group in homes if homes[group] == fullest),
                            key=lambda group: hashlib.sha256(group.encode("utf-8")).digest())
                homes[moved] = split
    return {file: homes[group] for file, group in groups.items()}


def _description(trees: Sequence[Tree], order: Order, accounts: Sequence[Account], splits: Mapping[str, Sequence[RowKey]],
                 found: int, drops: Counter[str]) -> dict[str, Any]:
    keys = [key for kept in splits.values() for key in kept]
    description = {
        "source": "mine", "task": order.task.name,
        "languages": dict(sorted(Counter(key.language for key in keys).items())),
        "found": found, "found_are": _what_is_found(order.task), "drops": dict(sorted(drops.items())),
        "trees": [{"name": tree.name, "files": len(tree.files), "commit": tree.commit,
                   "skipped": dict(sorted(tree.skipped.items())), "licence_files": list(tree.licences),
                   "examples": sum(key.tree == tree.name for key in keys)} for tree in trees],
        "accounts": {account.language: {
            "files": dict(sorted((+account.files).items())), "declarations": account.declarations, "tests": account.tests,
            "files_with_tests": account.files_with_tests, "found": account.found, "not_mined": account.not_mined,
            "drops": dict(sorted(account.drops.items()))} for account in accounts},
        "split_by": "whole files, files that share names of tests or functions together", "near_duplicate_threshold": THRESHOLD,
        "limit": order.limit}
    if order.task.name == "assert":
        description["focal_by"] = dict(Counter(key.focal_by for key in keys).most_common())
        description["confidence"] = dict(Counter(key.confidence for key in keys).most_common())
    if order.task.name == "repair":
        description["fix_words"] = list(FIX_WORDS)
    return description


def _what_is_found(task: Task) -> str:
    return {"assert": "assertions", "summarize": "documented functions", "repair": "commits that say that they fix"}[task.name]


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in sorted(counts.items()) if count)
