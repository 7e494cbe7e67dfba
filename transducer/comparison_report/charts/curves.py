"""Loss over steps: one line a method."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from .axes import Scale, arrow, document, grid, last_shown, number, padded

MARGIN = {"left": 50, "right": 16, "top": 30, "bottom": 48}
MOST_POINTS = 160
"""Points of a line at most; more cannot be told apart at these widths."""


@dataclass(frozen=True)
class Curve:
    """The losses of a method, averaged over its seeds: (step, nats per token) pairs in the order of the steps."""

    name: str
    points: Sequence[tuple[float, float]]


def thinned(points: Sequence[tuple[float, float]], most: int = MOST_POINTS) -> list[tuple[float, float]]:
    """At most `most` of them, evenly chosen, the first and the last among them."""
    if len(points) <= most:
        return list(points)
    return [points[round(place * (len(points) - 1) / (most - 1))] for place in range(most)]


def curves(lines: Sequence[Curve], styles: dict[str, int], hidden: frozenset[str], width: int, height: int, title: str,
           dots: bool = False) -> str:
    """The chart; an empty text where there is nothing to draw. A method that ends far worse than the others does not widen the
    axis: its line is cut off there, and an arrow says where it went on.

    Args:
        styles: place of a method's colour, by name.
        hidden: the methods that are not shown at first.
        dots: marks the points, for lines of few.
    """
    lines = [entry for entry in lines if entry.points]
    if not lines:
        return ""
    limit = last_shown([entry.points[-1][1] for entry in lines], lower_is_better=True)
    low, high = padded([y for entry in lines if limit is None or entry.points[-1][1] <= limit for _, y in entry.points])
    steps = [x for entry in lines for x, _ in entry.points]
    across = Scale(min(0.0, min(steps)), max(steps) * 1.02 or 1.0, MARGIN["left"], width - MARGIN["right"])
    up = Scale(low, high, height - MARGIN["bottom"], MARGIN["top"])
    parts = grid(across, up, "step", title, (5, 5))
    for entry in lines:
        places = [(across(x), up(y)) for x, y in thinned(entry.points)]
        shape = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in places)
        marks = "".join(f'<circle class="dot" cx="{number(x)}" cy="{number(y)}" r="3.2"/>' for x, y in places) \
            if dots or len(places) == 1 else ""
        last = entry.points[-1]
        drawn = f'<path class="reach" d="{shape}"/><path class="stroke" d="{shape}"/>{marks}'
        if max(y for _, y in entry.points) > high:
            drawn = _cut_off(across, up, drawn) + (arrow(places[-1][0], up.end, 0, 1) if last[1] > high else "")
        tip = f"{entry.name}: {last[1]:.3f} at step {last[0]:g}, lowest {min(y for _, y in entry.points):.3f}"
        shown = ' hidden=""' if entry.name in hidden else ""
        named = f'data-method="{escape(entry.name)}" data-tip="{escape(tip)}"'
        parts.append(f'<g class="curve style-{styles[entry.name]}" {named}{shown}>{drawn}</g>')
    return document(width, height, "curves", f"{title} by step: " + ", ".join(entry.name for entry in lines), parts)


def _cut_off(across: Scale, up: Scale, content: str) -> str:
    """Only what of it lies between the axes."""
    place = (across.start, up.end, across.end - across.start, up.start - up.end)
    x, y, width, height = map(number, place)
    return f'<svg x="{x}" y="{y}" width="{width}" height="{height}" viewBox="{x} {y} {width} {height}">{content}</svg>'
