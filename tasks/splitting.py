"""Examples into train, valid and test by the module that their test is in.

Modules whose tests are written after each other, such as those of the six polynomial bases of numpy, go together: they
differ in names enough to be no near duplicates, yet an answer in one is an answer in the other. They are known by the names
of their tests and test classes (`module_groups`).
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any, TypeVar

from .base import Example
from .datasets import SPLITS

Item = TypeVar("Item")

SHARES = {"train": 0.80, "valid": 0.08, "test": 0.12}

SHARED_NAMES = 5
SHARED_PART = 0.3
"""Modules go together that share at least so many names of tests and classes, and so large a part of the fewer."""


def split_of(group: str) -> str:
    """The split of a group by the hash of its name: the same on every machine, whatever else is in the data."""
    place = int.from_bytes(hashlib.sha256(group.encode("utf-8")).digest()[:8], "big") / 2 ** 64
    for split in SPLITS:
        if place < SHARES[split]:
            return split
        place -= SHARES[split]
    return SPLITS[-1]


def module_groups(examples: Sequence[Example]) -> dict[str, str]:
    """The group of each test module, named after its first module; most are alone in theirs."""
    names: dict[str, set[str]] = defaultdict(set)
    for example in examples:
        names[example.metadata["test_module"]].update(example.metadata["test"].split("."))
    return groups_by_names(names)


def groups_by_names(names: Mapping[str, set[str]]) -> dict[str, str]:
    """Module -> the first of the modules that share enough names with it, directly or through others.

    Cost: of the square of the number of modules that have enough names to share.
    """
    leaders = {module: module for module in sorted(names)}

    def leader(module: str) -> str:
        while leaders[module] != module:
            module = leaders[module]
        return module

    for first, second in combinations([module for module in leaders if len(names[module]) >= SHARED_NAMES], 2):
        shared = len(names[first] & names[second])
        if shared >= SHARED_NAMES and shared >= SHARED_PART * min(len(names[first]), len(names[second])):
            joined, other = sorted((leader(first), leader(second)))
            leaders[other] = joined
    return {module: leader(module) for module in leaders}


def split_by_groups(examples: Sequence[Example], groups: Mapping[str, str], key: str) -> dict[str, list[Example]]:
    """Splits in which no group is in two, in the order of `examples`; `key` names the metadata that is grouped."""
    splits: dict[str, list[Example]] = {split: [] for split in SPLITS}
    for example in examples:
        splits[split_of(groups[example.metadata[key]])].append(example)
    return splits


def split_by_module(examples: Sequence[Example]) -> dict[str, list[Example]]:
    """Splits in which no group of test modules is in two, in the order of `examples`."""
    return split_by_groups(examples, module_groups(examples), "test_module")


def focal_of(example: Example) -> Any:
    """The focal function of an example."""
    return example.metadata["focal"]


def one_split_per_focal(splits: Mapping[str, Sequence[Item]],
                        focal: Callable[[Item], Any] = focal_of) -> tuple[dict[str, list[Item]], Counter[str]]:
    """Splits in which no focal function is in two, and counts of the drops.

    A function stays where most of its examples are, in the earlier split where two have as many; its others are dropped.

    Args:
        splits: examples, or whatever stands for them.
        focal: what tells their focal function.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for split in SPLITS:
        for example in splits[split]:
            counts[focal(example)][split] += 1
    home = {name: max(SPLITS, key=lambda split: (found[split], -SPLITS.index(split))) for name, found in counts.items()}
    kept = {split: [example for example in splits[split] if home[focal(example)] == split] for split in SPLITS}
    lost = sum(len(splits[split]) - len(kept[split]) for split in SPLITS)
    return kept, +Counter({"focal_function_in_other_split": lost})
