"""Labels beside points, placed so that none covers another label or a point."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .axes import CHARACTER, LABEL_HEIGHT

ANGLES = tuple(math.radians(degrees) for degrees in (0, 180, 90, 270, 45, 315, 135, 225, 20, 340, 160, 200, 65, 115, 245, 295))
DISTANCES = (9, 14, 20, 28, 38, 50, 64, 80, 98, 118, 140, 170, 200)
NEAR = 15
"""Up to that distance a label needs no line to its point."""
ROUNDS = 3


@dataclass(frozen=True)
class Box:
    """A rectangle; `left`, `top` is its upper left corner."""

    left: float
    top: float
    right: float
    bottom: float

    def shared(self, other: Box) -> float:
        """The area that both cover; less than a thousandth of a pixel is rounding."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return wide * high if wide > 1e-3 and high > 1e-3 else 0.0


@dataclass(frozen=True)
class Label:
    """Where a label stands; where it stands off its point, `leader` is the end of the line that leads to it."""

    point: tuple[float, float]
    box: Box
    leader: tuple[float, float] | None

    @property
    def baseline(self) -> tuple[float, float]:
        return self.box.left + 1, self.box.bottom - 3.5


def place_labels(points: Sequence[tuple[float, float]], names: Sequence[str], frame: Box,
                 obstacles: Sequence[Box] = ()) -> list[Label]:
    """A label for each point.

    Every label takes the nearest place that is free of points, obstacles and labels and lies within the frame; where
    there is none, the one that covers least. Some rounds let the first ones give way to the last ones.
    Deterministic. Cost: some milliseconds a point.
    """
    dots = [Box(x - 5, y - 5, x + 5, y + 5) for x, y in points]
    choices = [_choices(place, points, names[place], frame, dots, obstacles) for place in range(len(points))]
    placed: list[Label | None] = [None] * len(points)
    # The ones with the most neighbours have the least choice.
    order = sorted(range(len(points)), key=lambda i: (-sum(math.dist(points[i], p) < 60 for p in points), i))
    for _ in range(ROUNDS):
        before = list(placed)
        for index in order:
            placed[index] = _best(choices[index], [label for place, label in enumerate(placed) if label and place != index])
        if placed == before:
            break
    return [label for label in placed if label is not None]


def _choices(place: int, points: Sequence[tuple[float, float]], name: str, frame: Box, dots: list[Box],
             obstacles: Sequence[Box]) -> list[tuple[float, Label]]:
    """The places of a label and what each costs by itself, the cheapest and nearest first."""
    found = []
    others = [dot for index, dot in enumerate(dots) if index != place]
    for distance in DISTANCES:
        for angle in ANGLES:
            label = _candidate(points[place], name, distance, angle)
            covered = _area(label.box) - label.box.shared(frame)
            covered += sum(label.box.shared(box) for box in dots) + sum(label.box.shared(box) for box in obstacles)
            found.append((100 * covered + 15 * sum(_hits(_line(label), dot) for dot in others) + distance, label))
    return sorted(found, key=lambda choice: choice[0])


def _best(choices: list[tuple[float, Label]], others: list[Label]) -> Label:
    best, least = None, math.inf
    for alone, label in choices:
        if alone >= least:
            break
        cost = alone + 100 * sum(label.box.shared(other.box) for other in others)
        if cost < least:
            cost += 60 * sum(_crosses(label, other) for other in others)
        if cost < least:
            best, least = label, cost
    return best


def _candidate(point: tuple[float, float], name: str, distance: float, angle: float) -> Label:
    width, height = len(name) * CHARACTER + 2, LABEL_HEIGHT
    x, y = point[0] + distance * math.cos(angle), point[1] - distance * math.sin(angle)
    # The side of the box that faces the point stands at the distance.
    left = x - width * (1 - math.cos(angle)) / 2
    top = y - height * (1 + math.sin(angle)) / 2
    box = Box(left, top, left + width, top + height)
    if distance <= NEAR:
        return Label(point, box, None)
    return Label(point, box, (min(max(point[0], box.left), box.right), min(max(point[1], box.top), box.bottom)))


def _area(box: Box) -> float:
    return (box.right - box.left) * (box.bottom - box.top)


def _crosses(label: Label, other: Label) -> bool:
    """Whether the line of one runs through the box or the line of the other."""
    first, second = _line(label), _line(other)
    return _hits(first, other.box) or _hits(second, label.box) or _meet(first, second)


def _line(label: Label) -> tuple[tuple[float, float], tuple[float, float]] | None:
    return (label.point, label.leader) if label.leader else None


def _hits(line, box: Box) -> bool:
    """Judged at points along the line; boxes are wider than the steps between them."""
    if line is None:
        return False
    (x1, y1), (x2, y2) = line
    if max(x1, x2) < box.left or min(x1, x2) > box.right or max(y1, y2) < box.top or min(y1, y2) > box.bottom:
        return False
    steps = 16
    return any(box.left <= x1 + (x2 - x1) * i / steps <= box.right and box.top <= y1 + (y2 - y1) * i / steps <= box.bottom
               for i in range(steps + 1))


def _meet(first, second) -> bool:
    if first is None or second is None:
        return False
    (a, b), (c, d) = first, second
    return _turn(a, b, c) != _turn(a, b, d) and _turn(c, d, a) != _turn(c, d, b)


def _turn(a, b, c) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) > (b[1] - a[1]) * (c[0] - a[0])
