"""The shape of the project: who imports whom, what is stored, what the design names."""
from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("cpg", "tasks", "checkpoints", "transducer")

ALLOWED = {
    "cpg": {"cpg"},
    "tasks": {"tasks", "cpg"},
    "checkpoints": {"checkpoints"},
    "transducer": {"transducer", "tasks", "cpg", "checkpoints"},
}
"""Which of our packages a package may import."""

DESIGNED_FILES = (
    "cpg/__init__.py", "cpg/__main__.py", "cpg/graph.py", "cpg/parse.py", "cpg/control_flow.py", "cpg/data_flow.py",
    "cpg/languages/base.py", "cpg/languages/java.py", "cpg/languages/python.py", "cpg/export.py", "cpg/exports/graphson.py",
    "cpg/pictures/page.py", "cpg/SPEC.md",
    "tasks/base.py", "tasks/assertion.py", "tasks/sources.py", "tasks/mining.py", "tasks/metrics.py",
    "tasks/decontaminate.py", "transducer/config.py", "transducer/features.py", "transducer/tensors.py",
    "transducer/gve/gatv2.py", "transducer/fusion/attention.py", "transducer/fusion/aligned.py",
    "transducer/fusion/prompts.py", "transducer/fusion/published.py", "transducer/backbone.py", "transducer/model.py",
    "transducer/methods/__init__.py", "transducer/trainer.py", "transducer/measure.py", "transducer/train.py",
    "transducer/evaluate.py", "transducer/predict.py", "transducer/export.py", "checkpoints/pretrain.py",
    "checkpoints/fetch.py", "checkpoints/codet5-tiny/model.safetensors",
)


def sources(package: str) -> list[Path]:
    found = sorted((ROOT / package).rglob("*.py"))
    assert len(found) > 3, f"no sources found for {package}"
    return found


def imported(path: Path, when_loaded: bool = False) -> set[str]:
    """Top-level names that a file imports absolutely: anywhere in it, or only those that loading the file imports."""
    names: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in _run_at_import(tree) if when_loaded else ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.split(".")[0])
    return names


def _run_at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes outside functions and of no `if TYPE_CHECKING:`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        yield node
        yield from _run_at_import(node)


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_go_one_way(package: str) -> None:
    for path in sources(package):
        ours = imported(path) & {*PACKAGES, "tests", "benchmarks"}
        assert ours <= ALLOWED[package], f"{path} imports {ours - ALLOWED[package]}"


@pytest.mark.parametrize("package", ["cpg", "tasks"])
def test_graphs_and_tasks_work_without_torch(package: str) -> None:
    for path in sources(package):
        assert not imported(path) & {"torch", "transformers", "peft"}, path
        assert "dgl" not in imported(path, when_loaded=True), f"{path} imports dgl, and with it torch, when it is loaded"


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_loads_nothing_heavy(package: str) -> None:
    code = f"import sys, {package}; print([name for name in ('torch', 'transformers', 'dgl', 'networkx') if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("name", DESIGNED_FILES)
def test_every_stage_is_where_the_design_says(name: str) -> None:
    assert (ROOT / name).is_file()


def test_no_source_reads_or_writes_pickles() -> None:
    for package in PACKAGES:
        for path in sources(package):
            text = path.read_text(encoding="utf-8")
            assert not imported(path) & {"pickle", "dill", "joblib", "shelve"}, path
            assert "torch.load(" not in text and "torch.save(" not in text, path


def test_modules_stay_readable() -> None:
    for package in PACKAGES:
        for path in sources(package):
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 450, path


def test_pinned_versions_cover_the_dependencies() -> None:
    pinned = {line.split("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    text = (ROOT / "pyproject.toml").read_text()
    wanted = {line.strip().strip('",').split(";")[0] for line in text.split("dependencies = [")[1].split("]")[0].splitlines()}
    names = {name.replace("=", ">").split(">")[0].strip().lower() for name in wanted if name}
    assert len(names) > 15
    assert names - {"setuptools"} <= pinned


def test_installed_packages_have_their_other_files() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    patterns = tomllib.loads(text)["tool"]["setuptools"]["package-data"]
    tracked = subprocess.run(["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    others = [Path(name) for name in tracked if not name.endswith(".py")]
    assert len(others) > 3
    for path in others:
        package, inside = path.parts[0], Path(*path.parts[1:])
        assert any(inside.match(pattern) for pattern in patterns.get(package, [])), f"{path} is in no wheel"
