"""The trials of a method: settings proposed by Optuna, judged by the validation loss alone.

The rows of `tuning.jsonl` are the memory. The study is made anew from them for each proposal, and the chance in a proposal
depends on the seed and the number of the trial, so that a search that was killed goes on as if it had not been.

The first trial has the method's own learning rate, and its other defaults where they are among the values tried.
"""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..backbone import Backbone
from ..budget import sized
from ..errors import DependencyError
from ..methods import method_class, parse_specification, with_fields
from ..results import check_schema, complete_lines
from .plan import PlannedMethod
from .settings import CompareSettings

TRIAL_SCHEMA = 1
LEARNING_RATE = "learning_rate"


@dataclass(frozen=True)
class TrialRow:
    """One trial."""

    method: str
    specification: str
    trial: int
    seed: int
    settings: dict
    valid_loss: float | None
    trainable_parameters: int
    train_examples: int
    seconds: float
    status: str = "ok"
    reason: str = ""
    schema: int = TRIAL_SCHEMA


@dataclass(frozen=True)
class Proposal:
    """What a trial is to try: all of `settings`, of which `specification` and `learning_rate` are made."""

    settings: dict
    specification: str
    learning_rate: float


def read_trials(path: Path) -> list[TrialRow]:
    """The rows of a file of trials, none where there is no file; DataError where it holds something else."""
    if not path.exists():
        return []
    found = complete_lines(path, "trial", "give another --output")
    for number, line in found:
        check_schema(path, "trial", number, line, TRIAL_SCHEMA)
    return [TrialRow(**line) for _, line in found]


class Search:
    """The search over the settings of one method.

    Attributes:
        rows: its trials so far, in their order.
    """

    def __init__(self, planned: PlannedMethod, settings: CompareSettings, backbone: Backbone, rows: list[TrialRow]):
        self._planned, self._settings, self._backbone = planned, settings, backbone
        self.rows = sorted(rows, key=lambda row: row.trial)
        self.space = search_space(planned, settings)
        self.wanted = settings.tune if self.space else 0

    @property
    def finished(self) -> bool:
        return len(self.rows) >= self.wanted

    def propose(self) -> Proposal:
        """The next trial's settings."""
        optuna = _optuna()
        spaces = {name: optuna.distributions.FloatDistribution(*values, log=True) if name == LEARNING_RATE
                  else optuna.distributions.CategoricalDistribution(values) for name, values in self.space.items()}
        sampler = optuna.samplers.TPESampler(seed=1_000 * self._settings.seed + len(self.rows),
                                             n_startup_trials=max(2, min(10, self.wanted // 2)))
        study = optuna.create_study(direction="minimize", sampler=sampler)
        for row in self.rows:
            failed = row.valid_loss is None
            study.add_trial(optuna.trial.create_trial(
                state=optuna.trial.TrialState.FAIL if failed else optuna.trial.TrialState.COMPLETE,
                params=row.settings, distributions=spaces, value=row.valid_loss))
        if not self.rows:
            study.enqueue_trial(self._defaults())
        return self._proposal(study.ask(fixed_distributions=spaces).params)

    def best(self) -> TrialRow | None:
        """The trial with the lowest validation loss, the first of equals; None where none came through."""
        return min((row for row in self.rows if row.valid_loss is not None), key=lambda row: row.valid_loss, default=None)

    def _proposal(self, chosen: dict) -> Proposal:
        fields = {name: value for name, value in chosen.items() if name != LEARNING_RATE}
        specification, _ = sized(with_fields(self._planned.base, fields), self._planned.budget, self._backbone,
                                 self._settings.transducer_settings())
        return Proposal(chosen, specification, chosen.get(LEARNING_RATE, self._settings.learning_rate))

    def _defaults(self) -> dict:
        kind = method_class(self._planned.base)
        _, given = parse_specification(self._planned.base)
        defaults = kind.make_settings(given, self._settings.transducer_settings())
        known = {LEARNING_RATE: kind.learning_rate_for(self._settings.epochs)} | {name: getattr(defaults, name) for name in self.space
                                                               if name != LEARNING_RATE}
        return {name: value for name, value in known.items()
                if name in self.space and (name == LEARNING_RATE or value in self.space[name])}


def search_space(planned: PlannedMethod, settings: CompareSettings) -> dict[str, tuple]:
    """Field -> values, and the ends of the learning rate's range: what is neither given nor fixed, and no size where a
    budget chooses it. Empty where nothing is trained."""
    kind = method_class(planned.base)
    _, given = parse_specification(planned.base)
    if planned.reason or not kind.default_learning_rate:
        return {}
    sized = {field for size in kind.sizes for field in size} if planned.budget else set()
    taken = given.keys() | kind.fixed.keys() | sized
    space = {} if settings.learning_rate else {LEARNING_RATE: kind.learning_rates(settings.epochs)}
    return space | {name: values for name, values in kind.search_space.items() if name not in taken}


def require_tuner() -> None:
    """Raises DependencyError where the library that tuning takes is absent."""
    _optuna()


def _optuna():
    try:
        import optuna
    except ImportError:
        raise DependencyError("--tune needs optuna, which is not installed; pip install 'transducer[tune]', or leave --tune "
                              "out") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
