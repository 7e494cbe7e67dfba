"""Which backbones a saved transducer takes, and that a saved transducer is the same bytes wherever it was."""
from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from checkpoints.artefact import CARD_FILE, CONFIG_FILE, TENSOR_FILE, read_artefact
from checkpoints.errors import ArtefactContentError
from tests.transducer import tiny
from transducer import TransducerModel, load_backbone
from transducer.backbone import Backbone
from transducer.commands import command_line
from transducer.compatibility import tokenizer_fingerprint
from transducer.config import TransducerSettings
from transducer.errors import BackboneMismatchError
from transducer.evaluate import main as evaluate_main
from transducer.fusion import INPUT_FUSION
from transducer.predict import main as predict_main

RUN = {"command": "python -m transducer.train --task assert", "model": "tiny", "rows": []}


@pytest.fixture
def folder(backbone: Backbone, tmp_path: Path) -> Path:
    torch.manual_seed(1)
    model = TransducerModel(backbone, TransducerSettings(prompts=2, rank=8))
    with torch.no_grad():
        for parameter in model.trainable().values():
            parameter.add_(torch.randn_like(parameter))
    model.save_pretrained(tmp_path / "saved", task="assert", languages=["java"], results={"test loss": 1 / 3}, run=RUN,
                          license="apache-2.0")
    return tmp_path / "saved"


@pytest.fixture
def other(other_model_folder: Path) -> Backbone:
    return load_backbone(str(other_model_folder), "float32", device="cpu")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refused(folder: Path, backbone: Backbone, **options) -> str:
    with pytest.raises(BackboneMismatchError) as caught:
        TransducerModel.from_pretrained(folder, backbone, **options)
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value) and backbone.name in str(caught.value)
    return str(caught.value)


# The same bytes


def test_saved_copied_loaded_and_saved_again_is_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "far" / "away" / "renamed"
    shutil.copytree(folder, elsewhere)
    TransducerModel.from_pretrained(elsewhere).save_pretrained(tmp_path / "again")
    assert contents(tmp_path / "again") == contents(folder)


def test_the_same_bytes_from_another_process_and_a_model_that_moved(
        folder: Path, model_folder: Path, tmp_path: Path) -> None:
    """The base model lies elsewhere there; the name in the artefact is the one that was given."""
    moved = tmp_path / "moved"
    moved.mkdir()
    shutil.copytree(folder, moved / "transducer")
    shutil.copytree(model_folder, moved / "model")
    code = ("from transducer import TransducerModel, load_backbone\n"
            "model = TransducerModel.from_pretrained('transducer', load_backbone('model', 'float32', device='cpu'))\n"
            f"model.save_pretrained('again', base_model={str(model_folder)!r})")
    result = tiny.python("-c", code, cwd=moved)
    assert result.returncode == 0, result.stderr
    assert contents(moved / "again") == contents(folder)


def test_the_precision_of_training_outlives_a_backbone_in_another(folder: Path, model_folder: Path, tmp_path: Path) -> None:
    lent = load_backbone(str(model_folder), "bfloat16", device="cpu")
    TransducerModel.from_pretrained(folder, lent).save_pretrained(tmp_path / "again")
    assert contents(tmp_path / "again") == contents(folder)


def test_facts_that_are_given_replace_those_that_were_loaded(folder: Path, backbone: Backbone, tmp_path: Path) -> None:
    TransducerModel.from_pretrained(folder, backbone).save_pretrained(tmp_path / "again", license="mit", results={})
    before, after = read_artefact(folder).config, read_artefact(tmp_path / "again").config
    assert after == before | {"license": "mit", "results": {}}


# Other backbones


def test_another_width_is_refused_even_with_leave(
        folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiny, "WIDTH", 48)
    wide = load_backbone(str(tiny.write_model(tmp_path / "wide")), "float32", device="cpu")
    for allow in (False, True):
        assert "of width 32, got" in (message := refused(folder, wide, allow_mismatch=allow)) and "of width 48" in message


def change_tokenizer(model_folder: Path, folder: Path, change: Callable[[dict], object]) -> Path:
    shutil.copytree(model_folder, folder)
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    return folder


def swap_ids(tokenizer: dict) -> None:
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["a"], vocabulary["b"] = vocabulary["b"], vocabulary["a"]


def trim_offsets(tokenizer: dict) -> None:
    """The same tokens and ids, other offsets: a token's blank is not counted to it."""
    tokenizer["post_processor"] = {"type": "Sequence", "processors": [
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}, tokenizer["post_processor"]]}


def cut_numbers(tokenizer: dict) -> None:
    """The same vocabulary, other pieces of text."""
    tokenizer["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [
        {"type": "Digits", "individual_digits": True}, {"type": "Punctuation", "behavior": "Isolated"}, tokenizer["pre_tokenizer"]]}


