"""benchmarks/serving.py runs. (No times are asserted: they depend on the machine and on what else it does.)"""
from __future__ import annotations

from pathlib import Path

from tests.transducer import tiny

SCRIPT = str(tiny.ROOT / "benchmarks" / "serving.py")


def test_mixed_batches_are_measured_and_have_the_same_answers(model_folder: Path, tmp_path: Path) -> None:
    done = tiny.python("-W", "error", SCRIPT, "mixed", "--model", str(model_folder), "--transducers", "2", "--batch", "3", "--pairs", "1",
                       "--tokens", "4", cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert done.returncode == (0 if lines[-1].endswith("held") else 1) and len(lines) == 3, done.stderr
    assert all("same answers" in line and "throughput of 2 transducers mixed" in line for line in lines[:2])


def test_an_overload_is_stood_without_a_failure(model_folder: Path, tmp_path: Path) -> None:
    done = tiny.python(SCRIPT, "overload", "--model", str(model_folder), "--transducers", "2", "--tokens", "24", "--seconds", "2",
                       "--clients", "12", "--queue", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failures other than 429: 0" in done.stdout and "  200, the answer of the request alone" in done.stdout
    assert "  429\n" in done.stdout
