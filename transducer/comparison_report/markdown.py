"""The report as Markdown."""
from __future__ import annotations

import re

from .contents import costs_table, differences_table, facts, methods_table, missed_table, scores_table
from .folder import Comparison
from .notes import notes, summary
from .tables import Cell, Table
from .wording import metric_name

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")


def markdown(comparison: Comparison) -> str:
    """The whole document."""
    reference = escape(comparison.reference)
    parts = [f"# Comparison of methods: {escape(comparison.settings.get('task', 'unknown'))}", escape(summary(comparison)),
             "## Scores", f"Mean ± standard deviation over seeds, and the verdict against {reference}.",
             table(scores_table(comparison))]
    if comparison.missed:
        parts += ["## Runs without a result", table(missed_table(comparison))]
    parts += ["## Notes", "\n".join(f"- {escape(note)}" for note in notes(comparison))]
    found = [(metric, differences_table(comparison, metric)) for metric in comparison.figures]
    for metric, differences in found:
        if differences.rows:
            parts += [f"## Differences to {reference}: {escape(metric_name(metric))}", table(differences)]
    clean = scores_table(comparison, clean=True)
    if len(clean.columns) > 2:
        parts += ["## Scores without near duplicates", "Over the test examples that have no near duplicate in train.",
                  table(clean)]
    parts += ["## Costs", "Means over seeds, their range in parentheses.", table(costs_table(comparison)),
              "## Settings of the methods", table(methods_table(comparison)), "## Configuration"]
    for title, pairs in facts(comparison):
        parts += [f"### {title}", "\n".join(f"- {escape(key)}: {code(value)}" for key, value in pairs)]
    return "\n\n".join(parts) + "\n"


def table(content: Table) -> str:
    """The table; cells in one line each."""
    heads = [escape(column.title.replace("\n", " ")) for column in content.columns]
    rules = ["---:" if column.look == "number" else "---" for column in content.columns]
    rows = [[_cell(cell) for cell in cells] for cells in content.rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (heads, rules, *rows))


def _cell(cell: Cell) -> str:
    text = f"**{escape(cell.text)}**" if cell.best else escape(cell.text)
    return f"{text} ({escape(cell.below)})" if cell.below else text


def escape(text: object) -> str:
    """Text in which no character is markup."""
    return _SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def code(text: str) -> str:
    """Text between back quotes, more of them than it has in a row."""
    shown = " ".join(text.split())
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{space}{shown}{space}{fence}"
