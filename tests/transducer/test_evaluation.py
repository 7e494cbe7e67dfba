"""Prediction and scoring: nothing of a target reaches the model, and the order of the examples is kept."""
from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tasks import Example
from tests.transducer import tiny
from tests.transducer.tables import METHODS_OF_EVERY_FAMILY
from transducer import evaluate, train
from transducer.adapted_model import AdaptedModel
from transducer.backbone import load_backbone
from transducer.commands import command_line
from transducer.config import TransducerSettings
from transducer.evaluate import predict, score_predictions
from transducer.measure import ResultRow
from transducer.methods import build_method
from transducer.prepare import PreparationReport, Preparer
from transducer.sampling import limited
from transducer.trainer import Examples, LengthBuckets, evaluation_loss

EXAMPLES = tiny.examples(7, 60)


@pytest.fixture(scope="module", params=METHODS_OF_EVERY_FAMILY)
def model(request: pytest.FixtureRequest, model_folder: Path) -> AdaptedModel:
    """A method moved away from its start, so that its answers are its own."""
    torch.manual_seed(0)
    model = build_method(request.param, load_backbone(str(model_folder), "float32", device="cpu"), TransducerSettings())
    with torch.no_grad():
        for parameter in model.trainable().values():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def pairs(examples: list[Example]) -> list[tuple[str, str]]:
    return [(example.source, example.language) for example in examples]


def answers(model: AdaptedModel, examples: list[Example], **settings: int) -> list[str]:
    return predict(model, tiny.preparer(model.backbone), pairs(examples), beams=2, **settings)


# Nothing to leak


def test_prediction_has_no_argument_that_a_target_could_come_through() -> None:
    assert list(inspect.signature(predict).parameters) == [
        "model", "preparer", "sources", "beams", "batch_size", "report", "progress"]
    assert list(inspect.signature(Preparer.inputs).parameters) == ["self", "sources", "report", "progress"]
    assert list(inspect.signature(Preparer.model_input).parameters) == ["self", "source", "language", "report"]


def test_inputs_for_prediction_carry_no_labels(model: AdaptedModel) -> None:
    inputs = tiny.preparer(model.backbone).inputs(pairs(EXAMPLES), PreparationReport())
    labelled = tiny.prepared(model.backbone, EXAMPLES)
    assert all(example.labels is None for example in inputs)
    for plain, with_labels in zip(inputs, labelled, strict=True):
        assert plain.input_ids.tolist() == with_labels.input_ids.tolist()
        assert plain.graph.edge_source.tolist() == with_labels.graph.edge_source.tolist()


