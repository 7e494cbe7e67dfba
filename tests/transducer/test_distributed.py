"""The commands under a launcher: two processes share the work, one of them writes."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.transducer.training_command import STEPS_PER_EPOCH
from transducer.runs import RESULTS_FILE


def lines_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def launched(*command: str) -> None:
    result = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, timeout=200)
    assert result.returncode == 0, result.stdout + result.stderr


def test_two_processes_work_together(model_folder: Path, data_folder: Path, tmp_path: Path) -> None:
    """Each run has half of the steps of one process: of a comparison that launches them itself, and of a training under a
    launcher. Under that, the same comparison finds everything finished."""
    compared, trained = tmp_path / "compared", tmp_path / "trained"
    common = ["--data", f"file:{data_folder}", "--model", str(model_folder), "--precision", "float32", "--quiet"]
    compare = ["transducer.compare", *common, "--max-target-tokens", "8", "--test-limit", "2", "--methods", "none", "published",
               "--seeds", "1", "--output", str(compared)]
    train = ["transducer.train", *common, "--epochs", "1", "--max-target-tokens", "12", "--output", str(trained)]

    launched(*compare, "--accelerate", "2")
    results = (compared / RESULTS_FILE).read_bytes()
    rows = {row["method"]: row for row in lines_of(compared / RESULTS_FILE)}
    assert {row["status"] for row in rows.values()} == {"ok"} and list(rows) == ["none", "published"]
    assert lines_of(compared / rows["published"]["folder"] / "log.jsonl")[-1]["step"] == STEPS_PER_EPOCH / 2
    assert not list((compared / "runs").glob(".*"))

    launched("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "tests.transducer.commands_in_turn",
             json.dumps([train, compare]))
    assert (compared / RESULTS_FILE).read_bytes() == results
    assert [row["status"] for row in lines_of(trained / RESULTS_FILE)] == ["ok"]
    assert lines_of(trained / "log.jsonl")[-1]["step"] == STEPS_PER_EPOCH / 2
