"""The embedded data set: what is in it, that no split knows another, and its cache."""
from __future__ import annotations

import ast
import logging
from pathlib import Path

import pytest

from tasks import DatasetSplits, embedded as source, embedded_assertions, get_task, load_source
from tasks.code_tokens import code_tokens
from tasks.decontaminate import near_duplicates
from tasks.errors import TaskLanguageError
from tasks.metrics import score

TASK = get_task("assert")


def everything(dataset: DatasetSplits) -> list:
    return [example for _, examples in dataset.items() for example in examples]


def test_there_is_enough_of_it(embedded: DatasetSplits) -> None:
    assert len(embedded.train) >= 2500 and len(embedded.valid) >= 150 and len(embedded.test) >= 250
    assert {example.metadata["package"] for example in embedded.train} == {"networkx", "numpy"}


def test_every_example_is_well_formed(embedded: DatasetSplits) -> None:
    examples = everything(embedded)
    assert len({example.id for example in examples}) == len(examples)
    for example in examples:
        assert TASK.model_input(example.source) == example.source and len(example.source) <= 1600
        assert 0 < len(example.target) <= 250 and "\n" not in example.target and example.language == "python"
        ast.parse(example.source), ast.parse(example.target)
        assert example.metadata["focal_heuristic"] and example.metadata["focal_confidence"] in ("high", "medium", "low")


def test_what_lies_around_the_focal_function_is_in_the_metadata_alone(embedded: DatasetSplits) -> None:
    contexts = [example.metadata["context"] for example in everything(embedded)]
    assert all(set(context) == {"class", "callees", "imports"} for context in contexts)
    assert sum(bool(context["imports"]) for context in contexts) > 0.9 * len(contexts)
    method = next(example for example in everything(embedded) if example.metadata["focal"].endswith(".Graph.add_edge"))
    assert "def add_node(self, node_for_adding, **attr)" in method.metadata["context"]["class"]
    assert "def add_node(" not in TASK.model_input(method.source)


def test_the_answer_is_not_in_the_source(embedded: DatasetSplits) -> None:
    for example in everything(embedded):
        assert f" {' '.join(code_tokens(example.target))} " not in f" {' '.join(code_tokens(example.source))} ", example.id


@pytest.mark.parametrize("field", ["test_module", "test_file", "focal"])
def test_splits_share_nothing(embedded: DatasetSplits, field: str) -> None:
    values = [{example.metadata[field] for example in examples} for _, examples in embedded.items()]
    assert not values[0] & values[1] and not values[0] & values[2] and not values[1] & values[2]


def test_no_near_duplicates_across_splits(embedded: DatasetSplits) -> None:
    train, valid, test = ([example.source for example in examples] for _, examples in embedded.items())
    assert near_duplicates(valid + test, train) == {} and near_duplicates(valid, test) == {}
    assert all(len(set(split)) == len(split) for split in (train, valid, test))


def test_accounts_are_kept_in_the_description(embedded: DatasetSplits) -> None:
    facts = embedded.description
    assert facts["assertions_found"] == len(everything(embedded)) + sum(facts["drops"].values())
    assert sum(package["assertions_found"] for package in facts["packages"].values()) == facts["assertions_found"]
    for split, count in facts["counts"].items():
        assert count == sum(package["examples"][split] for package in facts["packages"].values())


def test_the_gold_answers_score_the_maximum(embedded: DatasetSplits) -> None:
    gold = [example.target for example in embedded.test]
    scores = score(TASK.metrics, gold, gold, "python")
    # CodeBLEU's ceiling falls with answers of under four tokens (`assert x`), see tasks.code_bleu.
    assert {name: scores.values[name] for name in TASK.metrics if name != "codebleu"} == pytest.approx(
        {"exact_match": 100.0, "bleu": 100.0, "chrf": 100.0})
    assert scores.values["codebleu"] == scores.details["codebleu"]["ceiling"] > 99.5


def test_files_behind_it_are_listed(embedded: DatasetSplits) -> None:
    files = source.files_behind(everything(embedded))
    assert "networkx/algorithms/tests/test_cycles.py" in files and "networkx/algorithms/cycles.py" in files
    listed = {path.as_posix() for path in source.modules_behind()}
    assert all(any(path.endswith(f"/{file}") for path in listed) for file in files[:50])


def test_the_second_time_comes_from_the_cache(embedded: DatasetSplits, mined_cache: Path,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_assertions, "mine", lambda *arguments: pytest.fail("mined again"))
    again = load_source("embedded", TASK, cache_dir=mined_cache, progress=False)
    assert again == embedded
    monkeypatch.setenv("TRANSDUCER_CACHE", str(mined_cache))
    assert load_source("embedded", TASK, progress=False).content_hash == embedded.content_hash


@pytest.mark.parametrize("damage", [lambda data: data[:-100], lambda data: data.replace(b"assert", b"asserT", 1),
                                    lambda data: b"", lambda data: b"[]\n", lambda data: b"\xff\n" + data])
def test_a_damaged_cache_is_made_again(embedded: DatasetSplits, mined_cache: Path, tmp_path: Path, damage,
                                       monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    (path,) = mined_cache.glob("embedded-assert-*")
    (tmp_path / path.name).write_bytes(damage(path.read_bytes()))
    monkeypatch.setattr(embedded_assertions, "mine", lambda *arguments: embedded)
    with caplog.at_level(logging.WARNING):
        assert load_source("embedded", TASK, cache_dir=tmp_path, progress=False) == embedded
    assert "is damaged" in caplog.text
    assert (tmp_path / path.name).read_bytes() == path.read_bytes() and len(list(tmp_path.iterdir())) == 1


def test_another_version_of_a_package_is_another_cache() -> None:
    assert source.cache_key({"numpy": "1"}, ()) != source.cache_key({"numpy": "2"}, ())
    assert source.cache_key({"numpy": "1"}, ()) == source.cache_key({"numpy": "1"}, ())


def test_a_cache_that_cannot_be_written_costs_no_run(embedded: DatasetSplits, tmp_path: Path,
                                                     monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setattr(embedded_assertions, "mine", lambda *arguments: embedded)
    with caplog.at_level(logging.WARNING):
        assert load_source("embedded", TASK, cache_dir=blocked, progress=False) == embedded
    assert "mined data is not kept" in caplog.text and "TRANSDUCER_CACHE" in caplog.text


def test_it_is_python() -> None:
    with pytest.raises(TaskLanguageError, match="source of data 'embedded' is 'python', not 'java'"):
        load_source("embedded", TASK, language="java")
