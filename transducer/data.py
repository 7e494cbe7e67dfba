"""The examples of a command: loaded, without torch, before anything is prepared."""
from __future__ import annotations

from dataclasses import dataclass

from tasks import Example, Task, load_source
from tasks.datasets import SPLITS

from .config import RunSettings
from .sampling import limited


@dataclass(frozen=True)
class Data:
    """The examples that every run is given."""

    train: list[Example]
    valid: list[Example]
    test: list[Example]
    name: str
    content_hash: str

    def counts(self) -> dict[str, int]:
        return {split: len(getattr(self, split)) for split in SPLITS}


def load_data(settings: RunSettings, task: Task) -> Data:
    """The examples that the settings name, within their limits."""
    splits = load_source(settings.data, task, language=settings.language or None, columns=settings.column_names(),
                         progress=not settings.quiet and not settings.json)
    return Data(limited(splits.train, settings.train_limit), limited(splits.valid, settings.valid_limit),
                limited(splits.test, settings.test_limit), settings.data, splits.content_hash)
