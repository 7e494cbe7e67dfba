"""Method `retrieval`: the nearest training example by hand, through the commands, saved and loaded, and where it has no loss."""
from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from checkpoints.errors import ArtefactContentError, MissingArtefactError
from tests.transducer import tiny
from transducer import compare, train
from transducer.backbone import load_backbone
from transducer.commands import command_line
from transducer.config import TransducerSettings
from transducer.errors import ConfigurationError
from transducer.evaluate import predict
from transducer.methods import build_method
from transducer.methods.retrieval import NearestNeighbour
from transducer.results import read_rows
from transducer.tensors import PreparedExample

FLAGS = ["--train-limit", "0", "--max-source-tokens", str(tiny.SOURCE_TOKENS), "--max-target-tokens", str(tiny.TARGET_TOKENS),
         "--precision", "float32", "--quiet"]


def build(folder: Path, examples: list[PreparedExample] | None = None) -> NearestNeighbour:
    model = build_method("retrieval", load_backbone(str(folder), "float32", device="cpu"), TransducerSettings())
    if examples is not None:
        model.remember(examples)
    return model.eval()


def example(*ids: int) -> PreparedExample:
    return PreparedExample(np.array(ids), np.array([*ids, 2]), None)


def answers(model: NearestNeighbour, count: int = 9, first: int = 30) -> list[str]:
    asked = [(asked.source, asked.language) for asked in tiny.examples(count, first)]
    return predict(model, tiny.preparer(model.backbone), asked, beams=2, batch_size=4)


def jaccard_answers(model: NearestNeighbour, known: int, count: int = 9, first: int = 30) -> list[str]:
    """The same worked out with sets; Python's `max` takes the first of equals."""
    train = tiny.prepared(model.backbone, tiny.examples(known))
    sets = [set(example.input_ids.tolist()) for example in train]
    found = []
    for example in tiny.prepared(model.backbone, tiny.examples(count, first)):
        asked = set(example.input_ids.tolist())
        place = max(range(known), key=lambda place: len(asked & sets[place]) / len(asked | sets[place]))
        found.append(tiny.preparer(model.backbone).text.decode(train[place].labels))
    return found


def test_similarity_is_shared_tokens_over_all_tokens_and_the_first_of_equals_counts(model_folder: Path) -> None:
    model = build(model_folder, [example(10, 11, 12, 13), example(10, 11), example(11, 10, 10), example(30)])
    # 2 of 4 against 2 of 2; how often a token stands there does not count; a source with nothing in common is as far as any.
    asked = [np.array([11, 10]), np.array([12, 13, 12, 10]), np.array([30, 31]), np.array([99])]
    assert model.nearest(asked).tolist() == [1, 0, 3, 0]


def test_answers_are_those_of_the_most_similar_training_sources(model_folder: Path) -> None:
    model = build(model_folder)
    model.remember(tiny.prepared(model.backbone, tiny.examples(24)))
    found = answers(model)
    assert found == jaccard_answers(model, 24) and len(set(found)) > 3
    targets = {example.target for example in tiny.examples(24)}
    whole = [answer for answer in found if answer in targets]
    assert len(whole) > 3  # the others' targets are longer than the limit
    # A training source finds itself.
    known = tiny.prepared(model.backbone, tiny.examples(9, 30))
    model.remember(known)
    assert answers(model) == [tiny.preparer(model.backbone).text.decode(example.labels) for example in known]


def test_the_commands_run_it_without_a_loss(model_folder: Path, data_folder: Path, tmp_path: Path) -> None:
    data = ["--model", str(model_folder), "--data", f"file:{data_folder}"]
    assert command_line(train.main, [*data, *FLAGS, "--method", "retrieval", "--output", str(tmp_path / "run")]) == 0
    (row,) = read_rows(tmp_path / "run")
    assert (row.status, row.trainable_parameters, row.test_loss, row.valid_loss) == ("ok", 0, None, None)
    assert row.artefact_bytes > 1000 and "no loss" in row.remark
    lines = [json.loads(line) for line in (tmp_path / "run" / "predictions.jsonl").read_text().splitlines()]
    model = build(model_folder)
    assert [line["prediction"] for line in lines] == jaccard_answers(model, 48, 12, 60)
    methods = ["--methods", "none", "retrieval", "--reference", "none", "--seeds", "2"]
    assert command_line(compare.main, [*data, *FLAGS, *methods, "--output", str(tmp_path / "compared")]) == 0
    rows = read_rows(tmp_path / "compared")
    assert [(row.method, row.status) for row in rows] == [("none", "ok"), ("retrieval", "ok")]
    assert rows[1].scores == row.scores and not (tmp_path / "compared" / rows[1].folder / "losses.jsonl").exists()
    found = json.loads((tmp_path / "compared" / "statistics.json").read_text())
    compared = {(entry["method"], entry["metric"]) for entry in found["comparisons"]}
    assert ("retrieval", "exact_match") in compared and ("retrieval", "test_loss") not in compared
    report = (tmp_path / "compared" / "report.md").read_text()
    assert "retrieval" in report


def test_saved_and_loaded_it_answers_the_same(model_folder: Path, tmp_path: Path) -> None:
    model = build(model_folder)
    model.remember(tiny.prepared(model.backbone, tiny.examples(24)))
    model.save(tmp_path / "saved")
    other = build(model_folder)
    other.load(tmp_path / "saved")
    assert answers(other) == answers(model)
    path = tmp_path / "saved" / "adapter.safetensors"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ArtefactContentError, match=path.name):
        other.load(tmp_path / "saved")
    with pytest.raises(MissingArtefactError, match="retrieval"):
        other.load(tmp_path / "nothing")


def test_switched_off_it_is_the_frozen_model(model_folder: Path) -> None:
    model = build(model_folder, [example(10, 11)])
    plain = build_method("none", load_backbone(str(model_folder), "float32", device="cpu"), TransducerSettings())
    batch = tiny.batch_of(model.backbone, tiny.examples(4))
    with model.disabled():
        assert float(model(**batch).loss) == float(plain(**batch).loss)
        assert answers(model, 3) == answers(plain, 3)
    with pytest.raises(ConfigurationError, match="no loss"):
        model(**batch)


def test_without_training_examples_it_says_so(model_folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="no training examples; raise --train-limit"):
        answers(build(model_folder), 1)
