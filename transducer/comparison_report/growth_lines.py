"""What the curves over training examples and over budgets have in common."""
from __future__ import annotations

import statistics
from collections.abc import Collection, Sequence
from pathlib import Path

from ..errors import ConfigurationError
from ..storage import write_text
from .charts.growth import Growth, growth
from .folder import Comparison
from .look import STYLES
from .pictures import HEIGHT, WIDTH, standalone
from .wording import finite, metric_name


def spread_of(comparison: Comparison, method: str, metric: str) -> tuple[float, float, float] | None:
    """Mean, least and most of a seed; None where there is no such figure."""
    values = [value for value in (comparison.score(method, metric) or {}).get("values", ()) if finite(value)]
    return (statistics.fmean(values), min(values), max(values)) if values else None


def growth_chart(comparison: Comparison, lines: Sequence[Growth], metric: str, count: str, reference: str) -> str:
    """The chart of lines over a count; the reference has the first colour. `comparison` says which way is better."""
    drawn = sorted((entry for entry in lines if entry.points), key=lambda entry: entry.name != reference)
    styles = {entry.name: place % STYLES for place, entry in enumerate(drawn)}
    quality = metric_name(metric) + (" (lower is better)" if comparison.lower_is_better(metric) else "")
    return growth(drawn, styles, WIDTH, HEIGHT, count, quality, reference)


def check_metric(metric: str, known: Collection[str], where: str) -> None:
    """Raises ConfigurationError for a metric that is not there."""
    if metric not in known:
        raise ConfigurationError(f"no metric {metric!r} in {where}; expected one of: {', '.join(known)}")


def write_picture(chart: str, path: Path) -> None:
    """A chart as a file of its own, whose path is printed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, standalone(chart))
    print(path)
