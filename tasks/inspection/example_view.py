"""One example on the page: what it is, its target, and the viewer with its source beside its graph."""

from __future__ import annotations

import difflib
import re
from html import escape

from cpg import LANGUAGES, export, extract

from ..base import Example, Task
from .wording import count, visible, words

ALIKE = 0.6
"""From this share of common pieces on, source and target are shown as one text with its changes."""
LONGEST_COMPARED = 4000
"""Pieces of a text that is compared with another; the time grows with their product."""
LONGEST_VALUE = 120
"""Characters of metadata that are shown."""
LONG_LINE = 100
"""Columns of a source's line from which on the source is shown wrapped as well."""
_PIECE = re.compile(r"\w+|\s+|[^\w\s]")


def example_card(split: str, example: Example, task: Task, first: bool) -> str:
    """The card; only the first one is open.

    Cost: the layouts of the viewer, see `cpg.pictures.page`; for code answers twice.
    """
    answer = task.language_of_answers(example.language)
    target = example.target or ""
    viewer = _viewer(example.source, example.language, f"{example.id}: source")
    changes = _changes(example.source, target) if answer == example.language else ""
    shown = f'<h4>Target <small>{escape(answer)}</small></h4><pre>{_text(target)}</pre>'
    if changes:
        parts = [viewer, f"<h4>From source to target</h4><pre>{changes}</pre>"]
    elif max(map(len, example.source.splitlines()), default=0) > LONG_LINE:
        # The viewer does not wrap lines.
        source = f"<h4>Source <small>{escape(example.language)}</small></h4><pre>{_text(example.source)}</pre>"
        parts = [f'<div class="pair"><div>{source}</div><div>{shown}</div></div>', viewer]
    else:
        parts = [viewer, shown]
    if answer in LANGUAGES and task.placeholder is None and target:
        parts.append(f"<details><summary>Graph of the target</summary>{_viewer(target, answer, f'{example.id}: target')}</details>")
    parts.append(_around(example))
    lines = count(len(example.source.splitlines()))
    title = (f"<b>{_text(example.id)}</b><span>{escape(split)} · {escape(example.language)} · {lines} "
             f"{'line' if lines == '1' else 'lines'}</span>")
    return (f'<details class="card example"{" open" if first else ""}><summary>{title}</summary>{_chips(example)}'
            f"{''.join(parts)}</details>")


def _viewer(code: str, language: str, title: str) -> str:
    page = export(extract(code, language), "html", title=visible(title))
    return f'<div class="viewer"><iframe loading="lazy" title="{_text(title)}" srcdoc="{escape(page)}"></iframe></div>'


def _chips(example: Example) -> str:
    chips = []
    for name, value in example.metadata.items():
        text = "" if value is None or isinstance(value, (dict, list, tuple)) else visible(str(value))
        if text and "\n" not in text and len(text) <= LONGEST_VALUE:
            chips.append(f"<li><span>{_text(words(name))}</span> {escape(text)}</li>")
    return f'<ul class="chips">{"".join(chips)}</ul>' if chips else ""


def _around(example: Example) -> str:
    """Metadata of several parts, such as the `context` of mined rows: what stands around the source and no model is shown."""
    shown = []
    for name, value in example.metadata.items():
        if isinstance(value, dict) and any(value.values()):
            parts = (f"{words(str(part))}\n{_indented(held)}" for part, held in value.items() if held)
            shown.append(f"<details><summary>{_text(words(name).capitalize())}</summary><pre>{_text(chr(10).join(parts))}</pre></details>")
    return "".join(shown)


def _indented(value: object) -> str:
    lines = map(str, value) if isinstance(value, (list, tuple)) else str(value).split("\n")
    return "\n".join(f"    {line}" for line in lines)


def _changes(source: str, target: str) -> str:
    """Both texts as one, with what goes and what comes marked; empty where they have little in common."""
    before, after = _PIECE.findall(visible(source)), _PIECE.findall(visible(target))
    if max(len(before), len(after)) > LONGEST_COMPARED:
        return ""
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    if matcher.ratio() < ALIKE:
        return ""
    parts = []
    for kind, i, j, k, m in matcher.get_opcodes():
        gone, come = escape("".join(before[i:j])), escape("".join(after[k:m]))
        parts.append(gone if kind == "equal" else (f"<del>{gone}</del>" if gone else "") + (f"<ins>{come}</ins>" if come else ""))
    return "".join(parts)


def _text(text: str) -> str:
    return escape(visible(text))
