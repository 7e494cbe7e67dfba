"""python -m cpg, and what importing the package costs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cpg import CodePropertyGraph, extract

ROOT = Path(__file__).resolve().parents[2]


def _run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-W", "error", "-m", "cpg", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, cwd=ROOT, check=False, timeout=60)


def test_json_of_files(tmp_path: Path) -> None:
    java, python = tmp_path / "A.java", tmp_path / "a.py"
    java.write_text("class A { int f() { return 1; } }")
    python.write_text("x = 1\nprint(x)\n")
    done = _run(str(java), str(python))
    assert (done.returncode, done.stderr) == (0, b"")
    first, second = done.stdout.decode().splitlines()
    assert CodePropertyGraph.from_json(first) == extract(java.read_text(), "java")
    assert CodePropertyGraph.from_json(second) == extract(python.read_text(), "python")


def test_dot_of_standard_input() -> None:
    done = _run("-", "--language", "java", "--format", "dot", stdin=b"return \xc3\xa4;")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().startswith("digraph cpg {") and "return ä;" in done.stdout.decode()


def test_broken_code_is_no_failure() -> None:
    done = _run("-", "--language", "python", stdin=b"def (")
    assert done.returncode == 0
    assert json.loads(done.stdout)["diagnostics"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere.py"], 1, "nowhere.py: No such file or directory"),
        (["-"], 2, "give --language, one of: "),
        (["a.txt"], 2, "'a.txt'"),
        (["a.py", "--language", "pyton"], 2, "Did you mean 'python'?"),
        (["a.py", "--format", "jsn"], 2, "Did you mean 'json'?"),
    ],
)
def test_errors_are_one_line(arguments: list[str], code: int, message: str) -> None:
    done = _run(*arguments)
    assert done.returncode == code
    assert done.stdout == b""
    assert message in done.stderr.decode() and done.stderr.count(b"\n") == 1


def test_no_arguments() -> None:
    assert _run().returncode == 2


def test_one_failure_does_not_lose_the_others(tmp_path: Path) -> None:
    good = tmp_path / "a.py"
    good.write_text("x = 1")
    done = _run("nowhere.py", str(good))
    assert done.returncode == 1
    assert CodePropertyGraph.from_json(done.stdout).code == "x = 1"


def test_help_names_every_option() -> None:
    done = _run("--help")
    assert done.returncode == 0
    assert all(word in done.stdout for word in (b"--language", b"--format", b"java", b"python", b"json, dot, svg"))


def _modules_after(statement: str) -> set[str]:
    command = [sys.executable, "-c", f"{statement}\nimport sys; print(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, cwd=ROOT, check=True, text=True).stdout.split())


def test_import_is_light() -> None:
    heavy = {"torch", "numpy", "networkx", "tree_sitter", "tree_sitter_languages", "tasks", "transducer"}
    assert not heavy & _modules_after("import cpg")


def test_extraction_needs_no_torch() -> None:
    modules = _modules_after("import cpg; cpg.extract('x = 1', 'python')")
    assert "tree_sitter" in modules
    assert not {"torch", "numpy", "networkx", "tasks", "transducer"} & modules
