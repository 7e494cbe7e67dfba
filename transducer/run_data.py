"""The data of a command as runs take it: chosen and prepared once, then given to every run."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from rich.console import Console

from tasks import Task
from tasks.datasets import SPLITS
from tasks.decontaminate import duplicated

from .backbone import Backbone
from .config import RunSettings
from .data import Data
from .errors import DataError
from .overlong import within_limits
from .prepare import PreparationReport, Preparer
from .processes import is_main_process
from .tensors import PreparedExample


@dataclass(frozen=True)
class RunData:
    """The examples, the same as a model takes them, what preparing them did, and the places of the test examples with a
    near duplicate among the training examples."""

    examples: Data
    train: list[PreparedExample]
    valid: list[PreparedExample]
    test: list[PreparedExample]
    report: PreparationReport
    near_duplicates: frozenset[int]

    def clean_places(self) -> Sequence[int]:
        """Places of the test examples without a near duplicate."""
        return [place for place in range(len(self.test)) if place not in self.near_duplicates]


class SharedData:
    """The data of the settings, without what `--overlong` and `--decontaminate` leave out; prepared at the first use.

    Raises:
        DataError: nothing is left.
    """

    def __init__(self, settings: RunSettings, task: Task, data: Data, backbone: Backbone, console: Console):
        self._settings, self._task, self._console = settings, task, console
        self._preparer = Preparer(backbone, task, settings.max_source_tokens, settings.max_target_tokens, settings.reach)
        self.examples, self._skipped = self._within_limits(data)
        if settings.decontaminate:
            self.examples = self._decontaminated(self.examples)

    def _within_limits(self, data: Data) -> tuple[Data, int]:
        """The examples that `--overlong` lets in, and how many it does not."""
        kept = {split: within_limits(getattr(data, split), split, self._settings.overlong, self._task, self._preparer.text)
                for split in SPLITS}
        skipped = sum(len(getattr(data, split)) - len(examples) for split, examples in kept.items())
        if skipped:
            self._console.print(f"{skipped:,} examples longer than the limits are left out: "
                                + ", ".join(f"{len(kept[split]):,} {split}" for split in SPLITS) + " remain", highlight=False)
        return replace(data, **kept), skipped

    def _decontaminated(self, data: Data) -> Data:
        """Without the training and validation examples that give a test example away."""
        kept = {}
        for split in ("train", "valid"):
            examples = getattr(data, split)
            near = duplicated(examples, data.test, self._task.compared, self._settings.decontaminate, self._progress)
            kept[split] = [example for place, example in enumerate(examples) if place not in near]
            if not kept[split]:
                raise DataError(f"every {split} example is a near duplicate of a test example at --decontaminate "
                                f"{self._settings.decontaminate}; raise it, or give other data")
        self._console.print(", ".join(f"{len(getattr(data, split)) - len(examples):,} {split}" for split, examples in kept.items())
                            + " examples are near duplicates of test examples and were removed", highlight=False)
        return replace(data, **kept)

    @cached_property
    def prepared(self) -> RunData:
        """For all runs: text and graph depend on the tokenizer, not on method or seed."""
        report = PreparationReport(skipped=self._skipped)
        train, valid, test = (self._preparer.with_labels(split, report, self._progress)
                              for split in (self.examples.train, self.examples.valid, self.examples.test))
        if report.truncated:
            what = "a window around the placeholder" if self._task.placeholder else "their beginning"
            self._console.print(f"{report.truncated:,} of {report.examples:,} sources are longer than "
                                f"{self._settings.max_source_tokens} tokens and were cut to {what}", highlight=False)
        if report.targets_truncated:
            self._console.print(f"{report.targets_truncated:,} of {report.examples:,} targets are longer than "
                                f"{self._settings.max_target_tokens} tokens and were cut for the loss", highlight=False)
        # Scores are made by the main process alone.
        near = (duplicated(self.examples.test, self.examples.train, self._task.compared, progress=self._progress)
                if is_main_process() else ())
        return RunData(self.examples, train, valid, test, report, frozenset(near))

    @property
    def _progress(self) -> bool:
        return not self._console.quiet
