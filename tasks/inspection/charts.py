"""Histograms as inline SVG. Their colours are the variables of the page around them."""

from __future__ import annotations

from html import escape

from cpg.pictures.geometry import number

from .distribution import Histogram
from .wording import count, percent

WIDTH, HEIGHT = 520, 220
LEFT, RIGHT, TOP, BOTTOM = 40, 10, 16, 38
MOST_TICKS = 8


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
    every = -(-len(histogram.edges) // MOST_TICKS)
    return "".join(f'<text class="axis" x="{number(LEFT + place * step)}" y="{number(floor + 15)}">{count(edge)}</text>'
                   for place, edge in enumerate(histogram.edges) if place % every == 0)


def _limit(histogram: Histogram, step: float, floor: float) -> str:
    edges, limit = histogram.edges, histogram.limit
    if limit is None or len(edges) < 2 or limit >= edges[-1] + edges[1] - edges[0]:
        return ""
    x = LEFT + limit / (edges[1] - edges[0]) * step
    side, shift = ("end", -5) if x > WIDTH / 2 else ("start", 5)
    return (f'<line class="limit" x1="{number(x)}" x2="{number(x)}" y1="{TOP - 8}" y2="{number(floor)}"/>'
            f'<text class="limit" x="{number(x + shift)}" y="{TOP + 1}" text-anchor="{side}">limit {count(limit)}</text>')


def _said(histogram: Histogram, place: int) -> str:
    found = [f"{name} {percent(group.bins[place], group.count)} ({count(group.bins[place])})"
             for name, group in histogram.groups.items() if group.count]
    return f"{histogram.bin_name(place)}: {', '.join(found)}"


def _summary(histogram: Histogram) -> str:
    found = [f"{name} median {count(group.median)}, 95 % up to {count(group.high)}, longest {count(group.maximum)}"
             for name, group in histogram.groups.items() if group.count]
    return f"Histogram of {histogram.what}: {'; '.join(found)}"
