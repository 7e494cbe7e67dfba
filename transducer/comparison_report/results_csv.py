"""The rows of a comparison as CSV: one line a run."""
from __future__ import annotations

import csv
import io
import json

from .folder import Comparison

FIRST = ("method", "specification", "seed", "status", "reason")
NESTED = {"scores": "score", "clean_scores": "clean_score", "cost": "cost"}
"""Fields that hold several figures, and what their columns begin with."""
LEFT_OUT = ("schema", "signatures", "packages", "score_details", "preparation", "tuning", "folder")
"""The same for all runs, or of no use in a table; `results.jsonl` has them."""


def results_csv(comparison: Comparison) -> str:
    """The text, with a line of names first; lines end as RFC 4180 asks."""
    columns = dict.fromkeys(FIRST)
    lines = [_line(row) for row in comparison.rows]
    for line in lines:
        columns |= dict.fromkeys(line)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), restval="")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _line(row: dict) -> dict:
    line = {}
    for name, value in row.items():
        if name in NESTED:
            line |= {f"{NESTED[name]}_{metric}": figure for metric, figure in (value or {}).items()}
        elif name not in LEFT_OUT:
            line[name] = json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else value
    return line
