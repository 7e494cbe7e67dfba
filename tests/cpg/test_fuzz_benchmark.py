"""The long run over damaged code notices what it is there for: exceptions, hangs and crashes."""

from __future__ import annotations

import multiprocessing
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

import cpg
from benchmarks import cpg_fuzz
from tests.cpg.mutants import OPERATIONS, random_mutant, seeds

ROOT = Path(cpg.__file__).parents[1]


class Faulty(cpg_fuzz.Items):
    """Item 1 hangs, item 4 ends its process, item 6 is no text; in the processes that work only."""

    def item(self, number: int) -> tuple[str, bytes]:
        working = multiprocessing.parent_process() is not None
        if number == 1 and working:
            time.sleep(60)
        if number == 4 and working:
            os._exit(9)
        return "python", None if number == 6 and working else f"x = {number}\n".encode()


def test_hangs_crashes_and_exceptions_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = cpg_fuzz.Run(Faulty(["python"], 0, Path("nowhere")), limit=1.5, output=tmp_path)
    lanes = [run.lane(list(range(lane, 10, 2))) for lane in range(2)]
    while lanes:
        lanes = [lane for lane in lanes if next(lane, False)]
    kinds = sorted(failure.split(":")[0] for failure in run.failures)
    assert kinds == ["crash with exit code 9", "exception", "hang"]
    assert run.done == {"python": 8}
    assert {path.name for path in tmp_path.glob("*.txt")} == {"python-0-1.txt", "python-0-4.txt", "python-0-6.txt"}
    run.report()
    assert "8 items, 3 failures" in capsys.readouterr().out


def test_failing_code_is_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    def hold(language: str, code: bytes, twice: bool) -> int:
        if b"wrong" in code:
            raise ValueError("wrong")
        return 0

    monkeypatch.setattr(cpg_fuzz, "_hold", hold)
    code = b"x = 1\n" * 30 + b"a(wrong)\n" + b"y = 2\n" * 50
    assert cpg_fuzz.shortened("python", code, "ValueError: wrong") == b"wrong"


def test_the_command(tmp_path: Path) -> None:
    command = [sys.executable, "benchmarks/cpg_fuzz.py", "--items", "40", "--jobs", "1", "--output", str(tmp_path / "failed")]
    environment = {**os.environ, "PYTHONPATH": "."}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "40 items, 0 failures" in result.stdout
    assert not (tmp_path / "failed").exists()


def test_every_operation_changes_code() -> None:
    text, other = seeds("java")[0], seeds("java")[-1]
    for name, operation in OPERATIONS.items():
        generator = random.Random(name)
        changed = [operation(text, other, *(generator.randrange(1 << 16) for _ in range(3))) != text for _ in range(30)]
        assert sum(changed) > 10, name


def test_mutants_are_decided_by_seed_and_number() -> None:
    texts = seeds("go")
    first, second = ([random_mutant(texts, random.Random(f"{seed} {n}")) for n in range(20)] for seed in (1, 2))
    assert first == [random_mutant(texts, random.Random(f"1 {n}")) for n in range(20)]
    assert first != second
