"""Writes the tables of the README and of docs/ from what was measured, which lies in docs/results.

    python docs/tables.py                                          every table anew, between its marks
    python docs/tables.py --take runs/study-asserts study-asserts  first the results of a comparison, under a name

A page marks where a table belongs by `<!-- NAME -->` and `<!-- end -->`: the rows of `results/NAME.jsonl`, one line a method.
`<!-- NAME differences -->` is the table of what `results/NAME.differences.json` says of the methods against the transducer,
`<!-- NAME budgets -->` of what it says of methods within one budget against the transducer in it. The marks in SIDE_BY_SIDE stand
for one table of several comparisons, which keeps the methods that it has. A test sees to it that every table is what this makes,
that a difference that a page tells with its interval elsewhere is one of a comparison (`without_comparison`), and that every loss
that the README and the page of methods tell is one that was measured (`without_row`).
"""
from __future__ import annotations

import argparse
import json
import re
import statistics
from pathlib import Path

from transducer.comparison.conclusions import conclusions
from transducer.comparison_report.folder import read_comparison
from transducer.comparison_report.wording import digits_of, interval, metric_name, signed
from transducer.measure import ResultRow
from transducer.report import grouped, markdown_table, spread
from transducer.results import read_rows
from transducer.storage import write_json, write_json_lines, write_text

DOCS = Path(__file__).resolve().parent
RESULTS = DOCS / "results"
PAGES = (DOCS.parent / "README.md", *sorted(DOCS.glob("*.md")))

SIDE_BY_SIDE = {"matrices": ("methods-embedded", "study-asserts", "study-summarization", "study-translation"),
                "few examples": ("few-asserts-200", "few-summarization-200", "few-translation-200")}
"""Mark -> the comparisons in the table's columns: their test losses, then exact answers and CodeBLEU of the last."""

BUDGETS = {
    8_000: ("no-graph:params=8000", "lora:params=8000", "adapter:params=8000", "prefix:params=8000", "prompt"),
    31_000: ("no-graph:params=31000", "lora:params=31000", "adapter:params=31000", "prefix:params=31000", "prompt:params=31000"),
    100_000: ("no-graph:params=100000", "lora", "adapter", "prefix:params=100000", "prompt:params=100000"),
}
"""Trained weights -> what is held against `transducer:params=N`; LoRA, adapters and prompts in their usual size where it is within
the budget, and is the largest."""

ABSENT = "–"

MARKED = re.compile(r"(<!-- (?P<mark>[^>]+?) -->\n)(?P<table>.*?)(<!-- end -->)", flags=re.DOTALL)

TOLD = re.compile(r"(?P<difference>\d+\.(?P<decimals>\d+))\s+\[(?P<low>[−+]?[\d.]+),\s+(?P<high>[−+]?[\d.]+)\]")

LOSS = re.compile(r"(?<![\d.,])\d\.\d{3}(?!\d)")
"""Losses and their differences, in nats, are told with three decimals, and nothing else is."""


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
    metrics = list(dict.fromkeys((comparison.headline, *(["codebleu"] if "codebleu" in comparison.metrics else []))))
    rows = read_rows(run)
    asked = {comparison.reference: comparison.methods, "transducer": comparison.methods}
    asked |= {f"transducer:params={size}": [f"transducer:params={size}", *others] for size, others in BUDGETS.items()
              if f"transducer:params={size}" in comparison.methods}
    found: dict[str, dict[str, list]] = {}
    for reference, methods in asked.items():
        told = conclusions(run, rows, [method for method in comparison.methods if method in methods], metrics, reference)
        for entry in told["comparisons"]:
            if not entry["clean"]:
                found.setdefault(reference, {}).setdefault(entry["metric"], []).append(
                    {key: entry[key] for key in ("method", "difference", "low", "high", "corrected_p", "verdict")})
    write_json(RESULTS / f"{name}.differences.json", found)


def filled(page: str) -> str:
    """A page with its tables made anew."""
    return MARKED.sub(lambda match: f"{match[1]}{_table(match['mark'], match['table'])}{match[4]}", page)


