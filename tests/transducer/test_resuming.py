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

from tests.transducer import tiny
from tests.transducer.tables import METHODS_OF_EVERY_FAMILY
from tests.transducer.training_command import STEPS_PER_EPOCH, TENSORS, Command, rows_of, single_line
from transducer.backbone import load_backbone
from transducer.checkpointing import last_checkpoint
from transducer.config import TransducerSettings
from transducer.methods import build_method
from transducer.trainer import AdapterTrainer

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


@pytest.mark.parametrize("method", [name for name in METHODS_OF_EVERY_FAMILY if name not in ("none", "transducer")])
def test_every_method_resumes_bit_for_bit(
        method: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted in the second epoch. LoRA draws dropout masks, so its random state has to come back too."""
    flags = ("--method", method, "--quiet", "--test-limit", "2")
    assert command(tmp_path / "whole", *flags) == 0
    step = AdapterTrainer.training_step

    def interrupted(self, *arguments, **named):
        if self.state.global_step == 9:
            raise KeyboardInterrupt
        return step(self, *arguments, **named)

    monkeypatch.setattr(AdapterTrainer, "training_step", interrupted)
    assert command(tmp_path / "run", *flags) == 130
    monkeypatch.setattr(AdapterTrainer, "training_step", step)
    assert command(tmp_path / "run", *flags, "--resume") == 0
    (whole,) = (tmp_path / "whole" / "adapter").glob("*.safetensors")
    assert (tmp_path / "run" / "adapter" / whole.name).read_bytes() == whole.read_bytes()
    assert (tmp_path / "run" / "predictions.jsonl").read_bytes() == (tmp_path / "whole" / "predictions.jsonl").read_bytes()


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
