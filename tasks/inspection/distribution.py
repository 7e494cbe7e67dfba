"""Many numbers as a few: quantiles, and bins of equal width that several groups of numbers share."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MOST_BINS = 32
STEPS = (1, 2, 5)
"""A bin is one of these times a power of ten wide, so that its borders are numbers that people read."""
TAIL = 0.99
"""The axis ends behind this share of the numbers; the rest stands in one bin more."""
LIMIT_IN_SIGHT = 2.5
"""A limit is on the axis where it is at most so many times the end of the numbers."""


@dataclass(frozen=True)
class Distribution:
    """Whole numbers of one group.

    Attributes:
        count: how many numbers.
        mean: their mean, 0 for none.
        minimum, low, median, high, maximum: smallest, 5 %, 50 %, 95 %, largest; each is one of the numbers (nearest rank),
            0 for none.
        over: how many are above the limit; None where there is none.
        bins: how many are in each bin of the axis.
    """

    count: int
    mean: float
    minimum: int
    low: int
    median: int
    high: int
    maximum: int
    over: int | None
    bins: list[int]


@dataclass(frozen=True)
class Histogram:
    """Groups of numbers over one axis.

    Attributes:
        what: what is counted, in words.
        limit: the largest number allowed, or None.
        edges: where each bin begins. The last bin has no end.
        groups: name -> its numbers.
    """

    what: str
    limit: int | None
    edges: list[int]
    groups: dict[str, Distribution]

    @property
    def width(self) -> int:
        """Numbers of a bin."""
        return self.edges[1] - self.edges[0] if len(self.edges) > 1 else 1

    @property
    def open_end(self) -> bool:
        """Whether the last bin holds numbers that would be beyond it, were it as wide as the others."""
        return any(group.maximum >= self.edges[-1] + self.width for group in self.groups.values())

    def bin_name(self, place: int) -> str:
        """The numbers of a bin: `20–39`, `7`, or `400 or more`."""
        first, last = self.edges[place], self.edges[place] + self.width - 1
        if place + 1 == len(self.edges) and self.open_end:
            return f"{first:,} or more"
        return f"{first:,}" if first == last else f"{first:,}–{last:,}"


def histogram(groups: Mapping[str, Sequence[int]], what: str, limit: int | None = None) -> Histogram:
    """The histogram of numbers of 0 and above. Groups without numbers stay, as zeros."""
    ordered = {name: sorted(values) for name, values in groups.items()}
    edges = _edges(sorted(value for values in ordered.values() for value in values), limit)
    return Histogram(what, limit, edges, {name: _distribution(values, edges, limit) for name, values in ordered.items()})


def quantile(ordered: Sequence[int], share: float) -> int:
    """The smallest of the sorted numbers that at least this share of them does not exceed; 0 for none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0


def _edges(ordered: list[int], limit: int | None) -> list[int]:
    end = quantile(ordered, TAIL) + 1
    if limit is not None and limit < LIMIT_IN_SIGHT * end:
        end = max(end, math.ceil(1.1 * limit))
    width = next(step * 10 ** power for power in range(20) for step in STEPS if step * 10 ** power * MOST_BINS >= end)
    covered = math.ceil(end / width) * width
    return list(range(0, covered, width)) + ([covered] if ordered and ordered[-1] >= covered else [])


def _distribution(ordered: list[int], edges: list[int], limit: int | None) -> Distribution:
    bins = [0] * len(edges)
    for value in ordered:
        bins[bisect_right(edges, value) - 1] += 1
    count = len(ordered)
    return Distribution(count, sum(ordered) / count if count else 0.0, *(quantile(ordered, share) for share in (0, 0.05, 0.5, 0.95, 1)),
                        None if limit is None else count - bisect_right(ordered, limit), bins)
