"""Writes the tables of the README and of docs/ from what was measured, which lies in docs/results.

    python docs/tables.py                                          every table anew, between its marks
    python docs/tables.py --take runs/study-asserts study-asserts  first the results of a comparison, under a name

A page marks where a table belongs by `<!-- NAME -->` and `<!-- end -->`: the rows of `results/NAME.jsonl`, one line a method.
`<!-- NAME differences -->` is the table of what `results/NAME.differences.json` says of the methods against the reference. The
marks in SIDE_BY_SIDE stand for one table of several comparisons, which keeps the methods that it has. A test sees to it that
every table is what this makes.
"""
from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from transducer.comparison_report.folder import read_comparison
from transducer.comparison_report.wording import digits_of, interval, metric_name, signed
from transducer.measure import ResultRow
from transducer.report import grouped, markdown_table, spread
from transducer.results import read_rows
from transducer.storage import write_json, write_json_lines, write_text

DOCS = Path(__file__).resolve().parent
RESULTS = DOCS / "results"
PAGES = (DOCS.parent / "README.md", *sorted(DOCS.glob("*.md")))

SIDE_BY_SIDE = {"matrices": ("methods-embedded", "methods-java", "methods-translation")}
"""Mark -> the comparisons in the table's columns: their test losses, then exact answers and CodeBLEU of the last."""

MARKED = re.compile(r"(<!-- (?P<mark>[^>]+?) -->\n)(?P<table>.*?)(<!-- end -->)", flags=re.DOTALL)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--take", nargs=2, metavar=("RUN", "NAME"), help="copies the results of a comparison to docs/results first")
    options = parser.parse_args()
    if options.take:
        take(Path(options.take[0]), options.take[1])
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if (new := filled(text)) != text:
            write_text(page, new)
            print(page)
    return 0


def take(run: Path, name: str) -> None:
    """Copies the rows of a comparison, and its differences on the test loss and on the score that the task is judged by."""
    comparison = read_comparison(run)
    write_json_lines(RESULTS / f"{name}.jsonl", comparison.rows)
    metrics = list(dict.fromkeys(("test_loss", comparison.headline, *(["codebleu"] if "codebleu" in comparison.metrics else []))))
    found = {metric: [entry for method in comparison.methods if (entry := comparison.difference(method, metric))] for metric in metrics}
    write_json(RESULTS / f"{name}.differences.json", {"reference": comparison.reference, "metrics": found})


def filled(page: str) -> str:
    """A page with its tables made anew."""
    return MARKED.sub(lambda match: f"{match[1]}{_table(match['mark'], match['table'])}{match[4]}", page)


def marks(page: str) -> list[str]:
    """The tables that a page has."""
    return [match["mark"] for match in MARKED.finditer(page)]


def _table(mark: str, before: str) -> str:
    if mark in SIDE_BY_SIDE:
        return _side_by_side(SIDE_BY_SIDE[mark], before.splitlines())
    if mark.endswith(" differences"):
        return _differences(mark.removesuffix(" differences"))
    rows = _rows(mark)
    return markdown_table(rows, list(dict.fromkeys(metric for row in rows for metric in row.scores)))


def _rows(name: str) -> list[ResultRow]:
    return read_rows(RESULTS / f"{name}.jsonl")


def _side_by_side(names: tuple[str, ...], before: list[str]) -> str:
    rows = [grouped(_rows(name)) for name in names]
    lines = before[:2]
    for line in before[2:]:
        method = line.split(" | ")[0].removeprefix("| ")
        last = rows[-1][method]
        cells = [method, f"{last[0].trainable_parameters:,}", *(spread([row.test_loss for row in found[method]], 3) for found in rows),
                 *(spread([row.scores[metric] for row in last], 1) for metric in ("exact_match", "codebleu"))]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _differences(name: str) -> str:
    """What every method has more than the reference, with the paired 95 % interval and the verdict."""
    metrics = json.loads((RESULTS / f"{name}.differences.json").read_text(encoding="utf-8"))["metrics"]
    methods = list(dict.fromkeys(entry["method"] for entries in metrics.values() for entry in entries))
    lines = ["| method | " + " | ".join(f"{metric_name(metric)} | " for metric in metrics) + " |", "|---|" + "---:|---|" * len(metrics)]
    for method in methods:
        cells = [method]
        for metric, entries in metrics.items():
            found = next((entry for entry in entries if entry["method"] == method), None)
            digits = digits_of(metric)
            cells += [f"{signed(found['difference'], digits)} {interval(found, digits)}", found["verdict"]] if found else ["–", ""]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
