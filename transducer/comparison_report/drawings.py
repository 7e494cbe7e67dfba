"""The charts of a comparison, each in a wide and a narrow version of which the page shows one."""
from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from .charts.curves import Curve, curves
from .charts.forest import Interval, forest
from .charts.scatter import Point, scatter
from .contents import COSTS, Cost, mean_cost
from .folder import Comparison, Json
from .html_text import pair
from .look import STYLES
from .wording import counted, digits_of, finite, interval, metric_name, plain, probability, signed, spread, verdict

PARAMETERS = next(cost for cost in COSTS if cost.title == "trained\nweights")
MEMORY = next(cost for cost in COSTS if cost.title == "training\npeak MB")
CROWD = 12
"""Points above which a scatter plot is higher, for their labels."""
SHOWN_AT_FIRST = 8
"""Curves that are on when the page opens; more are hard to follow."""


@dataclass(frozen=True)
class Chart:
    """A chart before its size is known: `draw` takes width and height, some choose the height themselves."""

    title: str
    draw: Callable[[int, int], str]
    note: str = ""


def figure(title: str, draw: Callable[[int, int], str], wide: tuple[int, int], narrow: tuple[int, int], note: str = "") -> str:
    """A picture with its title in both widths. An empty text where nothing is drawn."""
    large, small = draw(*wide), draw(*narrow)
    if not large:
        return ""
    said = f'<p class="note">{escape(note)}</p>' if note else ""
    both = "".join(drawn.replace('class="chart', f'class="chart {name}', 1)
                   for drawn, name in ((large, "wide"), (small, "narrow")))
    return f"<figure><figcaption>{escape(title)}</figcaption>{said}{both}</figure>"


def quality_figures(comparison: Comparison, metric: str) -> str:
    """Quality against trained weights and against the memory of training."""
    height = 430 if len(comparison.methods) <= CROWD else 580
    charts = (quality_chart(comparison, metric), quality_chart(comparison, metric, MEMORY, "peak memory of training, MB", False))
    return "".join(figure(chart.title, chart.draw, (576, height), (430, height), chart.note) for chart in charts)


def quality_chart(comparison: Comparison, metric: str, cost: Cost = PARAMETERS, title: str = "trained weights",
                  logarithmic: bool = True) -> Chart:
    """A metric against a cost."""
    found, left_out = [], []
    for method in comparison.methods:
        score, spent = comparison.score(method, metric), mean_cost(comparison, method, cost)
        if score is None or not finite(score.get("mean")):
            continue
        if spent is None:
            left_out.append(method)
        else:
            found.append(Point(method, spent, score["mean"], score["minimum"], score["maximum"],
                               _tip(comparison, method, metric, cost)))
    note = f"Without a figure and not shown: {', '.join(left_out)}." if left_out else ""
    name = metric_name(metric) + (" (lower is better)" if comparison.lower_is_better(metric) else "")

    def draw(width: int, height: int) -> str:
        return scatter(found, width, height, title, name, comparison.reference, logarithmic, comparison.lower_is_better(metric))

    return Chart(f"{name} against {title}", draw, note)


def _tip(comparison: Comparison, method: str, metric: str, cost: Cost) -> str:
    score = comparison.score(method, metric)
    lines = [method, f"{metric_name(metric)} {spread(score, digits_of(metric))} ({counted(len(score['values']), 'seed')})"]
    lines += [f"{entry.title.replace(chr(10), ' ')}: {plain(mean_cost(comparison, method, entry), entry.digits)}"
              for entry in dict.fromkeys((PARAMETERS, MEMORY, cost))]
    said = comparison.difference(method, metric)
    return "\n".join(lines + ([_numbers(said)] if said else []))


def forest_figure(comparison: Comparison, metric: str) -> str:
    chart = forest_chart(comparison, metric)
    return figure(chart.title, chart.draw, (1160, 0), (430, 0))


