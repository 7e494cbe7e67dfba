"""Near duplicates between the splits of a data set (`tasks.decontaminate`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..base import Example, Task
from ..decontaminate import jaccard, near_duplicates, shingles

PAIRS = (("test", "train"), ("valid", "train"), ("test", "valid"))
SHOWN_PAIRS = 5


@dataclass(frozen=True)
class NearPair:
    """An example and its nearest one in the other split, by one side, with the Jaccard index of their token 5-grams."""

    side: str
    index: float
    id: str
    other_id: str
    text: str
    other_text: str


@dataclass(frozen=True)
class Overlap:
    """The examples of `split` with a near duplicate in `pool`.

    Attributes:
        examples: of the split.
        by_side: side -> how many have one on that side.
        either: how many have one on any side.
        nearest: a few of the pairs, the nearest first.
    """

    split: str
    pool: str
    examples: int
    by_side: dict[str, int]
    either: int
    nearest: list[NearPair]


def overlaps(splits: Mapping[str, Sequence[Example]], task: Task, threshold: float, progress: bool = False) -> list[Overlap]:
    """One for each pair of splits, on the sides that the task compares.

    Cost: a millisecond a text and pair of splits.
    """
    return [_overlap(split, pool, splits, task, threshold, progress) for split, pool in PAIRS]


def _overlap(split: str, pool: str, splits: Mapping[str, Sequence[Example]], task: Task, threshold: float,
             progress: bool) -> Overlap:
    by_side: dict[str, int] = {}
    either: set[int] = set()
    pairs: list[NearPair] = []
    for side in task.compared:
        examples, others = ([example for example in splits[name] if getattr(example, side) is not None]
                            for name in (split, pool))
        texts, pooled = ([getattr(example, side) for example in found] for found in (examples, others))
        found = near_duplicates(texts, pooled, threshold, progress)
        by_side[side] = len(found)
        either |= {id(examples[place]) for place in found}
        pairs += [NearPair(side, jaccard(shingles(texts[place]), shingles(pooled[other])), examples[place].id,
                           others[other].id, texts[place], pooled[other]) for place, other in found.items()]
    pairs.sort(key=lambda pair: (-pair.index, pair.id, pair.side))
    return Overlap(split, pool, len(splits[split]), by_side, len(either), pairs[:SHOWN_PAIRS])
