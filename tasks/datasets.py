"""Examples in three splits, with what is known of where they come from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .base import Example

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class DatasetSplits:
    """A data set.

    Attributes:
        train, valid, test: the examples.
        name: the specification that it was loaded by.
        content_hash: SHA-256 over ids, languages, sources and targets of all splits in their order; metadata do not
            count. Equal hashes mean equal training and equal tests.
        description: JSON-ready facts: counts, drops by reason, package versions, how the language was decided.
    """

    train: Sequence[Example]
    valid: Sequence[Example]
    test: Sequence[Example]
    name: str
    content_hash: str
    description: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, splits: Mapping[str, Sequence[Example]], name: str, description: Mapping[str, Any]) -> DatasetSplits:
        """The data set of `splits`; adds the counts per split to the description."""
        counts = {split: len(splits[split]) for split in SPLITS}
        return cls(**{split: splits[split] for split in SPLITS}, name=name, content_hash=content_hash(splits),
                   description={"counts": counts, **description})

    def in_memory(self) -> DatasetSplits:
        """The same with lists of examples, where they were read when they were asked for."""
        return replace(self, **{split: list(examples) for split, examples in self.items()})

    def items(self) -> Iterator[tuple[str, Sequence[Example]]]:
        """(name, examples) of each split, train first."""
        for split in SPLITS:
            yield split, getattr(self, split)


def content_hash(splits: Mapping[str, Sequence[Example]]) -> str:
    """SHA-256, in hexadecimal, of what a model can see or is compared with."""
    digest = hashlib.sha256()
    for split in SPLITS:
        for example in splits[split]:
            row = [split, example.id, example.language, example.source, example.target]
            digest.update(json.dumps(row, ensure_ascii=True).encode("ascii") + b"\n")
    return digest.hexdigest()
