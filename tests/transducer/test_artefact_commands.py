"""`python -m transducer`: its help, and list, info and verify of saved transducers."""
from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from checkpoints import artefact as artefact_module
from checkpoints.artefact import CARD_FILE, CONFIG_FILE, TENSOR_FILE
from tests.transducer import tiny
from transducer import TransducerModel, load_backbone
from transducer.__main__ import COMMANDS, main
from transducer.commands import command_line
from transducer.config import TransducerSettings
from transducer.model import trained_shapes


@pytest.fixture(scope="module")
def saved(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two transducers, a checkpoint of a training and a hidden one. Not to be changed."""
    root = tmp_path_factory.mktemp("saved")
    backbone = load_backbone(str(model_folder), "float32", device="cpu")
    for name, settings, facts in (
            ("deep/assert", TransducerSettings(), {"task": "assert", "languages": ["java", "python"], "license": "mit", "results": {
                "data": "embedded", "seed": 0, "test loss": 1.25, "exact_match": 3.5, "bleu": 20.0}}),
            ("plain", TransducerSettings(fusion="published"), {}), ("run/checkpoints/checkpoint-2/adapter", TransducerSettings(), {}),
            (".hidden", TransducerSettings(), {})):
        torch.manual_seed(0)
        TransducerModel(backbone, settings).save_pretrained(root / name, **facts)
    return root


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy of one, to be damaged."""
    shutil.copytree(saved / "deep" / "assert", tmp_path / "copy")
    return tmp_path / "copy"


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str, str]:
    capsys.readouterr()
    try:
        code = command_line(main, list(map(str, arguments)))
    except SystemExit as end:
        code = end.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


# The command


def test_help_lists_every_command_in_under_a_second(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        result = tiny.python("-X", "importtime", "-m", "transducer", "--help", cwd=tmp_path)
        times.append(time.perf_counter() - begin)
        assert result.returncode == 0
    assert all(f"  {name} " in result.stdout for name in COMMANDS)
    # A machine may be busy; what is imported is not.
    imported = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert not imported & {"torch", "transformers", "huggingface_hub", "rich", "numpy"} and min(times) < 5


def test_every_command_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert {"train", "compare", "evaluate", "predict", "export", "list", "info", "verify"} <= COMMANDS.keys()
    for name, (module, function, _) in COMMANDS.items():
        assert callable(getattr(import_module(f"transducer.{module}"), function))
        code, out, _ = run(capsys, name, "--help")
        assert code == 0 and out.startswith("usage: python -m transducer"), name


def test_no_command_and_an_unknown_one(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys)
    assert code == 2 and out == "" and "usage: python -m transducer COMMAND" in err
    code, out, err = run(capsys, "verfy")
    assert code == 2 and out == "" and err.count("\n") == 1 and "Did you mean 'verify'?" in err


# list


def test_list_shows_all_but_checkpoints_and_hidden_ones(saved: Path, capsys: pytest.CaptureFixture[str], model_folder: Path) -> None:
    code, out, err = run(capsys, "list", saved, saved / "deep", "--json")
    rows = {Path(row["folder"]).relative_to(saved).as_posix(): row for row in map(json.loads, out.splitlines())}
    assert code == 0 and err == "" and list(rows) == ["deep/assert", "plain"]
    row = rows["deep/assert"]
    path = saved / "deep" / "assert"
    assert row["task"] == "assert" and row["languages"] == ["java", "python"] and row["license"] == "mit"
    assert row["base"] == str(model_folder) and row["results"]["bleu"] == 20.0
    assert row["parameters"] == tiny.stored_parameters(path / TENSOR_FILE) and row["bytes"] == (path / TENSOR_FILE).stat().st_size


def test_a_folder_given_itself_is_listed(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "list", saved / ".hidden", saved / "run" / "checkpoints" / "checkpoint-2", "--json")
    assert code == 0 and len(out.splitlines()) == 2


def test_list_as_a_table(saved: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, model_folder: Path) -> None:
    monkeypatch.chdir(saved)
    code, out, _ = run(capsys, "list", ".")
    (line,) = [line for line in out.splitlines() if "deep/assert" in line]
    for text in ("assert", "java python", model_folder.name, "1.250", "exact_match 3.5, bleu 20.0"):
        assert text in line, out
    assert code == 0 and "seed" not in out


def test_list_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "list", tmp_path) == (0, f"no transducers in {tmp_path}\n", "")
    assert run(capsys, "list", tmp_path, "--json") == (0, "", "")
    code, _, err = run(capsys, "list", tmp_path / "absent")
    assert code == 2 and "no folder" in err
    assert run(capsys, "list")[0] == 2


