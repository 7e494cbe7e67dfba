"""Quality over a count on a logarithmic axis: a line a method, its spread over seeds, its name at its end."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from .axes import CHARACTER, LABEL_HEIGHT, Scale, document, grid, line, number, padded, path, text

MARGIN = {"left": 54, "right": 14, "top": 30, "bottom": 48}


@dataclass(frozen=True)
class Growth:
    """A method: (count, mean, least, most of a seed), in the order of the counts."""

    name: str
    points: Sequence[tuple[int, float, float, float]]


def growth(lines: Sequence[Growth], styles: dict[str, int], width: int, height: int, count: str, quality: str,
           reference: str) -> str:
    """The chart; an empty text where there is nothing to draw.

    Args:
        styles: place of a method's colour, by name.
        count: what is counted.
    """
    lines = [entry for entry in lines if entry.points]
    if not lines:
        return ""
    counts = [point[0] for entry in lines for point in entry.points]
    right = width - MARGIN["right"] - max(len(entry.name) for entry in lines) * CHARACTER - 10
    across = Scale(*padded(counts, 0.02, logarithmic=True), MARGIN["left"], right, logarithmic=True)
    up = Scale(*padded([value for entry in lines for point in entry.points for value in point[1:]]), height - MARGIN["bottom"],
               MARGIN["top"])
    parts = grid(across, up, count, quality, (6, 6))
    ends = set_apart([up(entry.points[-1][1]) for entry in lines], LABEL_HEIGHT, up.end, up.start)
    for entry, end in sorted(zip(lines, ends), key=lambda pair: pair[0].name == reference):  # the reference on top
        parts.append(_line(entry, styles[entry.name], across, up, right, end, entry.name == reference))
    return document(width, height, "growth", f"{quality} by {count}: " + ", ".join(entry.name for entry in lines), parts)


def set_apart(places: Sequence[float], distance: float, top: float, bottom: float) -> list[float]:
    """The places moved as little as a pass down and a pass up need for neighbours to be `distance` apart, within both ends."""
    order = sorted(range(len(places)), key=lambda i: (places[i], i))
    moved = [min(max(places[i], top), bottom) for i in order]
    for i in range(1, len(moved)):
        moved[i] = max(moved[i], moved[i - 1] + distance)
    limit = bottom
    for i in reversed(range(len(moved))):
        moved[i] = min(moved[i], limit)
        limit = moved[i] - distance
    found = [0.0] * len(places)
    for place, i in zip(moved, order):
        found[i] = place
    return found


def _line(entry: Growth, style: int, across: Scale, up: Scale, right: float, end: float, is_reference: bool) -> str:
    """Bars, line and points, and the name right of `right` at the height `end`."""
    points = [(across(count), up(mean)) for count, mean, _, _ in entry.points]
    bars = "".join(f'<path class="spread" d="M{number(x)} {number(up(low))}L{number(x)} {number(up(high))}"/>'
                   for (x, _), (_, _, low, high) in zip(points, entry.points) if abs(up(low) - up(high)) > 0.5)
    dots = "".join(f'<circle class="dot" cx="{number(x)}" cy="{number(y)}" r="3.2"/>' for x, y in points)
    x, y = points[-1]
    leader = line(x + 6, y, right + 4, end, "leader") if abs(end - y) > 2 or x < right - 20 else ""
    name = text(right + 8, end + 4, entry.name, "name reference" if is_reference else "name")
    inside = path(points, "stroke") + bars + dots + leader + name
    return f'<g class="curve style-{style}" data-method="{escape(entry.name)}">{inside}</g>'
