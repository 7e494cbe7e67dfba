"""Differences to the reference with their intervals: a forest plot."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ..wording import signed
from .axes import CHARACTER, Scale, arrow, document, last_shown, line, number, padded, short, text

ROW = 26
TOP, BOTTOM = 30, 46


@dataclass(frozen=True)
class Interval:
    """One row: a difference, the ends of its interval, and what is said of it (better, worse, tie or other words)."""

    name: str
    value: float
    low: float
    high: float
    verdict: str
    tip: str
    digits: int = 2


def forest(rows: Sequence[Interval], width: int, title: str, reference: str, lower_is_better: bool = False) -> str:
    """The chart, one row an interval in the order given; an empty text where there is none.

    A difference far worse than all others is an arrow at the border.
    """
    if not rows:
        return ""
    numbers = [f"{signed(row.value, row.digits)} [{signed(row.low, row.digits)}, {signed(row.high, row.digits)}]" for row in rows]
    wide = width >= 560
    # A narrow picture has the numbers in a line of their own, under the name.
    left = max(len(row.name) for row in rows) * CHARACTER + 14 if wide else 12
    right = width - (max(map(len, numbers)) * CHARACTER + 58 if wide else 12)
    step = ROW if wide else ROW + 16
    height = TOP + step * len(rows) + BOTTOM
    sign = 1 if lower_is_better else -1
    limit = last_shown([0.0, *(row.value for row in rows)], lower_is_better)
    beyond = [limit is not None and sign * row.value > sign * limit for row in rows]
    low, high = padded([0.0, *(end for row, out in zip(rows, beyond) if not out for end in (row.low, row.high))], 0.05)
    across = Scale(low, high, left, right)
    bottom = height - BOTTOM
    parts = [line(across(tick), TOP - 6, across(tick), bottom, "grid") for tick in across.ticks(5)]
    parts += [text(across(tick), bottom + 17, short(tick), "tick", "middle") for tick in across.ticks(5)]
    parts += [line(across(0), TOP - 10, across(0), bottom, "zero"),
              text(across(0), TOP - 14, reference, "name reference", _side(across))]
    parts.append(text((left + right) / 2, bottom + 36, title, "axis", "middle"))
    for place, (row, shown, out) in enumerate(zip(rows, numbers, beyond)):
        parts.append(_row(row, shown, TOP + step * place, step, across, width, wide, sign if out else 0))
    described = "; ".join(f"{row.name} {shown} {row.verdict}" for row, shown in zip(rows, numbers))
    return document(width, height, "forest", f"{title}: {described}", parts)


def _side(across: Scale) -> str:
    """The anchor with which a text above the zero line stays inside the picture."""
    share = (across(0) - across.start) / (across.end - across.start)
    return "start" if share < 0.2 else "end" if share > 0.8 else "middle"


def _row(row: Interval, shown: str, top: float, step: float, across: Scale, width: float, wide: bool, beyond: int) -> str:
    """`beyond`: 1 where its value lies to the right of the plot, -1 to the left."""
    y = top + (step / 2 if wide else step - 12)
    base = y + 4 if wide else top + 14
    verdict = row.verdict if row.verdict in ("better", "worse") else "tie"
    parts = [f'<rect class="reach" x="0" y="{number(top)}" width="{number(width)}" height="{number(step)}"/>',
             text(across.start - 10, base, row.name, "name", "end") if wide else text(across.start, base, row.name, "name"),
             *(_interval(row, across, y) if not beyond else [arrow((across.end if beyond > 0 else across.start) - 4 * beyond, y, beyond, 0)]),
             text(width - 52, base, shown, "value", "end"), text(width - 46, base, row.verdict, "verdict")]
    return (f'<g class="row {verdict}" tabindex="0" data-method="{escape(row.name)}" data-tip="{escape(row.tip)}" role="img" '
            f'aria-label="{escape(row.tip)}">{"".join(parts)}</g>')


def _interval(row: Interval, across: Scale, y: float) -> list[str]:
    low, high = across(row.low), across(row.high)
    return [line(low, y, high, y, "interval"), line(low, y - 4, low, y + 4, "interval"), line(high, y - 4, high, y + 4, "interval"),
            f'<rect class="dot" x="{number(across(row.value) - 4)}" y="{number(y - 4)}" width="8" height="8"/>']
