"""`--help` of every command: what it loads, and the benchmark that says how long that takes."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_structure import PACKAGES, ROOT, sources

HEAVY = ("torch", "transformers", "peft", "dgl", "numpy", "networkx", "tree_sitter", "sacrebleu")
MOST_MODULES = 250
"""Of which an interpreter that does nothing has 64; torch alone brings more than a thousand."""
HELP = """
import json, runpy, sys
name, sys.argv[1:] = sys.argv[1], ["--help"]
code = None
try:
    runpy.run_module(name, run_name="__main__", alter_sys=True)
except SystemExit as end:
    code = end.code
print(json.dumps([code, *sys.modules]))
"""


def module_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__main__")


COMMANDS = sorted(module_of(path) for package in PACKAGES for path in sources(package)
                  if 'if __name__ == "__main__":' in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("command", COMMANDS)
def test_help_loads_no_large_library(command: str) -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", HELP, command], cwd=ROOT, capture_output=True, text=True, check=True)
    *text, last = done.stdout.splitlines()
    code, *modules = json.loads(last)
    assert code == 0 and f"python -m {command}" in " ".join(text), done.stderr
    assert not set(HEAVY) & set(modules) and len(modules) < MOST_MODULES


def test_the_benchmark_measures_every_command() -> None:
    """No time is asserted: it depends on the machine and on what else it does."""
    done = subprocess.run([sys.executable, "-W", "error", "benchmarks/help_speed.py", "--rounds", "1"], cwd=ROOT, capture_output=True,
                          text=True, check=True)
    rows = {name: tuple(map(float, figures)) for name, *figures in map(str.split, done.stdout.splitlines()[1:])}
    assert sorted(rows) == ["(nothing)", *COMMANDS] and rows["(nothing)"][1] == 1
    assert all(seconds > 0 and ratio > 0 and modules >= rows["(nothing)"][2] for seconds, ratio, modules in rows.values())
