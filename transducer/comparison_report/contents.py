"""The tables of a comparison: scores, differences, costs, failures, settings."""
from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .folder import Comparison, Json
from .tables import Cell, Column, Table, name, words
from .wording import (
    LOSS, NONE, counted, digits_of, finite, interval, metric_name, plain, probability, signed, spread, value_text, verdict)

METHOD = Column("method", "")


def scores_table(comparison: Comparison, clean: bool = False) -> Table:
    """Mean and standard deviation over seeds of every metric, and what the test of the difference says."""
    methods = [method for method in comparison.methods if method in comparison.done]
    shown = shown_metrics(comparison, clean)
    best = {metric: _best(comparison, methods, metric, clean) for metric in shown}
    rows = [[name(method), _seeds(comparison, method),
             *(_score(comparison, method, metric, clean, best[metric]) for metric in shown)] for method in methods]
    rows += [[name(method), Cell("0", 0.0, _status(comparison, method), "failed"), *(Cell(NONE) for _ in shown)]
             for method in comparison.methods if method not in comparison.done]
    columns = [METHOD, Column("seeds", "number", "Seeds whose run came through")]
    columns += [Column(metric_name(metric), "number", _signature(comparison, metric)) for metric in shown]
    return Table(columns, rows, marked=comparison.reference)


def shown_metrics(comparison: Comparison, clean: bool = False) -> list[str]:
    """The metrics that some method has a score of."""
    return [metric for metric in comparison.figures
            if any(comparison.score(method, metric, clean) for method in comparison.methods)]


def _score(comparison: Comparison, method: str, metric: str, clean: bool, best: float | None) -> Cell:
    score = comparison.score(method, metric, clean)
    if score is None or not finite(score.get("mean")):
        return Cell(NONE)
    said = verdict(comparison.difference(method, metric, clean))
    below, look = (said, f"verdict-{said}") if said else ("", "")
    if method == comparison.reference and any(comparison.difference(other, metric, clean) for other in comparison.methods):
        below = "reference"
    return Cell(spread(score, digits_of(metric)), score["mean"], below, look, score["mean"] == best)


def _best(comparison: Comparison, methods: Sequence[str], metric: str, clean: bool) -> float | None:
    scores = (comparison.score(method, metric, clean) or {} for method in methods)
    means = [score["mean"] for score in scores if finite(score.get("mean"))]
    # The only one of its kind is not called the best.
    return None if len(means) < 2 else min(means) if comparison.lower_is_better(metric) else max(means)


def _seeds(comparison: Comparison, method: str) -> Cell:
    count = len(comparison.done[method])
    failed = sum(row["method"] == method for row in comparison.missed)
    return Cell(str(count), count, f"{failed} failed", "failed") if failed else Cell(str(count), count)


def _status(comparison: Comparison, method: str) -> str:
    return next((row["status"] for row in comparison.missed if row["method"] == method), "not run yet")


def _signature(comparison: Comparison, metric: str) -> str:
    if metric == LOSS:
        return "nats per target token; lower is better"
    return next((row.get("signatures", {}).get(metric, "") for rows in comparison.done.values() for row in rows), "")


def differences_table(comparison: Comparison, metric: str, clean: bool = False) -> Table:
    """The difference of every method to the reference on one metric, with interval, test and effect size."""
    found = [entry for method in comparison.methods if (entry := comparison.difference(method, metric, clean))]
    digits = digits_of(metric)
    rows = [[name(entry["method"]), Cell(signed(entry["difference"], digits), entry["difference"]),
             Cell(interval(entry, digits), entry["low"]), Cell(verdict(entry), verdict(entry), look=f"verdict-{verdict(entry)}"),
             Cell(probability(entry.get("p")), entry.get("p")),
             Cell(probability(entry.get("corrected_p")), entry.get("corrected_p")),
             Cell(signed(entry.get("rank_biserial")), entry.get("rank_biserial")),
             Cell(f"{entry['examples']:,}", entry["examples"], counted(len(entry["seeds"]), "seed"))] for entry in found]
    told = comparison.statistics
    columns = [METHOD, Column("difference", "number", f"Mean per-example score minus that of {comparison.reference}"),
               Column(f"{told.get('confidence', 0.95):.0%} interval", "number", "Paired bootstrap"), Column("verdict", ""),
               Column("p", "number", "Wilcoxon signed-rank"), Column("p, corrected", "number", str(told.get("correction", ""))),
               Column("rank-biserial", "number", "Effect size, −1 to 1; above 0: the method is higher"),
               Column("examples", "number")]
    return Table(columns, rows)


