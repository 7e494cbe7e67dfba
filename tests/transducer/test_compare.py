"""The comparing command on a tiny model: its folder, kills and what goes on, budgets, failures, what is refused."""
from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from tests.transducer import tiny
from transducer import compare, train
from transducer.backbone import load_backbone
from transducer.budget import parameter_count
from transducer.commands import command_line
from transducer.comparison.settings import CompareSettings
from transducer.comparison_report.__main__ import main as comparison_report_main
from transducer.config import TransducerSettings, resolve
from transducer.errors import DataError
from transducer.measure import ROW_SCHEMA, ResultRow
from transducer.results import append_row, read_rows

METHODS = ("linear", "none", "lora:rank=2")
KEYS = [("linear", 0), ("linear", 1), ("none", 0), ("lora:rank=2", 0), ("lora:rank=2", 1)]
TIMES = ("train_seconds", "median_step_seconds", "train_peak_bytes", "generate_seconds", "generate_peak_bytes")


class Command:
    """The comparing command with the tiny model and data, and flags that make it short."""

    def __init__(self, model: Path, data: Path):
        self.flags = ["--model", str(model), "--data", f"file:{data}", "--train-limit", "16", "--test-limit", "4", "--valid-limit",
                      "4", "--max-source-tokens", str(tiny.SOURCE_TOKENS), "--max-target-tokens", "8", "--precision", "float32"]

    def arguments(self, output: Path, *flags: str) -> list[str]:
        methods = [] if "--methods" in flags else ["--methods", *METHODS]
        seeds = [] if "--seeds" in flags else ["--seeds", "2"]
        return [*self.flags, *methods, *seeds, "--output", str(output), *flags]

    def __call__(self, output: Path, *flags: str) -> int:
        return command_line(compare.main, self.arguments(output, *flags))

    def process(self, output: Path, *flags: str) -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, "-m", "transducer.compare", *self.arguments(output, *flags)], cwd=output.parent,
                                env=tiny.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def command(model_folder: Path, data_folder: Path) -> Command:
    return Command(model_folder, data_folder)


@pytest.fixture(scope="module")
def whole(command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted comparison. Not to be changed."""
    output = tmp_path_factory.mktemp("comparisons") / "whole"
    assert command(output, "--quiet") == 0
    return output


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "copy")
    return tmp_path / "copy"


def lasting(folder: Path) -> list[dict]:
    """The rows of a folder without what no two runs share, sorted."""
    rows = []
    for row in read_rows(folder):
        values = {name: value for name, value in row.to_dict().items() if name not in TIMES}
        values["preparation"] = {name: value for name, value in row.preparation.items() if "milliseconds" not in name}
        rows.append(values)
    return sorted(rows, key=lambda row: (row["method"], row["seed"]))


def files(folder: Path) -> dict[str, bytes]:
    """What runs have left that does not tell the time."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("runs/*/**/*")
            if path.is_file() and path.name != "log.jsonl"}


def single_line(text: str) -> str:
    assert text.endswith("\n") and text.count("\n") == 1, text
    return text.strip()


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str], seconds: float = 60) -> object:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


# The folder


def test_the_folder_is_as_designed(whole: Path) -> None:
    assert {path.name for path in whole.iterdir()} == {
        ".lock", "config.json", "examples.jsonl", "results.jsonl", "statistics.json", "runs", "report.html", "report.md", "results.csv"}
    assert {path.name for path in (whole / "runs").iterdir()} == {
        "linear-seed0", "linear-seed1", "none-seed0", "lora-rank-2-seed0", "lora-rank-2-seed1"}
    assert {path.name for path in (whole / "runs" / "linear-seed0").iterdir()} == {
        "adapter", "log.jsonl", "predictions.jsonl", "losses.jsonl"}
    config = json.loads((whole / "config.json").read_text(encoding="utf-8"))
    assert (config["kind"], config["schema"], config["settings"]["reference"]) == ("comparison", 1, "linear")
    assert [method["method"] for method in config["methods"]] == list(METHODS)
    assert config["data"] | {"train": 16, "valid": 4, "test": 4} == config["data"]
    assert config["command"].startswith("python -m transducer.compare --model ")
    examples = [json.loads(line) for line in (whole / "examples.jsonl").read_text(encoding="utf-8").splitlines()]
    predictions = [json.loads(line) for line in (whole / "runs" / "none-seed0" / "predictions.jsonl").read_text().splitlines()]
    assert [line["id"] for line in examples] == [line["id"] for line in predictions]
    assert {line["language"] for line in examples} <= {"python", "java"}
    assert predictions[0].keys() == {"id", "source", "target", "prediction", "scores"}


