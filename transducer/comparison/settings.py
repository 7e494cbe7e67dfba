"""Settings of a comparison; nothing heavy is imported here."""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from ..config import RunSettings, option
from ..errors import ConfigurationError
from ..methods import METHODS

if TYPE_CHECKING:
    from tasks import Task

BUDGET_KINDS = ("params",)


@dataclass(frozen=True)
class CompareSettings(RunSettings):
    """Settings of `python -m transducer.compare`."""

    heading: ClassVar[str] = "comparison"

    methods: tuple[str, ...] = option(("transducer", "none", "lora", "prefix"), "what to compare: NAME, NAME:FIELD=VALUE,... with "
                                      "settings of the method, NAME:params=N with the largest size of at most N parameters",
                                      choices=tuple(METHODS), specification=True)
    reference: str = option("", "the method that the others are held against; empty: the first", specification=True)
    seeds: int = option(3, "runs per method, with seeds seed, seed + 1, ...", minimum=1)
    budget: str = option("", "params=N: every method in its largest size of at most N trainable parameters")
    tune: int = option(0, "trials per method, on the validation loss alone; the best one's settings are used for all seeds",
                       minimum=0)
    tune_limit: int = option(0, "training examples of a trial; 0: as many as of a run", minimum=0)
    jobs: int = option(1, "runs side by side, each in a process; one shares all cores, more get equal parts", minimum=1)
    accelerate: int = option(1, "processes that share the batches of each run, one a GPU, through accelerate's launcher; each "
                             "takes --batch-size examples a step", minimum=1)
    output: str = option("", "the folder of the comparison; empty: runs/TASK-comparison. One that was begun is gone on with")
    retry: bool = option(False, "run again what has failed in the output folder")
    overwrite: bool = option(False, "replace the comparison in the output folder")

    def for_task(self, task: Task) -> CompareSettings:
        settings = super().for_task(task)
        return replace(settings, output=self.output or f"runs/{task.name}-comparison", reference=self.reference or self.labels()[0])

    def labels(self) -> tuple[str, ...]:
        """The methods as they were asked for, each once.

        Raises:
            ConfigurationError: there is none, or the reference is not among them.
        """
        labels = tuple(dict.fromkeys(self.methods))
        if not labels:
            raise ConfigurationError("--methods names no method; give at least one")
        if self.reference and self.reference not in labels:
            raise ConfigurationError(f"--reference is {self.reference!r}, expected one of --methods: {', '.join(labels)}")
        return labels

    def parameter_budget(self) -> int | None:
        """The N of `--budget params=N`; None where there is no budget."""
        if not self.budget:
            return None
        kind, _, number = self.budget.partition("=")
        if kind not in BUDGET_KINDS or not number.isdecimal() or int(number) < 1:
            raise ConfigurationError(f"--budget is {self.budget!r}, expected params=N with a number N of at least 1, such as "
                                     "params=30728")
        return int(number)
