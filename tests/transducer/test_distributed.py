"""The main command under a launcher: two processes share the work, one of them writes."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.transducer.training_command import STEPS_PER_EPOCH
from transducer.runs import RESULTS_FILE


def test_two_processes_train_together(model_folder: Path, data_folder: Path, tmp_path: Path) -> None:
    """Half of the steps of one process."""
    output = tmp_path / "together"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "transducer.train",
               "--data", f"file:{data_folder}", "--model", str(model_folder), "--precision", "float32", "--epochs", "1",
               "--max-target-tokens", "12", "--output", str(output), "--quiet"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert result.returncode == 0, result.stdout + result.stderr
    rows = [json.loads(line) for line in (output / RESULTS_FILE).read_text(encoding="utf-8").splitlines()]
    assert [row["status"] for row in rows] == ["ok"]
    log = [json.loads(line) for line in (output / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert log[-1]["step"] == STEPS_PER_EPOCH / 2


def test_two_processes_compare_together(model_folder: Path, data_folder: Path, tmp_path: Path) -> None:
    """Half of the steps of each run; and what is finished is found by the same command."""
    output = tmp_path / "run"
    command = [sys.executable, "-m", "transducer.compare", "--data", f"file:{data_folder}", "--model", str(model_folder), "--precision",
               "float32", "--max-target-tokens", "8", "--test-limit", "2", "--output", str(output), "--quiet", "--methods", "none",
               "published", "--seeds", "1", "--accelerate", "2"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert result.returncode == 0, result.stdout + result.stderr
    before = (output / RESULTS_FILE).read_bytes()
    rows = {row["method"]: row for row in map(json.loads, before.decode().splitlines())}
    assert {row["status"] for row in rows.values()} == {"ok"} and list(rows) == ["none", "published"]
    log = [json.loads(line) for line in (output / rows["published"]["folder"] / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert log[-1]["step"] == STEPS_PER_EPOCH / 2
    assert not list((output / "runs").glob(".*"))
    again = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert again.returncode == 0, again.stdout + again.stderr
    assert (output / RESULTS_FILE).read_bytes() == before