def test_the_report_can_be_made_again(whole: Path, tmp_path: Path) -> None:
    assert command_line(comparison_report_main, [str(whole), "--output", str(tmp_path)]) == 0
    for name in ("report.md", "results.csv", "report.html"):
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes(), name
    assert "lora:rank=2" in (whole / "report.md").read_text(encoding="utf-8")


def test_every_run_is_a_row(whole: Path, model_folder: Path) -> None:
    rows = read_rows(whole)
    assert sorted((row.method, row.seed) for row in rows) == sorted(KEYS)
    assert {row.status for row in rows} == {"ok"} and {row.schema for row in rows} == {ROW_SCHEMA}
    assert len({(row.data_hash, row.model_fingerprint, row.train_examples, row.epochs) for row in rows}) == 1
    backbone = load_backbone(str(model_folder), "float32", device="cpu")
    for row in rows:
        assert row.specification == row.method and row.parameter_budget is None and row.tuning == {}
        assert row.trainable_parameters == parameter_count(row.method, backbone, TransducerSettings())
        assert (whole / row.folder / "predictions.jsonl").exists() and row.scores


def test_a_row_is_that_of_the_main_command(whole: Path, command: Command, tmp_path: Path) -> None:
    assert command_line(train.main, [*command.flags, "--method", "lora:rank=2", "--output", str(tmp_path / "run"), "--quiet"]) == 0
    (alone,) = read_rows(tmp_path / "run")
    (row,) = (row for row in read_rows(whole) if (row.method, row.seed) == ("lora:rank=2", 0))
    assert (row.test_loss, row.valid_loss, row.scores) == (alone.test_loss, alone.valid_loss, alone.scores)
    for name in ("predictions.jsonl", "adapter/adapter_model.safetensors"):
        assert (whole / row.folder / name).read_bytes() == (tmp_path / "run" / name).read_bytes()


