"""The main command under a launcher: two processes share the work, one of them writes."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from transducer.runs import RESULTS_FILE


def test_two_processes_train_together(model_folder: Path, data_folder: Path, tmp_path: Path) -> None:
    def steps(output: Path, *launcher: str) -> int:
        command = [sys.executable, *launcher, "-m", "transducer.train", "--data", f"file:{data_folder}", "--model",
                   str(model_folder), "--precision", "float32", "--epochs", "1", "--max-target-tokens", "12", "--output",
                   str(output), "--quiet"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=200)
        assert result.returncode == 0, result.stdout + result.stderr
        rows = [json.loads(line) for line in (output / RESULTS_FILE).read_text(encoding="utf-8").splitlines()]
        assert [row["status"] for row in rows] == ["ok"]
        log = [json.loads(line) for line in (output / "log.jsonl").read_text(encoding="utf-8").splitlines()]
        return log[-1]["step"]

    alone = steps(tmp_path / "alone")
    together = steps(tmp_path / "together", "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    assert together == alone / 2