def marks(page: str) -> list[str]:
    """The tables that a page has."""
    return [match["mark"] for match in MARKED.finditer(page)]


def without_comparison(page: str) -> list[str]:
    """What a page says of differences with their intervals, between its tables, that no comparison in `results` says.

    A sentence says which of two is ahead, so a difference may stand there the other way round.
    """
    entries = [entry for path in RESULTS.glob("*.differences.json") for metrics in _told(path.name.partition(".")[0]).values()
               for entries in metrics.values() for entry in entries]
    measured = {digits: {_figures(sign, entry, digits) for entry in entries for sign in (1, -1)} for digits in (1, 2, 3)}
    return [match[0] for match in TOLD.finditer(MARKED.sub("", page))
            if tuple(float(match[name].replace("−", "-")) for name in ("difference", "low", "high"))
            not in measured[len(match["decimals"])]]


def without_row(page: str) -> list[str]:
    """What a page says of losses between its tables that is neither of a row in `results`, of a table's line nor of a comparison."""
    losses = [[row.test_loss for row in rows if row.test_loss is not None] for path in RESULTS.glob("*.jsonl")
              for rows in grouped(_rows(path.stem)).values()]
    entries = [entry for path in RESULTS.glob("*.differences.json") for metrics in _told(path.name.partition(".")[0]).values()
               for entry in metrics.get("test_loss", [])]
    measured = [figure for line in losses if line for figure in (statistics.fmean(line), (max(line) - min(line)) / 2, *line)]
    measured += [abs(entry[key]) for entry in entries for key in ("difference", "low", "high")]
    known = {f"{figure:.3f}" for figure in measured}
    return [figure for figure in LOSS.findall(MARKED.sub("", page)) if figure not in known]


def _figures(sign: int, entry: dict, digits: int) -> tuple[float, ...]:
    """A difference and its interval as they are rounded, by their size, from below to above."""
    ends = sorted(sign * entry[end] for end in ("low", "high"))
    return tuple(float(f"{value:.{digits}f}") for value in (abs(entry["difference"]), *ends))


def _table(mark: str, before: str) -> str:
    if mark in SIDE_BY_SIDE:
        return _side_by_side(SIDE_BY_SIDE[mark], before.splitlines())
    if mark.endswith(" differences"):
        return _differences(mark.removesuffix(" differences"))
    if mark.endswith(" budgets"):
        return _budgets(mark.removesuffix(" budgets"))
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
    """What every method has more than the transducer, with the paired 95 % interval and the verdict."""
    told = _told(name)
    metrics = told.get("transducer") or next(iter(told.values()))
    methods = list(dict.fromkeys(entry["method"] for entries in metrics.values() for entry in entries))
    cells = [[method, *(_difference(metric, entries, method) for metric, entries in metrics.items())] for method in methods]
    return _lines(["method", *map(metric_name, metrics)], cells)


def _budgets(name: str) -> str:
    """The test losses of the methods within each budget against that of the transducer."""
    columns = [(f"{size:,}", found["test_loss"], others) for size, others in BUDGETS.items()
               if (found := _told(name).get(f"transducer:params={size}"))]
    families = list(dict.fromkeys(method.partition(":")[0] for _, _, others in columns for method in others))
    cells = [[family, *(next((_difference("test_loss", entries, method) for method in others if method.partition(":")[0] == family))
                        for _, entries, others in columns)] for family in families]
    return _lines(["against", *(head for head, _, _ in columns)], [row for row in cells if set(row[1:]) != {ABSENT}])


def _told(name: str) -> dict[str, dict[str, list]]:
    return json.loads((RESULTS / f"{name}.differences.json").read_text(encoding="utf-8"))


def _difference(metric: str, entries: list[dict], method: str) -> str:
    found = next((entry for entry in entries if entry["method"] == method), None)
    digits = digits_of(metric)
    return f"{signed(found['difference'], digits)} {interval(found, digits)} {found['verdict']}" if found else ABSENT


def _lines(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    raise SystemExit(main())
