"""Requests for different transducers in one batch get the answers that they get alone."""
from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from checkpoints import EMBEDDED_MODELS
from tests.transducer import served
from tests.transducer.tiny_families import write_family
from transducer.backbone import load_backbone
from transducer.evaluate import predict
from transducer.model import TransducerModel
from transducer.prepare import Preparer
from transducer.serving import generation
from transducer.serving.batching import Batcher
from transducer.serving.errors import ExhaustedError
from transducer.serving.jobs import Answer, Job
from transducer.serving.transducers import Transducers


@pytest.fixture(scope="module")
def transducers(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Transducers:
    return served.table(model_folder, served.saved(model_folder, tmp_path_factory.mktemp("served")))


def mixed(transducers: Transducers, beams: int, seed: int) -> list[Callable[[], Job]]:
    """What makes the jobs of a batch: all transducers, lengths and limits in random order."""
    choice = random.Random(seed)
    plans = [(choice.choice(list(served.TASKS)), choice.randrange(40), choice.choice((3, 8, 16))) for _ in range(8)]
    return [lambda plan=plan: served.job(transducers, plan[0], plan[1], beams, plan[2]) for plan in plans]


def predicted(transducers: Transducers, name: str, number: int, beams: int, most: int) -> list[str]:
    """What evaluation and `predict` answer."""
    chosen = transducers.choose(name, None)
    preparer = Preparer(transducers.backbone, chosen.task, 400, most)
    return predict(chosen.model, preparer, [(served.code_for(name, number), "java")], beams=beams)


@pytest.mark.parametrize("beams", [1, 2, 4])
@pytest.mark.parametrize("seed", range(2))
def test_a_mixed_batch_answers_as_each_request_alone(transducers: Transducers, beams: int, seed: int) -> None:
    plans = mixed(transducers, beams, seed)
    together = [plan() for plan in plans]
    texts = served.answers(transducers, together)
    alone = [plan() for plan in plans]
    assert texts == [served.answers(transducers, [found])[0] for found in alone]
    assert len(set(texts)) >= 4, "answers that are all alike would show nothing"
    for one, other in zip(together, alone):
        assert (one.result.result().tokens, one.result.result().finish) == (other.result.result().tokens, other.result.result().finish)
        assert one.result.result().batch_requests == 8 and other.result.result().batch_requests == 1


@pytest.mark.parametrize("beams", [1, 3])
def test_an_answer_is_that_of_the_command(transducers: Transducers, beams: int) -> None:
    for name in served.TASKS:
        assert served.answers(transducers, [served.job(transducers, "summarize", 2, beams, 14), served.job(transducers, name, 5, beams, 12)])[1:] == predicted(
            transducers, name, 5, beams, 12)


@pytest.mark.parametrize("model_type", ["llama", "gpt2", "starcoder2", "mamba"])
def test_every_kind_of_model_answers_alike_alone_and_in_a_mixed_batch(model_type: str, tmp_path: Path) -> None:
    model = write_family(tmp_path / "model", model_type)
    transducers = served.table(model, served.saved(model, tmp_path, {"assert": "attention+aligned+prompts+scales", "summarize": "aligned"}))
    for beams in (1, 2):
        heard: list[str] = []
        plans = [("assert", 1, beams, 8), ("summarize", 2, beams, 3), ("assert", 14, beams, 5), ("summarize", 8, beams, 6)]
        together = served.answers(transducers, [served.job(transducers, *plan, on_text=heard.append if not place else None)
                                         for place, plan in enumerate(plans)])
        assert together == [served.answers(transducers, [served.job(transducers, *plan)])[0] for plan in plans]
        assert together[3:] == predicted(transducers, *plans[3])
        assert "".join(heard) == together[0] and len(set(together)) == 4


def test_the_embedded_model_answers_alike_alone_and_in_a_mixed_batch(tmp_path: Path) -> None:
    # The tiny model is random; with a trained one the best candidates differ by more, and its inputs are longer.
    model = Path(load_backbone(EMBEDDED_MODELS[0], "float32", device="cpu").model.name_or_path)
    transducers = served.table(model, served.saved(model, tmp_path, {"assert": "attention+aligned+prompts+scales", "summarize": "aligned"}))
    for beams in (1, 2):
        plans = [(name, number, beams, 8) for number in (1, 8) for name in ("assert", "summarize")]
        together = served.answers(transducers, [served.job(transducers, *plan) for plan in plans])
        assert together == [served.answers(transducers, [served.job(transducers, *plan)])[0] for plan in plans]


def test_the_inputs_of_a_mixed_batch_are_those_of_each_transducer(transducers: Transducers) -> None:
    jobs = [served.job(transducers, name, number) for number, name in enumerate(served.TASKS)] + [served.job(transducers, "assert", 2)]
    with torch.no_grad():
        rows = generation.fused_rows(transducers.backbone, jobs)
        for one, row in zip(jobs, rows):
            (alone,) = generation.fused_rows(transducers.backbone, [one])
            torch.testing.assert_close(row.embeddings, alone.embeddings, rtol=0, atol=1e-5)
            torch.testing.assert_close(row.scales, alone.scales, rtol=0, atol=1e-5)
        embeddings, mask, scales, apart, bottlenecks = generation.joined(rows)
    lengths = [len(row.embeddings) for row in rows]
    assert len(set(lengths)) > 1 and mask.sum(1).tolist() == lengths
    assert {row.scales is None for row in rows} == {True, False} and apart is bottlenecks is None
    for number, (row, length) in enumerate(zip(rows, lengths)):
        found, present = embeddings[number], mask[number]
        assert torch.equal(found[:length], row.embeddings) and (found[length:] == 0).all() and present[:length].all()
        for role, factors in scales.items():
            wanted = torch.ones_like(factors[number]) if row.scales is None else row.scales[role]
            assert torch.equal(factors[number], wanted)


@pytest.mark.parametrize("model_type", ["t5", "llama"])
def test_what_lies_beyond_the_windows_of_some_requests_changes_no_other(model_type: str, tmp_path: Path) -> None:
    names = {"assert": "attention+aligned+prompts+scales+beyond", "summarize": "aligned", "repair": "beyond"}
    model = write_family(tmp_path / "model", model_type)
    transducers = served.table(model, served.saved(model, tmp_path, names), max_source_tokens=20)
    plans = [(name, number, beams, 8) for beams in (1, 2) for number in (1, 5, 14) for name in names]
    for beams in (1, 2):
        chosen = [plan for plan in plans if plan[2] == beams]
        together = served.answers(transducers, [served.job(transducers, *plan) for plan in chosen])
        assert together == [served.answers(transducers, [served.job(transducers, *plan)])[0] for plan in chosen]
        assert len(set(together)) > 4
    rows = generation.fused_rows(transducers.backbone, [served.job(transducers, *plan) for plan in plans[:9]])
    apart = generation.joined(rows).apart
    counts = [0 if row.apart is None else row.apart.mask.shape[1] for row in rows]
    assert len(set(counts)) > 3 and apart.mask.sum(1).tolist() == counts == apart.lengths.tolist()
    for number, (row, count) in enumerate(zip(rows, counts)):
        assert not count or all(torch.equal(part[number:number + 1, :, :count], own) for part, own in zip(apart.parts, row.apart.parts))


def test_requests_are_read_with_the_limits_of_training(model_folder: Path, tmp_path: Path) -> None:
    (name, folder), = served.saved(model_folder, tmp_path, {"repair": "aligned"}).items()
    TransducerModel.from_pretrained(folder).save_pretrained(folder, limits={"max_source_tokens": 40, "max_target_tokens": 5})
    for settings, source, target in (({}, 40, 5), ({"max_source_tokens": 90}, 90, 5), ({"max_new_tokens": 3}, 40, 3)):
        (one,) = served.table(model_folder, {name: folder}, **settings)
        assert (one.preparer.text.max_source_tokens, one.max_new_tokens) == (source, target)


def test_text_comes_piece_by_piece_with_one_beam_and_makes_up_the_answer(transducers: Transducers) -> None:
    pieces: dict[int, list[str]] = {0: [], 1: []}
    jobs = [served.job(transducers, "assert", 3, most=16, on_text=pieces[0].append), served.job(transducers, "repair", 4, most=5, on_text=pieces[1].append)]
    texts = served.answers(transducers, jobs)
    for place, text in enumerate(texts):
        assert "".join(pieces[place]) == text
    assert len(pieces[0]) > 3


def test_characters_of_several_tokens_are_not_torn(transducers: Transducers) -> None:
    heard: list[str] = []
    one = served.job(transducers, "assert", 1, on_text=heard.append)
    for text in ("a", "a\ufffd", "aé", "aé\ufffd\ufffd", "aé漢"):
        one.say(text)
    assert heard == ["a", "é", "漢"]


@pytest.mark.parametrize("beams", [1, 2])
def test_a_request_that_nobody_waits_for_ends_its_row_and_no_other(transducers: Transducers, beams: int) -> None:
    steps: list[int] = []
    dropped, kept = served.job(transducers, "assert", 3, beams, 200), served.job(transducers, "repair", 4, beams, 6)
    expected = served.answers(transducers, [served.job(transducers, "repair", 4, beams, 6)])
    dropped.drop()
    counting = transducers.backbone.model.register_forward_hook(lambda *_: steps.append(1))
    generation.answer(transducers.backbone, [dropped, kept])
    counting.remove()
    assert [kept.result.result(0).text] == expected and not dropped.result.done()
    assert 1 <= len(steps) <= 6, "the batch went on for the row that was dropped"


def test_a_short_answer_does_not_wait_for_a_long_one(transducers: Transducers) -> None:
    short, long = served.job(transducers, "repair", 4, most=2), served.job(transducers, "assert", 3, most=40)
    when: list[int] = []
    long.on_text = lambda text: when.append(short.result.done())
    generation.answer(transducers.backbone, [short, long])
    assert sum(when) >= len(when) - 2 and len(when) > 4


def test_weights_come_where_they_are_asked_for(transducers: Transducers) -> None:
    asked, other = served.job(transducers, "assert", 3, explain=True), served.job(transducers, "assert", 4)
    generation.answer(transducers.backbone, [asked, other])
    weights = asked.result.result().weights
    assert set(weights) == {"attention", "aligned", "prompts"} and other.result.result().weights is None
    nodes = len(asked.inputs.graph.bag_offsets)
    assert weights["attention"].shape == (len(asked.inputs.input_ids), 1 + nodes)


# ------------------------------------------------------------------------------------------------ the queue
class Recorder:
    """In place of the model: notes batches, and holds the first one back until it is released."""

    def __init__(self, fails: Callable[[list[Job]], Exception | None] = lambda jobs: None):
        self.batches: list[list[str]] = []
        self.release, self.first = threading.Event(), threading.Event()
        self._fails = fails

    def __call__(self, jobs: list[Job]) -> None:
        self.batches.append([found.said for found in jobs])
        self.first.set()
        assert self.release.wait(20)
        error = self._fails(jobs)
        if error:
            raise error
        for found in jobs:
            found.end(Answer("", 0, "end", len(jobs), 1, 0.0, 0.0))


def named(name: str, beams: int = 1) -> Job:
    return Job(None, None, None, beams, 1, said=name)


def test_the_oldest_goes_first_and_takes_those_along_that_fit() -> None:
    recorder = Recorder()
    batcher = Batcher(recorder, 3, 0.0)
    jobs = [named("first")]
    batcher.submit(jobs[0])
    recorder.first.wait(20)
    jobs += [named(name, beams) for name, beams in (("a2", 2), ("b1", 1), ("c2", 2), ("d1", 1), ("e2", 2), ("f2", 2), ("g1", 1))]
    for found in jobs[1:]:
        batcher.submit(found)
    assert batcher.waiting == 7 and batcher.running == 1
    batcher.drop(jobs[4])
    recorder.release.set()
    for found in jobs:
        if found is not jobs[4]:
            found.result.result(20)
    assert recorder.batches == [["first"], ["a2", "c2", "e2"], ["b1", "g1"], ["f2"]]
    batcher.close()
    assert not batcher.alive


def test_requests_within_the_window_are_answered_together() -> None:
    recorder = Recorder()
    recorder.release.set()
    batcher = Batcher(recorder, 3, 30.0)
    jobs = [named(name) for name in "abc"]
    for found in jobs:
        batcher.submit(found)
    for found in jobs:
        found.result.result(20)  # a full batch does not wait for the window to end
    assert recorder.batches == [["a", "b", "c"]]
    batcher.close()


def test_one_request_that_fails_does_not_spoil_the_others() -> None:
    recorder = Recorder(lambda jobs: ValueError("bad") if any(found.said == "b" for found in jobs) else None)
    recorder.release.set()
    batcher = Batcher(recorder, 3, 30.0)
    jobs = [named(name) for name in "abc"]
    for found in jobs:
        batcher.submit(found)
    assert jobs[0].result.result(20) and jobs[2].result.result(20)
    with pytest.raises(ValueError, match="bad"):
        jobs[1].result.result(20)
    assert recorder.batches == [["a", "b", "c"], ["a"], ["b"], ["c"]]
    batcher.close()


def test_too_little_memory_is_said_as_such() -> None:
    recorder = Recorder(lambda jobs: torch.OutOfMemoryError("CUDA out of memory"))
    recorder.release.set()
    batcher = Batcher(recorder, 1, 0.0)
    one = named("a")
    batcher.submit(one)
    with pytest.raises(ExhaustedError, match="fewer beams or tokens"):
        one.result.result(20)
    batcher.close()
