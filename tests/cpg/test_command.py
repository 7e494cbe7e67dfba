"""python -m cpg, and what importing the package costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cpg import LANGUAGES, CodePropertyGraph, export, extract
from cpg.export import FORMATS
from cpg.outputs import write_file, write_folder

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
    assert done.stdout.decode().startswith('digraph "standard input" {') and "return ä;" in done.stdout.decode()


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
    text = " ".join(done.stdout.decode().split())
    words = ("--language", "--format", "--edges", "--layout", "--output", *LANGUAGES, *(f"{name}: " for name in FORMATS))
    assert [word for word in words if word not in text] == []


def test_help_loads_little() -> None:
    modules = _modules_after("from cpg.__main__ import main\ntry: main(['--help'])\nexcept SystemExit: pass")
    assert not {"torch", "numpy", "networkx", "tree_sitter", "tree_sitter_languages", "tasks", "transducer"} & modules


# -------------------------------------------------------------------------------------------------- --output
JAVA = "class A { int f(int a) { if (a > 0) return 1; return a; } }"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "A.java"
    path.write_text(JAVA)
    return path


@pytest.mark.parametrize("name", FORMATS)
def test_output_is_what_export_gives(source: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / "new folder" / f"A.{name}"
    done = _run(str(source), "--format", name, "--output", str(target))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    title = {"title": "A.java"} if FORMATS[name].titled else {}
    expected = export(extract(JAVA, "java"), name, **title)
    found = target.read_text() if target.is_file() else {path.name: path.read_text() for path in target.iterdir()}
    assert found == expected
    assert [path.name for path in target.parent.iterdir()] == [target.name], "a temporary file was left"


@pytest.mark.parametrize("name", ["json", "html", "neo4jcsv"])
def test_several_files_to_a_folder(tmp_path: Path, name: str) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "X.java").write_text(JAVA)
    out = tmp_path / "out"
    command = [str(tmp_path / "a/X.java"), str(tmp_path / "b/X.java"), "--format", name, "--output", str(out)]
    assert _run(*command).returncode == 0
    extension = FORMATS[name].extension
    found = sorted(str(path.relative_to(out)) for path in out.glob("*/*"))
    assert found == [f"a/X.java.{extension}", f"b/X.java.{extension}"]
    assert _run(*command).returncode == 0, "a second run replaces the first one's output"


def test_one_file_into_a_folder_that_is_there(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    assert _run(str(source), "--output", str(out)).returncode == 0
    assert CodePropertyGraph.from_json((out / "A.java.json").read_text()).code == JAVA


def test_standard_input_to_a_folder(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out"
    done = _run("-", str(source), "--language", "java", "--output", str(out), stdin=b"f();")
    assert done.returncode == 0
    assert {CodePropertyGraph.from_json(path.read_text()).code for path in out.rglob("*.json")} == {"f();", JAVA}


def test_edges_are_chosen(source: Path) -> None:
    done = _run(str(source), "--format", "dot", "--edges", "cfg,DDG")
    assert done.returncode == 0
    assert b"class=CFG" in done.stdout and b"class=DDG" in done.stdout
    assert b"class=CDG" not in done.stdout and b"class=AST" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "neo4jcsv"], "--output PATH"),
        (["--format", "svg", "--edges", "CFX"], "'CFX'"),
        (["--format", "svg", "--edges", ""], "AST, CDG, CFG, DDG"),
        (["--format", "json", "--edges", "CFG"], "--edges is for dot, svg, html"),
        (["--format", "html", "--layout", "own"], "--layout is for --format svg"),
        (["second.java", "--format", "svg"], "name a folder with --output"),
    ],
)
def test_bad_arguments_are_found_before_anything_is_read(source: Path, arguments: list[str], message: str) -> None:
    done = _run(str(source), *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert message in done.stderr.decode() and done.stderr.count(b"\n") == 1


def test_output_of_several_files_is_no_file(source: Path, tmp_path: Path) -> None:
    done = _run(str(source), str(source), "--output", str(source))
    assert done.returncode == 2
    assert b"need a folder" in done.stderr
    assert source.read_text() == JAVA


def test_a_folder_with_other_files_is_left_alone(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    done = _run(str(source), "--format", "neo4jcsv", "--output", str(folder))
    assert done.returncode == 1
    assert "'thesis.txt', which is no CSV file" in done.stderr.decode()
    assert (folder / "thesis.txt").read_text() == "years of work"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["A.java", "mine"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "out.json"
    target.write_text("old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("no space")))
    with pytest.raises(OSError, match="no space"):
        write_file(target, "new")
    with pytest.raises(OSError, match="no space"):
        write_folder(tmp_path / "folder", {"a.csv": "1"})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"out.json": "old"}


def test_links_and_devices_stay_what_they_are(source: Path, tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to("real.json")
    assert _run(str(source), "--output", str(tmp_path / "link.json")).returncode == 0
    assert (tmp_path / "link.json").is_symlink()
    assert CodePropertyGraph.from_json((tmp_path / "real.json").read_text()).code == JAVA
    os.mkfifo(tmp_path / "pipe")
    reader = subprocess.Popen(["cat", str(tmp_path / "pipe")], stdout=subprocess.PIPE)
    assert _run(str(source), "--output", str(tmp_path / "pipe")).returncode == 0
    assert CodePropertyGraph.from_json(reader.communicate(timeout=20)[0]).code == JAVA


def test_a_missing_file_does_not_lose_the_others(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = _run(str(tmp_path / "B.java"), str(source), "--format", "svg", "--output", str(out))
    assert done.returncode == 1
    assert b"B.java: No such file" in done.stderr
    assert [path.name for path in out.iterdir()] == ["A.java.svg"]


def test_a_reader_that_goes_away_is_no_traceback(source: Path) -> None:
    pipe = f"{sys.executable} -m cpg {' '.join([str(source)] * 200)} --format dot | head -c 10; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", pipe], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, b"digraph \"A", b"")


def _modules_after(statement: str) -> set[str]:
    command = [sys.executable, "-c", f"{statement}\nimport sys; print(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, cwd=ROOT, check=True, text=True).stdout.splitlines()[-1].split())


def test_import_is_light() -> None:
    heavy = {"torch", "numpy", "networkx", "tree_sitter", "tree_sitter_languages", "tasks", "transducer"}
    assert not heavy & _modules_after("import cpg")


def test_extraction_needs_no_torch() -> None:
    modules = _modules_after("import cpg; cpg.extract('x = 1', 'python')")
    assert "tree_sitter" in modules
    assert not {"torch", "numpy", "networkx", "tasks", "transducer"} & modules
