"""The README's commands are run as they stand, with smaller amounts of data where they would take minutes; those of other pages
are read."""
from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest

from tasks import get_task
from tests.transducer.tiny_families import write_family
from tests.warm_commands import WarmCommands
from transducer.commands import CommandParser
from transducer.comparison.settings import CompareSettings
from transducer.config import TrainSettings, add_options, resolve
from transducer.methods import method_class, parse_specification, without_budget

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHELL_BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
PYTHON_BLOCKS = re.findall(r"^```python\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)

SMALLER = {
    "transducer.train": "--train-limit 8 --valid-limit 4 --test-limit 4 --epochs 1 --max-target-tokens 8",
    "transducer.compare": "--train-limit 8 --valid-limit 4 --test-limit 4 --epochs 1 --max-target-tokens 8",
    "transducer.evaluate": "--test-limit 4 --max-target-tokens 8",
}
"""Flags that make a command short; its own flags stay and come first."""

STANDS_FOR = {"smollm2-135m": "llama"}
"""Models that have to be fetched, and the family of the tiny random one that takes their place."""

NOT_RUN = {
    "make": "run by the continuous integration, which is where this test runs too; checked for what they would do",
    "venv": "the environment in which this test runs",
    "pip": "the installation in which this test runs",
    "git": "needs the network",
    "accelerate": "needs several GPUs",
    "torchrun": "run by tests/transducer/test_distributed.py",
    "checkpoints.pretrain": "takes hours; its parts are run by tests/checkpoints",
    "transducer.serve": "does not end by itself; run by tests/transducer/test_serve_command.py",
    "checkpoints.fetch": "needs the network; run by tests/checkpoints/test_fetch.py on a folder of wheels",
}


def commands() -> list[str]:
    lines = [line for block in SHELL_BLOCKS for line in block.replace("\\\n", " ").splitlines()]
    return [line.split(" #")[0].strip() for line in lines if line.strip() and not line.startswith("#")]


def kind(command: str) -> str:
    """The module that a `python -m` command runs, else its program."""
    words = shlex.split(command)
    if words[0] in ("python", "python3.11", "python3") and words[1] == "-m":
        return words[2]
    return words[0]


def test_the_readme_has_commands() -> None:
    assert len(commands()) >= 12 and PYTHON_BLOCKS


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A folder to run in, which the README's commands share, and the environment."""
    folder = tmp_path_factory.mktemp("readme")
    for name in ("transducer", "tasks", "cpg", "checkpoints", "benchmarks", "examples", "docs"):
        if (ROOT / name).exists():
            (folder / name).symlink_to(ROOT / name)
    return folder, os.environ | {"PYTHONPATH": str(folder), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "COLUMNS": "120"}


def runnable(command: str) -> bool:
    return kind(command) not in NOT_RUN and not (
        "../shared" in command and not (ROOT.parent / "shared" / "data").exists())


@pytest.fixture(scope="module")
def warm() -> Iterator[WarmCommands]:
    with WarmCommands() as commands_with_libraries:
        yield commands_with_libraries


def test_every_command_runs_in_order(place, warm: WarmCommands, tmp_path: Path) -> None:
    folder, environment = place
    ran = 0
    for command in commands():
        if not runnable(command):
            continue
        smaller = f"{command} {SMALLER.get(kind(command), '')}".replace("../shared", str(ROOT.parent / "shared"))
        smaller = smaller.replace("--seeds 3", "--seeds 1").replace("--tune 4", "--tune 1").replace("--jobs 2", "")
        for model, family in STANDS_FOR.items():
            if f"--model {model}" in smaller:
                smaller = smaller.replace(model, str(write_family(tmp_path / family, family)))
        if kind(command) == "transducer.train":
            smaller += " --overwrite"
            smaller = smaller.replace(" --overwrite", "", 1) if "--resume" in smaller else smaller
        words = shlex.split(smaller)
        assert words[0] == "python" and words[1] == "-m", f"no test knows how to run: {command}"
        result = warm.run(words[2], words[3:], folder, environment, tmp_path / str(ran))
        assert result.returncode == 0, f"{command}\n{result.stdout[-2000:]}\n{result.stderr[-2000:]}"
        ran += 1
    assert ran >= 6


@pytest.mark.parametrize("target", ["train", "test"])
def test_make_targets_expand_to_the_commands(target: str) -> None:
    result = subprocess.run(["make", "-n", target, "VENV=nowhere"], cwd=ROOT, capture_output=True, text=True, check=True)
    expected = {"train": "-m transducer.train --task assert", "test": "-m pytest"}[target]
    assert expected in result.stdout and "-m venv nowhere" in result.stdout


def test_python_examples_run_after_the_commands(place, warm: WarmCommands, tmp_path: Path) -> None:
    folder, environment = place
    test_every_command_runs_in_order(place, warm, tmp_path) if not (folder / "runs").exists() else None
    for block in PYTHON_BLOCKS:
        result = subprocess.run([sys.executable, "-c", block], cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
        assert result.returncode == 0, f"{block}\n{result.stderr[-2000:]}"


FENCED = re.compile(r"^```\w*\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
TOLD_COMMANDS = [(path.relative_to(ROOT).as_posix(), line.split(" #")[0].strip())
                 for path in sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("checkpoints/*/README.md")])
                 for block in FENCED.findall(path.read_text(encoding="utf-8")) for line in block.replace("\\\n", " ").splitlines()
                 if line.startswith(("python -m transducer.train ", "python -m transducer.compare "))]


def settings_of(command: str) -> TrainSettings | CompareSettings:
    words = shlex.split(command)
    settings_class = {"transducer.train": TrainSettings, "transducer.compare": CompareSettings}[words[2]]
    parser = CommandParser()
    add_options(parser, settings_class)
    settings = resolve(settings_class, vars(parser.parse_args(words[3:])))
    return settings.for_task(get_task(settings.task))


@pytest.mark.parametrize(("page", "command"), TOLD_COMMANDS, ids=[f"{page}-{number}" for number, (page, _) in enumerate(TOLD_COMMANDS)])
def test_commands_of_other_pages_are_understood(page: str, command: str) -> None:
    """They take minutes to hours: what is tested is that their flags, methods and settings are still there."""
    settings = settings_of(command)
    for method in settings.labels() if isinstance(settings, CompareSettings) else settings.methods():
        base, _ = without_budget(method)
        method_class(base).make_settings(parse_specification(base)[1], settings.transducer_settings())


def test_the_other_pages_have_commands() -> None:
    assert len(TOLD_COMMANDS) >= 8


def test_commands_are_those_that_the_committed_rows_were_made_by() -> None:
    """Of comparisons whose folder has the name of a table: task, data, model, amounts, seeds, and every method of the table."""
    compared = []
    for command in [*(command for _, command in TOLD_COMMANDS), *commands()]:
        if kind(command) != "transducer.compare":
            continue
        settings = settings_of(command)
        rows = ROOT / "docs" / "results" / f"{Path(settings.output).name}.jsonl"
        if not rows.exists():
            continue
        for row in map(json.loads, rows.read_text(encoding="utf-8").splitlines()):
            assert (row["task"], row["data"], row["epochs"]) == (settings.task, settings.data, settings.epochs), rows.name
            assert row["model"] == settings.model, rows.name
            assert row["train_examples"] == settings.train_limit or not settings.train_limit, rows.name
            assert row["test_examples"] == settings.test_limit or not settings.test_limit, rows.name
            assert row["seed"] < settings.seeds and row["method"] in settings.labels(), (rows.name, row["method"])
        compared.append(rows.stem)
    assert len(compared) == len(set(compared)) >= 12


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    """`docs/tables.py`, a script that lies in no package."""
    specification = importlib.util.spec_from_file_location("tables_of_the_documents", ROOT / "docs" / "tables.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_every_table_of_results_is_made_from_committed_rows(tables: ModuleType) -> None:
    marks = []
    for page in tables.PAGES:
        text = page.read_text(encoding="utf-8")
        assert tables.filled(text) == text, f"{page} has other figures than docs/results; run: python docs/tables.py"
        marks += tables.marks(text)
    assert {path.stem for path in tables.RESULTS.glob("*.jsonl")} <= set(marks), "rows that no page shows"
    assert set(tables.SIDE_BY_SIDE) <= set(marks)


def test_a_changed_figure_in_a_table_is_found_and_mended(tables: ModuleType) -> None:
    page = tables.PAGES[0].read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith("| transducer | "))
    wrong = page.replace(row, row.replace("0", "9"), 1)
    assert wrong != page and tables.filled(wrong) == page


def test_every_difference_told_with_an_interval_is_one_of_a_comparison(tables: ModuleType) -> None:
    for page in tables.PAGES:
        assert not tables.without_comparison(page.read_text(encoding="utf-8")), page


def test_a_changed_difference_is_found(tables: ModuleType) -> None:
    told = tables.TOLD.search(tables.MARKED.sub("", README))[0]
    assert tables.without_comparison(README.replace(told, f"9{told}")) == [f"9{told}"] * README.count(told)


def test_every_loss_that_the_readme_and_the_page_of_methods_tell_was_measured(tables: ModuleType) -> None:
    for page in (README, (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")):
        assert not tables.without_row(page)
    told = tables.LOSS.search(tables.MARKED.sub("", README))[0]
    assert tables.without_row(README.replace(told, "9.999")) == ["9.999"] * tables.MARKED.sub("", README).count(told)


def test_quoted_embedded_figures_are_of_the_examples_made_today(cache_of_the_session: Path) -> None:
    """With the tested versions of the packages that the examples are mined from."""
    from tasks import get_task, load_source

    pinned = dict(re.findall(r"^(networkx|numpy)==(.+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), flags=re.MULTILINE))
    if any(version(name) != wanted for name, wanted in pinned.items()):
        pytest.skip(f"examples are mined from other versions than {pinned}")
    rows = [json.loads(line) for path in (ROOT / "docs" / "results").glob("*.jsonl") for line in path.read_text(encoding="utf-8").splitlines()]
    quoted = {(row["task"], row["data_hash"]) for row in rows if row["data"] == "embedded"}
    assert quoted
    for task, content_hash in quoted:
        assert load_source("embedded", get_task(task), cache_dir=cache_of_the_session, progress=False).content_hash == content_hash, task
