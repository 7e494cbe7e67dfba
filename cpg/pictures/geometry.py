"""Places and lines of a picture, in pixels, y downwards; sizes that all layouts share."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from cpg.pictures.scene import Box, Link, columns

FONT_SIZE = 12
COLUMN = 7.25
"""Width of one column of the fixed-width font at FONT_SIZE: 0.602 em in the common ones, rounded up."""
LABEL_SIZE = 10
LABEL_COLUMN = 6.05
NOTE_COLUMN = 5.45
"""Width of a column of a box's note, at 9 pixels."""
BOX_HEIGHT = 26
BOX_PADDING = 10
TIP = 10
"""How far the pointed sides of a condition reach beyond its text."""
FRAME_PADDING = 18
FRAME_TITLE = 24

Curve = tuple[float, ...]
"""Two numbers: a line to that point. Six: a cubic curve, two control points and the end."""


@dataclass(frozen=True)
class Place:
    """Where a box stands; `x`, `y` is its upper left corner."""

    box: Box
    x: float
    y: float
    width: float
    height: float = BOX_HEIGHT

    @property
    def center(self) -> float:
        """The x of its middle."""
        return self.x + self.width / 2

    @property
    def bottom(self) -> float:
        """The y of its lower side."""
        return self.y + self.height


@dataclass
class Route:
    """How a link runs. The arrow's tip is the end of the last curve."""

    link: Link
    start: tuple[float, float]
    curves: list[Curve]
    label_at: tuple[float, float] | None = None
    """Middle of the label's text; links that share a trunk share their label."""
    across: bool = False
    """From one body to another: drawn lightly, since it runs over what lies between."""


@dataclass(frozen=True)
class Frame:
    """The rectangle around a body."""

    title: str
    x: float
    y: float
    width: float
    height: float


@dataclass
class Picture:
    """All of it; nothing lies outside 0..width, 0..height."""

    width: float = 0
    height: float = 0
    places: dict[int, Place] = field(default_factory=dict)
    routes: list[Route] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)


def box_width(box: Box) -> float:
    """The width that the text of a box needs."""
    text = columns(box.text) * COLUMN
    note = columns(box.note) * NOTE_COLUMN + (6 if box.note and box.text else 0)
    tips = 2 * TIP if box.shape == "condition" else 0
    return float(round(max(text + note + 2 * BOX_PADDING + tips, 34)))


def label_width(label: str) -> float:
    """The width of a link's label."""
    return columns(label) * LABEL_COLUMN


def number(value: float) -> str:
    """A coordinate as text: one decimal at most, so that every machine writes the same."""
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text


def path_text(start: tuple[float, float], curves: list[Curve]) -> str:
    """A route as the `d` of an SVG path."""
    parts = ["M" + " ".join(map(number, start))]
    for curve in curves:
        parts.append(("L" if len(curve) == 2 else "C") + " ".join(map(number, curve)))
    return "".join(parts)


def outline(shape: str, width: float, height: float) -> str:
    """The `d` of a box of this shape with its upper left corner at 0, 0."""
    w, h = number(width), number(height)
    if shape == "condition":
        tip, right, middle = number(TIP), number(width - TIP), number(height / 2)
        return f"M{tip} 0L{right} 0L{w} {middle}L{right} {h}L{tip} {h}L0 {middle}Z"
    radius = height / 2 if shape in ("entry", "exit") else 9 if shape == "parameter" else 4
    r, right, low = number(radius), number(width - radius), number(height - radius)
    arc = f"A{r} {r} 0 0 1"
    return f"M{r} 0L{right} 0{arc} {w} {r}L{w} {low}{arc} {right} {h}L{r} {h}{arc} 0 {low}L0 {r}{arc} {r} 0Z"


def moved(picture: Picture, dx: float, dy: float) -> Picture:
    """The picture with everything shifted; its size stays."""
    places = {
        node: Place(place.box, place.x + dx, place.y + dy, place.width, place.height)
        for node, place in picture.places.items()
    }
    routes = []
    for route in picture.routes:
        curves = [tuple(v + (dy if i % 2 else dx) for i, v in enumerate(curve)) for curve in route.curves]
        label = (route.label_at[0] + dx, route.label_at[1] + dy) if route.label_at else None
        start = (route.start[0] + dx, route.start[1] + dy)
        routes.append(Route(route.link, start, curves, label, route.across))
    frames = [Frame(frame.title, frame.x + dx, frame.y + dy, frame.width, frame.height) for frame in picture.frames]
    return Picture(picture.width, picture.height, places, routes, frames)


def fitted(picture: Picture, margin: float) -> Picture:
    """The picture shifted and sized so that everything, control points too, keeps `margin` from its sides."""
    xs = [v for p in picture.places.values() for v in (p.x, p.x + p.width)]
    ys = [v for p in picture.places.values() for v in (p.y, p.bottom)]
    for frame in picture.frames:
        xs += [frame.x, frame.x + frame.width]
        ys += [frame.y, frame.y + frame.height]
    for route in picture.routes:
        for curve in route.curves:
            xs += curve[::2]
            ys += curve[1::2]
        if route.label_at:
            half = label_width(route.link.label) / 2
            xs += [route.label_at[0] - half, route.label_at[0] + half]
            ys += [route.label_at[1] - LABEL_SIZE, route.label_at[1] + LABEL_SIZE]
    left, top = min(xs, default=0.0), min(ys, default=0.0)
    result = moved(picture, margin - left, margin - top)
    result.width = float(math.ceil(max(xs, default=0.0) - left + 2 * margin))
    result.height = float(math.ceil(max(ys, default=0.0) - top + 2 * margin))
    return result
