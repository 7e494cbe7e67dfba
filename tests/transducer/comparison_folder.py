"""A folder as `transducer.compare` writes it, with made-up runs: rows and statistics of the real schema, no model."""
from __future__ import annotations

import json
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tasks import Example
from transducer.comparison.conclusions import conclusions
from transducer.comparison.folder import CONFIG_SCHEMA, KIND
from transducer.measure import ResultRow
from transducer.storage import write_json, write_json_lines

METRICS = ("exact_match", "chrf")
OUT_OF_MEMORY = "out of memory: tried to allocate 2 GiB <b>of 4</b> | GPU 0"
HOSTILE = 'x == "</script><img src=x onerror=alert(1)>\u2028"'


@dataclass
class Method:
    """A made-up method.

    Attributes:
        share: of the examples that it answers right.
        failed: seed -> reason, of the runs that give no result.
        skipped: why it is not run at all.
    """

    name: str
    share: float
    parameters: int
    peak: float | None = 900e6
    failed: dict[int, str] = field(default_factory=dict)
    skipped: str = ""

    def seeds(self, count: int) -> range:
        return range(count if self.parameters and not self.skipped else 1)


def write_folder(folder: Path, examples: Sequence[Example], methods: Sequence[Method], seeds: int = 2, task: str = "assert",
                 reference: str = "", near: frozenset[int] = frozenset(), steps: int = 200) -> Path:
    """The folder; the same arguments give the same files."""
    reference = reference or methods[0].name
    rows = []
    for method in methods:
        for seed in method.seeds(seeds):
            row = _row(method, seed, task, examples)
            rows.append(row)
            if row.status == "skipped":
                continue
            run = folder / row.folder
            run.mkdir(parents=True, exist_ok=True)
            if method.parameters:
                write_json_lines(run / "log.jsonl", _log(method, seed, steps if row.status == "ok" else steps // 2))
            if row.status == "ok":
                predictions = _predictions(method, seed, examples)
                write_json_lines(run / "predictions.jsonl", predictions)
                write_json_lines(run / "losses.jsonl", [
                    {"id": entry["id"], "nats": 30 - entry["scores"]["chrf"] / 5, "tokens": 10} for entry in predictions])
                row.scores = _scores(predictions, range(len(examples)))
                row.clean_scores = _scores(predictions, [place for place in range(len(examples)) if place not in near])
    random.Random(0).shuffle(rows)  # They stand in the order in which runs ended.
    write_json_lines(folder / "results.jsonl", [row.to_dict() for row in rows])
    write_json_lines(folder / "examples.jsonl", [{"id": example.id, "language": example.language, "near_duplicate": place in near}
                                                 for place, example in enumerate(examples)])
    write_json(folder / "config.json", _config(methods, examples, seeds, task, reference))
    write_json(folder / "statistics.json", conclusions(folder, rows, [method.name for method in methods], METRICS, reference))
    return folder


def _row(method: Method, seed: int, task: str, examples: Sequence[Example]) -> ResultRow:
    status = "skipped" if method.skipped else "failed" if seed in method.failed else "ok"
    chance = random.Random(f"{method.name} {seed}")
    row = ResultRow(
        method=method.name, specification=method.name, seed=seed, task=task, data="embedded", data_hash="0" * 64,
        folder="" if method.skipped else f"runs/{method.name}-seed{seed}", train_examples=3000, valid_examples=200,
        test_examples=len(examples), model="codet5-tiny", model_fingerprint="f" * 64, precision="float32", learning_rate=3e-4,
        epochs=1.0, trainable_parameters=method.parameters, status=status, reason=method.skipped or method.failed.get(seed, ""),
        hardware="a processor, 2 threads", packages={"python": "3.11.7", "torch": "2.9.0"}, git_commit="abc1234",
        signatures={metric: f"{metric}|made-up" for metric in METRICS},
        preparation={"examples": 3500, "graph_milliseconds_per_example": 1.918, "graph_bytes": 106_779_032})
    if status == "ok":
        row.artefact_bytes = 4 * method.parameters + 1500
        row.parameters_with_gradient = method.parameters
        row.test_loss, row.generate_seconds, row.generate_peak_bytes = 2 - method.share + chance.random() / 20, 25.5, 800_000_000
        if method.parameters:
            row.train_seconds, row.median_step_seconds = 100 + 20 * chance.random(), 0.25 + chance.random() / 50
            row.train_peak_bytes = None if method.peak is None else int(method.peak * (1 + chance.random() / 50))
            row.valid_loss = row.test_loss - 0.1
    return row


def _predictions(method: Method, seed: int, examples: Sequence[Example]) -> list[dict]:
    found = []
    for example in examples:
        # What is hard for one seed is hard for the others.
        ease = random.Random(example.id).random() * 0.7 + random.Random(f"{example.id} {method.name} {seed}").random() * 0.3
        chance = random.Random(f"{example.id} {method.name}")
        answer = example.target if ease < method.share else _wrong(example.target, chance)
        right = answer == example.target
        scores = {"exact_match": 100.0 * right, "chrf": 100.0 if right else chance.uniform(20, 80)}
        found.append({"id": example.id, "source": example.source, "target": example.target, "prediction": answer,
                      "scores": scores})
    return found


def _wrong(target: str, chance: random.Random) -> str:
    changes = (lambda text: text.replace("assert", "assert not", 1) if "assert" in text else text + ")",
               lambda text: text[:len(text) // 2],
               lambda text: text + " </script><b>&amp;", lambda text: "", lambda text: " ".join(text.split()[::-1]) + " x")
    return chance.choice(changes)(target)


def _log(method: Method, seed: int, steps: int) -> list[dict]:
    chance = random.Random(f"{method.name} {seed} log")
    entries = [{"step": step, "loss": 1.5 - method.share + 2 * 0.99 ** step + chance.random() / 10, "grad_norm": 1.0,
                "learning_rate": 3e-4, "epoch": step / steps} for step in range(25, steps + 1, 25)]
    evaluations = [{"step": step, "eval_loss": 1.6 - method.share + 2 * 0.99 ** step, "epoch": step / steps}
                   for step in range(steps // 4, steps + 1, steps // 4)]
    last = {"step": steps, "train_runtime": 100.0, "train_loss": 1.7}
    return [*sorted(entries + evaluations, key=lambda entry: entry["step"]), last]


def _scores(predictions: Sequence[dict], places: Sequence[int]) -> dict[str, float]:
    return {metric: statistics.fmean(predictions[place]["scores"][metric] for place in places) for metric in METRICS}


def _config(methods: Sequence[Method], examples: Sequence[Example], seeds: int, task: str, reference: str) -> dict:
    listed = [{"method": method.name, "specification": method.name, "remark": "", "reason": method.skipped,
               "trainable_parameters": None if method.skipped else method.parameters} for method in methods]
    settings = {"task": task, "data": "embedded", "model": "codet5-tiny", "methods": [method.name for method in methods],
                "reference": reference, "seeds": seeds, "seed": 0, "budget": "", "tune": 0, "epochs": 1.0, "batch_size": 8}
    return {"schema": CONFIG_SCHEMA, "kind": KIND, "settings": settings, "metrics": list(METRICS), "methods": listed,
            "data": {"name": "embedded", "content_hash": "0" * 64, "train": 3000, "valid": 200, "test": len(examples)},
            "model": {"name": "codet5-tiny", "revision": None, "fingerprint": "f" * 64, "precision": "float32",
                      "precision_reason": "as asked", "width": 256},
            "command": "python -m transducer.compare --task assert --output runs/compared", "hardware": "a processor, 2 threads",
            "packages": {"python": "3.11.7", "torch": "2.9.0"}, "git_commit": "abc1234"}


def source_of(place: int) -> str:
    """A source of the task `assert`."""
    return (f"def test_{place}():\n    values = load({place})\n    for value in values:\n        check(value)\n"
            f'    "<AssertPlaceHolder>"\n\n'
            f"def load(n):\n    if n > {place}:\n        return None\n    return [n]\n")


EXAMPLES = [Example(f"example-{place:02}", source_of(place), f"assert load({place}) == [{place}]", "python")
            for place in range(24)]
EXAMPLES[5] = Example("example-05", source_of(5), HOSTILE, "python")
METHODS = [
    Method("transducer", 0.6, 17_424), Method("none", 0.2, 0, None),
    Method("full", 0.7, 11_000_000, 1.9e9, failed={1: OUT_OF_MEMORY}),
    Method("lora", 0.5, 98_304, 1e9), Method("lora:params=17424", 0.45, 16_384),
    Method("prefix", 0.3, 30_720, failed={0: "no", 1: "no"}),
    Method("dora", 0.3, 30_720, skipped="cannot be run on this model"),
]
NEAR = frozenset({1, 7, 9})
