"""What the metadata of a data set say: values of fields that have few, and the names of the others."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..base import Example

MOST_VALUES = 60
"""A field of more values is no category."""
REPEATED = 4
"""A category's values stand at least so often, on average."""
LONGEST = 80
"""Characters of a value; longer ones are texts."""


@dataclass(frozen=True)
class Category:
    """A field with few values: value -> split -> examples, the most frequent value first. Counts of all values together, and
    `missing`, are the examples."""

    name: str
    values: dict[str, dict[str, int]]
    missing: int


@dataclass(frozen=True)
class Metadata:
    """The categories by name, and for every other field how many different values it has; None where they are no scalars."""

    categories: dict[str, Category]
    others: dict[str, int | None]


def metadata(splits: Mapping[str, Sequence[Example]]) -> Metadata:
    """The metadata of examples. Linear in them."""
    counts: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: {split: Counter() for split in splits})
    plain: dict[str, bool] = {}
    total = sum(map(len, splits.values()))
    for split, examples in splits.items():
        for example in examples:
            for name, value in example.metadata.items():
                scalar = value is None or isinstance(value, (str, bool, int, float)) and len(str(value)) <= LONGEST
                plain[name] = plain.get(name, True) and scalar
                if value is not None and isinstance(value, (str, bool, int, float)):
                    counts[name][split][_shown(value)] += 1
    categories: dict[str, Category] = {}
    others: dict[str, int | None] = {}
    for name in sorted(plain):
        everywhere: Counter[str] = sum(counts[name].values(), Counter())
        present = sum(everywhere.values())
        if plain[name] and 0 < len(everywhere) <= MOST_VALUES and present >= REPEATED * len(everywhere):
            order = sorted(everywhere, key=lambda value: (-everywhere[value], value))
            values = {value: {split: counts[name][split][value] for split in splits} for value in order}
            categories[name] = Category(name, values, total - present)
        else:
            others[name] = len(everywhere) or None
    return Metadata(categories, others)


def _shown(value: object) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
