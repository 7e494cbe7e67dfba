"""Figures as tables in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from .distribution import Distribution, Histogram
from .figures import Figures
from .wording import count, cut_lines, flattened, percent, visible, words

BLOCKS = " ▁▂▃▄▅▆▇█"
MOST_VALUES = 12
MOST_BARS = 16
"""Blocks of a histogram in a line."""
SOURCE_LINES, TARGET_LINES = 14, 8
DISPENSABLE = ("mean", "5 %", "nodes 5 %", "to", "largest", "longest", "histogram", "unit")
"""Columns that are left out first where a table is too wide, in this order; JSON and page have all."""
WIDTH = 120
"""Characters of a line where standard output is no terminal: a table must not be cut in a log."""


def wide_console() -> Console:
    """The terminal, or standard output as if it were one of WIDTH columns."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH)


def show(figures: Figures, console: Console) -> None:
    """All figures, in the order in which the page has them."""
    splits = list(figures.counts)
    console.print(Text.assemble((visible(figures.name), "bold"), f"  task {figures.task.name}: {figures.task.summary}"))
    console.print(Text(f"content {figures.content_hash[:16]}", style="dim"))
    for table in (_counts(figures, splits), _lengths(figures), *_graphs(figures), _drops(figures),
                  *_categories(figures, splits), _overlaps(figures), _facts(figures)):
        if table is not None:
            title, table.title = table.title, None  # as a line of its own it may be wider than the table
            console.print()
            console.print(title)
            console.print(_fitting(table, console))
    for split, example in figures.examples:
        source = Text(cut_lines(example.source, SOURCE_LINES, console.width - 4))
        target = Text(cut_lines(example.target or "", TARGET_LINES, console.width - 4), style="green")
        title = Text(f"{split} · {visible(example.id)} · {example.language}")
        console.print()
        console.print(Panel(Text("\n").join([source, Text("─" * 8 + " target", style="dim"), target]), title=title,
                            title_align="left"))


def _table(title: str, columns: Iterable[str], left: int = 1, wraps: bool = False) -> Table:
    """A table whose first `left` columns hold words and whose others hold numbers; `wraps` where words may be many."""
    table = Table(title=Text(title, style="bold"))
    for place, name in enumerate(columns):
        table.add_column(Text(name), justify="left" if place < left else "right", no_wrap=not wraps or place >= left,
                         overflow="fold" if wraps else "ellipsis")
    return table


def _fitting(table: Table, console: Console) -> Table:
    """The table without the columns that a narrow terminal has no room for; no number is cut."""
    unbounded = console.options.update(width=10 * WIDTH)
    for name in DISPENSABLE if all(column.no_wrap for column in table.columns) else ():
        if console.measure(table, options=unbounded).maximum <= console.width:
            break
        table.columns = [column for column in table.columns if str(column.header) != name]
    return table


def _row(table: Table, *cells: str) -> None:
    table.add_row(*(Text(cell) for cell in cells))  # text of the data is no markup


def _counts(figures: Figures, splits: Sequence[str]) -> Table:
    table = _table("Examples", ["language", *splits, "all"])
    for language, counts in figures.languages.items():
        _row(table, language, *(count(counts[split]) for split in splits), count(sum(counts.values())))
    if len(figures.languages) > 1:
        _row(table, "all", *(count(figures.counts[split]) for split in splits), count(sum(figures.counts.values())))
    return table


def _lengths(figures: Figures) -> Table:
    title = "Lengths"
    if figures.looked_at != figures.counts:
        title += f" (of {', '.join(f'{count(found)} {split}' for split, found in figures.looked_at.items())} examples)"
    table = _table(title, ["side", "unit", "split", "histogram", "to", "mean", "5 %", "50 %", "95 %", "longest", "over limit"], 4)
    for side, units in figures.lengths.items():
        for unit, histogram in units.items():
            for split, group in histogram.groups.items():
                _row(table, side, unit, split, _bars(group), count(histogram.edges[-1]) if histogram.edges else "",
                     *_spread(group), _over(histogram, group))
        table.add_section()
    return table


def _bars(group: Distribution) -> str:
    together = -(-len(group.bins) // MOST_BARS)
    bars = [sum(group.bins[place:place + together]) for place in range(0, len(group.bins), together or 1)]
    most = max(bars, default=0)
    return "".join(BLOCKS[-(-found * (len(BLOCKS) - 1) // most)] for found in bars) if most else ""


def _spread(group: Distribution) -> list[str]:
    return [f"{group.mean:,.1f}", *(count(value) for value in (group.low, group.median, group.high, group.maximum))]


def _over(histogram: Histogram, group: Distribution) -> str:
    return "" if group.over is None else f"{percent(group.over, group.count)} of {count(histogram.limit or 0)}"


def _graphs(figures: Figures) -> list[Table]:
    tables = []
    for side, found in figures.graphs.items():
        kinds = list(next(iter(found.splits.values())).edges)
        table = _table(f"Graphs of {side}s: nodes, mean number of edges by kind, graphs with diagnostics",
                       ["split", "graphs", "nodes 5 %", "50 %", "95 %", "largest", *kinds, "diagnostics"])
        for split, group in found.splits.items():
            nodes = found.nodes.groups[split]
            _row(table, split, count(group.graphs), *_spread(nodes)[1:],
                 *(f"{group.edges[kind] / group.graphs:,.1f}" if group.graphs else "–" for kind in kinds),
                 f"{percent(group.broken, group.graphs)} ({count(group.broken)})")
        tables.append(table)
    return tables


def _drops(figures: Figures) -> Table | None:
    if not figures.drops:
        return None
    dropped, left = sum(figures.drops.values()), sum(figures.counts.values())
    table = _table(f"Dropped when the data set was made: {count(dropped)} of {count(dropped + left)} found",
                   ["reason", "dropped", "of those found"], wraps=True)
    for reason, many in sorted(figures.drops.items(), key=lambda item: -item[1]):
        _row(table, visible(words(reason)), count(many), percent(many, dropped + left))
    return table


def _categories(figures: Figures, splits: Sequence[str]) -> list[Table]:
    tables = []
    for category in figures.metadata.categories.values():
        table = _table(f"Metadata: {visible(category.name)}", ["value", *splits], wraps=True)
        shown = list(category.values.items())[:MOST_VALUES]
        rest = list(category.values.values())[MOST_VALUES:]
        if rest:
            shown.append((f"({len(rest)} more)", {split: sum(values[split] for values in rest) for split in splits}))
        for value, counts in shown:
            _row(table, visible(value), *(f"{count(counts[split])}  {percent(counts[split], figures.looked_at[split]):>7}"
                                          for split in splits))
        if category.missing:
            _row(table, f"(no value: {count(category.missing)})", *("" for _ in splits))
        tables.append(table)
    return tables


def _overlaps(figures: Figures) -> Table | None:
    if figures.threshold is None:
        return None
    sides = list(figures.task.compared)
    table = _table(f"Near duplicates (token 5-grams, Jaccard index {figures.threshold:g} or more)",
                   ["of", "in", *(f"{side}s" for side in sides), "on any side"], 2)
    for found in figures.overlaps:
        _row(table, found.split, found.pool, *(count(found.by_side[side]) for side in sides),
             f"{count(found.either)} ({percent(found.either, found.examples)})")
    return table


def _facts(figures: Figures) -> Table:
    table = _table("The data set says", ["fact", "value"], 2, wraps=True)
    for name, value in flattened(figures.facts):
        _row(table, visible(name), visible(value))
    others = ", ".join(figures.metadata.others)
    if others:
        _row(table, "other metadata", visible(others))
    return table