@pytest.mark.parametrize("change", [swap_ids, cut_numbers, trim_offsets])
def test_another_tokenizer_is_refused_even_with_leave(
        change: Callable[[dict], object], folder: Path, model_folder: Path, tmp_path: Path) -> None:
    changed = load_backbone(str(change_tokenizer(model_folder, tmp_path / "changed", change)), "float32", device="cpu")
    for allow in (False, True):
        message = refused(folder, changed, allow_mismatch=allow)
        assert "with another" in message and "aligned wrongly" in message


def test_the_fingerprint_of_a_tokenizer_is_of_what_it_does(model_folder: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    tokenizer.save_pretrained(tmp_path / "saved")
    again = AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert len({tokenizer_fingerprint(tokenizer), tokenizer_fingerprint(again), tokenizer_fingerprint(tokenizer)}) == 1
    found = {tokenizer_fingerprint(AutoTokenizer.from_pretrained(change_tokenizer(model_folder, tmp_path / change.__name__, change)))
             for change in (swap_ids, cut_numbers, trim_offsets)}
    assert len(found | {tokenizer_fingerprint(tokenizer)}) == 4


def test_another_family_is_refused_even_with_leave(folder: Path, backbone: Backbone) -> None:
    change_config(folder, lambda config: config["backbone"].update(family="llama"))
    for allow in (False, True):
        assert "of the family llama, got" in refused(folder, backbone, allow_mismatch=allow)


def change_config(folder: Path, change: Callable[[dict], object]) -> None:
    config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    change(config)
    (folder / CONFIG_FILE).write_text(json.dumps(config), encoding="utf-8")


def test_other_weights_are_taken_with_leave_and_told_in_one_line(
        folder: Path, other: Backbone, caplog: pytest.LogCaptureFixture) -> None:
    assert "(--allow-mismatch)" in refused(folder, other)
    with caplog.at_level(logging.WARNING):
        model = TransducerModel.from_pretrained(folder, other, allow_mismatch=True)
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("transducer")]
    made_for = read_artefact(folder).config["backbone"]
    for part in (str(folder), made_for["fingerprint"][:12], other.name, other.fingerprint[:12],
                 "width, family and tokenizer are the same, the weights differ", "results do not hold"):
        assert part in line
    assert "\n" not in line and model.backbone is other
    assert all(torch.equal(tensor, read_artefact(folder).tensors[name]) for name, tensor in model.tensors().items())


def test_the_same_weights_are_told_nothing(folder: Path, backbone: Backbone, caplog: pytest.LogCaptureFixture) -> None:
    TransducerModel.from_pretrained(folder, backbone, allow_mismatch=True)
    assert not caplog.records


def test_saved_with_other_weights_the_card_says_where_it_was_measured(
        folder: Path, other: Backbone, backbone: Backbone, tmp_path: Path) -> None:
    model = TransducerModel.from_pretrained(folder, other, allow_mismatch=True)
    model.save_pretrained(tmp_path / "again")
    config = read_artefact(tmp_path / "again").config
    assert config["backbone"]["fingerprint"] == other.fingerprint and config["run"]["model_fingerprint"] == backbone.fingerprint
    assert config["run"]["command"] == RUN["command"] and config["results"] == {"test loss": 1 / 3}
    card = (tmp_path / "again" / CARD_FILE).read_text(encoding="utf-8")
    assert "**Measured on other weights" in card and backbone.fingerprint in card
    assert "Measured on other weights" not in (folder / CARD_FILE).read_text(encoding="utf-8")


@pytest.mark.parametrize("command", ["predict", "evaluate"])
def test_the_commands_take_other_weights_with_leave(
        command: str, folder: Path, other_model_folder: Path, data_folder: Path, tmp_path: Path,
        capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "test_it.py").write_text(f"def test_it():\n    {tiny.TASK.placeholder}\n")
    main, rest = {"predict": (predict_main, [str(tmp_path / "test_it.py")]),
                  "evaluate": (evaluate_main, ["--data", f"file:{data_folder}", "--test-limit", "2", "--quiet"])}[command]
    arguments = ["--transducer", str(folder), "--model", str(other_model_folder), "--max-target-tokens", "8", *rest]
    assert command_line(main, arguments) == 1
    assert "--allow-mismatch" in capsys.readouterr().err
    assert command_line(main, [*arguments, "--allow-mismatch"]) == 0
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1


