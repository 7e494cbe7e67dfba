"""The tables that end a comparison, on the terminal."""
from __future__ import annotations

from collections.abc import Sequence

from ..measure import ResultRow
from ..wide_table import WideTable
from .conclusions import LOSS

MARKS = {"better": "▲", "worse": "▼", "tie": "tie"}


def comparison_tables(rows: Sequence[ResultRow], conclusions: dict) -> list[WideTable]:
    """What each method costs and scores; and how far it is from the reference, or that the two are a tie."""
    metrics = [entry["name"] for entry in conclusions["metrics"] if entry["name"] != LOSS]
    tables = [_results(rows, conclusions, metrics)]
    if conclusions["comparisons"]:
        tables.append(_differences(conclusions, metrics))
    return tables


def meanings(conclusions: dict) -> list[str]:
    """What was run, of methods of which a budget or tuning has chosen something."""
    return [f"{method['method']} was run as {method['specification']}" for method in conclusions["methods"]
            if method["specification"] != method["method"] and method["seeds"]]


def _results(rows: Sequence[ResultRow], conclusions: dict, metrics: Sequence[str]) -> WideTable:
    first = rows[0]
    table = WideTable(f"{first.task} on {first.data}: {first.test_examples} test examples; mean ± standard deviation over seeds",
                      ("seeds", "trained\nweights", "kB", "train\ns", "peak\nMB", "test loss\n(nats)", *_headings(metrics)))
    for method in conclusions["methods"]:
        done = [row for row in rows if row.method == method["method"] and row.status == "ok"]
        if not done:
            table.add(method["method"], "skipped" if method["skipped"] else "failed")
            continue
        table.add(
            method["method"], str(len(done)), f"{done[0].trainable_parameters:,}", f"{done[0].artefact_bytes / 1000:,.0f}",
            _mean([row.train_seconds for row in done], 0),
            _mean([row.train_peak_bytes and row.train_peak_bytes / 1e6 for row in done], 0),
            _spread(method["scores"].get(LOSS), 3), *(_spread(method["scores"][metric], 1) for metric in metrics))
    return table


def _differences(conclusions: dict, metrics: Sequence[str]) -> WideTable:
    metrics = [LOSS, *metrics]
    table = WideTable(f"difference to {conclusions['reference']}, 95 % interval; ▲ better, ▼ worse, a tie where the interval holds "
                      f"zero or p after correction is above {conclusions['alpha']}", _headings(metrics))
    found = {(entry["method"], entry["metric"]): entry for entry in conclusions["comparisons"] if not entry["clean"]}
    for method in conclusions["methods"]:
        cells = [found.get((method["method"], metric)) for metric in metrics]
        if any(cells):
            table.add(method["method"], *(_difference(cell, 3 if metric == LOSS else 1) for cell, metric in zip(cells, metrics)))
    return table


def _headings(metrics: Sequence[str]) -> list[str]:
    return [metric.replace("_", "\n") for metric in metrics]


def _mean(values: Sequence[float | None], digits: int) -> str:
    known = [value for value in values if value is not None]
    return f"{sum(known) / len(known):,.{digits}f}" if known else "-"


def _spread(figure: dict | None, digits: int) -> str:
    if figure is None:
        return "-"
    deviation = figure["standard_deviation"]
    return f"{figure['mean']:,.{digits}f}" + ("" if deviation is None else f" ±{deviation:,.{digits}f}")


def _difference(entry: dict | None, digits: int) -> str:
    if entry is None:
        return "-"
    low, high = f"{entry['low']:+.{digits}f}", f"{entry['high']:+.{digits}f}"
    return f"{entry['difference']:+.{digits}f} {MARKS[entry['verdict']]}\n\\[{low}, {high}]"