def test_statistics_stand_in_the_folder(whole: Path) -> None:
    found = json.loads((whole / "statistics.json").read_text(encoding="utf-8"))
    rows = {(row.method, row.seed): row for row in read_rows(whole)}
    assert [method["method"] for method in found["methods"]] == list(METHODS)
    lora = found["methods"][2]
    values = [rows["lora:rank=2", seed].test_loss for seed in (0, 1)]
    assert lora["seeds"] == [0, 1] and lora["scores"]["test_loss"]["values"] == values
    assert lora["scores"]["test_loss"]["mean"] == pytest.approx(sum(values) / 2)
    metrics = [metric["name"] for metric in found["metrics"] if metric["name"] != "test_loss"]
    assert [(entry["method"], entry["metric"]) for entry in found["comparisons"] if not entry["clean"]] == [
        (method, metric) for metric in ("test_loss", *metrics) for method in ("none", "lora:rank=2")]
    for entry in found["comparisons"]:
        assert entry["reference"] == "linear" and entry["seeds"] == [0, 1] and entry["low"] <= entry["difference"] <= entry["high"]
        if entry["metric"] == "test_loss":
            continue
        by_seed = [[json.loads(line)["scores"][entry["metric"]] for line in
                    (whole / rows[method, seed].folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
                   for method, seed in ((entry["method"], 0), ("linear", 0), ("linear", 1))]
        if entry["method"] == "none" and not entry["clean"]:
            expected = sum(by_seed[0]) / 4 - sum(by_seed[1] + by_seed[2]) / 8
            assert entry["difference"] == pytest.approx(expected, abs=1e-9)
    assert any("examples and seeds" in note for note in found["notes"])


def test_the_losses_of_the_examples_make_up_that_of_all(whole: Path) -> None:
    for row in read_rows(whole):
        losses = [json.loads(line) for line in (whole / row.folder / "losses.jsonl").read_text(encoding="utf-8").splitlines()]
        nats, tokens = (sum(loss[name] for loss in losses) for name in ("nats", "tokens"))
        assert len(losses) == 4 and row.test_loss == pytest.approx(nats / tokens, rel=1e-6)


def test_the_table_and_the_lines_of_progress(command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(tmp_path / "run", "--methods", "none", "linear", "--seeds", "1") == 0
    printed = capsys.readouterr().out
    assert "[1/2] none, seed 0: test loss" in printed and " left)" in printed and "[2/2] linear, seed 0" in printed
    assert "linear: 1,024 trainable parameters" in printed
    assert "difference to none, 95 % interval" in printed and " tie " in printed
    assert f"The report: {tmp_path / 'run' / 'report.html'}" in printed and (tmp_path / "run" / "report.html").stat().st_size > 10_000
    assert "One seed of linear" in printed and "not whether the methods do" in printed


# Killing and going on


def test_killed_and_gone_on_with_it_is_the_uninterrupted_one(whole: Path, command: Command, tmp_path: Path) -> None:
    """Killed outright once a run has ended, while another is at work; then half a line is added, as a kill within a write
    would leave it. The process at work ends with the command."""
    output = tmp_path / "run"
    process = command.process(output, "--quiet")
    results = output / "results.jsonl"

    def at_work() -> list[Path]:
        return results.exists() and results.stat().st_size and list((output / "runs").glob(".*"))

    (left,) = wait_for(at_work, process)
    process.kill()
    process.communicate()
    worker = Path("/proc", left.name.rsplit(".", 1)[1])
    deadline = time.monotonic() + 20
    while worker.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not worker.exists()
    finished = read_rows(output)
    assert 1 <= len(finished) < len(KEYS)
    with results.open("a", encoding="utf-8") as file:
        file.write(results.read_text(encoding="utf-8").splitlines()[0][:200])
    assert len(read_rows(output)) == len(finished)
    assert command(output, "--quiet") == 0
    assert [row.to_dict() for row in read_rows(output)][:len(finished)] == [row.to_dict() for row in finished]
    assert lasting(output) == lasting(whole)
    assert files(output) == files(whole)
    assert json.loads((output / "statistics.json").read_text()) == json.loads((whole / "statistics.json").read_text())
    assert not list((output / "runs").glob(".*"))


def test_a_finished_comparison_runs_nothing(copy: Path, command: Command) -> None:
    before = {path: path.stat().st_mtime_ns for path in copy.glob("runs/**/*")}
    rows = (copy / "results.jsonl").read_bytes()
    assert command(copy, "--quiet", "--reference", "none") == 0
    assert {path: path.stat().st_mtime_ns for path in copy.glob("runs/**/*")} == before
    assert (copy / "results.jsonl").read_bytes() == rows
    found = json.loads((copy / "statistics.json").read_text(encoding="utf-8"))
    assert found["reference"] == "none" and {entry["method"] for entry in found["comparisons"]} == {"linear", "lora:rank=2"}


def test_methods_and_seeds_may_be_added(copy: Path, command: Command) -> None:
    before = read_rows(copy)
    assert command(copy, "--quiet", "--methods", *METHODS, "ia3", "--seeds", "3") == 0
    after = read_rows(copy)
    assert after[:5] == before
    assert {(row.method, row.seed) for row in after[5:]} == {
        ("linear", 2), ("lora:rank=2", 2), ("ia3", 0), ("ia3", 1), ("ia3", 2)}


def test_side_by_side_gives_the_same_rows(whole: Path, command: Command, tmp_path: Path) -> None:
    assert command(tmp_path / "run", "--quiet", "--jobs", "3") == 0
    assert lasting(tmp_path / "run") == lasting(whole)
    assert files(tmp_path / "run") == files(whole)


def test_a_row_is_added_whole_after_half_a_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    append_row(path, {"a": 1})
    with path.open("a") as file:
        file.write('{"a": ')
    append_row(path, {"a": "é"})
    assert path.read_text(encoding="utf-8") == '{"a": 1}\n{"a": "é"}\n'


# Failures


def test_a_failed_run_is_a_row_and_the_others_finish(command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A learning rate at which float32 overflows."""
    output = tmp_path / "run"
    flags = ("--quiet", "--learning-rate", "1e30", "--methods", "published", "none", "--seeds", "1", "--train-limit", "48")
    assert command(output, *flags) == 1
    failed, finished = sorted(read_rows(output), key=lambda row: row.status)
    assert (failed.method, failed.status, finished.method, finished.status) == ("published", "failed", "none", "ok")
    assert "lower --learning-rate" in failed.reason and failed.trainable_parameters
    printed = capsys.readouterr()
    assert "published, seed 0: the loss is" in printed.err and "published, seed 0 failed: the loss is" in printed.out
    found = json.loads((output / "statistics.json").read_text(encoding="utf-8"))
    assert found["methods"][0]["failed"] == 1 and not found["comparisons"]
    assert any("nothing can be said about differences" in note for note in found["notes"])
    before = (output / "results.jsonl").read_bytes()
    assert command(output, *flags) == 1
    assert (output / "results.jsonl").read_bytes() == before
    assert command(output, *flags, "--retry") == 1
    assert [(row.method, row.status) for row in read_rows(output)] == [("none", "ok"), ("published", "failed")]


def test_a_run_that_the_system_ends_is_a_row(command: Command, tmp_path: Path) -> None:
    output = tmp_path / "run"

    def kill_the_first() -> None:
        while not (found := list((output / "runs").glob(".linear*"))):
            time.sleep(0.02)
        os.kill(int(found[0].name.rsplit(".", 1)[1]), signal.SIGKILL)

    killer = threading.Thread(target=kill_the_first)
    killer.start()
    assert command(output, "--quiet", "--methods", "linear", "none", "--seeds", "1", "--epochs", "100000") == 1
    killer.join()
    killed, finished = read_rows(output)
    assert (killed.method, killed.status, finished.status) == ("linear", "failed", "ok")
    assert killed.reason == "its process was ended by SIGKILL, as the system does when memory runs out"
    assert not list((output / "runs").glob(".*"))


def test_a_method_that_cannot_be_built_is_skipped(command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(tmp_path / "run", "--quiet", "--methods", "none", "affix", "--seeds", "1") == 0
    rows = {row.method: row for row in read_rows(tmp_path / "run")}
    skipped = rows["affix"]
    assert rows["none"].status == "ok" and skipped.status == "skipped" and skipped.folder == ""
    assert "cannot be built on" in skipped.reason and "leave the method out" in skipped.reason
    assert "skipped" in capsys.readouterr().out


# Budgets


def test_a_budget_gives_every_method_its_largest_size(
        command: Command, model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    backbone = load_backbone(str(model_folder), "float32", device="cpu")
    count = parameter_count("lora:rank=2", backbone, TransducerSettings())
    assert command(tmp_path / "run", "--quiet", "--budget", f"params={count + 1}", "--methods", "lora", "lora:params=9999",
                   "prompt", "full", "--seeds", "1") == 0
    rows = {row.method: row for row in read_rows(tmp_path / "run")}
    assert (rows["lora"].specification, rows["lora"].trainable_parameters, rows["lora"].parameter_budget) == (
        "lora:rank=2", count, count + 1)
    larger = rows["lora:params=9999"]
    assert larger.parameter_budget == 9999 and count < larger.trainable_parameters <= 9999
    assert count == 1536 and rows["prompt"].specification == "prompt:tokens=40"  # 40 x 32 = 1,280; the next size has 1,600
    assert "lora:params=9999 was run as lora:rank=12" in capsys.readouterr().out
    assert rows["full"].status == "skipped" and "more than the budget" in rows["full"].reason


@pytest.mark.parametrize(("methods", "expected"), [
    (("lora",), "method 'lora' has 384 trainable parameters at its smallest (rank=1, layers=1), more than the budget of 3; raise the budget"),
    (("lora", "prompt"), "method 'prompt' has 32 trainable parameters at its smallest (tokens=1)")])
def test_a_budget_that_nothing_fits_names_the_smallest_size(
        methods: tuple[str, ...], expected: str, command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(tmp_path / "run", "--quiet", "--budget", "params=3", "--methods", *methods) == 2
    assert expected in single_line(capsys.readouterr().err)
    assert not (tmp_path / "run").exists()


# What is refused


@pytest.mark.parametrize(("flags", "code", "expected"), [
    (["--epochs", "2", "--batch-size", "4"], 2, "other settings: batch_size was 8 and is 4, epochs was 1.0 and is 2.0; repeat its command"),
    (["--methods", "linear", "none"], 2, "methods was ['linear', 'none', 'lora:rank=2'] and is ['linear', 'none']"),
    (["--seeds", "1"], 2, "seeds was 2 and is 1"),
    (["--tune", "2"], 2, "tune was 0 and is 2"),
    (["--reference", "lora"], 2, "--reference is 'lora', expected one of --methods: linear, none, lora:rank=2"),
    (["--budget", "flops=2"], 2, "--budget is 'flops=2', expected params=N"),
    (["--methods", *METHODS, "lora:params=few"], 2, "params is 'few', expected a whole number"),
    (["--methods", *METHODS, "linaer"], 2, "Did you mean 'linear'?"),
    (["--methods"], 2, "--methods names no method"),
])
def test_what_is_refused_changes_nothing(
        flags: list[str], code: int, expected: str, whole: Path, command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*")}
    assert command(whole, "--quiet", *flags) == code
    assert expected in single_line(capsys.readouterr().err)
    assert {path: path.stat().st_mtime_ns for path in whole.rglob("*")} == before


def test_other_data_and_another_model_are_refused(
        copy: Path, command: Command, model_folder: Path, other_model_folder: Path, data_folder: Path, tmp_path: Path,
        capsys: pytest.CaptureFixture[str]) -> None:
    """Behind names that are the same."""
    shutil.copytree(data_folder, tmp_path / "data")
    shutil.copytree(model_folder, tmp_path / "model")
    mine = Command(tmp_path / "model", tmp_path / "data")
    config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
    config["settings"] |= {"model": str(tmp_path / "model"), "data": f"file:{tmp_path / 'data'}"}
    config["model"]["name"], config["data"]["name"] = config["settings"]["model"], config["settings"]["data"]
    (copy / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert mine(copy, "--quiet") == 0
    capsys.readouterr()
    text = (tmp_path / "data" / "test.jsonl").read_text(encoding="utf-8")
    (tmp_path / "data" / "test.jsonl").write_text(text.replace("total", "amount"), encoding="utf-8")
    assert mine(copy, "--quiet") == 2
    assert "other data or model: data.content_hash was" in single_line(capsys.readouterr().err)
    (tmp_path / "data" / "test.jsonl").write_text(text, encoding="utf-8")
    shutil.copy(other_model_folder / "model.safetensors", tmp_path / "model" / "model.safetensors")
    assert mine(copy, "--quiet") == 2
    assert "model.fingerprint was" in single_line(capsys.readouterr().err)


def test_data_that_cannot_be_used_leave_no_folder(command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(tmp_path / "run", "--quiet", "--overlong", "error", "--max-source-tokens", "16") == 1
    assert "its source is longer than --max-source-tokens 16" in single_line(capsys.readouterr().err)
    assert not (tmp_path / "run").exists()


def test_a_folder_of_something_else_is_never_touched(
        command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "run"
    assert command_line(train.main, [*command.flags, "--method", "none", "--output", str(output), "--quiet"]) == 0
    before = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}
    for flags in ((), ("--overwrite",)):
        assert command(output, "--quiet", *flags) == 1
        assert "is no folder of a comparison" in single_line(capsys.readouterr().err.splitlines(keepends=True)[-1])
    assert {path: path.read_bytes() for path in output.rglob("*") if path.is_file()} == before


def test_overwrite_replaces_a_comparison(copy: Path, command: Command) -> None:
    assert command(copy, "--quiet", "--overwrite", "--methods", "none") == 0
    assert [row.method for row in read_rows(copy)] == ["none"]
    assert [path.name for path in (copy / "runs").iterdir()] == ["none-seed0"]


def test_two_commands_in_one_folder_are_refused(copy: Path, command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    with (copy / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert command(copy, "--quiet") == 1
    assert "another command is at work" in single_line(capsys.readouterr().err)
    assert command(copy, "--quiet") == 0


@pytest.mark.parametrize(("schema", "expected"), [
    (0, "is of schema 0, this release reads and writes schema 1; make the results anew"),
    (99, "is of schema 99, this release reads and writes schema 1; install a newer release")])
def test_rows_of_another_schema_are_refused(
        schema: int, expected: str, copy: Path, command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [json.loads(line) for line in (copy / "results.jsonl").read_text(encoding="utf-8").splitlines()]
    lines[2]["schema"] = schema
    (copy / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert command(copy, "--quiet") == 1
    message = single_line(capsys.readouterr().err)
    assert expected in message and "results.jsonl: line 3" in message


def test_a_damaged_line_in_the_middle_is_named(copy: Path) -> None:
    path = copy / "results.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text(lines[0] + lines[1][:50] + "\n" + lines[2], encoding="utf-8")
    with pytest.raises(DataError, match="holds no result rows of this release \\(line 2"):
        read_rows(path)


# Settings


def test_every_setting_has_its_help_and_a_default_in_range() -> None:
    assert resolve(CompareSettings, {entry.name: entry.default for entry in fields(CompareSettings)}) == CompareSettings()
    for entry in fields(CompareSettings):
        assert entry.default is not MISSING and len(entry.metadata["help"]) > 10, entry.name


def test_settings_of_a_comparison_and_of_a_training_share_what_makes_a_run() -> None:
    own = {entry.name for entry in fields(CompareSettings)} - {entry.name for entry in fields(train.TrainSettings)}
    assert own == {"methods", "reference", "budget", "tune", "tune_limit", "jobs", "retry", "accelerate"}
    assert ResultRow.__dataclass_fields__.keys() >= {"specification", "parameter_budget", "tuning", "folder"}
