"""A picture as SVG text: light or dark as the reader's system is, no scripts, nothing loaded from elsewhere."""

from __future__ import annotations

from cpg.exports.graphml import escape
from cpg.pictures.geometry import (
    BOX_HEIGHT,
    BOX_PADDING,
    FONT_SIZE,
    LABEL_SIZE,
    NOTE_COLUMN,
    TIP,
    Frame,
    Picture,
    Place,
    Route,
    number,
    outline,
    path_text,
)
from cpg.pictures.scene import columns
from cpg.pictures.theme import DARK, FONT, LIGHT, NAMES

_SHAPES = ("statement", "condition", "parameter", "entry", "exit", "syntax")


def svg_text(picture: Picture, title: str) -> str:
    """The whole document.

    Args:
        picture: what to draw.
        title: for readers of screens; the name of the file, say.
    """
    width, height = number(picture.width), number(picture.height)
    kinds = sorted({route.link.kind for route in picture.routes}, key=("AST", "CFG", "DDG", "CDG").index)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" font-family="{escape(FONT)}">',
        f"<title>{escape(title)}</title>",
        f"<style>{style()}</style>",
        "<defs>" + "".join(marker(kind) for kind in kinds) + "</defs>",
        f'<rect class="ground" width="{width}" height="{height}"/>',
        *_parts(picture),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def inline_svg(picture: Picture, label: str) -> str:
    """The element for a page that has the `rules` and a `marker` a kind itself, once for all of its pictures.

    Args:
        picture: what to draw.
        label: for readers of screens.
    """
    width, height = number(picture.width), number(picture.height)
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return f'<svg {size} role="img" aria-label="{escape(label)}">' + "".join(_parts(picture)) + "</svg>"


def _parts(picture: Picture) -> list[str]:
    return [
        *(_frame(frame) for frame in picture.frames),
        *(_line(route) for route in picture.routes),
        *(_box(place) for _, place in sorted(picture.places.items())),
        *dict.fromkeys(_label(route) for route in picture.routes if route.label_at),
    ]


def style() -> str:
    """The rules of both themes."""
    return f"{rules(LIGHT)}@media (prefers-color-scheme: dark){{{rules(DARK)}}}"


def rules(theme: dict[str, str]) -> str:
    """The rules with the colours of a theme, which may be CSS variables."""
    rules = [
        f".ground{{fill:{theme['ground']}}}",
        f".frame rect{{fill:{theme['frame']};stroke:{theme['frame-line']}}}",
        f".frame text{{fill:{theme['muted']};font-size:11px;font-weight:600}}",
        f".box text{{fill:{theme['ink']};font-size:{FONT_SIZE}px}}",
        f".box .note{{fill:{theme['muted']};font-size:9px}}",
        f".label{{font-size:{LABEL_SIZE}px;text-anchor:middle;paint-order:stroke;stroke:{theme['frame']};"
        "stroke-width:3px;stroke-linejoin:round}",
    ]
    for shape in _SHAPES:
        rules.append(f".{shape} path{{fill:{theme[shape]};stroke:{theme[shape + '-line']}}}")
    rules.append(f".entry text,.exit text{{fill:{theme['end-ink']};font-weight:600}}")
    for kind in NAMES:
        rules.append(f".{kind}{{stroke:{theme[kind]}}}.label.{kind},marker .{kind}{{fill:{theme[kind]}}}")
        rules.append(f".label.{kind}{{stroke:{theme['frame']}}}")
    rules.append(".CDG{stroke-dasharray:5 3}.label{stroke-dasharray:none}.line{fill:none;stroke-width:1.3px}")
    rules.append(".line.CFG{stroke-width:1.7px}.line.AST,.line.across{stroke-width:1px}.across{opacity:.45}")
    return "".join(rules)


def marker(kind: str) -> str:
    """The arrow's tip of a kind of edge, for `defs`."""
    return (
        f'<marker id="tip-{kind}" viewBox="0 0 8 8" refX="7.6" refY="4" markerWidth="8" markerHeight="8" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path class="{kind}" stroke="none" d="M0 .6L8 4L0 7.4L1.8 4Z" '
        'style="stroke:none"/></marker>'
    )


def _frame(frame: Frame) -> str:
    box = f'x="{number(frame.x)}" y="{number(frame.y)}" width="{number(frame.width)}" height="{number(frame.height)}"'
    at = f'x="{number(frame.x + 14)}" y="{number(frame.y + 21)}"'
    return f'<g class="frame"><rect {box} rx="8"/><text {at}>{escape(frame.title)}</text></g>'


def _line(route: Route) -> str:
    kind = route.link.kind
    tip = "" if kind == "AST" else f' marker-end="url(#tip-{kind})"'
    lightly = " across" if route.across else ""
    return f'<path class="line {kind}{lightly}" d="{path_text(route.start, route.curves)}"{tip}/>'


def _label(route: Route) -> str:
    assert route.label_at is not None
    x, y = number(route.label_at[0]), number(route.label_at[1] + LABEL_SIZE * 0.34)
    lightly = " across" if route.across else ""
    return f'<text class="label {route.link.kind}{lightly}" x="{x}" y="{y}">{escape(route.link.label)}</text>'


def _box(place: Place) -> str:
    box = place.box
    y = number(BOX_HEIGHT / 2 + FONT_SIZE * 0.35)
    x = BOX_PADDING + (TIP if box.shape == "condition" else 0)
    texts = []
    if box.note:
        texts.append(f'<text class="note" x="{number(x)}" y="{y}">{escape(box.note)}</text>')
        x += columns(box.note) * NOTE_COLUMN + 6
    if box.shape in ("entry", "exit"):
        texts.append(f'<text x="{number(place.width / 2)}" y="{y}" text-anchor="middle">{escape(box.text)}</text>')
    elif box.text:
        texts.append(f'<text x="{number(x)}" y="{y}" xml:space="preserve">{escape(box.text)}</text>')
    shape = f'<path d="{outline(box.shape, place.width, place.height)}"/>'
    where = f"translate({number(place.x)} {number(place.y)})"
    return f'<g class="box {box.shape}" transform="{where}">{shape}{"".join(texts)}</g>'
