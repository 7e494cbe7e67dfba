"""Settings: precedence, checks, and where commands show them."""
from __future__ import annotations

import argparse
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from tests.transducer import tiny
from transducer import train
from transducer.commands import CommandParser, command_line
from transducer.comparison.settings import CompareSettings
from transducer.config import GENERATION_FIELDS, TrainSettings, TransducerSettings, add_options, in_groups, resolve
from transducer.errors import ConfigurationError, UnknownNameError
from transducer.fusion import DEFAULT_FUSION
from transducer.methods import METHODS
from transducer.serving.settings import ServeSettings


def parsed(*arguments: str) -> dict:
    parser = CommandParser()
    add_options(parser, TrainSettings)
    return vars(parser.parse_args(list(arguments)))


def recipe(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


# Precedence


def test_nothing_given_is_the_defaults() -> None:
    assert parsed() == {}
    assert resolve(TrainSettings, {}) == TrainSettings()


def test_flags_go_before_the_recipe_and_that_before_defaults(tmp_path: Path) -> None:
    path = recipe(tmp_path, "epochs: 5\nseed: 7\nbaselines: [lora, none]\nfusion: aligned\nquiet: true\n")
    found = resolve(TrainSettings, parsed("--seed", "9", "--rank", "12"), path)
    assert (found.epochs, found.seed, found.rank, found.fusion, found.quiet) == (5.0, 9, 12, "aligned", True)
    assert found.baselines == ("lora", "none") and found.batch_size == TrainSettings().batch_size
    # A flag wins also where it repeats the default.
    assert resolve(TrainSettings, parsed("--seed", "0"), path).seed == 0


def test_every_field_is_a_flag_that_is_read_back() -> None:
    other = {str: "text", int: "17", float: "0.25"}
    kinds = {"fusion": "aligned", "layer": "gin", "method": "lora", "engine": "torch", "precision": "bfloat16", "heads": "2", "overlong": "skip",
             "quantize": "4bit"}
    for entry in fields(TrainSettings):
        flag = "--" + entry.name.replace("_", "-")
        if isinstance(entry.default, bool):
            assert getattr(resolve(TrainSettings, parsed(flag)), entry.name) is True
        elif isinstance(entry.default, tuple):
            assert getattr(resolve(TrainSettings, parsed(flag, "lora", "none")), entry.name) == ("lora", "none")
        else:
            text = kinds.get(entry.name, other[type(entry.default)])
            assert getattr(resolve(TrainSettings, parsed(flag, text)), entry.name) == type(entry.default)(text)


@pytest.mark.parametrize("text", ["2e-4", "2.0e-4", "0.0002", '"2e-4"'])
def test_a_number_in_a_recipe_is_a_number(text: str, tmp_path: Path) -> None:
    """YAML 1.1 reads 2e-4 as text."""
    assert resolve(TrainSettings, {}, recipe(tmp_path, f"learning_rate: {text}\n")).learning_rate == 2e-4


def test_the_settings_of_a_transducer_are_part_of_those_of_a_training() -> None:
    settings = resolve(TrainSettings, parsed("--rank", "9", "--layer", "gin"))
    assert settings.transducer_settings() == TransducerSettings(rank=9, layer="gin")
    assert TransducerSettings.from_dict(settings.transducer_settings().to_dict()) == TransducerSettings(rank=9, layer="gin")
    assert TransducerSettings().fusion == DEFAULT_FUSION


def test_methods_are_each_run_once_the_main_one_first() -> None:
    settings = resolve(TrainSettings, parsed("--method", "lora", "--baselines", "none", "lora", "prefix", "none"))
    assert settings.methods() == ("lora", "none", "prefix")


# What is refused


@pytest.mark.parametrize(("text", "expected"), [
    ("epoch: 3", "has an unknown field 'epoch'; did you mean 'epochs'?"),
    ("epochs: 0.5\nzzz: 1", "has an unknown field 'zzz' \\(known: fusion, layer"),
    ("seed: two", "--seed is 'two', expected a whole number"),
    ("seed: 1.5", "--seed is 1.5, expected a whole number"),
    ("seed: true", "--seed is True, expected a whole number"),
    ("seed: -1", "--seed is -1, expected at least 0"),
    ("epochs: [1]", "--epochs is \\[1\\], expected a number"),
    ("epochs: true", "--epochs is True, expected a number"),
    ("epochs: .nan", "--epochs is nan, expected"),
    ("learning_rate: .inf", "--learning-rate is inf, expected"),
    ("warmup_ratio: 1.5", "--warmup-ratio is 1.5, expected 0.0 to 1.0"),
    ("quiet: 1", "--quiet is 1, expected true or false"),
    ("output: 3", "--output is 3, expected text"),
    ("model: null", "--model is None, expected text"),
    ("baselines: lora", "--baselines is 'lora', expected a list of names"),
    ("baselines: [1]", "unknown method 1; expected one of"),
    ("- epochs", "holds a list, expected 'field: value' lines"),
    ("", "holds a NoneType, expected 'field: value' lines"),
    ("epochs: [", "is not YAML"),
])
def test_a_bad_recipe_names_the_field(text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises((ConfigurationError, UnknownNameError), match=expected) as caught:
        resolve(TrainSettings, {}, recipe(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_recipe_that_is_no_file_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no recipe file .*absent.yaml"):
        resolve(TrainSettings, {}, tmp_path / "absent.yaml")
    with pytest.raises(ConfigurationError, match="recipe"):
        resolve(TrainSettings, {}, tmp_path)
    (tmp_path / "bytes.yaml").write_bytes(b"seed: \xff\xfe")
    with pytest.raises(ConfigurationError, match="bytes.yaml"):
        resolve(TrainSettings, {}, tmp_path / "bytes.yaml")


@pytest.mark.parametrize(("name", "value", "nearest"), [
    ("method", "transduser", "transducer"), ("baselines", ("prefics",), "prefix"), ("precision", "bfloat", "bfloat16"),
    ("engine", "tortch", "torch")])
def test_a_bad_choice_names_the_nearest(name: str, value: object, nearest: str) -> None:
    with pytest.raises(UnknownNameError, match=f"Did you mean '{nearest}'"):
        resolve(TrainSettings, {name: value})


@pytest.mark.parametrize(("arguments", "expected"), [
    (["--epochs", "many"], "argument --epochs: invalid float value: 'many'"),
    (["--seed", "1.5"], "argument --seed: invalid int value: '1.5'"),
    (["--sed", "1"], "unrecognized arguments: --sed 1"),
    (["--output"], "argument --output: expected one argument"),
])
def test_a_bad_flag_is_one_line_and_code_two(arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        train.main(arguments)
    message = capsys.readouterr().err
    assert end.value.code == 2 and message.count("\n") == 1 and message.startswith("error: ") and expected in message


@pytest.mark.parametrize("flag", ["--see", "--warm", "--over"])
def test_flags_are_not_guessed(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A shortened flag would change its meaning with the next field that begins alike."""
    with pytest.raises(SystemExit) as end:
        train.main([flag, "1"])
    assert end.value.code == 2 and f"unrecognized arguments: {flag}" in capsys.readouterr().err


@pytest.mark.parametrize("error", [KeyError("defect"), ValueError("defect")])
def test_a_defect_keeps_its_traceback(error: Exception) -> None:
    def broken(arguments: list[str] | None) -> int:
        raise error

    with pytest.raises(type(error), match="defect"):
        command_line(broken)


# The fields and their help


def test_every_field_has_its_help_and_a_default_in_range() -> None:
    assert resolve(TrainSettings, {entry.name: entry.default for entry in fields(TrainSettings)}) == TrainSettings()
    for entry in fields(TrainSettings):
        assert entry.default is not MISSING and len(entry.metadata["help"]) > 10, entry.name
        if isinstance(entry.default, (int, float)) and not isinstance(entry.default, bool):
            assert "minimum" in entry.metadata, entry.name


@pytest.mark.parametrize("settings", [TrainSettings, CompareSettings, ServeSettings])
def test_every_field_is_in_one_group_with_a_heading(settings: type) -> None:
    groups = in_groups(settings)
    names = [entry.name for entries in groups.values() for entry in entries]
    assert sorted(names) == sorted(entry.name for entry in fields(settings)) and "settings" not in groups


def test_a_field_that_a_command_changes_is_among_its_own() -> None:
    groups = {heading: {entry.name: entry for entry in entries} for heading, entries in in_groups(CompareSettings).items()}
    assert list(groups) == ["comparison", "run", "task and examples", "model", "training", "transducer"]
    assert "-comparison" in groups["comparison"]["output"].metadata["help"] and "output" not in groups["run"]


def test_help_tells_the_choices_once_and_no_default_that_says_nothing() -> None:
    parser = CommandParser()
    add_options(parser, TrainSettings)
    text = " ".join(parser.format_help().split())
    assert text.count("mirrored-edges") == 1 and "(default: False)" not in text and "(default: )" not in text
    assert "examples a step and process; the paper: 8 (default: 8)" in text


def test_choices_are_the_tables() -> None:
    choices = {entry.name: entry.metadata.get("choices") for entry in fields(TrainSettings)}
    assert tuple(choices["method"]) == tuple(choices["baselines"]) == tuple(METHODS)


def test_commands_that_generate_have_the_lengths_and_beams_of_training() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser, TrainSettings, GENERATION_FIELDS)
    assert {action.dest for action in parser._actions} == {"help", *GENERATION_FIELDS}


def test_the_help_of_training_names_every_setting(tmp_path: Path) -> None:
    done = tiny.python("-m", "transducer.train", "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert all("--" + entry.name.replace("_", "-") in done.stdout for entry in fields(TrainSettings))

