"""Validations within an epoch, and the end of training where they show no gain: one rule for all methods and commands."""
from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.transducer import tiny
from transducer import train
from transducer.commands import command_line

FLAGS = ["--method", "linear", "--train-limit", "0", "--test-limit", "2", "--max-source-tokens", str(tiny.SOURCE_TOKENS),
         "--max-target-tokens", "8", "--precision", "float32", "--epochs", "2", "--quiet"]


@pytest.fixture(scope="module")
def flags(model_folder: Path, data_folder: Path) -> list[str]:
    """Twelve steps in two epochs."""
    return ["--model", str(model_folder), "--data", f"file:{data_folder}", *FLAGS]


def validated(run: Path) -> list[int]:
    """The steps at which there was a validation."""
    entries = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return [entry["step"] for entry in entries if "eval_loss" in entry]


def trained(run: Path) -> bytes:
    return (run / "adapter" / "adapter.safetensors").read_bytes()


def test_validations_are_spread_evenly_and_none_is_made_twice(flags: list[str], tmp_path: Path) -> None:
    assert command_line(train.main, [*flags, "--output", str(tmp_path / "run"), "--validations", "3"]) == 0
    assert validated(tmp_path / "run") == [3, 6, 9, 12]
    assert command_line(train.main, [*flags, "--output", str(tmp_path / "odd"), "--validations", "1", "--epochs", "1"]) == 0
    assert validated(tmp_path / "odd") == [3, 6]


def test_training_stops_when_the_loss_does_not_fall(flags: list[str], tmp_path: Path) -> None:
    """A learning rate so small that no loss changes: the first validation is the best, two more show no gain."""
    still = [*flags, "--learning-rate", "1e-30", "--validations", "3"]
    assert command_line(train.main, [*still, "--output", str(tmp_path / "run"), "--patience", "2"]) == 0
    assert validated(tmp_path / "run") == [3, 6, 9]
    assert command_line(train.main, [*still, "--output", str(tmp_path / "patient"), "--patience", "4"]) == 0
    assert validated(tmp_path / "patient") == [3, 6, 9, 12]


def test_training_that_gains_goes_on(flags: list[str], tmp_path: Path) -> None:
    assert command_line(train.main, [*flags, "--output", str(tmp_path / "run"), "--validations", "3", "--patience", "1"]) == 0
    assert validated(tmp_path / "run") == [3, 6, 9, 12]


KILLED = """
import os, signal, sys
from transducer import train
from transducer.trainer import AdapterTrainer
step = AdapterTrainer.training_step
def killed(self, *arguments, **named):
    if self.state.global_step == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, *arguments, **named)
AdapterTrainer.training_step = killed
train.main(sys.argv[1:])
"""


@pytest.mark.parametrize("rate", ["1e-3", "1e-30"])
def test_a_killed_run_stops_where_an_uninterrupted_one_does(rate: str, flags: list[str], tmp_path: Path) -> None:
    more = [*flags, "--learning-rate", rate, "--validations", "3", "--patience", "2"]
    assert command_line(train.main, [*more, "--output", str(tmp_path / "whole")]) == 0
    output = tmp_path / "run"
    assert tiny.python("-c", KILLED, *more, "--output", str(output), cwd=tmp_path).returncode == -signal.SIGKILL
    assert validated(output) == [3, 6]
    assert command_line(train.main, [*more, "--output", str(output), "--resume"]) == 0
    assert validated(output) == validated(tmp_path / "whole") and trained(output) == trained(tmp_path / "whole")
