"""Quality against a cost: a point a method, its spread over seeds, and the Pareto front."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from .axes import Scale, arrow, document, grid, last_shown, line, number, padded, path, short, text
from .labels import Box, Label, place_labels

MARGIN = {"left": 54, "right": 20, "top": 30, "bottom": 48}
ZERO_WIDTH = 46
"""Room for what costs nothing, left of a logarithmic axis, which has no 0."""
EDGE = 8
"""Distance from the border of what lies beyond it."""


@dataclass(frozen=True)
class Point:
    """One method of a scatter plot.

    Attributes:
        cost: what it takes, 0 or more; less is better.
        quality: the mean over seeds.
        low, high: the least and the most of a seed.
        tip: what is shown at the point.
    """

    name: str
    cost: float
    quality: float
    low: float
    high: float
    tip: str


def pareto_front(points: Sequence[Point], lower_is_better: bool = False) -> list[Point]:
    """The points that no other beats: none costs at most as much and is better, or costs less and is as good.

    In the order of their cost. Of points that are equal in both, all are on the front.
    """
    sign = -1 if lower_is_better else 1
    front: list[Point] = []
    for point in sorted(points, key=lambda point: (point.cost, -sign * point.quality, point.name)):
        equal = front and (point.cost, point.quality) == (front[-1].cost, front[-1].quality)
        if not front or equal or sign * point.quality > sign * front[-1].quality:
            front.append(point)
    return front


def scatter(points: Sequence[Point], width: int, height: int, cost: str, quality: str, reference: str,
            logarithmic: bool, lower_is_better: bool = False) -> str:
    """The chart; an empty text where there is nothing to draw. What is far worse than all others is an arrow at the border."""
    if not points:
        return ""
    free = logarithmic and any(point.cost <= 0 for point in points)
    left = MARGIN["left"] + (ZERO_WIDTH if free else 0)
    frame = Box(left, MARGIN["top"], width - MARGIN["right"], height - MARGIN["bottom"])
    costs = [point.cost for point in points if point.cost > 0 or not logarithmic] or [1.0]
    across = Scale(*padded(costs, 0.08, logarithmic), frame.left, frame.right, logarithmic)
    sign = 1 if lower_is_better else -1
    limit = last_shown([point.quality for point in points], lower_is_better)
    beyond = [limit is not None and sign * point.quality > sign * limit for point in points]
    low, high = padded([value for point, out in zip(points, beyond) if not out for value in (point.low, point.high)], 0.1)
    # No score is below 0, so neither is the axis.
    up = Scale(max(low, 0.0) if min(point.low for point in points) >= 0 else low, high, frame.bottom, frame.top)

    def height_of(value: float) -> float:
        return min(max(up(value), frame.top + EDGE), frame.bottom - EDGE) if any(beyond) else up(value)

    def place(point: Point) -> tuple[float, float]:
        across_at = across(point.cost) if point.cost > 0 or not logarithmic else frame.left - (ZERO_WIDTH + 5) / 2
        return across_at, height_of(point.quality)

    parts = grid(across, up, cost, quality, (5 if width < 500 else 7, 6), ZERO_WIDTH if free else 0)
    front = pareto_front(points, lower_is_better)
    steps = _steps([place(point) for point in front], frame)
    parts.append(path(steps, "front"))
    bars = [(place(point)[0], height_of(point.high), height_of(point.low)) for point in points]
    obstacles = [Box(x - 3, high, x + 3, low) for x, high, low in bars]
    obstacles += [Box(min(x1, x2) - 1, min(y1, y2) - 1, max(x1, x2) + 1, max(y1, y2) + 1)
                  for (x1, y1), (x2, y2) in zip(steps, steps[1:])]
    whole = Box(frame.left - (ZERO_WIDTH if free else 0), frame.top, frame.right, frame.bottom)
    names = [f"{point.name} ({short(point.quality)})" if out else point.name for point, out in zip(points, beyond)]
    labels = place_labels([place(point) for point in points], names, whole, obstacles)
    parts += [_leader(label) for label in labels if label.leader]
    # The reference last, so that it lies on top.
    for point, bar, out in sorted(zip(points, bars, beyond), key=lambda found: found[0].name == reference):
        parts.append(_point(point, place(point), bar, point in front, point.name == reference, sign if out else 0))
    parts += [text(*label.baseline, name, "name reference" if point.name == reference else "name")
              for point, name, label in zip(points, names, labels)]
    described = f"{quality} against {cost}, {len(points)} methods; on the Pareto front: {', '.join(p.name for p in front)}"
    return document(width, height, "scatter", described, parts)


def _steps(corners: list[tuple[float, float]], frame: Box) -> list[tuple[float, float]]:
    """The border of what the front beats: level until the next point, which is better, and on to the right end."""
    points = [corners[0]]
    for x, y in corners[1:]:
        points += [(x, points[-1][1]), (x, y)]
    return points + [(frame.right, points[-1][1])]


def _leader(label: Label) -> str:
    return line(*label.point, *label.leader, "leader")


def _point(point: Point, at: tuple[float, float], bar: tuple[float, float, float], on_front: bool, is_reference: bool,
           beyond: int) -> str:
    """`beyond`: 1 where it lies above the plot, -1 below."""
    x, top, bottom = bar
    classes = "point" + (" on-front" if on_front else "") + (" reference" if is_reference else "")
    spread = ""
    if bottom - top > 0.5:
        ends = "".join(f"M{number(x - 3)} {number(y)}L{number(x + 3)} {number(y)}" for y in (top, bottom))
        spread = f'<path class="spread" d="M{number(x)} {number(top)}L{number(x)} {number(bottom)}{ends}"/>'
    return (f'<g class="{classes}" tabindex="0" data-method="{escape(point.name)}" data-tip="{escape(point.tip)}" role="img" '
            f'aria-label="{escape(point.tip)}">{spread}<circle class="reach" cx="{number(at[0])}" cy="{number(at[1])}" r="11"/>'
            + (arrow(*at, 0, beyond) if beyond else f'<circle class="dot" cx="{number(at[0])}" cy="{number(at[1])}" r="4.5"/>') + "</g>")
