"""Parts of a data set that stand for the whole: always the same ones, and no chance in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """At most `most` items, as far from each other as can be, in their order."""
    if len(items) <= most:
        return list(items)
    return [items[(2 * place + 1) * len(items) // (2 * most)] for place in range(most)]


def across(items: Sequence[Item], count: int, size: Callable[[Item], tuple]) -> list[Item]:
    """At most `count` items, from small to large: one out of the middle of each of as many equal parts by `size`."""
    return spread(sorted(items, key=size), count)
