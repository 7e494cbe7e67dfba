"""Tuning within a comparison: what is tried, that it repeats and goes on, and what is done with the best trial."""
from __future__ import annotations

import json
import math
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tests.transducer import tiny
from tests.transducer.tables import METHODS_OF_EVERY_FAMILY
from transducer import compare
from transducer.backbone import Backbone
from transducer.budget import parameter_count
from transducer.commands import command_line
from transducer.comparison.plan import plan_methods
from transducer.comparison.settings import CompareSettings
from transducer.comparison.tuning import Search, TrialRow, read_trials, search_space
from transducer.config import TransducerSettings
from transducer.errors import DataError, DependencyError
from transducer.methods import method_class
from transducer.results import read_rows

TRIALS = 3
METHODS_TUNED = ("none", "lora", "linear")


@pytest.fixture(scope="module")
def flags(model_folder: Path, data_folder: Path) -> list[str]:
    return ["--model", str(model_folder), "--data", f"file:{data_folder}", "--train-limit", "24", "--test-limit", "2", "--valid-limit",
            "4", "--max-source-tokens", str(tiny.SOURCE_TOKENS), "--max-target-tokens", "8", "--precision", "float32", "--quiet",
            "--methods", *METHODS_TUNED, "--seeds", "1", "--tune", str(TRIALS), "--tune-limit", "8"]


