"""The folder of a saved transducer: what is in it, and every way in which it cannot be used."""
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from checkpoints import artefact as artefact_module
from checkpoints.artefact import (
    CARD_FILE,
    CONFIG_FILE,
    REQUIRED_FIELDS,
    SCHEMA,
    TENSOR_FILE,
    read_artefact,
    write_artefact,
)
from checkpoints.errors import ArtefactContentError, ArtefactError, ArtefactVersionError, MissingArtefactError
from tests.transducer import tiny
from transducer import TransducerModel, load_backbone
from transducer.backbone import Backbone
from transducer.compatibility import tokenizer_fingerprint
from transducer.config import TransducerSettings
from transducer.errors import BackboneMismatchError, ConfigurationError
from transducer.methods import METHODS, method_class

SETTINGS = [TransducerSettings(), TransducerSettings(fusion="aligned", layer="rgcn", layer_count=1, rank=9),
            TransducerSettings(fusion="attention+prompts", layer="linear", prompts=3), TransducerSettings(fusion="published")]


def saved_model(backbone: Backbone, folder: Path, settings: TransducerSettings = SETTINGS[0]) -> TransducerModel:
    torch.manual_seed(1)
    model = TransducerModel(backbone, settings)
    with torch.no_grad():
        for parameter in model.trainable().values():
            parameter.add_(torch.randn_like(parameter))
    model.save_pretrained(folder, task="assert", languages=("java", "python"), results={"test loss": 1.5, "exact_match": 3.25})
    return model


@pytest.fixture
def folder(backbone: Backbone, tmp_path: Path) -> Path:
    saved_model(backbone, tmp_path / "saved")
    return tmp_path / "saved"


def change_config(folder: Path, change: Callable[[dict], object]) -> None:
    path = folder / CONFIG_FILE
    config = json.loads(path.read_text(encoding="utf-8"))
    change(config)
    path.write_text(json.dumps(config), encoding="utf-8")


def replace_tensors(folder: Path, change: Callable[[dict], object]) -> None:
    """Other tensors, with a configuration that is right about the file, so that only their names and shapes are wrong."""
    tensors = load_file(folder / TENSOR_FILE)
    change(tensors)
    save_file(tensors, folder / TENSOR_FILE, metadata={"format": "pt"})
    digest = artefact_module._sha256(folder / TENSOR_FILE)
    change_config(folder, lambda config: config.update(
        sha256=digest, tensors={name: list(tensor.shape) for name, tensor in tensors.items()}))


def message_of(error: type[Exception], folder: Path, backbone: Backbone | None = None) -> str:
    with pytest.raises(error) as caught:
        TransducerModel.from_pretrained(folder, backbone)
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)
    return str(caught.value)


# What is written


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda settings: f"{settings.fusion} {settings.layer}")
def test_a_saved_transducer_comes_back_whole(settings: TransducerSettings, backbone: Backbone, tmp_path: Path) -> None:
    model = saved_model(backbone, tmp_path / "saved", settings)
    loaded = TransducerModel.from_pretrained(tmp_path / "saved", precision="float32")
    assert loaded.backbone is not backbone and loaded.backbone.fingerprint == backbone.fingerprint
    assert not loaded.training and loaded.rank == model.rank
    assert loaded.settings.fusion == settings.fusion and loaded.settings.layer == settings.layer
    assert loaded.trainable().keys() == model.trainable().keys()
    assert all(torch.equal(parameter, model.trainable()[name]) for name, parameter in loaded.trainable().items())
    batch = tiny.batch_of(backbone, tiny.examples(3))
    with torch.no_grad():
        assert torch.equal(loaded(**batch).logits, model.eval()(**batch).logits)