def test_list_goes_on_beyond_a_damaged_one(saved: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / CONFIG_FILE).write_text("{")
    code, out, _ = run(capsys, "list", saved, folder.parent, "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 1 and [("error" in row) for row in rows] == [False, False, True] and "not JSON" in rows[2]["error"]
    code, out, _ = run(capsys, "list", folder.parent)
    assert code == 1 and "cannot be read" in out and "not JSON" in out


# info


def test_info_has_everything(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved / "deep" / "assert"
    code, out, err = run(capsys, "info", path, "--json")
    facts, config = json.loads(out), json.loads((path / CONFIG_FILE).read_text(encoding="utf-8"))
    assert code == 0 and err == "" and {name: facts[name] for name in config} == config
    assert facts["files"] == {file.name: file.stat().st_size for file in path.iterdir()}
    code, out, _ = run(capsys, "info", path)
    for text in ("task: assert", "languages: java, python", "license: mit", "  test loss: 1.25", "  width: 32", config["sha256"],
                 config["backbone"]["tokenizer"], "  gve.down: " if "gve.down" in config["tensors"] else "tensors:"):
        assert text in out, text
    assert code == 0


def test_info_of_no_transducer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "info", tmp_path)
    assert code == 1 and out == "" and "expected a transducer folder" in err
    assert run(capsys, "info", tmp_path, "--revision", "v1")[0] == 2


# verify


def verified(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, dict[str, dict]]:
    code, out, err = run(capsys, "verify", *arguments, "--json")
    found = json.loads(out)
    assert err == "" and found["ok"] == (code == 0) == all(check["ok"] for check in found["checks"])
    return code, {check["name"]: check for check in found["checks"]}


def test_what_is_whole_passes(folder: Path, saved: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, checks = verified(capsys, folder, "--model", model_folder)
    assert code == 0 and list(checks) == ["configuration", "tensors", "settings", "numbers", "card", "model"]
    code, out, _ = run(capsys, "verify", saved / "plain")
    assert code == 0 and [line[:6] for line in out.splitlines()] == ["ok    "] * 5


def test_the_shapes_of_settings_are_those_of_models(model_folder: Path) -> None:
    backbone = load_backbone(str(model_folder), "float32", device="cpu")
    for settings in (TransducerSettings(), TransducerSettings(fusion="published"), TransducerSettings(fusion="aligned", layer="rgcn"),
                     TransducerSettings(fusion="attention+prompts", layer="linear", prompts=3, relations="AST")):
        model = TransducerModel(backbone, settings)
        shapes = {name: tuple(parameter.shape) for name, parameter in model.trainable().items()}
        assert trained_shapes(model.sized, backbone.shape) == shapes


def change_config(folder: Path, **changes: object) -> None:
    config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    (folder / CONFIG_FILE).write_text(json.dumps(config | changes), encoding="utf-8")


def change_tensors(folder: Path, change: Callable[[dict], object]) -> None:
    """Other tensors in a folder that is consistent with itself."""
    tensors = load_file(folder / TENSOR_FILE)
    change(tensors)
    save_file(tensors, folder / TENSOR_FILE, metadata={"format": "pt"})
    change_config(folder, sha256=artefact_module._sha256(folder / TENSOR_FILE),
                  tensors={name: list(tensor.shape) for name, tensor in tensors.items()})


def first_name(tensors: dict) -> str:
    return sorted(tensors)[0]


DAMAGES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "no configuration": (lambda folder: (folder / CONFIG_FILE).unlink(), "configuration", "no transducer_config.json"),
    "a newer schema": (lambda folder: change_config(folder, schema=99), "configuration", "install a newer release"),
    "a field of another kind": (lambda folder: change_config(folder, license=3), "configuration", "['license']"),
    "a byte that flipped": (lambda folder: (folder / TENSOR_FILE).write_bytes((folder / TENSOR_FILE).read_bytes()[:-1] + b"\x7f"),
                            "tensors", "SHA-256"),
    "a file that was cut": (lambda folder: (folder / TENSOR_FILE).write_bytes((folder / TENSOR_FILE).read_bytes()[:-9]), "tensors", "truncated"),
    "shapes stated wrongly": (lambda folder: change_config(folder, tensors={}), "tensors", "surplus"),
    "tensors of other settings": (lambda folder: change_tensors(folder, lambda tensors: tensors.pop(first_name(tensors))), "settings", "missing"),
    "settings of another release": (lambda folder: change_config(folder, settings={"depth": 3}), "settings", "unknown transducer settings"),
    "another width": (lambda folder: change_config(folder, backbone=json.loads((folder / CONFIG_FILE).read_text())["backbone"] | {"width": 64}),
                      "settings", "of another shape"),
    "a number that is none": (lambda folder: change_tensors(folder, lambda tensors: tensors[first_name(tensors)].view(-1)[0].fill_(float("nan"))),
                              "numbers", "not all finite"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_fails(damage: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    act, name, expected = DAMAGES[damage]
    act(folder)
    code, checks = verified(capsys, folder)
    assert code == 1 and list(checks)[-1] == name and expected in checks[name]["detail"], checks
    code, out, _ = run(capsys, "verify", folder)
    assert code == 1 and out.splitlines()[-1].startswith(f"FAILED  {name}: ")


def test_another_model_fails(folder: Path, other_model_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, checks = verified(capsys, folder, "--model", other_model_folder)
    assert code == 1 and not checks["model"]["ok"] and "was made for" in checks["model"]["detail"]
    assert not verified(capsys, folder, "--model", folder)[1]["model"]["ok"]


def test_a_card_may_be_edited_or_gone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / CARD_FILE).write_text("# Mine\n")
    assert "was edited" in verified(capsys, folder)[1]["card"]["detail"]
    (folder / CARD_FILE).unlink()
    code, checks = verified(capsys, folder)
    assert code == 0 and f"no {CARD_FILE}" in checks["card"]["detail"]


def test_verify_exit_codes_of_arguments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "verify")[0] == 2
    assert run(capsys, "verify", tmp_path, "--modell", "x")[0] == 2
    assert run(capsys, "verify", tmp_path)[0] == 1
