"""A table as rows of cells, written as Markdown or HTML by others."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cell:
    """One place of a table.

    Attributes:
        text: what is read.
        order: what a column is sorted by; None sorts last.
        below: a second, smaller line.
        look: a CSS class of the second line, where there is one, else of the text.
        best: whether it is the best of its column.
    """

    text: str
    order: float | str | None = None
    below: str = ""
    look: str = ""
    best: bool = False


@dataclass(frozen=True)
class Column:
    """`look` is `number`, `words` or empty; `tip` says what the figures are."""

    title: str
    look: str = "number"
    tip: str = ""


@dataclass(frozen=True)
class Table:
    """Rows under columns; the first cell of a row names it. `marked` is the name whose row is set off."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = field(default_factory=tuple)
    marked: str = ""


def name(text: str) -> Cell:
    """The first cell of a row."""
    return Cell(text, text)


def words(text: str) -> Cell:
    return Cell(text, text)
