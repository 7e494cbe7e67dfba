"""From the folder of a comparison to `statistics.json`: what its rows and predictions allow to conclude."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..measure import ResultRow
from ..results import complete_lines
from ..statistics import ALPHA, BOOTSTRAP_SEED, CONFIDENCE, RESAMPLES, Comparison, compare, summary
from .folder import EXAMPLES_FILE

SCHEMA = 1
LOSS = "test_loss"


def conclusions(folder: Path, rows: Sequence[ResultRow], methods: Sequence[str], metrics: Sequence[str], reference: str) -> dict:
    """The content of `statistics.json`.

    Args:
        methods: in the order of the table.
        metrics: of the task, each with a score an example.

    Raises:
        DataError: predictions that are not those of the test examples.
    """
    done = {method: sorted((row for row in rows if row.method == method and row.status == "ok"), key=lambda row: row.seed)
            for method in methods}
    near = np.array([line["near_duplicate"] for line in _lines(folder / EXAMPLES_FILE)], dtype=bool)
    seeds = sorted({row.seed for found in done.values() for row in found})
    scores = {}
    for method, found in done.items():
        by_seed = {row.seed: _example_scores(folder / row.folder, metrics, len(near), row.test_loss is not None) for row in found}
        if found and not found[0].trainable_parameters:
            # Nothing was trained, so that every other seed gives the same.
            by_seed = dict.fromkeys(seeds, by_seed[found[0].seed])
        if found:
            scores[method] = by_seed
    comparisons: list[Comparison] = []
    if reference in scores:
        subsets = [(False, np.ones(len(near), dtype=bool))]
        if near.any() and not near.all():
            subsets.append((True, ~near))
        for clean, kept in subsets:
            for metric in (LOSS, *metrics):
                known = {method: {seed: found[metric][kept] for seed, found in by_seed.items()}
                         for method, by_seed in scores.items() if all(metric in found for found in by_seed.values())}
                if reference in known:
                    comparisons += compare(known, reference, metric, clean, metric != LOSS)
    return {
        "schema": SCHEMA, "reference": reference, "confidence": CONFIDENCE, "resamples": RESAMPLES,
        "bootstrap_seed": BOOTSTRAP_SEED, "alpha": ALPHA, "correction": "holm, per metric over the methods",
        "metrics": [*({"name": metric, "higher_is_better": True} for metric in metrics),
                    {"name": LOSS, "higher_is_better": False}],
        "methods": [_method(method, rows, done[method], metrics, near) for method in methods],
        "comparisons": [asdict(comparison) for comparison in comparisons],
        "notes": _notes(done, rows, reference, metrics, near)}


def _method(method: str, rows: Sequence[ResultRow], done: list[ResultRow], metrics: Sequence[str], near: np.ndarray) -> dict:
    mine = [row for row in rows if row.method == method]
    clean = {}
    if near.any() and not near.all():
        clean = {metric: asdict(summary([row.clean_scores[metric] for row in done])) for metric in metrics if done}
    scores = {metric: asdict(summary([row.scores[metric] for row in done])) for metric in metrics if done}
    losses = [row.test_loss for row in done if row.test_loss is not None]
    if losses:
        scores[LOSS] = asdict(summary(losses))
    return {"method": method, "specification": done[0].specification if done else mine[0].specification if mine else method,
            "seeds": [row.seed for row in done], "failed": sum(row.status == "failed" for row in mine),
            "skipped": any(row.status == "skipped" for row in mine), "scores": scores, "clean_scores": clean}


def _notes(done: dict[str, list[ResultRow]], rows: Sequence[ResultRow], reference: str, metrics: Sequence[str],
           near: np.ndarray) -> list[str]:
    notes = [f"{row.method}, seed {row.seed} {row.status}: {row.reason}" for row in rows if row.status != "ok"]
    if not done.get(reference):
        notes.append(f"No run of the reference {reference} came through: nothing can be said about differences to it; "
                     "--reference names another one.")
    few = [method for method, found in done.items() if len(found) == 1 and found[0].trainable_parameters]
    if few:
        notes.append(f"One seed of {', '.join(few)}: intervals and tests say whether these trained models differ on these examples, "
                     "not whether the methods do, and there is no spread over seeds; give --seeds 3 or more for that.")
    elif any(len(found) > 1 for found in done.values()):
        notes.append("Intervals are of a paired bootstrap over examples and seeds; with few seeds the spread over them is known "
                     "roughly.")
    notes.append("Differences are of means over examples; they are not the differences of scores of a whole corpus, such as BLEU, "
                 "nor of a loss per token of all examples.")
    if near.any():
        what = "all have" if near.all() else f"{int(near.sum())} of {len(near)} have"
        notes.append(f"Of the test examples {what} a near duplicate in train; clean scores leave these out"
                     + (", which leaves none." if near.all() else "."))
    return notes


def _example_scores(folder: Path, metrics: Sequence[str], count: int, with_loss: bool) -> dict[str, np.ndarray]:
    """Metric -> scores [examples], and the loss in nats per target token of a method that has one."""
    lines = {name: _lines(folder / f"{name}.jsonl") for name in ("predictions", *(["losses"] if with_loss else []))}
    if any(len(found) != count for found in lines.values()):
        raise DataError(f"{folder} has " + " and ".join(f"{len(found)} {name}" for name, found in lines.items())
                        + f", expected {count}, one a test example; remove its row from the results and run the comparison again")
    scores = {metric: np.array([line["scores"][metric] for line in lines["predictions"]], dtype=float) for metric in metrics}
    if with_loss:
        scores[LOSS] = np.array([line["nats"] / line["tokens"] for line in lines["losses"]])
    return scores


def _lines(path: Path) -> list[dict]:
    return [line for _, line in complete_lines(path, "example", "run the comparison again in another folder")]
