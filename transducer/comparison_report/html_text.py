"""Tables and other parts of the page as HTML text, everything escaped."""
from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any

from .tables import Cell, Table


def json_text(content: Any) -> str:
    """JSON that no text in it can end the script element around."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def section(name: str, title: str, parts: Sequence[str], lead: str = "") -> str:
    """A part of the page that the navigation leads to; an empty text where there are no parts."""
    if not parts:
        return ""
    intro = f'<p class="lead">{escape(lead)}</p>' if lead else ""
    return f'<section id="{name}"><h2>{escape(title)}</h2>{intro}{"".join(parts)}</section>'


def pair(figures: str) -> str:
    """Figures side by side where there is room; an empty text where there are none."""
    return f'<div class="pair">{figures}</div>' if figures else ""


def bullets(texts: Sequence[str]) -> str:
    return '<ul class="notes">' + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"


def facts_list(pairs: Sequence[tuple[str, str]]) -> str:
    rows = "".join(f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in pairs)
    return f'<div class="scroll"><dl>{rows}</dl></div>'


def choice(group: str, values: Sequence[tuple[str, str]], chosen: str) -> str:
    """Buttons of which one is pressed; the script shows what has its value as `data-GROUP`."""
    buttons = "".join(f'<button type="button" data-value="{escape(value)}" aria-pressed="{str(value == chosen).lower()}">'
                      f"{escape(title)}</button>" for value, title in values)
    return f'<div class="choice" data-choice="{group}" role="group" aria-label="{group.capitalize()}">{buttons}</div>'


def table(content: Table, label: str) -> str:
    """The table in a frame that scrolls; columns of more than one row can be sorted."""
    sortable = len(content.rows) > 1
    heads = "".join(_head(column.title, column.look, column.tip, sortable) for column in content.columns)
    rows = "".join(_row(cells, content) for cells in content.rows)
    return (f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}"><table><thead><tr>{heads}</tr></thead>'
            f"<tbody>{rows}</tbody></table></div>")


def _head(title: str, look: str, tip: str, sortable: bool) -> str:
    said = f' title="{escape(tip)}"' if tip else ""
    name = f' class="{look}"' if look else ""
    inner = f'<button type="button">{escape(title)}</button>' if sortable else f'<span class="plain">{escape(title)}</span>'
    sorting = ' aria-sort="none"' if sortable else ""
    return f'<th scope="col"{name}{said}{sorting}>{inner}</th>'


def _row(cells: Sequence[Cell], content: Table) -> str:
    marked = ' class="reference"' if content.marked and cells[0].text == content.marked else ""
    inner = "".join(_cell(cell, column.look, place == 0) for place, (cell, column) in enumerate(zip(cells, content.columns)))
    return f"<tr{marked}>{inner}</tr>"


def _cell(cell: Cell, look: str, first: bool) -> str:
    classes = " ".join(filter(None, (look, "best" if cell.best else "")))
    text = escape(cell.text)
    if cell.look and not cell.below:
        text = f'<span class="{cell.look}">{text}</span>'
    if cell.best:
        text = f"<b>{text}</b>"
    if cell.below:
        text += f'<small class="{cell.look}">{escape(cell.below)}</small>' if cell.look else f"<small>{escape(cell.below)}</small>"
    order = "" if cell.order is None else f' data-order="{escape(str(cell.order))}"'
    name = f' class="{classes}"' if classes else ""
    return f'<th scope="row"{name}{order}>{text}</th>' if first else f"<td{name}{order}>{text}</td>"