@dataclass(frozen=True)
class Cost:
    """A column of the costs: `of` gives a row's figure in the unit of the title, or None."""

    title: str
    of: Callable[[Json], float | None]
    digits: int = 0
    tip: str = ""


def _scaled(field: str, factor: float = 1.0) -> Callable[[Json], float | None]:
    def figure(row: Json) -> float | None:
        value = row.get(field, (row.get("cost") or {}).get(field))
        return None if value is None else value * factor
    return figure


# What a row does not have is no column: only some commands measure the parts of memory and the speed of single tokens.
COSTS = (
    Cost("trained\nweights", _scaled("trainable_parameters")),
    Cost("with\ngradient", _scaled("parameters_with_gradient"), 0, "Weights that some step gave a gradient"),
    Cost("artefact\nkB", _scaled("artefact_bytes", 1e-3), 1, "What is saved of the method"),
    Cost("training\ns", _scaled("train_seconds"), 1),
    Cost("step\nms", _scaled("median_step_seconds", 1e3), 1, "Median after warm-up"),
    Cost("examples\na second", _scaled("examples_per_second"), 1, "In training"),
    Cost("training\npeak MB", _scaled("train_peak_bytes", 1e-6), 0, "Peak of memory while training"),
    Cost("reserved\nMB", _scaled("train_reserved_bytes", 1e-6), 0, "Held by the GPU's allocator while training"),
    Cost("weights\nMB", _scaled("weight_bytes", 1e-6), 1, "Of backbone and method"),
    Cost("gradients\nMB", _scaled("gradient_bytes", 1e-6), 1),
    Cost("optimiser\nMB", _scaled("optimizer_bytes", 1e-6), 1),
    Cost("activations\nMB", _scaled("activation_bytes", 1e-6), 0, "The rest of what training adds at its peak"),
    Cost("generation\ns", _scaled("generate_seconds"), 1, "Of all test examples"),
    Cost("generation\npeak MB", _scaled("generate_peak_bytes", 1e-6), 0, "Peak of memory while generating"),
    Cost("first token\nms", _scaled("first_token_seconds", 1e3), 1, "Of one example, its input prepared"),
    Cost("tokens\na second", _scaled("tokens_per_second"), 0),
    Cost("graph, ms\nan example", _scaled("graph_seconds_per_example", 1e3), 2, "From source to arrays"),
    Cost("graph, kB\nan example", _scaled("graph_bytes_per_example", 1e-3), 1, "In the cache"),
)


def mean_cost(comparison: Comparison, method: str, cost: Cost) -> float | None:
    """The mean over the runs that came through and have the figure."""
    values = [value for row in comparison.done.get(method, ()) if (value := cost.of(row)) is not None]
    return statistics.fmean(values) if values else None


def costs_table(comparison: Comparison) -> Table:
    """Means over seeds; the range below where seeds differ visibly. A figure that no method has is no column."""
    costs = [cost for cost in COSTS if any(mean_cost(comparison, method, cost) is not None for method in comparison.done)]
    rows = [[name(method), *(_cost(comparison, method, cost) for cost in costs)]
            for method in comparison.methods if method in comparison.done]
    return Table([METHOD, *(Column(cost.title, "number", cost.tip) for cost in costs)], rows, marked=comparison.reference)


