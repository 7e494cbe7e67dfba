"""All figures of a data set, JSON-ready."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from ..base import Example, Task
from ..code_tokens import code_tokens
from ..datasets import SPLITS, DatasetSplits
from .defaults import EXAMPLE_COUNT, GRAPHS
from .distribution import Histogram
from .graph_statistics import GraphStatistics, graph_statistics
from .lengths import lengths
from .metadata import Metadata, metadata
from .overlap import Overlap, overlaps
from .sampling import across, spread

SCHEMA = "tasks-inspect/1"
EXAMPLE_TOKENS = 250
"""Examples shown have at most so many code tokens, where there are such."""
EXAMPLES_MEASURED = 2000
"""So many are looked at to choose them."""


@dataclass(frozen=True)
class Figures:
    """What a data set holds.

    Attributes:
        name, task, content_hash: of the data set.
        counts: split -> examples.
        looked_at: split -> examples behind `lengths` and `metadata`; all, unless there is a limit.
        languages: language -> split -> examples.
        drops: reason -> examples that are not in the data set.
        facts: what else the data set's description says.
        lengths: side -> unit -> histogram over the splits.
        metadata: categories and other fields.
        graphs: side -> statistics; no side for 0 graphs.
        threshold: of near duplicates; None where they were not asked for.
        overlaps: near duplicates between splits, for a threshold.
        examples: a few examples with their split, from short to long.
    """

    name: str
    task: Task
    content_hash: str
    counts: dict[str, int]
    looked_at: dict[str, int]
    languages: dict[str, dict[str, int]]
    drops: dict[str, int]
    facts: dict[str, Any]
    lengths: dict[str, dict[str, Histogram]]
    metadata: Metadata
    graphs: dict[str, GraphStatistics]
    threshold: float | None
    overlaps: list[Overlap]
    examples: list[tuple[str, Example]]

    def as_dict(self) -> dict[str, Any]:
        """The same in types that JSON has, under `schema`."""
        return {
            "schema": SCHEMA, "data": self.name, "task": self.task.name, "content_hash": self.content_hash,
            "counts": self.counts, "looked_at": self.looked_at, "languages": self.languages, "drops": self.drops,
            "description": _plain(self.facts),
            "limits": {"source": self.task.max_source_tokens, "target": self.task.max_target_tokens},
            "lengths": {side: {unit: asdict(found) for unit, found in units.items()} for side, units in self.lengths.items()},
            "metadata": asdict(self.metadata),
            "graphs": {side: asdict(found) for side, found in self.graphs.items()},
            "near_duplicates": None if self.threshold is None else {
                "threshold": self.threshold, "pairs_of_splits": [asdict(overlap) for overlap in self.overlaps]},
            "examples": [{"split": split, "id": example.id, "language": example.language, "source": example.source,
                          "target": example.target, "metadata": _plain(example.metadata)} for split, example in self.examples],
        }


def inspect_dataset(dataset: DatasetSplits, task: Task, limit: int | None = None, graphs: int = GRAPHS,
                    examples: int = EXAMPLE_COUNT, near_duplicates: float | None = None, progress: bool = False) -> Figures:
    """The figures of a data set. The same data gives the same figures.

    Args:
        dataset: what `load_source` gave.
        task: what it was loaded for.
        limit: look at no more examples of each split than this, evenly spread; counts and drops are those of all.
        graphs: make the graphs of at most so many examples of each split; 0 for none.
        examples: how many examples to show.
        near_duplicates: look for near duplicates between splits with at least this Jaccard index, among all examples.
        progress: whether to show a bar for what takes over two seconds.

    Raises:
        MissingDataError: the tokenizer of the embedded base model is not there.
    """
    whole = dict(dataset.items())
    chosen = {split: found if limit is None else spread(found, limit) for split, found in whole.items()}
    return Figures(
        name=dataset.name, task=task, content_hash=dataset.content_hash,
        counts={split: len(found) for split, found in whole.items()},
        looked_at={split: len(found) for split, found in chosen.items()},
        languages=_languages(whole),
        drops=dict(dataset.description.get("drops") or {}),
        facts={name: value for name, value in dataset.description.items() if name not in ("counts", "drops", "languages")},
        lengths=lengths(chosen, task, progress),
        metadata=metadata(chosen),
        graphs=graph_statistics(chosen, task, graphs, progress) if graphs else {},
        threshold=near_duplicates,
        overlaps=[] if near_duplicates is None else overlaps(whole, task, near_duplicates, progress),
        examples=_shown_examples(chosen, examples),
    )


def _languages(splits: dict[str, list[Example]]) -> dict[str, dict[str, int]]:
    counts = {split: Counter(example.language for example in examples) for split, examples in splits.items()}
    everywhere: Counter[str] = sum(counts.values(), Counter())
    return {language: {split: counts[split][language] for split in splits} for language, _ in everywhere.most_common()}


def _shown_examples(splits: dict[str, list[Example]], count: int) -> list[tuple[str, Example]]:
    """Of the first split that has any, from short to long."""
    split = next((split for split in SPLITS if splits[split]), SPLITS[0])
    sized = [(len(code_tokens(example.source)), example.id, example) for example in spread(splits[split], EXAMPLES_MEASURED)]
    fitting = [row for row in sized if row[0] <= EXAMPLE_TOKENS] or sized
    return [(split, example) for _, _, example in across(fitting, count, lambda row: row[:2])]


def _plain(value: Any) -> Any:
    """The value in types that JSON has: what it has no type for, such as a date of a Parquet file, as text."""
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value if value is None or isinstance(value, (str, int)) or isinstance(value, float) and math.isfinite(value) else str(value)