def forest_chart(comparison: Comparison, metric: str) -> Chart:
    """The differences of one metric, the best first."""
    found = [entry for method in comparison.methods if (entry := comparison.difference(method, metric))]
    sign = 1 if comparison.lower_is_better(metric) else -1
    rows = [Interval(entry["method"], entry["difference"], entry["low"], entry["high"], verdict(entry), _said(entry),
                     digits_of(metric))
            for entry in sorted(found, key=lambda entry: sign * entry["difference"])]
    better = "lower" if comparison.lower_is_better(metric) else "higher"
    title = f"difference in mean {metric_name(metric)} of an example; {better} is better"
    return Chart(f"Difference to {comparison.reference}: {metric_name(metric)}",
                 lambda width, _: forest(rows, width, title, comparison.reference,
                                         comparison.lower_is_better(metric)))


def _said(entry: Json) -> str:
    tested = f"corrected p {probability(entry.get('corrected_p'))}"
    return f"{entry['method']}\n{_numbers(entry)}, {tested}\n{entry.get('statement') or ''}".strip()


def _numbers(entry: Json) -> str:
    digits = digits_of(entry["metric"])
    return f"{signed(entry['difference'], digits)} {interval(entry, digits)}: {verdict(entry)}"


def mean_curve(comparison: Comparison, method: str, field: str) -> Curve:
    """The mean over the method's logs at the steps that all of them have; failed runs only where no other is."""
    seeds = [row["seed"] for row in comparison.done.get(method, ())] or [seed for name, seed in comparison.logs if name == method]
    entries = (comparison.logs.get((method, seed), ()) for seed in seeds)
    logs = [{entry["step"]: entry[field] for entry in log if finite(entry.get(field)) and "step" in entry} for log in entries]
    logs = [log for log in logs if log]
    steps = sorted(set.intersection(*(set(log) for log in logs))) if logs else []
    return Curve(method, [(step, statistics.fmean(log[step] for log in logs)) for step in steps])


def curve_figures(comparison: Comparison) -> list[str]:
    """Legend, training loss and, where there was more than one validation, validation loss; nothing where no run has a log."""
    titles = (("loss", "training loss, nats per token", False), ("eval_loss", "validation loss, nats per token", True))
    lines = {field: [mean_curve(comparison, method, field) for method in comparison.methods] for field, _, _ in titles}
    if all(len(curve.points) < 2 for curve in lines["eval_loss"]):
        lines["eval_loss"] = []
    with_points = {curve.name for chart in lines.values() for curve in chart if curve.points}
    drawn = [method for method in comparison.methods if method in with_points]
    if not drawn:
        return []
    first = [comparison.reference, *(method for method in drawn if method != comparison.reference)][:SHOWN_AT_FIRST]
    hidden = frozenset(drawn) - set(first)
    styles = {method: place % STYLES for place, method in enumerate(drawn)}
    figures = "".join(figure(title.split(",")[0].capitalize(),
                             lambda width, height, field=field, title=title, dots=dots: curves(
                                 lines[field], styles, hidden, width, height, title, dots), (576, 380), (430, 340))
                      for field, title, dots in titles)
    return [_legend(drawn, styles, hidden), pair(figures)]


def _legend(methods: list[str], styles: dict[str, int], hidden: frozenset[str]) -> str:
    line = '<svg width="24" height="8" aria-hidden="true"><path d="M0 4H24"/></svg>'
    buttons = "".join(f'<button type="button" class="style-{styles[method]}" data-method="{escape(method)}" '
                      f'aria-pressed="{str(method not in hidden).lower()}">{line}{escape(method)}</button>' for method in methods)
    if len(methods) > 1:
        buttons += "".join(f'<button type="button" class="all" data-all="{shown}">{name}</button>'
                           for shown, name in (("true", "all"), ("", "none")))
    return f'<div class="legend" id="legend" role="group" aria-label="Methods shown in the curves">{buttons}</div>'
