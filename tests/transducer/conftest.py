"""A tiny model and data folder, made once for all tests of this folder."""
from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.transducer import comparison_folder, tiny
from tests.transducer.training_command import Command
from transducer import train
from transducer.backbone import Backbone, load_backbone
from transducer.commands import command_line
from transducer.comparison_report import write_report


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def held_out(model_folder: Path) -> dict[str, torch.Tensor]:
    """A batch of the tiny model that no test trains on."""
    return tiny.batch_of(load_backbone(str(model_folder), "float32", device="cpu"), tiny.examples(5, 60))


@pytest.fixture(scope="session")
def other_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same shapes and tokenizer, other weights."""
    return tiny.write_model(tmp_path_factory.mktemp("models") / "other", seed=1)


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_data(tmp_path_factory.mktemp("data") / "asserts")


@pytest.fixture(scope="session")
def run(model_folder: Path, data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of the main command; tests leave it as it is."""
    output = tmp_path_factory.mktemp("runs") / "run"
    assert command_line(train.main, [
        "--model", str(model_folder), "--data", f"file:{data_folder}", "--output", str(output), "--epochs", "1",
        "--max-target-tokens", "12", "--precision", "float32", "--quiet"]) == 0
    return output


@pytest.fixture
def backbone(model_folder: Path) -> Backbone:
    """A backbone of the test's own, which a method may change in place."""
    return load_backbone(str(model_folder), "float32", device="cpu")


@pytest.fixture(scope="session")
def command(model_folder: Path, data_folder: Path) -> Command:
    return Command(model_folder, data_folder)


@pytest.fixture(scope="session")
def reference(command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run with everything at its default but the sizes and two epochs; seed 0. Not to be changed."""
    output = tmp_path_factory.mktemp("runs") / "reference"
    assert command(output, "--quiet") == 0
    return output


@pytest.fixture(scope="session")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a made-up comparison; tests leave it as it is."""
    return comparison_folder.write_folder(tmp_path_factory.mktemp("compared"), comparison_folder.EXAMPLES,
                                          comparison_folder.METHODS, near=comparison_folder.NEAR)


@pytest.fixture(scope="session")
def compared_report(compared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of its report."""
    output = tmp_path_factory.mktemp("report")
    assert [path.name for path in write_report(compared, output)] == ["report.md", "results.csv", "report.html"]
    return output