def _cost(comparison: Comparison, method: str, cost: Cost) -> Cell:
    values = [value for row in comparison.done[method] if (value := cost.of(row)) is not None]
    if not values:
        return Cell(NONE)
    low, high = plain(min(values), cost.digits), plain(max(values), cost.digits)
    return Cell(plain(statistics.fmean(values), cost.digits), statistics.fmean(values), "" if low == high else f"{low} to {high}")


def missed_table(comparison: Comparison) -> Table:
    """The runs that gave no result, with their reasons."""
    rows = [[name(row["method"]), Cell(str(row["seed"]), row["seed"]), Cell(row["status"], row["status"], look="failed"),
             words(row.get("reason") or "no reason given")] for row in comparison.missed]
    return Table([METHOD, Column("seed"), Column("status", ""), Column("reason", "words")], rows)


def methods_table(comparison: Comparison) -> Table:
    """What each method was run with."""
    rows = []
    for method in comparison.methods:
        row = next((row for row in comparison.rows if row["method"] == method), {})
        entry = next(entry for entry in comparison.config["methods"] if entry["method"] == method)
        tuning = row.get("tuning") or {}
        tuned = f"{value_text(tuning.get('settings'))} ({counted(tuning['trials'], 'trial')})" if tuning.get("trials") else NONE
        losses = [row["valid_loss"] for row in comparison.done.get(method, ()) if row.get("valid_loss") is not None]
        rate = row.get("learning_rate")
        rows.append([name(method), words(row.get("specification") or entry.get("specification") or method),
                     Cell(f"{rate:g}" if rate else NONE, rate), Cell(value_text(row.get("epochs")), row.get("epochs")),
                     words(tuned),
                     Cell(plain(statistics.fmean(losses), 3) if losses else NONE, statistics.fmean(losses) if losses else None),
                     words(entry.get("remark") or "")])
    columns = [METHOD, Column("run as", ""), Column("learning\nrate"), Column("epochs"), Column("tuned", ""),
               Column("validation\nloss", "number", "nats per target token, mean over seeds"), Column("remark", "words")]
    kept = [place for place in range(len(columns)) if place == 0 or any(cells[place].text not in ("", NONE) for cells in rows)]
    return Table([columns[place] for place in kept], [[cells[place] for place in kept] for cells in rows])


def trials_table(comparison: Comparison) -> Table:
    """Every trial of the tuning."""
    rows = [[name(trial["method"]), Cell(str(trial["trial"]), trial["trial"]), words(value_text(trial.get("settings"))),
             Cell(plain(trial.get("valid_loss"), 3), trial.get("valid_loss")),
             Cell(plain(trial.get("trainable_parameters")), trial.get("trainable_parameters")),
             Cell(plain(trial.get("train_examples")), trial.get("train_examples")), Cell(plain(trial.get("seconds")), trial.get("seconds")),
             words(trial.get("reason") or trial.get("status", ""))] for trial in comparison.tuning]
    columns = [METHOD, Column("trial"), Column("settings", ""), Column("validation\nloss", "number", "nats per target token"),
               Column("trained\nweights"), Column("training\nexamples"), Column("s"), Column("outcome", "words")]
    return Table(columns, rows)


def facts(comparison: Comparison) -> list[tuple[str, list[tuple[str, str]]]]:
    """The configuration: titles, and (name, value) pairs under each."""
    config = comparison.config
    data, model = config.get("data", {}), config.get("model", {})
    run = {"command": config.get("command"), "hardware": config.get("hardware"), "git commit": config.get("git_commit")}
    signatures = {metric_name(metric): _signature(comparison, metric) for metric in comparison.metrics}
    tests = {name.replace("_", " "): value for name, value in comparison.statistics.items()
             if name not in ("methods", "comparisons", "notes", "metrics", "schema")}
    groups = [("Run", run), ("Settings", comparison.settings), ("Data", data), ("Model", model), ("Statistics", tests),
              ("Metrics", signatures), ("Versions", config.get("packages", {}))]
    return [(title, [(key.replace("_", " "), value_text(value)) for key, value in pairs.items()])
            for title, pairs in groups if pairs]
