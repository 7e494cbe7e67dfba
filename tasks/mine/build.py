"""Source trees to a data set: rows, splits without duplicates, and the accounts of all that was looked at.

Files are in one split as a whole, and so are files whose tests or functions have the same names (`tasks.splitting`) and,
for assertions, the focal functions. The result is the same whatever the number of processes.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..base import Example, Task
from ..datasets import SPLITS, DatasetSplits
from ..decontaminate import THRESHOLD, without_duplicates
from ..errors import MiningError, TaskLanguageError
from ..mining import check_accounts
from ..splitting import groups_by_names, one_split_per_focal, split_of
from .history import FIX_WORDS, history_rows
from .language_miner import MINERS, LanguageMiner, miner_of
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
    """The data set of trees.

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
    rows: list[dict[str, Any]] = []
    accounts = []
    for miner in _miners(trees, order):
        found, account = _of_language(trees, miner, order)
        rows += found
        accounts.append(account)
    if task.name == "assert" and not any(account.tests for account in accounts):
        raise _no_tests(trees, accounts)
    drops = sum((account.drops for account in accounts), Counter())
    found = sum(account.found for account in accounts)
    check_accounts(found, len(rows), drops, name)
    if not rows:
        raise MiningError(f"{name}: {found} {_what_is_found(task)} were found, and none became an example "
                          f"({_listed(drops) or 'none'}); expected at least three: give larger trees")
    splits, later = _split(_examples(rows, task), task, order.progress)
    drops += later
    check_accounts(found, sum(map(len, splits.values())), drops, name)
    empty = [split for split in SPLITS if not splits[split]]
    if empty:
        raise MiningError(f"{name}: {sum(map(len, splits.values()))} examples, but none for the split {empty[0]!r}, since whole "
                          f"files go into one split and near duplicates are removed ({_listed(drops)}); expected examples from "
                          f"at least three files that are not alike: give larger trees, or several")
    return DatasetSplits.of(splits, name, _description(trees, order, accounts, splits, found, drops))


def _of_language(trees: Sequence[Tree], miner: LanguageMiner, order: Order) -> tuple[list[dict[str, Any]], Account]:
    jobs = order.jobs or default_jobs()
    if order.task.name != "repair":
        index, account = indexed(trees, miner, jobs, order.progress)
        return file_rows(order.task.name, index, account, jobs, order.limit, order.progress), account
    account = Account(miner.language)
    rows = [row for tree in trees for row in history_rows(tree, miner, account, jobs, order.limit, order.progress)]
    return rows, account


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


def _examples(rows: Sequence[Mapping[str, Any]], task: Task) -> list[Example]:
    """Examples with ids that depend on their place and text alone."""
    seen: Counter[str] = Counter()
    examples = []
    for row in rows:
        facts = row["metadata"]
        text = f"{facts['file']}:{facts['line']}:{facts.get('commit', '')}:{row['source']}"
        identity = f"{task.name}-{facts['tree']}-{hashlib.sha256(text.encode('utf-8')).hexdigest()[:10]}"
        seen[identity] += 1
        if seen[identity] > 1:
            identity += f"-{seen[identity]}"
        examples.append(Example(identity, row["source"], row["target"], row["language"], {**facts, "context": row["context"]}))
    return examples


def _split(examples: list[Example], task: Task, progress: bool) -> tuple[dict[str, list[Example]], Counter[str]]:
    names: dict[str, set[str]] = {}
    for example in examples:
        facts = example.metadata
        known = facts["test"].split(".") if task.name == "assert" else [facts["function"]] if task.name == "summarize" else []
        names.setdefault(facts["file"], set()).update(known)
    homes = assigned(groups_by_names(names))
    splits: dict[str, list[Example]] = {split: [] for split in SPLITS}
    for example in examples:
        splits[homes[example.metadata["file"]]].append(example)
    drops: Counter[str] = Counter()
    if task.name == "assert":
        splits, drops = one_split_per_focal(splits)
    splits, duplicates = without_duplicates(splits, progress=progress)
    drops += duplicates
    if task.name != "assert":
        held_out = {example.target for split in ("valid", "test") for example in splits[split]}
        kept = [example for example in splits["train"] if example.target not in held_out]
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


def _description(trees: Sequence[Tree], order: Order, accounts: Sequence[Account], splits: Mapping[str, Sequence[Example]],
                 found: int, drops: Counter[str]) -> dict[str, Any]:
    examples = [example for kept in splits.values() for example in kept]
    description = {
        "source": "mine", "task": order.task.name,
        "languages": dict(sorted(Counter(example.language for example in examples).items())),
        "found": found, "found_are": _what_is_found(order.task), "drops": dict(sorted(drops.items())),
        "trees": [{"name": tree.name, "files": len(tree.files), "commit": tree.commit,
                   "skipped": dict(sorted(tree.skipped.items())), "licence_files": list(tree.licences),
                   "examples": sum(example.metadata["tree"] == tree.name for example in examples)} for tree in trees],
        "accounts": {account.language: {
            "files": dict(sorted((+account.files).items())), "declarations": account.declarations, "tests": account.tests,
            "files_with_tests": account.files_with_tests, "found": account.found, "not_mined": account.not_mined,
            "drops": dict(sorted(account.drops.items()))} for account in accounts},
        "split_by": "whole files, files that share names of tests or functions together", "near_duplicate_threshold": THRESHOLD,
        "limit": order.limit}
    if order.task.name == "assert":
        description["focal_by"] = _counts(examples, "focal_by")
        description["confidence"] = _counts(examples, "confidence")
    if order.task.name == "repair":
        description["fix_words"] = list(FIX_WORDS)
    return description


def _counts(examples: Sequence[Example], field: str) -> dict[str, int]:
    return dict(Counter(example.metadata[field] for example in examples).most_common())


def _what_is_found(task: Task) -> str:
    return {"assert": "assertions", "summarize": "documented functions", "repair": "commits that say that they fix"}[task.name]


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in sorted(counts.items()) if count)
