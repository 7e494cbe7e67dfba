"""Scales with round ticks, and the frame that the charts share."""
from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

CHARACTER = 6.7
"""Width of a character of the fixed-width font at the size of labels, 11 pixels: 0.602 em in the common ones."""
LABEL_HEIGHT = 13
FEW = 8
"""Of fewer values none is left out of an axis."""


@dataclass(frozen=True)
class Scale:
    """From values to pixels.

    Attributes:
        low, high: the values at the ends.
        start, end: the pixels there; `end` may be the smaller one.
        logarithmic: whether equal distances are equal ratios; then `low` is above 0.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        low, high, value = (math.log10(x) if self.logarithmic else x for x in (self.low, self.high, value))
        share = (value - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)

    def ticks(self, count: int = 6) -> list[float]:
        """About `count` round values within the ends."""
        if self.logarithmic:
            return _logarithmic_ticks(self.low, self.high, count)
        step = round_step((self.high - self.low) / max(count, 1))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [round(step * place, 12) for place in range(first, last + 1)]


def round_step(step: float) -> float:
    """The one of ..., 1, 2, 5, 10, ... that is nearest to `step` by ratio."""
    if step <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(step))
    return min((power * factor for factor in (1, 2, 5, 10)), key=lambda found: (abs(math.log(found / step)), found))


def _logarithmic_ticks(low: float, high: float, count: int) -> list[float]:
    few = math.log10(high / low) < 2
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found = [factor * 10.0 ** power for power in powers for factor in ((1, 2, 5) if few else (1,))]
    inside = [tick for tick in found if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
    return inside if few else inside[::max(1, math.ceil(len(inside) / count))]


def padded(values: Sequence[float], share: float = 0.06, logarithmic: bool = False) -> tuple[float, float]:
    """The ends of an axis that shows all `values` and some room beside them."""
    low, high = min(values), max(values)
    if logarithmic:
        room = max((high / low) ** share, 1.25)
        return low / room, high * room
    room = (high - low) * share or max(abs(high) * share, 0.5)
    return low - room, high + room


def last_shown(values: Sequence[float], lower_is_better: bool) -> float | None:
    """The worst value that an axis has to show, where it need not show all; None where it must.

    Left out are values far worse than the others (beyond the worse quartile by three times the distance of the quartiles; at
    most a fifth of them), if the others take less than half of an axis that shows all. The good end is never cut.
    """
    if len(values) < FEW:
        return None
    sign = 1 if lower_is_better else -1
    found = sorted(sign * value for value in values)
    good, _, bad = statistics.quantiles(found, n=4)
    kept = [value for value in found if value <= bad + 3 * (bad - good)]
    if len(kept) == len(found) or 5 * len(kept) < 4 * len(found) or 2 * (kept[-1] - kept[0]) > found[-1] - found[0]:
        return None
    return sign * kept[-1]


def arrow(x: float, y: float, across: int, up: int) -> str:
    """A mark at the edge of a plot, for what lies beyond it to the right (1) or left (-1), above (1) or below (-1)."""
    tip, side = (x + 6 * across, y - 6 * up), 5
    base = [(x - side * up, y - side * across), (x + side * up, y + side * across)]
    return '<path class="dot" d="M' + "L".join(f"{number(a)} {number(b)}" for a, b in (*base, tip)) + 'Z"/>'


def number(value: float) -> str:
    """A coordinate, with one decimal at most, so that every machine writes the same."""
    text = f"{value:.1f}"
    return "0" if text in ("0.0", "-0.0") else text.removesuffix(".0")


def short(value: float) -> str:
    """A tick: 1,500; 20,000 as 20k, 220,000,000 as 220M."""
    if 1000 <= abs(value) < 10_000:
        return f"{value:,.0f}"
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}".replace("-", "−")
    return f"{value:.4g}".replace("-", "−")


def text(x: float, y: float, content: str, name: str = "", anchor: str = "start") -> str:
    """A text with its base line at `y`."""
    classes = f' class="{name}"' if name else ""
    where = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{number(x)}" y="{number(y)}"{classes}{where}>{escape(content)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, name: str) -> str:
    return f'<path class="{name}" d="M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}"/>'


def path(points: Sequence[tuple[float, float]], name: str) -> str:
    return f'<path class="{name}" d="M' + "L".join(f"{number(x)} {number(y)}" for x, y in points) + '"/>'


def document(width: float, height: float, name: str, label: str, parts: Sequence[str]) -> str:
    """The SVG element; `label` is what a reader of screens says."""
    size = f'viewBox="0 0 {number(width)} {number(height)}" width="{number(width)}" height="{number(height)}"'
    return f'<svg class="chart {name}" {size} role="img" aria-label="{escape(label)}">' + "".join(parts) + "</svg>"


def grid(across: Scale, up: Scale, across_title: str, up_title: str, counts: tuple[int, int], zero: float = 0) -> list[str]:
    """Lines and numbers of both axes and their titles. `across` runs to the right, `up` upwards.

    Args:
        counts: about how many ticks each has.
        zero: width of a column left of a logarithmic axis for what is 0 on it.
    """
    right, bottom, top = across.end, up.start, up.end
    left = across.start - zero
    parts = [_ground(across.start, top, right, bottom)]
    if zero:
        parts += [_ground(left, top, across.start - 5, bottom), text(left + (zero - 5) / 2, bottom + 17, "0", "tick", "middle")]
    for value in up.ticks(counts[1]):
        parts += [line(left, up(value), right, up(value), "grid"), text(left - 7, up(value) + 4, short(value), "tick", "end")]
    for value in across.ticks(counts[0]):
        parts += [line(across(value), bottom, across(value), top, "grid"),
                  text(across(value), bottom + 17, short(value), "tick", "middle")]
    parts += [text((left + right) / 2, bottom + 36, across_title, "axis", "middle"), text(left, top - 10, up_title, "axis")]
    return parts


def _ground(left: float, top: float, right: float, bottom: float) -> str:
    return (f'<rect class="plot" x="{number(left)}" y="{number(top)}" width="{number(right - left)}" '
            f'height="{number(bottom - top)}"/>')