@pytest.fixture(scope="module")
def tuned(flags: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not to be changed."""
    output = tmp_path_factory.mktemp("comparisons") / "tuned"
    assert command_line(compare.main, [*flags, "--output", str(output)]) == 0
    return output


def without_seconds(rows: list[TrialRow]) -> list[TrialRow]:
    return sorted((replace(row, seconds=0.0) for row in rows), key=lambda row: (row.method, row.trial))


def test_every_method_that_is_trained_has_the_same_number_of_trials(tuned: Path) -> None:
    rows = read_trials(tuned / "tuning.jsonl")
    assert sorted((row.method, row.trial) for row in rows) == [(method, trial) for method in ("linear", "lora") for trial in range(3)]
    for row in rows:
        assert (row.status, row.seed, row.train_examples, row.schema) == ("ok", 0, 8, 1)
        assert row.valid_loss is not None and row.seconds > 0
        low, high = method_class(row.method).learning_rates()
        assert low <= row.settings["learning_rate"] <= high
    assert len({row.settings["learning_rate"] for row in rows}) == 6
    assert not list((tuned / "runs").glob("*trial*"))


def test_the_first_trial_has_the_defaults(tuned: Path) -> None:
    first = {row.method: row for row in read_trials(tuned / "tuning.jsonl") if row.trial == 0}
    assert first["linear"].settings == {"learning_rate": 1e-3}
    assert first["lora"].settings == {"learning_rate": 3e-3, "rank": 8, "dropout": 0.1}
    assert first["lora"].specification == "lora:rank=8,dropout=0.1"


def test_the_best_trials_settings_are_those_of_the_runs(tuned: Path) -> None:
    rows, trials = {row.method: row for row in read_rows(tuned)}, read_trials(tuned / "tuning.jsonl")
    assert rows["none"].tuning == {} and rows["none"].specification == "none"
    for method in ("lora", "linear"):
        best = min((row for row in trials if row.method == method), key=lambda row: row.valid_loss)
        assert rows[method].tuning == {"trials": 3, "train_examples": 8, "settings": best.settings, "valid_loss": best.valid_loss}
        assert rows[method].specification == best.specification and rows[method].train_examples == 24
        assert rows[method].learning_rate == best.settings["learning_rate"]


def test_killed_within_tuning_and_gone_on_with_it_tries_the_same(tuned: Path, flags: list[str], tmp_path: Path) -> None:
    """As a kill leaves it that comes while the fourth trial is written."""
    output = tmp_path / "run"
    shutil.copytree(tuned, output)
    lines = (output / "tuning.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (output / "tuning.jsonl").write_text("".join(lines[:4]) + lines[4][:30], encoding="utf-8")
    kept = [line for line in (output / "results.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
            if json.loads(line)["method"] == "none"]
    (output / "results.jsonl").write_text("".join(kept), encoding="utf-8")
    (output / "runs" / ".lora-seed0-trial1.99").mkdir()
    assert command_line(compare.main, [*flags, "--output", str(output), "--jobs", "2"]) == 0
    assert without_seconds(read_trials(output / "tuning.jsonl")) == without_seconds(read_trials(tuned / "tuning.jsonl"))
    losses = [{(row.method, row.seed): row.test_loss for row in read_rows(folder)} for folder in (output, tuned)]
    assert losses[0] == losses[1]


def test_what_is_searched(backbone: Backbone) -> None:
    def spaces(*methods: str, **settings: object) -> list[dict]:
        made = CompareSettings(methods=methods, tune=4, **settings)
        return [search_space(planned, made) for planned in plan_methods(made, backbone)]

    lora, rates = method_class("lora").search_space, pytest.approx((3e-4, 9e-3))
    every, without_rank, nothing, rate = spaces("lora", "lora:rank=2", "none", "linear")
    assert every == {"learning_rate": rates} | lora and without_rank == {"learning_rate": rates, "dropout": lora["dropout"]}
    assert nothing == {} and rate == {"learning_rate": pytest.approx((1e-4, 3e-3))}
    # A budget chooses the size, and a learning rate that is given is not searched.
    assert spaces("lora", "linear", budget="params=2000", learning_rate=1e-3) == [{"dropout": lora["dropout"]}, {}]


@pytest.mark.parametrize("method", METHODS_OF_EVERY_FAMILY)
def test_every_search_space_is_of_fields_and_values_that_the_method_takes(method: str, backbone: Backbone) -> None:
    kind = method_class(method)
    for name, values in kind.search_space.items():
        assert name not in kind.fixed and len(values) > 1
        for value in values:
            assert parameter_count(f"{method}:{name}={value}", backbone, TransducerSettings()) > 0
    low, high = kind.learning_rates()
    assert low < kind.default_learning_rate < high or kind.default_learning_rate == 0


def trial(search: Search, loss: float | None) -> TrialRow:
    proposal = search.propose()
    return TrialRow("lora", proposal.specification, len(search.rows), 0, proposal.settings, loss, 1, 8, 1.0,
                    "ok" if loss is not None else "failed")


def searches(backbone: Backbone, budget: str = "") -> Search:
    settings = CompareSettings(methods=("lora",), tune=24, budget=budget)
    return Search(plan_methods(settings, backbone)[0], settings, backbone, [])


def test_the_search_learns_and_repeats(backbone: Backbone) -> None:
    """A loss that falls with the learning rate: proposals move above the middle of its range. The same rows give the same
    proposal."""
    search = searches(backbone)
    while not search.finished:
        again = Search(search._planned, search._settings, backbone, list(search.rows))
        row = trial(search, None if len(search.rows) == 2 else 1.0)
        row = row if row.valid_loss is None else replace(row, valid_loss=1.0 - row.settings["learning_rate"])
        assert again.propose().settings == row.settings
        search.rows.append(row)
    rates = [row.settings["learning_rate"] for row in search.rows]
    low, high = method_class("lora").learning_rates()
    later = sum(math.log(rate) for rate in rates[12:]) / 12
    assert later > math.log(low) + 0.6 * math.log(high / low), "chance would give one half"
    assert search.best().settings["learning_rate"] == max(rate for place, rate in enumerate(rates) if place != 2)
    assert len({str(row.settings) for row in search.rows}) == len(search.rows) == 24


def test_a_search_in_which_nothing_came_through_has_no_best(backbone: Backbone) -> None:
    search = searches(backbone)
    search.rows.append(trial(search, None))
    assert search.best() is None


def test_trials_within_a_budget_have_its_size(backbone: Backbone) -> None:
    count = parameter_count("lora:rank=3", backbone, TransducerSettings())
    assert searches(backbone, f"params={count}").propose().specification == "lora:dropout=0.1,rank=3"


def test_a_file_of_trials_of_another_schema(tmp_path: Path) -> None:
    row = asdict(TrialRow("lora", "lora", 0, 0, {}, 1.0, 1, 8, 1.0)) | {"schema": 9}
    (tmp_path / "tuning.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 1 is of schema 9, this release reads and writes schema 1"):
        read_trials(tmp_path / "tuning.jsonl")


def test_without_optuna_it_is_said_what_to_install(
        flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "optuna", None)
    assert command_line(compare.main, [*flags, "--output", str(tmp_path / "run")]) == 1
    assert "--tune needs optuna" in capsys.readouterr().err and not (tmp_path / "run").exists()
    assert issubclass(DependencyError, ImportError)
