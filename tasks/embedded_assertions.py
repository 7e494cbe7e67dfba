"""Embedded examples of the task `assert`: the tests of installed packages.

The way: mine each package (`tasks.mining`), split by groups of test modules, keep each focal function in one split
(`tasks.splitting`), drop repetitions and near duplicates across splits (`tasks.decontaminate`).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from .base import Example
from .datasets import DatasetSplits
from .decontaminate import THRESHOLD, without_duplicates
from .mining import check_accounts, mine_package
from .splitting import one_split_per_focal, split_by_module

FILES = ("assertion.py", "embedded_assertions.py", "focal.py", "python_tests.py")
"""What the data depends on, beside the files that all embedded sources share."""


def mine(specification: str, versions: dict[str, str], progress: bool) -> DatasetSplits:
    """The data set made anew.

    Raises:
        AccountingError: an assertion was lost without a reason.
    """
    examples: list[Example] = []
    drops: Counter[str] = Counter()
    found = 0
    per_package: dict[str, dict[str, Any]] = {}
    for package in versions:
        mined, report = mine_package(package, progress=progress)
        examples += mined
        drops += report.drops
        found += report.found
        per_package[package] = {"version": versions[package], "test_files": report.files,
                                "unreadable_files": report.unreadable_files, "tests": report.tests,
                                "assertions_found": report.found, "examples_mined": len(mined)}
    splits, conflicts = one_split_per_focal(split_by_module(examples))
    splits, duplicates = without_duplicates(splits, progress=progress)
    drops += conflicts + duplicates
    check_accounts(found, sum(map(len, splits.values())), drops, "embedded")
    for package, facts in per_package.items():
        facts["examples"] = {split: sum(example.metadata["package"] == package for example in kept)
                             for split, kept in splits.items()}
    return DatasetSplits.of(splits, specification, {
        "source": "embedded", "languages": {"python": sum(map(len, splits.values()))}, "assertions_found": found,
        "drops": dict(sorted(drops.items())), "packages": per_package, "split_by": "groups of test modules",
        "near_duplicate_threshold": THRESHOLD})
