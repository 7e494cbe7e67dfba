"""What the commands of base models refuse: one line each, before anything is trained, written or replaced."""
from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from checkpoints import pretrain, pretrain_causal, pretraining
from checkpoints.pretrain import Recipe
from checkpoints.pretraining import build_model, build_optimizers, save_checkpoint
from checkpoints.streams import Streams
from tests.checkpoints.tiny_corpus import prepare_tiny_corpus

COMMANDS = {"pretrain": pretrain, "pretrain_causal": pretrain_causal}
SMALL = Recipe(width=32, feed_forward=64, heads=2, encoder_layers=1, decoder_layers=1, batch=2)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus, and a model as it starts."""
    folder = prepare_tiny_corpus(tmp_path_factory.mktemp("pretraining"))
    model = build_model(SMALL, len(Streams(folder).tokenizer))
    (folder / "recipe.json").write_text(json.dumps(asdict(SMALL)), encoding="utf-8")
    save_checkpoint(folder / "checkpoint.safetensors", model, build_optimizers(model, SMALL), {"step": 0, "seconds": 0.0, "tokens": 0})
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_without_a_trained_model_nothing_is_exported(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert COMMANDS[command].main(["--work", str(tmp_path / "work"), "--export", str(tmp_path / "model")]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {tmp_path / 'work'} holds no trained model (no ") and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json", "training.json"])
def test_a_stage_starts_from_a_model_of_this_command(missing: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in {"config.json", "model.safetensors", "tokenizer.json", "training.json"} - {missing}:
        (tmp_path / name).write_bytes(b"{}")
    assert pretrain.main(["--work", str(tmp_path / "work"), "--start", str(tmp_path)]) == 1
    assert f"error: {tmp_path} is no model to start from: it has no {missing}; give --start" in capsys.readouterr().err
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(("command", "arguments", "message"), [
    ("pretrain", ["--data", "nowhere"], "nowhere lacks corpus/java_methods.jsonl.gz, corpus/csharp_methods.jsonl.gz, assert/train.jsonl.gz, "),
    ("pretrain", ["--minutes", "0"], "argument --minutes: '0' is not a number of minutes above 0"),
    ("pretrain", ["--minutes", "nan"], "argument --minutes: 'nan' is not"),
    ("pretrain", ["--rates", "-1"], "argument --rates: '-1' is not a number that is not below 0"),
    ("pretrain_causal", ["--minutes", "inf"], "argument --minutes: 'inf' is not"),
    ("pretrain_causal", ["--batch", "0"], "argument --batch: '0' is not a whole number from 1 on"),
    ("pretrain_causal", ["--states", "2.5"], "argument --states: '2.5' is not a whole number from 1 on"),
    ("pretrain_causal", ["--device", "tpu"], "argument --device: invalid choice: 'tpu'"),
    ("pretrain_causal", ["--minute", "1"], "unrecognized arguments: --minute 1"),
])
def test_arguments_that_make_no_sense(command: str, arguments: list[str], message: str, tmp_path: Path,
                                    capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        COMMANDS[command].main(["--work", str(tmp_path / "work"), *arguments])
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there(work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(work)
    assert pretrain_causal.main(["--work", str(work), "--device", "cuda"]) == 1
    assert "no CUDA device is to be had" in capsys.readouterr().err and files(work) == before


@pytest.mark.parametrize("content", ["notes.txt", "config.json", "training.json"])
def test_a_folder_of_something_else_is_not_replaced(content: str, work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (work / "log.jsonl").write_text(json.dumps({"step": 0, "seconds": 0.0, "tokens": 0, "heldout": {}}) + "\n", encoding="utf-8")
    (tmp_path / content).write_text("kept", encoding="utf-8")
    assert pretrain.main(["--work", str(work), "--export", str(tmp_path)]) == 1
    assert f"{tmp_path} exists and is no model made by" in capsys.readouterr().err
    assert files(tmp_path) == {content: b"kept"}


def test_interrupted_it_says_how_to_go_on(work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*arguments) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pretraining, "train", interrupted)
    assert pretrain.main(["--work", str(work)]) == 130
    assert capsys.readouterr().err == "error: interrupted; the same command goes on from the last checkpoint\n"
