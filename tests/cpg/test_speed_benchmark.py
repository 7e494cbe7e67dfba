"""benchmarks/cpg_speed.py runs. (No times are asserted: they depend on the machine and on what else it does.)"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.cpg.samples import PROGRAMS

ROOT = Path(__file__).resolve().parents[2]


def test_the_benchmark_measures_what_is_there_and_says_what_is_not(tmp_path: Path) -> None:
    """With the sources of one of the two Java sets."""
    (tmp_path / "translation").mkdir()
    with gzip.open(tmp_path / "translation" / "test.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps({"source": source}) + "\n" for source in (PROGRAMS["java"], "int f(int x) { return x; }"))
    command = [sys.executable, "-W", "error", "benchmarks/cpg_speed.py", "--data", str(tmp_path), "--rounds", "1"]
    command += ["--limit", "10", "--largest", "2", "--deepest", "16"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, cwd=ROOT, env=environment, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1 and str(tmp_path / "assert" / "test.jsonl.gz") in done.stderr
    lines = {line[:18].strip(): line[18:].split() for line in done.stdout.splitlines()}
    assert lines["translation, test"][0] == "2" and lines["networkx"][0] == "1"
    rates = [float(cell.replace(",", "")) for row in ("translation, test", "networkx") for cell in lines[row]]
    assert all(rate > 0 for rate in rates) and len(rates) == 2 * 12
    for series in ("Java class", "Python module", "Java parentheses", "Java lambdas"):
        assert lines[series].count("s") == 5, series
