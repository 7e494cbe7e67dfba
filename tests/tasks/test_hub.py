"""Source `hub:`: the library `datasets` on local folders, which takes the way of a hub data set but for the download."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks import get_task, load_source
from tasks.errors import DataFormatError, MissingDataError
from tasks.hub import KNOWN, parse_argument

CODE = 'def area(width, height):\n    """Area of a rectangle."""\n    # plain\n    return width * height\n'


def folder(path: Path, rows: list[dict], splits: tuple[str, ...] = ("train", "validation", "test"),
           configuration: str = "default") -> Path:
    """A data set as it lies on the hub: a card that names its configuration and files, and one file a split."""
    path.mkdir(parents=True, exist_ok=True)
    files = "".join(f"  - split: {split}\n    path: {split}.jsonl\n" for split in splits)
    (path / "README.md").write_text(f"---\nconfigs:\n- config_name: {configuration}\n  data_files:\n{files}---\n")
    for split in splits:
        (path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("hub"))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def load(argument: object, task: str = "summarize", **options: object):
    return load_source(f"hub:{argument}", get_task(task), progress=False, **options)


def test_columns_are_named_by_the_caller(tmp_path: Path) -> None:
    data = folder(tmp_path / "data", [{"code": "int f() { return 1; }", "words": ["returns", "one"], "stars": 2}])
    dataset = load(data, language="java", columns={"source": "code", "target": "words"})
    (example,) = dataset.test
    assert (example.source, example.target, example.language) == ("int f() { return 1; }", "returns one", "java")
    assert example.metadata == {"stars": 2} and example.id == "test-0"
    assert dataset.description["counts"] == {"train": 1, "valid": 1, "test": 1}


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    data = folder(tmp_path / "data", [{"code": "f()", "text": "x"}])
    with pytest.raises(DataFormatError, match="column 'docs', which is to be 'target', is missing; found 'code', 'text'"):
        load(data, columns={"source": "code", "target": "docs"})
    with pytest.raises(DataFormatError, match="unknown field in the columns 'answer'"):
        load(data, columns={"answer": "text"})


@pytest.mark.parametrize(("name", "task", "row", "source", "target", "language"), [
    ("google/code_x_glue_cc_code_to_code_trans", "translate", {"id": 0, "java": "int f();", "cs": "int F();"},
     "int f();", "int F();", "java"),
    ("google/code_x_glue_cc_code_refinement", "repair", {"id": 0, "buggy": "int f ( ) ;", "fixed": "int g ( ) ;"},
     "int f ( ) ;", "int g ( ) ;", "java"),
    ("google/code_x_glue_ct_code_to_text", "summarize",
     {"id": 0, "code": CODE, "docstring_tokens": ["Area", "of", "a", "rectangle", "."], "language": "python"},
     "def area(width, height):\n    return width * height", "Area of a rectangle .", "python"),
])
def test_the_code_x_glue_sets_are_known_by_name(
        name: str, task: str, row: dict, source: str, target: str, language: str, tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows have the columns of the sets' cards. Reached through a folder of the same name; the prefix may be left out."""
    folder(tmp_path / name, [row], configuration=KNOWN[name].configuration or "default")
    monkeypatch.chdir(tmp_path)
    dataset = load(name, task)
    (example,) = dataset.valid
    assert (example.source.strip(), example.target, example.language) == (source, target, language)
    monkeypatch.chdir(tmp_path / "google")
    assert load(name.partition("/")[2], task).test[0].target == target


def test_functions_whose_documentation_cannot_be_taken_out_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "google/code_x_glue_ct_code_to_text"
    good = {"code": CODE, "docstring_tokens": ["Area"], "language": "python"}
    folder(tmp_path / name, [good, {**good, "id": 1, "code": "def f(:\n  'Area'"}], configuration="java")
    monkeypatch.chdir(tmp_path)
    dataset = load(name)
    assert len(dataset.train) == 1 and dataset.description["drops"] == {"docstring_cannot_be_taken_out": 3}


def test_a_data_set_without_a_split_is_refused(tmp_path: Path) -> None:
    data = folder(tmp_path / "data", [{"source": "f()", "target": "x"}], ("train", "test"))
    with pytest.raises(MissingDataError, match="has the splits train, test, none for valid; store it as a folder"):
        load(data)


def test_without_a_network_other_sources_are_named() -> None:
    with pytest.raises(MissingDataError, match="'nobody/nothing' cannot be had from the hub: .*file:PATH, or take embedded"):
        load("nobody/nothing")
    with pytest.raises(MissingDataError, match="file:PATH$"):
        load("nobody/nothing", "translate")


@pytest.mark.parametrize(("argument", "parts"), [
    ("a/b", ("a/b", None, None)), ("a/b:java", ("a/b", "java", None)), ("a/b@main", ("a/b", None, "main")),
    ("a/b:small@1f2e", ("a/b", "small", "1f2e"))])
def test_the_form_of_the_argument(argument: str, parts: tuple) -> None:
    assert parse_argument(argument) == parts


def test_the_known_sets_are_named_in_full() -> None:
    assert all(name.startswith("google/code_x_glue_") for name in KNOWN)
