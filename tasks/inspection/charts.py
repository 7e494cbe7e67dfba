"""Histograms as inline SVG. Their colours are the variables of the page around them."""

from __future__ import annotations

from html import escape

from cpg.pictures.geometry import number

from .distribution import Histogram
from .wording import count, percent

WIDTH, HEIGHT = 520, 226
LEFT, RIGHT, TOP, BOTTOM = 40, 10, 22, 38
MOST_TICKS = 8
TICK_ROOM, LIMIT_ROOM = 44, 32
"""Pixels between two numbers on the axis, and beside the middle of the limit's name."""


def histogram_svg(histogram: Histogram) -> str:
    """One chart: the first group with numbers as bars, the others as lines; heights are shares of the group."""
    groups = {name: group for name, group in histogram.groups.items() if group.count}
    bins = len(histogram.edges)
    if not groups or not bins:
        return '<p class="none">nothing to count</p>'
    shares = {name: [found / group.count for found in group.bins] for name, group in groups.items()}
    top = max(max(values) for values in shares.values())
    step = (WIDTH - LEFT - RIGHT) / bins
    floor = HEIGHT - BOTTOM
    scale = (floor - TOP) / top

    def x(place: float) -> str:
        return number(LEFT + place * step)

    def y(share: float) -> str:
        return number(floor - share * scale)

    (first, bars), *lines = shares.items()
    parts = [_grid(top, scale, floor)]
    parts += [f'<rect class="bar {first}" x="{number(LEFT + place * step + 0.5)}" y="{y(share)}" width="{number(step - 1)}" '
              f'height="{number(share * scale)}"/>' for place, share in enumerate(bars) if share]
    for name, values in lines:
        steps = "".join(f"L{x(place)} {y(share)}L{x(place + 1)} {y(share)}" for place, share in enumerate(values))
        parts.append(f'<path class="step {name}" d="M{x(0)} {number(floor)}{steps}L{x(bins)} {number(floor)}"/>')
    parts += [_ticks(histogram, step, floor), _limit(histogram, step, floor)]
    parts += [f'<rect class="touch" x="{x(place)}" y="{TOP}" width="{number(step)}" height="{number(floor - TOP)}">'
              f"<title>{escape(_said(histogram, place))}</title></rect>" for place in range(bins)]
    return (f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(_summary(histogram))}">'
            f'{"".join(parts)}<text class="axis name" x="{WIDTH - RIGHT}" y="{HEIGHT - 6}">{escape(histogram.what)}</text></svg>')


def _grid(top: float, scale: float, floor: float) -> str:
    """The lines of the shares, at round percentages."""
    step = next(step for step in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5) if top / step <= 4.5)
    parts = []
    for tick in range(int(top / step + 1e-9) + 1):
        y = number(floor - tick * step * scale)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
                     f'<text class="axis share" x="{LEFT - 6}" y="{number(float(y) + 3.5)}">{100 * tick * step:g}%</text>')
    return "".join(parts)


def _ticks(histogram: Histogram, step: float, floor: float) -> str:
    edges = histogram.edges
    every = -(-len(edges) // MOST_TICKS)
    shown = {place: count(edge) for place, edge in enumerate(edges) if place % every == 0}
    if histogram.open_end and len(edges) > 1:
        last = len(edges) - 1
        shown = {place: text for place, text in shown.items() if (last - place) * step > TICK_ROOM} | {last: f"{count(edges[-1])}+"}
    return "".join(f'<text class="axis" x="{number(LEFT + place * step)}" y="{number(floor + 15)}">{text}</text>'
                   for place, text in shown.items())


def _limit(histogram: Histogram, step: float, floor: float) -> str:
    limit = histogram.limit
    if limit is None or limit >= histogram.edges[-1] + histogram.width:
        return ""
    x = LEFT + limit / histogram.width * step
    return (f'<line class="limit" x1="{number(x)}" x2="{number(x)}" y1="{TOP - 6}" y2="{number(floor)}"/>'
            f'<text class="limit" x="{number(min(x, WIDTH - RIGHT - LIMIT_ROOM))}" y="{TOP - 10}">limit {count(limit)}</text>')


def _said(histogram: Histogram, place: int) -> str:
    found = [f"{name} {percent(group.bins[place], group.count)} ({count(group.bins[place])})"
             for name, group in histogram.groups.items() if group.count]
    return f"{histogram.bin_name(place)}: {', '.join(found)}"


def _summary(histogram: Histogram) -> str:
    found = [f"{name} median {count(group.median)}, 95 % up to {count(group.high)}, longest {count(group.maximum)}"
             for name, group in histogram.groups.items() if group.count]
    return f"Histogram of {histogram.what}: {'; '.join(found)}"
