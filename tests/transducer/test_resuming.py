"""Runs that are killed or interrupted leave what can be used, and go on to the same end."""
from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file
from transformers import set_seed

from tests.transducer import tiny
from tests.transducer.tables import METHODS_OF_EVERY_FAMILY
from tests.transducer.training_command import STEPS_PER_EPOCH, TENSORS, Command, rows_of, single_line
from transducer.backbone import load_backbone
from transducer.checkpointing import last_checkpoint
from transducer.config import TrainSettings, TransducerSettings
from transducer.methods import build_method
from transducer.tensors import PreparedExample
from transducer.trainer import AdapterTrainer, fit

KILLED = """
import os, signal, sys
from transducer import train
from transducer.trainer import AdapterTrainer
step = AdapterTrainer.training_step
def killed(self, *arguments, **named):
    if self.state.global_step == 9:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, *arguments, **named)
AdapterTrainer.training_step = killed
train.main(sys.argv[1:])
"""


def test_a_killed_run_resumed_equals_the_uninterrupted_one(reference: Path, command: Command, tmp_path: Path) -> None:
    """Killed outright in its second epoch, three steps after the checkpoint."""
    output = tmp_path / "run"
    killed = tiny.python("-c", KILLED, *command.arguments(output, "--quiet"), cwd=tmp_path)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert last_checkpoint(output / "checkpoints").name == f"checkpoint-{STEPS_PER_EPOCH}"
    assert not (output / "metrics.json").exists()
    assert command(output, "--quiet", "--resume") == 0
    assert (output / TENSORS).read_bytes() == (reference / TENSORS).read_bytes()
    assert (output / "predictions.jsonl").read_bytes() == (reference / "predictions.jsonl").read_bytes()
    assert rows_of(output)[0].valid_loss == rows_of(reference)[0].valid_loss


@pytest.fixture(scope="module")
def examples(model_folder: Path) -> tuple[list[PreparedExample], list[PreparedExample]]:
    """For training and validation."""
    backbone = load_backbone(str(model_folder), "float32", device="cpu")
    return tiny.prepared(backbone, tiny.examples(24)), tiny.prepared(backbone, tiny.examples(4, 48))


def trained(method: str, model_folder: Path, examples: tuple[list[PreparedExample], list[PreparedExample]], folder: Path,
            resume: bool = False) -> bytes:
    """What is saved of a method after two epochs of three steps."""
    set_seed(0)
    model = build_method(method, load_backbone(str(model_folder), "float32", device="cpu"), TransducerSettings())
    fit(model, *examples, TrainSettings(epochs=2, batch_size=8), 0, folder / "checkpoints", lambda entry: None, progress=False,
        resume=resume)
    model.eval().save(folder / "saved")
    (path,) = (folder / "saved").glob("*.safetensors")
    return path.read_bytes()


@pytest.mark.parametrize("method", [name for name in METHODS_OF_EVERY_FAMILY if name != "none"])
def test_every_method_resumes_bit_for_bit(
        method: str, model_folder: Path, examples: tuple[list[PreparedExample], list[PreparedExample]], tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted in the second epoch. LoRA draws dropout masks, so its random state has to come back too."""
    whole = trained(method, model_folder, examples, tmp_path / "whole")
    step = AdapterTrainer.training_step

    def interrupted(self, *arguments, **named):
        if self.state.global_step == 5:
            raise KeyboardInterrupt
        return step(self, *arguments, **named)

    monkeypatch.setattr(AdapterTrainer, "training_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trained(method, model_folder, examples, tmp_path / "run")
    assert not (tmp_path / "run" / "saved").exists()
    taken: list[int] = []
    monkeypatch.setattr(AdapterTrainer, "training_step", lambda self, *arguments, **named: (
        taken.append(self.state.global_step), step(self, *arguments, **named))[1])
    assert trained(method, model_folder, examples, tmp_path / "run", resume=True) == whole
    assert taken == [3, 4, 5]


def test_resuming_skips_a_checkpoint_that_is_not_complete(reference: Path, command: Command, tmp_path: Path) -> None:
    """As a kill leaves one that comes while the checkpoint is written: its last file is not there yet."""
    output = tmp_path / "run"
    shutil.copytree(reference, output)
    (output / "metrics.json").unlink()
    (output / "checkpoints" / f"checkpoint-{2 * STEPS_PER_EPOCH}" / "trainer_state.json").unlink()
    assert command(output, "--quiet", "--resume") == 0
    assert (output / TENSORS).read_bytes() == (reference / TENSORS).read_bytes()


def test_resuming_a_finished_run_trains_nothing(
        reference: Path, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "run"
    shutil.copytree(reference, output)

    def train_again(*arguments: object, **named: object) -> None:
        raise AssertionError("a finished run was trained again")

    monkeypatch.setattr(AdapterTrainer, "train", train_again)
    assert command(output, "--quiet", "--resume") == 0
    assert rows_of(output) == rows_of(reference)


def test_ctrl_c_leaves_a_usable_checkpoint_and_says_how_to_go_on(
        command: Command, model_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    # A shell that starts tests in the background has them ignore the signal, and children inherit that.
    process = subprocess.Popen(
        [sys.executable, "-m", "transducer.train", *command.arguments(output, "--quiet", "--epochs", "500")],
        cwd=tmp_path, env=tiny.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    deadline = time.monotonic() + 90
    while process.poll() is None and time.monotonic() < deadline and not last_checkpoint(output / "checkpoints"):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    message = single_line(err)
    assert message.startswith("interrupted") and "--resume" in message and str(output) in message
    checkpoint = last_checkpoint(output / "checkpoints")
    model = build_method("transducer", load_backbone(str(model_folder), "float32", device="cpu"), TransducerSettings())
    model.load(checkpoint / "adapter")
    assert json.loads((checkpoint / "trainer_state.json").read_text())["global_step"] == int(checkpoint.name.split("-")[1])
    assert load_file(checkpoint / "optimizer.safetensors")
