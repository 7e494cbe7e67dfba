"""What a person sees of a run: the settings, and the table at the end.

    python -m transducer.report runs/assert        prints the table of a run as Markdown
"""
from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from .commands import CommandParser, command_line
from .config import RunSettings, in_groups
from .results import read_rows
from .wide_table import WideTable

if TYPE_CHECKING:
    from .measure import ResultRow

FEW_EXACT = 10
"""Of fewer exact answers it says little that most are alike."""


def wide_console(quiet: bool = False) -> Console:
    """The terminal; 120 columns where standard output is none, since a table must not be cut in a log."""
    console = Console(quiet=quiet)
    return console if console.is_terminal else Console(quiet=quiet, width=120)


def print_settings(console: Console, settings: RunSettings) -> None:
    """Every setting that has a value, in the groups of `--help`."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for heading, entries in in_groups(type(settings)).items():
        values = {entry.name: getattr(settings, entry.name) for entry in entries}
        pairs = [f"{name}={' '.join(value) if isinstance(value, tuple) else value}" for name, value in values.items()
                 if value not in ("", ())]
        table.add_row(heading, Text("  ".join(pairs)))
    console.print("[bold]Settings[/bold]")
    console.print(Padding(table, (0, 0, 0, 2)))


def spread(values: Sequence[float | None], digits: int) -> str:
    """Mean, and half the range over seeds where there is more than one."""
    if not values or any(value is None for value in values):
        return "-"
    mean = f"{statistics.fmean(values):,.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ±{(max(values) - min(values)) / 2:,.{digits}f}"


COLUMNS = (
    ("trained\nweights", lambda rows: f"{rows[0].trainable_parameters:,}"),
    ("kB", lambda rows: f"{rows[0].artefact_bytes / 1000:,.0f}"),
    ("train\ns", lambda rows: spread([row.train_seconds for row in rows], 0)),
    ("peak\nMB", lambda rows: spread([row.train_peak_bytes and row.train_peak_bytes / 1e6 for row in rows], 0)),
    ("test loss\n(nats)", lambda rows: spread([row.test_loss for row in rows], 3)),
)


def grouped(rows: Sequence[ResultRow]) -> dict[str, list[ResultRow]]:
    """Rows by method with its settings, in the order in which the methods were run."""
    groups: dict[str, list[ResultRow]] = {}
    for row in rows:
        groups.setdefault(row.specification or row.method, []).append(row)
    return groups


def by_examples(rows: Sequence[ResultRow]) -> dict[tuple[str, str, str], list[ResultRow]]:
    """Rows by task, data, and the numbers of training and test examples."""
    sets: dict[tuple[str, str, str], list[ResultRow]] = {}
    for row in rows:
        sets.setdefault((row.task, row.data, f"{row.train_examples:,} / {row.test_examples:,}"), []).append(row)
    return sets


def _cells(rows: list[ResultRow], metrics: Sequence[str]) -> list[str]:
    done = [row for row in rows if row.status == "ok"]
    if not done:
        return [rows[0].status] + [""] * (len(COLUMNS) + len(metrics) - 1)
    return [column(done) for _, column in COLUMNS] + [
        spread([row.scores.get(metric) for row in done], 1) for metric in metrics]


def results_table(rows: Sequence[ResultRow], metrics: Sequence[str]) -> WideTable:
    """One line per method: mean and half range over its seeds. The first line's method is the one adapted."""
    seeds = max(len(group) for group in grouped(rows).values())
    title = f"{rows[0].task} on {rows[0].data}: {rows[0].test_examples} test examples"
    table = WideTable(title + (f", mean ± half range of {seeds} seeds" if seeds > 1 else ""),
                      [name for name, _ in COLUMNS] + [metric.replace("_", "\n") for metric in metrics])
    for method, group in grouped(rows).items():
        table.add(method, *_cells(group, metrics))
    return table


def footnotes(rows: Sequence[ResultRow]) -> list[str]:
    """What a reader of the table has to know: remarks, failures, what the figures mean."""
    notes = [f"{method}: {group[0].remark}" for method, group in grouped(rows).items() if group[0].remark]
    signatures: dict[str, None] = {}
    sets = by_examples(rows)
    for (task, data, _), examples in sets.items():
        of_set = [f"{row.method}, seed {row.seed} {row.status}: {row.reason}" for row in examples if row.status != "ok"]
        of_set += [*_template_notes(examples), *_clean_notes(examples)]
        notes += [f"{task} on {data}, {note}" for note in of_set] if len(sets) > 1 else of_set
        found = next((row.signatures for row in examples if row.signatures), {})
        signatures |= dict.fromkeys(f"{name}: {signature}" for name, signature in found.items())
    return [*notes, *signatures]


def _template_notes(rows: Sequence[ResultRow]) -> list[str]:
    """Where most of the exact answers come from one template."""
    notes = []
    for method, group in grouped([row for row in rows if row.status == "ok"]).items():
        details = group[0].score_details.get("exact_match", {})
        exact, alike = details.get("equal", 0), details.get("of_most_common_shape", 0)
        if exact >= FEW_EXACT and 2 * alike > exact:
            notes.append(f"{method}: {alike} of the {exact} exact answers of seed {group[0].seed} are of one shape, names and values aside, "
                         f"as are {details['references_of_that_shape']} of the {group[0].test_examples} references")
    return notes


def _clean_notes(rows: Sequence[ResultRow]) -> list[str]:
    """Scores without the test examples that have a near duplicate in train, where there are some."""
    notes = []
    for method, group in grouped([row for row in rows if row.status == "ok" and row.near_duplicate_percent]).items():
        scores = ", ".join(f"{name} {spread([row.clean_scores.get(name) for row in group], 1)}" for name in group[0].clean_scores)
        notes.append(f"{method} without the {group[0].near_duplicate_percent:.1f} % of test examples that have a near duplicate "
                     f"in train: {scores or 'none is left'}")
    return notes


def markdown_table(rows: Sequence[ResultRow], metrics: Sequence[str]) -> str:
    """The table as Markdown, for a README; rows of several tasks or data sets get columns that say which."""
    sets = by_examples(rows)
    which = ["task", "data", "train / test"] if len(sets) > 1 else []
    figures = [name.replace("\n", " ") for name, _ in COLUMNS] + [metric.replace("_", " ") for metric in metrics]
    lines = ["| " + " | ".join([*which, "method", *figures]) + " |", "|---" * len(which) + "|---|" + "---:|" * len(figures)]
    for names, examples in sets.items():
        lines += ["| " + " | ".join([*names[:len(which)], method, *_cells(group, metrics)]) + " |"
                  for method, group in grouped(examples).items()]
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    parser = CommandParser(prog="python -m transducer.report", description="Prints the results of runs as a Markdown table.")
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULTS", help="results.jsonl files, or run folders")
    options = parser.parse_args(arguments)
    rows = [row for path in options.results for row in read_rows(path)]
    metrics = list(dict.fromkeys(metric for row in rows for metric in row.scores))
    print(markdown_table(rows, metrics))
    for note in footnotes(rows):
        print(f"- {note}")
    return 0


if __name__ == "__main__":
    raise SystemExit(command_line(main))
