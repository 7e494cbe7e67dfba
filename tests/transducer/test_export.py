"""Exports of runs: what the folder and its model card say, where they come from, and what is refused."""
from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard

from checkpoints.artefact import CARD_FILE, read_artefact
from checkpoints.artefact_card import is_public, shown_name
from transducer import TransducerModel, export, train
from transducer.commands import command_line
from transducer.config import TrainSettings, add_options, resolve
from transducer.commands import CommandParser
from transducer.measure import ResultRow
from transducer.provenance import run_facts, train_command


@pytest.fixture(scope="module")
def seeds(model_folder: Path, data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two seeds and a baseline; not to be changed."""
    output = tmp_path_factory.mktemp("runs") / "seeds"
    assert command_line(train.main, [
        "--model", str(model_folder), "--data", f"file:{data_folder}", "--output", str(output), "--train-limit", "16", "--seeds", "2",
        "--baselines", "none", "--test-limit", "6", "--max-target-tokens", "12", "--precision", "float32", "--prompts", "3", "--quiet"]) == 0
    return output


def exported(run: Path, model: Path | str, *flags: str | Path) -> int:
    return command_line(export.main, ["--run", str(run), "--model", str(model), *map(str, flags)])


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    capsys.readouterr()
    code = exported(*arguments)
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1, captured.err
    return code, captured.err


def front_matter(folder: Path) -> dict:
    text = (folder / CARD_FILE).read_text(encoding="utf-8")
    return yaml.safe_load(re.match(r"---\n(.*?)^---\n", text, re.DOTALL | re.MULTILINE)[1])


def rows_of(run: Path) -> list[ResultRow]:
    return [ResultRow(**json.loads(line)) for line in (run / "results.jsonl").read_text(encoding="utf-8").splitlines()]


# The card


def test_the_card_states_what_the_run_measured(seeds: Path, model_folder: Path, tmp_path: Path) -> None:
    assert exported(seeds, model_folder, "--to", tmp_path / "mine", "--license", "apache-2.0") == 0
    card = (tmp_path / "mine" / CARD_FILE).read_text(encoding="utf-8")
    table = [line for line in card.splitlines() if re.match(r"\| (\*\*)?(transducer|none)", line)]
    rows = rows_of(seeds)
    assert len(rows) == len(table) == 3
    for row, line in zip(rows, table):
        cells = [cell.strip().strip("*") for cell in line.split("|")[1:-1]]
        scores = [f"{value:,.2f}" for value in row.scores.values()]
        valid = "-" if row.valid_loss is None else f"{row.valid_loss:,.3f}"
        assert cells == [row.specification, str(row.seed), f"{row.trainable_parameters:,}", valid, f"{row.test_loss:,.3f}", *scores]
        assert line.startswith("| **") == (row.method == "transducer" and row.seed == 0)
    own = rows[0]
    for text in (own.data_hash, f"{own.train_examples} train", "6 test examples", str(own.hardware), own.packages["torch"],
                 own.model_fingerprint, "--seeds 2", "--prompts 3", "`apache-2.0`", *own.signatures.values()):
        assert text in card, text
    if own.git_commit:
        assert own.git_commit in card


def test_the_front_matter_is_the_hubs(seeds: Path, model_folder: Path, tmp_path: Path) -> None:
    assert exported(seeds, model_folder, "--to", tmp_path / "mine", "--license", "mit", "--base-model", "someone/tiny-t5") == 0
    assert front_matter(tmp_path / "mine") == {
        "library_name": "transducer", "base_model": "someone/tiny-t5", "base_model_relation": "adapter", "license": "mit",
        "pipeline_tag": "text-generation", "tags": ["transducer", "code", "code-property-graph", "assert", "java", "python"]}
    card = ModelCard.load(tmp_path / "mine" / CARD_FILE)
    assert card.data.license == "mit" and card.data.base_model == "someone/tiny-t5"
    assert read_artefact(tmp_path / "mine").config["backbone"]["name"] == "someone/tiny-t5"


def test_without_a_licence_and_with_a_folder_the_card_says_so(run: Path, model_folder: Path, tmp_path: Path) -> None:
    assert exported(run, model_folder, "--to", tmp_path / "mine") == 0
    fields, card = front_matter(tmp_path / "mine"), (tmp_path / "mine" / CARD_FILE).read_text(encoding="utf-8")
    assert "license" not in fields and "base_model" not in fields
    assert "None was stated." in card and f"`{model_folder.name}` (a folder)" in card
    assert "give yours, which has to have the same weights" in card


@pytest.mark.parametrize(("name", "public", "shown"), [
    ("codet5-tiny", True, "codet5-tiny"), ("Salesforce/codet5-base", True, "Salesforce/codet5-base"),
    ("/home/me/models/mine", False, "mine"), ("./models/mine/", False, "mine"), ("C:\\models\\mine", False, "mine"),
    ("models", False, "models"), ("", False, "")])
def test_names_of_base_models(name: str, public: bool, shown: str) -> None:
    assert is_public(name) == public and shown_name(name) == shown


# Where the facts come from


def test_each_seed_of_a_run_can_be_exported(seeds: Path, model_folder: Path, tmp_path: Path) -> None:
    assert exported(seeds / "runs" / "transducer-seed1", model_folder, "--to", tmp_path / "mine") == 0
    config = read_artefact(tmp_path / "mine").config
    assert config["run"]["seed"] == config["results"]["seed"] == 1
    assert [(row["method"], row["seed"], row["here"]) for row in config["run"]["rows"]] == [
        ("transducer", 0, False), ("transducer", 1, True), ("none", 0, False)]
    assert config["results"]["test loss"] == round(rows_of(seeds)[1].test_loss, 4)


def test_the_command_makes_the_same_settings(seeds: Path) -> None:
    saved = json.loads((seeds / "config.json").read_text(encoding="utf-8"))
    words = shlex.split(train_command(saved))
    assert words[:4] == ["python", "-m", "transducer.train", "--task"] and "--output" not in words and "--quiet" not in words
    parser = CommandParser()
    add_options(parser, TrainSettings)
    from tasks import get_task

    settings = resolve(TrainSettings, vars(parser.parse_args(words[3:]))).for_task(get_task("assert"))
    again = json.loads(json.dumps(settings.__dict__))
    assert {name for name in again if again[name] != saved[name]} == {"output", "quiet"}


def test_a_run_that_was_not_finished(run: Path, model_folder: Path, tmp_path: Path) -> None:
    """Its transducer was saved before it was scored."""
    (tmp_path / "cut").mkdir()
    shutil.copy(run / "config.json", tmp_path / "cut")
    shutil.copytree(run / "transducer", tmp_path / "cut" / "transducer")
    assert exported(tmp_path / "cut", model_folder, "--to", tmp_path / "mine") == 0
    config = read_artefact(tmp_path / "mine").config
    assert set(config["run"]) == {"command", "remark"}
    assert "was not finished when this was exported" in (tmp_path / "mine" / CARD_FILE).read_text(encoding="utf-8")


def test_a_comparison(tmp_path: Path, seeds: Path) -> None:
    """Its folder states the command, and its rows their folders."""
    folder = tmp_path / "comparison" / "runs" / "transducer-seed1"
    folder.mkdir(parents=True)
    settings = json.loads((seeds / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "comparison" / "config.json").write_text(json.dumps({"settings": settings, "command": "python -m transducer.compare"}))
    lines = [row.to_dict() | {"folder": f"runs/{row.method}-seed{row.seed}"} for row in rows_of(seeds)]
    (tmp_path / "comparison" / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    results, facts = run_facts(folder)
    assert facts["command"] == "python -m transducer.compare" and facts["seed"] == results["seed"] == 1
    assert [row["here"] for row in facts["rows"]] == [False, True, False]


def test_exported_again_from_elsewhere_is_the_same_bytes(seeds: Path, model_folder: Path, tmp_path: Path) -> None:
    """From the run at another place, and from the transducer folder itself under another name."""
    assert exported(seeds, model_folder, "--to", tmp_path / "mine", "--license", "mit") == 0
    moved = tmp_path / "far" / "away"
    shutil.copytree(seeds, moved / "run")
    shutil.copytree(tmp_path / "mine", moved / "renamed")
    assert exported(moved / "run", model_folder, "--to", moved / "again", "--license", "mit") == 0
    assert exported(moved / "renamed", model_folder, "--to", moved / "third") == 0
    wanted = {path.name: path.read_bytes() for path in (tmp_path / "mine").iterdir()}
    for folder in (moved / "again", moved / "third"):
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == wanted


def test_an_export_for_a_fine_tune_says_that_it_was_not_measured(
        run: Path, model_folder: Path, other_model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, message = refused(capsys, run, other_model_folder, "--to", tmp_path / "mine")
    assert code == 1 and "--allow-mismatch" in message
    assert exported(run, other_model_folder, "--to", tmp_path / "mine", "--allow-mismatch") == 0
    assert "**Measured on other weights" in (tmp_path / "mine" / CARD_FILE).read_text(encoding="utf-8")
    TransducerModel.from_pretrained(tmp_path / "mine")


# What is refused


@pytest.mark.parametrize(("flags", "expected"), [
    ([], "give --to FOLDER, --push user/name, or both"),
    (["--to", "x", "--private"], "give --push user/name too"), (["--to", "x", "--push-revision", "v1"], "give --push user/name too"),
    (["--to", "x", "--license", "Apache 2.0"], "is no identifier, expected one such as apache-2.0")])
def test_flags_that_do_not_fit(flags: list[str], expected: str, run: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, message = refused(capsys, run, model_folder, *flags)
    assert code == 2 and expected in message


def test_a_run_whose_own_method_is_no_transducer(run: Path, seeds: Path, model_folder: Path, tmp_path: Path,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(seeds, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "transducer")
    code, message = refused(capsys, tmp_path / "run", model_folder, "--to", tmp_path / "mine")
    assert code == 1 and f"give one of: {tmp_path / 'run' / 'runs' / 'transducer-seed1'}" in message


def test_a_push_of_a_model_that_others_cannot_load(run: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, message = refused(capsys, run, model_folder, "--push", "me/mine")
    assert code == 2 and "give its hub id (--base-model" in message