def test_generation_starts_the_decoder_from_nothing(model: AdaptedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """What reaches the backbone's own `generate` and its decoder's first step, seen from inside."""
    language_model = model.backbone.model
    calls: list[dict] = []
    first_inputs: list[torch.Tensor] = []
    original: Callable = language_model.generate
    steps = language_model.decoder.register_forward_pre_hook(
        lambda module, arguments, named: first_inputs.append(named["input_ids"].clone()), with_kwargs=True)

    def spied(*arguments: object, **named: object) -> torch.Tensor:
        assert not arguments
        calls.append(named)
        return original(**named)

    monkeypatch.setattr(language_model, "generate", spied)
    try:
        answers(model, EXAMPLES)
    finally:
        steps.remove()
    assert len(calls) == 1
    assert not {"labels", "decoder_input_ids", "decoder_inputs_embeds", "decoder_attention_mask"} & calls[0].keys()
    assert first_inputs[0].unique().tolist() == [language_model.config.decoder_start_token_id]
    assert first_inputs[0].shape == (2 * len(EXAMPLES), 1)


@pytest.mark.parametrize(("garbage", "flags"), [
    ("x", []), ("assert False  # é" * 30, []),
    ("x", ["--fusion", "attention+aligned+residual+prompts+scales+beyond", "--max-source-tokens", "24", "--reach", "200",
           "--learning-rate", "0.1"])])
def test_predictions_of_a_run_do_not_depend_on_the_targets(
        garbage: str, flags: list[str], model_folder: Path, data_folder: Path, tmp_path: Path) -> None:
    """The training command on two data folders that differ in the targets of the test split alone."""
    other = tmp_path / "data"
    other.mkdir()
    for path in data_folder.iterdir():
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        if path.name == "test.jsonl":
            rows = [row | {"target": garbage} for row in rows]
        (other / path.name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    texts, losses = [], []
    for name, data in (("true", data_folder), ("garbage", other)):
        assert command_line(train.main, [
            "--model", str(model_folder), "--data", f"file:{data}", "--output", str(tmp_path / name), "--epochs", "1",
            "--max-target-tokens", "12", "--learning-rate", "0.01", "--precision", "float32", "--quiet", *flags]) == 0
        lines = (tmp_path / name / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
        texts.append([json.loads(line)["prediction"] for line in lines])
        losses.append(ResultRow(**json.loads((tmp_path / name / "metrics.json").read_text(encoding="utf-8"))).test_loss)
    assert texts[0] == texts[1] and len(texts[0]) == 12 and len(set(texts[0])) > 1
    assert losses[0] != losses[1]
    adapters = [(tmp_path / name / "transducer" / "transducer.safetensors").read_bytes() for name in ("true", "garbage")]
    assert adapters[0] == adapters[1]


def test_predictions_with_targets_of_none(model: AdaptedModel) -> None:
    assert answers(model, [replace(example, target=None) for example in EXAMPLES]) == answers(model, EXAMPLES)


# Order and batches


def test_answers_come_back_in_the_order_of_the_sources(model: AdaptedModel) -> None:
    """Batches are made longest first; the answer of each source is that of the source alone."""
    together = answers(model, EXAMPLES, batch_size=3)
    order = [4, 2, 6, 0, 5, 1, 3]
    if model.method == "other-graph":  # whose answers are those of its place in the data set
        assert answers(model, EXAMPLES, batch_size=7) == together
        return
    assert answers(model, [EXAMPLES[index] for index in order], batch_size=3) == [together[index] for index in order]
    if model.method != "published":  # its fusion averages over padding
        assert [answers(model, [example])[0] for example in EXAMPLES] == together


def test_no_sources_no_answers(model: AdaptedModel) -> None:
    assert answers(model, []) == []


def test_the_loss_is_per_target_token_whatever_the_batches(model: AdaptedModel) -> None:
    prepared = tiny.prepared(model.backbone, EXAMPLES)
    single = [(evaluation_loss(model, [example], 1), len(example.labels)) for example in prepared]
    if model.method == "other-graph":  # which has its own graph where it is alone
        assert evaluation_loss(model, prepared, 3) == pytest.approx(evaluation_loss(model, prepared, 7), rel=1e-5)
        return
    expected = sum(loss * count for loss, count in single) / sum(count for _, count in single)
    tolerance = 0.05 if model.method == "published" else 1e-5  # its fusion averages over padding
    assert evaluation_loss(model, prepared, 3) == pytest.approx(expected, rel=tolerance)
    assert evaluation_loss(model, prepared, 7) == pytest.approx(expected, rel=tolerance)


def test_the_gold_answers_score_the_maximum_and_empty_ones_nothing() -> None:
    targets, languages = [example.target for example in EXAMPLES], [example.language for example in EXAMPLES]
    gold = score_predictions(tiny.TASK, targets, targets, languages)
    assert gold.values.keys() == set(tiny.TASK.metrics)
    assert all(value == pytest.approx(100) for value in gold.values.values())
    empty = score_predictions(tiny.TASK, [""] * 7, targets, languages)
    assert empty.values["exact_match"] == empty.values["bleu"] == empty.values["chrf"] == 0


# Choices of examples


@pytest.mark.parametrize("limit", [1, 5, 11])
def test_limited_choices_are_fixed_nested_and_in_order(limit: int) -> None:
    pool = tiny.examples(12)
    chosen = limited(pool, limit)
    assert len(chosen) == limit and chosen == limited(list(pool), limit)
    assert [example.id for example in chosen] == [example.id for example in pool if example in chosen]
    assert set(example.id for example in chosen) < set(example.id for example in limited(pool, limit + 1))
    backwards = limited(pool[::-1], limit)
    assert {example.id for example in backwards} == {example.id for example in chosen}


def test_a_limit_of_zero_or_more_than_there_are_takes_all() -> None:
    pool = tiny.examples(5)
    assert limited(pool, 0) == limited(pool, 5) == limited(pool, 99) == pool
    assert limited([], 3) == []


@pytest.mark.parametrize("count", [1, 7, 8, 9, 300])
def test_an_epoch_visits_every_example_once_in_an_order_of_seed_and_epoch(count: int) -> None:
    class Sized:
        def __init__(self, length: int):
            self.input_ids = range(length)

    examples = Examples([Sized((37 * index) % 50 + 1) for index in range(count)]).examples
    sampler = LengthBuckets(examples, 8, seed=3)
    first = list(sampler)
    assert sorted(first) == list(range(count)) and len(sampler) == count
    assert list(LengthBuckets(examples, 8, seed=3)) == first
    if count == 300:
        sampler.set_epoch(1)
        assert list(sampler) != first and sorted(sampler) == list(range(count))
        assert list(LengthBuckets(examples, 8, seed=4)) != first
        # Neighbours have similar lengths: within a batch they spread less than half as far as in the whole.
        spreads = [max(lengths) - min(lengths) for lengths in (
            [len(examples[index].input_ids) for index in first[start:start + 8]] for start in range(0, 296, 8))]
        assert sum(spreads) / len(spreads) < 25


# The command


def test_the_command_repeats_the_figures_of_the_run(
        run: Path, data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSDUCER_CACHE", str(tmp_path))
    monkeypatch.setattr("transducer.precision.step_seconds", lambda backbone: 1.0)  # a tie: float32, as in the run
    assert command_line(evaluate.main, [
        "--transducer", str(run / "transducer"), "--data", f"file:{data_folder}", "--max-target-tokens", "12",
        "--output", str(tmp_path / "predictions.jsonl"), "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    row = ResultRow(**json.loads((run / "metrics.json").read_text(encoding="utf-8")))
    assert found["examples"] == 12 and found["loss"] == pytest.approx(row.test_loss, rel=1e-6)
    assert {name: found[name] for name in row.scores} == row.scores and found["signatures"] == row.signatures
    predictions = [json.loads(line)["prediction"] for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    assert predictions == [json.loads(line)["prediction"] for line in (run / "predictions.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(("flags", "code", "expected"), [
    (["--test-limit", "-1"], 2, "--test-limit"),
    (["--beams", "-1"], 2, "--beams"),
    (["--max-source-tokens", "3"], 2, "--max-source-tokens"),
    (["--max-target-tokens", "3"], 2, "--max-target-tokens"),
    (["--data", "file:absent"], 1, "absent"),
])
def test_bad_arguments_are_one_line(
        flags: list[str], code: int, expected: str, run: Path, data_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = command_line(evaluate.main, ["--transducer", str(run / "transducer"), "--data", f"file:{data_folder}", *flags])
    captured = capsys.readouterr()
    assert found == code and captured.err.count("\n") == 1 and expected in captured.err and captured.out == ""


def test_a_folder_without_a_transducer_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(evaluate.main, ["--transducer", str(tmp_path)]) == 1
    assert "no transducer_config.json in" in capsys.readouterr().err