def test_the_folder_has_three_files_and_is_no_peft_adapter(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {CONFIG_FILE, TENSOR_FILE, CARD_FILE}
    assert folder.stat().st_mode & 0o777 == 0o755


def test_the_configuration_says_what_it_is_for(folder: Path, backbone: Backbone, model_folder: Path) -> None:
    config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    assert config.keys() == set(REQUIRED_FIELDS)
    assert config["schema"] == SCHEMA and config["task"] == "assert" and config["languages"] == ["java", "python"]
    assert config["backbone"] == {"name": str(model_folder), "revision": None, "fingerprint": backbone.fingerprint, "width": 32,
                                  "precision": "float32", "quantize": "none", "family": "t5",
                                  "tokenizer": tokenizer_fingerprint(backbone.tokenizer),
                                  "parameters": sum(each.numel() for each in backbone.model.parameters()),
                                  "roles": {role: list(shape) for role, shape in backbone.places.roles.items()},
                                  "blocks": backbone.writers.roles}
    sizes = {name: config["settings"][name] for name in ("rank", "directions", "bottleneck")}
    assert config["settings"] == TransducerSettings(**sizes).to_dict() and sizes["rank"] >= 3 and min(sizes.values()) >= 1
    assert config["packages"].keys() == set(artefact_module.RECORDED_PACKAGES)


def test_the_card_shows_results_and_use(folder: Path, backbone: Backbone) -> None:
    card = (folder / CARD_FILE).read_text(encoding="utf-8")
    count = sum(tensor.numel() for tensor in load_file(folder / TENSOR_FILE).values())
    for text in (f"{count:,} trained parameters", backbone.fingerprint, "| test loss | 1.5 |", "| exact_match | 3.25 |",
                 "java, python", "python -m transducer.predict"):
        assert text in card, text


def test_saving_again_replaces_the_folder(backbone: Backbone, tmp_path: Path) -> None:
    saved_model(backbone, tmp_path / "saved")
    (tmp_path / "saved" / "stale.txt").write_text("of the last release")
    second = TransducerModel(backbone, TransducerSettings(fusion="aligned"))
    second.save_pretrained(tmp_path / "saved")
    assert {path.name for path in (tmp_path / "saved").iterdir()} == {CONFIG_FILE, TENSOR_FILE, CARD_FILE}
    assert load_file(tmp_path / "saved" / TENSOR_FILE).keys() == second.trainable().keys()
    assert [path.name for path in tmp_path.iterdir()] == ["saved"]


def test_a_save_that_fails_leaves_what_was_there(
        folder: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full_disk(config: dict) -> str:
        raise OSError("No space left on device")

    monkeypatch.setattr(artefact_module, "transducer_card", full_disk)
    with pytest.raises(OSError, match="No space left"):
        TransducerModel(backbone, TransducerSettings(fusion="aligned")).save_pretrained(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_folder_of_something_else_is_not_replaced(backbone: Backbone, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(ArtefactError, match="mine holds no transducer"):
        TransducerModel(backbone, TransducerSettings()).save_pretrained(tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


# What cannot be read


@pytest.mark.parametrize("name", [CONFIG_FILE, TENSOR_FILE])
def test_a_missing_file(name: str, folder: Path) -> None:
    (folder / name).unlink()
    assert f"no {name} in" in message_of(MissingArtefactError, folder)


def test_a_missing_folder(tmp_path: Path) -> None:
    assert "expected a transducer folder" in message_of(MissingArtefactError, tmp_path / "absent")


@pytest.mark.parametrize("kept", [0, 4, 100, -1])
def test_a_truncated_tensor_file(kept: int, folder: Path) -> None:
    path = folder / TENSOR_FILE
    path.write_bytes(path.read_bytes()[:kept])
    assert f"{TENSOR_FILE} cannot be used: truncated" in message_of(ArtefactContentError, folder)


@pytest.mark.parametrize("place", [-1, -4000])
def test_a_flipped_byte(place: int, folder: Path) -> None:
    path = folder / TENSOR_FILE
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    assert "its SHA-256 is not the one that transducer_config.json states" in message_of(ArtefactContentError, folder)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"null", b"3"])
def test_a_configuration_that_is_no_json_object(content: bytes, folder: Path) -> None:
    (folder / CONFIG_FILE).write_bytes(content)
    assert f"{CONFIG_FILE} cannot be used: not" in message_of(ArtefactContentError, folder)


def test_a_newer_schema(folder: Path) -> None:
    change_config(folder, lambda config: config.update(schema=SCHEMA + 1, unheard_of=True))
    message = message_of(ArtefactVersionError, folder)
    assert f"has schema {SCHEMA + 1}, this release reads up to {SCHEMA}; install a newer release" in message


@pytest.mark.parametrize("schema", ["1", None, 0, 1.5, True])
def test_a_schema_that_is_none(schema: object, folder: Path) -> None:
    change_config(folder, lambda config: config.update(schema=schema))
    assert "schema" in message_of(ArtefactContentError, folder)


@pytest.mark.parametrize("field", REQUIRED_FIELDS)
def test_a_missing_field(field: str, folder: Path) -> None:
    change_config(folder, lambda config: config.pop(field))
    assert field in message_of(ArtefactContentError, folder)


@pytest.mark.parametrize("field", ["backbone", "settings"])
@pytest.mark.parametrize("value", [[], "text", {}])
def test_a_field_of_another_kind(field: str, value: object, folder: Path) -> None:
    change_config(folder, lambda config: config.update({field: value}))
    if (field, value) == ("settings", {}):
        change_config(folder, lambda config: config.update({field: None}))
    assert f"'{field}'" in message_of(ArtefactContentError, folder)


def test_a_surplus_tensor(folder: Path) -> None:
    replace_tensors(folder, lambda tensors: tensors.update({"fusion.extra": torch.zeros(2)}))
    assert "surplus: ['fusion.extra']" in message_of(ArtefactContentError, folder)


def test_a_missing_tensor(folder: Path) -> None:
    replace_tensors(folder, lambda tensors: tensors.pop("fusion.up"))
    assert "tensors missing: ['fusion.up']" in message_of(ArtefactContentError, folder)


def test_a_tensor_of_another_shape(folder: Path) -> None:
    replace_tensors(folder, lambda tensors: tensors.update({"fusion.up": tensors["fusion.up"].T.contiguous()}))
    assert "of another shape: ['fusion.up']" in message_of(ArtefactContentError, folder)


def test_another_backbone(folder: Path, other_model_folder: Path) -> None:
    other = load_backbone(str(other_model_folder), "float32", device="cpu")
    message = message_of(BackboneMismatchError, folder, other)
    assert other.fingerprint[:12] in message and str(other_model_folder) in message and "train again on this one" in message


def test_an_unknown_setting(folder: Path) -> None:
    change_config(folder, lambda config: config["settings"].update(depth=3))
    with pytest.raises(ConfigurationError, match=r"unknown transducer settings \['depth'\]; this release knows: fusion, layer"):
        TransducerModel.from_pretrained(folder)


@pytest.mark.parametrize(("name", "value", "expected"), [
    ("rank", "eight", "--rank is 'eight', expected a whole number"), ("layer_count", -1, "--layer-count is -1, expected at least 0"),
    ("fusion", None, "--fusion is None, expected text")])
def test_a_setting_out_of_range(name: str, value: object, expected: str, folder: Path) -> None:
    change_config(folder, lambda config: config["settings"].update({name: value}))
    with pytest.raises(ConfigurationError, match=expected):
        TransducerModel.from_pretrained(folder)


def test_loading_checks_before_it_writes(folder: Path, backbone: Backbone) -> None:
    """A model that refuses an artefact keeps its own numbers."""
    replace_tensors(folder, lambda tensors: tensors.pop("fusion.up"))
    model = TransducerModel(backbone, TransducerSettings())
    before = model.tensors()
    with pytest.raises(ArtefactContentError):
        model.load(folder)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.tensors().items())


def test_reading_returns_what_was_written(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(6.0).view(2, 3), "b": torch.ones(1)}
    backbone = {"name": "some/model", "revision": "abc", "fingerprint": "f" * 64, "width": 3, "precision": "float32",
                "quantize": "none", "tokenizer": "e" * 64, "family": "t5", "parameters": 9, "roles": {"a.*": [3, 2]}, "blocks": {"b.*": 2}}
    write_artefact(tmp_path / "deep" / "folder", tensors, settings={"rank": 8}, backbone=backbone, task="", languages=(), results={})
    found = read_artefact(tmp_path / "deep" / "folder")
    assert found.config["backbone"] == backbone and found.config["settings"] == {"rank": 8}
    assert found.tensors.keys() == tensors.keys() and torch.equal(found.tensors["a"], tensors["a"])
    found.check({"a": (2, 3), "b": (1,)})
    with pytest.raises(ArtefactContentError, match="of another shape: \\['a'\\]"):
        found.check({"a": (3, 2), "b": (1,)})


def test_transducers_are_the_methods_with_this_artefact() -> None:
    found = {name for name in METHODS if issubclass(method_class(name), TransducerModel)}
    assert found == {"transducer", "no-gve", "no-abfl", "linear-gve", "input-only", "no-scales", "no-bottlenecks", "no-edges", "ast-only", "no-align", "no-residual", "other-graph", "mirrored-edges",
                     "random-features", "published"}