def test_the_line_is_on_standard_error(folder: Path, other_model_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(f"def test_it():\n    {tiny.TASK.placeholder}\n")
    result = tiny.python("-m", "transducer.predict", "--transducer", str(folder), "--model", str(other_model_folder), "--max-target-tokens",
                         "8", "--allow-mismatch", "test_it.py", cwd=tmp_path)
    assert result.returncode == 0 and result.stdout.count("\n") == 1
    assert result.stderr.count("\n") == 1 and result.stderr.startswith(f"transducer {folder} was made for"), result.stderr


# Older artefacts


def to_schema_1(config: dict) -> None:
    """As the first release wrote it."""
    config["schema"] = 1
    for name in ("license", "run", "limits"):
        del config[name]
    for name in ("tokenizer", "family", "parameters", "quantize"):
        del config["backbone"][name]
    without_scales(config)


def without_scales(config: dict) -> None:
    """As before there were scales."""
    config.pop("limits", None)
    del config["backbone"]["roles"], config["settings"]["directions"]


@pytest.fixture()
def input_only(folder: Path, backbone: Backbone) -> Path:
    """A transducer that changes nothing but the input, in the place of the other."""
    TransducerModel(backbone, TransducerSettings(fusion=INPUT_FUSION)).save_pretrained(folder, task="assert")
    return folder


def test_an_artefact_of_the_first_schema(
        input_only: Path, backbone: Backbone, other: Backbone, caplog: pytest.LogCaptureFixture) -> None:
    folder = input_only
    tensors = read_artefact(folder).tensors
    change_config(folder, to_schema_1)
    model = TransducerModel.from_pretrained(folder, backbone)
    assert model.task == "assert" and model.recorded["license"] == "" and model.recorded["run"] == {}
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in model.tensors().items())
    TransducerModel.from_pretrained(folder, other, allow_mismatch=True)
    assert "the tokenizer was not recorded" in caplog.text


def test_an_artefact_from_before_limits_were_stated(folder: Path, backbone: Backbone) -> None:
    change_config(folder, lambda config: config.update(schema=4))
    change_config(folder, lambda config: config.pop("limits"))
    assert TransducerModel.from_pretrained(folder, backbone).recorded["limits"] == {}


@pytest.mark.parametrize("schema", [2, 3])
def test_an_artefact_from_before_there_were_scales(schema: int, input_only: Path) -> None:
    tensors = read_artefact(input_only).tensors
    change_config(input_only, lambda config: config.update(schema=schema))
    change_config(input_only, without_scales)
    if schema == 2:
        change_config(input_only, lambda config: config["backbone"].pop("quantize"))
    model = TransducerModel.from_pretrained(input_only)
    assert model.recorded["quantize"] == "none" and model.fusion.scales is None
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in model.tensors().items())


def test_other_layers_are_refused_even_with_leave(folder: Path, backbone: Backbone) -> None:
    role = "encoder.block.*.layer.*.SelfAttention.k"
    width, count = backbone.places.roles[role]
    change_config(folder, lambda config: config["backbone"]["roles"].update({role: [width, count + 1]}))
    with pytest.raises(BackboneMismatchError, match=f"{count + 1} of width {width}, got .* {count} of width {width}: its scales do not"):
        TransducerModel.from_pretrained(folder, backbone, allow_mismatch=True)
    change_config(folder, lambda config: config["backbone"]["roles"].pop(role))
    with pytest.raises(BackboneMismatchError, match="where .* are none, got"):
        TransducerModel.from_pretrained(folder, backbone, allow_mismatch=True)


def test_an_artefact_of_the_first_schema_is_checked_all_the_same(folder: Path) -> None:
    change_config(folder, to_schema_1)
    change_config(folder, lambda config: config["backbone"].pop("width"))
    with pytest.raises(ArtefactContentError, match=r"\['backbone'\]"):
        read_artefact(folder)
    change_config(folder, lambda config: config.pop("backbone"))
    with pytest.raises(ArtefactContentError, match=r"\['backbone'\]"):
        read_artefact(folder)


@pytest.mark.parametrize(("field", "value"), [("tensors", {"a": "wide"}), ("tensors", {"a": [1, -1]}), ("languages", [1]),
                                              ("limits", {"max_source_tokens": 400}),
                                              ("limits", {"max_source_tokens": 400, "max_target_tokens": 0})])
def test_fields_of_a_wrong_content(field: str, value: object, folder: Path) -> None:
    change_config(folder, lambda config: config.update({field: value}))
    with pytest.raises(ArtefactContentError, match=rf"\['{field}'\]"):
        read_artefact(folder)


@pytest.mark.parametrize("roles", [[], {"a": [1]}, {"a": [1, "2"]}, {"a": 3}])
def test_roles_of_a_wrong_form(roles: object, folder: Path) -> None:
    change_config(folder, lambda config: config["backbone"].update(roles=roles))
    with pytest.raises(ArtefactContentError, match=r"\['backbone'\]"):
        read_artefact(folder)


def test_saved_files_are_three(folder: Path) -> None:
    assert contents(folder).keys() == {CONFIG_FILE, TENSOR_FILE, CARD_FILE}
