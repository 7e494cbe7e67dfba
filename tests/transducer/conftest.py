"""A tiny model and data folder, made once for all tests of this folder."""
from __future__ import annotations

from pathlib import Path

import pytest

from tests.transducer import tiny
from transducer.backbone import Backbone, load_backbone


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def other_model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same shapes and tokenizer, other weights."""
    return tiny.write_model(tmp_path_factory.mktemp("models") / "other", seed=1)


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_data(tmp_path_factory.mktemp("data") / "asserts")


@pytest.fixture
def backbone(model_folder: Path) -> Backbone:
    """A backbone of the test's own, which a method may change in place."""
    return load_backbone(str(model_folder), "float32", device="cpu")
