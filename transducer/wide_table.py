"""A table of figures for the terminal, whatever the terminal's width."""
from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions
from rich.table import Table
from rich.text import Text

NARROWEST_NAME = 16
"""Columns that a name is given before the table is continued below."""
FRAME = 3
"""Columns of a cell's two blanks and its border."""


@dataclass
class WideTable:
    """Named lines of figures. Names give way first, by being folded; then the table is continued below, the names repeated.

    Figures are never cut, unless a single one is wider than the terminal. `headings` and figures are rich markup and may have
    several lines; a name is plain text. A line may have fewer figures than there are headings.
    """

    title: str
    headings: Sequence[str]
    name: str = "method"
    lines: list[tuple[str, Sequence[str]]] = field(default_factory=list)

    def add(self, name: str, *figures: str) -> None:
        self.lines.append((name, figures))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        widths = [max(map(_width, (heading, *(figures[place] for _, figures in self.lines if place < len(figures)))))
                  for place, heading in enumerate(self.headings)]
        name_width, parts = _layout(max(len(name) for name in (self.name, *(name for name, _ in self.lines))), widths, options.max_width)
        for number, places in enumerate(parts):
            table = Table(title=self.title if number == 0 else None)
            table.add_column(self.name, min_width=name_width, overflow="fold")
            for place in places:
                table.add_column(self.headings[place], justify="right", no_wrap=True)
            for name, figures in self.lines:
                table.add_row(Text(folded(name, name_width)), *(figures[place] for place in places if place < len(figures)))
            yield table


def folded(name: str, width: int) -> str:
    """A method's specification in lines of at most `width` characters, broken behind `:`, `,` and `+` where that is possible."""
    lines = [""]
    for piece in re.findall(r"[^:,+]+[:,+]*|[:,+]+", name):
        if lines[-1] and len(lines[-1]) + len(piece) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line[start:start + width] for line in lines for start in range(0, len(line), width))


def _layout(name: int, widths: Sequence[int], room: int) -> tuple[int, list[list[int]]]:
    """The width of the names, and the places of the columns of each part."""
    rest = room - sum(widths) - FRAME * (len(widths) + 1) - 1
    if rest >= min(name, NARROWEST_NAME):
        return min(name, rest), [list(range(len(widths)))]
    name = min(name, max(NARROWEST_NAME, room // 3))
    parts, left = [], 0
    for place, width in enumerate(widths):
        if width + FRAME > left or not parts:
            parts.append([])
            left = room - name - FRAME - 1
        parts[-1].append(place)
        left -= width + FRAME
    return name, parts


def _width(markup: str) -> int:
    return max(line.cell_len for line in Text.from_markup(markup).split(allow_blank=True))
