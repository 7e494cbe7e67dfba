"""Figures as one HTML text that loads nothing: tables, histograms as SVG, examples beside their graphs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources

from tqdm import tqdm

from cpg.pictures.theme import DARK, LIGHT

from .charts import histogram_svg
from .distribution import Histogram
from .example_view import example_card
from .figures import Figures
from .overlap import NearPair
from .wording import count, flattened, percent, visible, words

MOST_VALUES = 14
SPLIT_COLOURS = {"train": ("#2563eb", "#74a5ff"), "valid": ("#0f8a6c", "#4cc9a6"), "test": ("#c05a06", "#f2a355")}
"""Of each split on light and on dark ground."""
SHARED = ("ground", "frame", "frame-line", "ink", "muted")
"""Colours that the page has in common with the viewer."""


def render(figures: Figures, progress: bool = False) -> str:
    """The page.

    Cost: the layouts of the examples' graphs, up to a second each.
    """
    sections = {
        "lengths": ("Lengths", _lengths(figures)),
        "graphs": ("Graphs", _graphs(figures)),
        "metadata": ("Metadata", _metadata(figures)),
        "drops": ("Dropped", _drops(figures)),
        "near-duplicates": ("Near duplicates", _overlaps(figures)),
        "examples": ("Examples", _examples(figures, progress)),
        "facts": ("The data set says", _facts(figures)),
    }
    kept = {name: section for name, section in sections.items() if section[1]}
    parts = {
        "title": _text(figures.name),
        "style": _variables() + _asset("page.css"),
        "task": _text(f"{figures.task.name}: {figures.task.summary}"),
        "hash": figures.content_hash,
        "short-hash": figures.content_hash[:12],
        "links": "".join(f'<a href="#{name}">{title}</a>' for name, (title, _) in kept.items()),
        "tiles": _tiles(figures),
        "sections": "".join(f'<section id="{name}"><h2>{title}</h2>{body}</section>' for name, (title, body) in kept.items()),
        "script": _asset("page.js"),
    }
    pieces = _asset("page.html").split("@")
    return "".join(parts[piece] if place % 2 else piece for place, piece in enumerate(pieces))


# ------------------------------------------------------------------------------------------------ parts of the page
def _tiles(figures: Figures) -> str:
    total = sum(figures.counts.values())
    tiles = [(count(total), "examples", " · ".join(f"{count(found)} {split}" for split, found in figures.counts.items()))]
    languages = [f"{language} {percent(sum(counts.values()), total)}" for language, counts in figures.languages.items()]
    tiles.append((next(iter(figures.languages), "none"), "language", "of all examples") if len(languages) < 2 else
                 (count(len(languages)), "languages", ", ".join(languages[:4]) + (", …" if languages[4:] else "")))
    for side, units in figures.lengths.items():
        histogram = units["backbone tokens"]
        groups = histogram.groups.values()
        over, looked = sum(group.over or 0 for group in groups), sum(group.count for group in groups)
        tiles.append((percent(over, looked), f"{side}s too long", f"over {count(histogram.limit or 0)} backbone tokens: {count(over)}"))
    for side, found in figures.graphs.items():
        broken, graphs = (sum(getattr(group, name) for group in found.splits.values()) for name in ("broken", "graphs"))
        tiles.append((percent(broken, graphs), f"{side}s do not parse whole", f"{count(broken)} of {count(graphs)} graphs"))
    if figures.drops:
        most = max(figures.drops, key=figures.drops.__getitem__)
        tiles.append((count(sum(figures.drops.values())), "dropped", f"most: {words(most)}"))
    return "".join(f'<div class="tile"><b>{_text(value)}</b><span>{_text(name)}</span><small>{_text(more)}</small></div>'
                   for value, name, more in tiles)


def _lengths(figures: Figures) -> str:
    legend = _legend(split for split, found in figures.looked_at.items() if found)
    partly = ""
    if figures.looked_at != figures.counts:
        partly = " Of " + ", ".join(f"{count(found)} {split}" for split, found in figures.looked_at.items()) + " examples."
    note = ('<p class="note">Heights are shares of a split. Code tokens are words and single signs. Backbone tokens are those of '
            f"the embedded base model, with the task’s frame, the place of the answer and the end mark.{partly}</p>")
    cards = [_chart_card(f"{side.capitalize()}, {unit}", histogram)
             for side, units in figures.lengths.items() for unit, histogram in units.items()]
    return f'{note}{legend}<div class="charts">{"".join(cards)}</div>'


def _chart_card(title: str, histogram: Histogram) -> str:
    limit = histogram.limit is not None
    rows = [[split, f"{group.mean:,.1f}", *map(count, (group.low, group.median, group.high, group.maximum)),
             *([f"{percent(group.over or 0, group.count)} ({count(group.over or 0)})"] if limit else [])]
            for split, group in histogram.groups.items()]
    head = ["split", "mean", "5 %", "median", "95 %", "largest", *([f"over {count(histogram.limit or 0)}"] if limit else [])]
    return f'<figure class="card"><figcaption>{_text(title)}</figcaption>{histogram_svg(histogram)}{_table(head, rows)}</figure>'


def _graphs(figures: Figures) -> str:
    parts = []
    for side, found in figures.graphs.items():
        kinds = list(next(iter(found.splits.values())).edges)
        rows = [[split, count(group.graphs),
                 *(f"{group.edges[kind] / group.graphs:,.1f}" if group.graphs else "–" for kind in kinds),
                 f"{percent(group.broken, group.graphs)} ({count(group.broken)})",
                 ", ".join(f"{kind} {count(many)}" for kind, many in group.diagnostics.items()) or "–"]
                for split, group in found.splits.items()]
        table = _table(["split", "graphs", *kinds, "with diagnostics", "diagnostics"], rows)
        broken = [identity for group in found.splits.values() for identity in group.broken_ids]
        note = f'<p class="note">With diagnostics, for instance: {_text(", ".join(broken[:6]))}</p>' if broken else ""
        charts = "".join(_chart_card(title, histogram) for title, histogram in (
            (f"Nodes, {side}s", found.nodes), (f"Points of control flow, {side}s", found.points)))
        parts.append(f'<h3>{side.capitalize()}s</h3><div class="charts">{charts}</div><div class="card">{table}{note}</div>')
    graphs = max((group.graphs for found in figures.graphs.values() for group in found.splits.values()), default=0)
    note = (f'<p class="note">Code property graphs of up to {count(graphs)} examples of each split, evenly spread. A text that does '
            "not parse whole stays in the data; what could not be read is a node of its own. Under AST, CFG, DDG and CDG: edges of "
            "that kind, mean of a graph.</p>")
    return f"{note}{''.join(parts)}" if parts else ""


def _metadata(figures: Figures) -> str:
    cards = []
    splits = list(figures.counts)
    for category in figures.metadata.categories.values():
        total = sum(sum(counts.values()) for counts in category.values.values()) + category.missing
        rows = [(value, counts, sum(counts.values())) for value, counts in category.values.items()]
        shown, rest = rows[:MOST_VALUES], rows[MOST_VALUES:]
        if rest:
            shown.append((f"{len(rest)} more", {split: sum(counts[split] for _, counts, _ in rest) for split in splits},
                          sum(many for _, _, many in rest)))
        widest = max(many for _, _, many in shown)
        body = "".join(
            f'<tr><th scope="row">{_text(value)}</th><td class="bar"><i style="width:{100 * many / widest:.1f}%"></i></td>'
            f"<td>{percent(many, total)}</td>" + "".join(f"<td>{count(counts[split])}</td>" for split in splits) + "</tr>"
            for value, counts, many in shown)
        missing = f'<p class="note">{count(category.missing)} without a value</p>' if category.missing else ""
        head = "".join(f"<th>{name}</th>" for name in ("share", *splits))
        cards.append(f'<figure class="card"><figcaption>{_text(category.name)}</figcaption><div class="scroll"><table class="bars">'
                     f"<thead><tr><th></th><th></th>{head}</tr></thead><tbody>{body}</tbody></table></div>{missing}</figure>")
    others = [f"{_text(name)} ({count(many)} values)" if many else f"{_text(name)}" for name, many in figures.metadata.others.items()]
    note = f'<p class="note">Fields that are no categories: {", ".join(others)}.</p>' if others else ""
    return (f'<div class="columns">{"".join(cards)}</div>' if cards else "") + note


def _drops(figures: Figures) -> str:
    if not figures.drops:
        return ""
    dropped, left = sum(figures.drops.values()), sum(figures.counts.values())
    rows = "".join(
        f'<tr><th scope="row">{_text(words(reason))}</th><td class="bar"><i style="width:{100 * many / max(figures.drops.values()):.1f}%">'
        f"</i></td><td>{percent(many, dropped + left)}</td><td>{count(many)}</td></tr>"
        for reason, many in sorted(figures.drops.items(), key=lambda item: -item[1]) if many)
    return (f'<p class="note">Of {count(dropped + left)} that were found when the data set was made, {count(left)} are left and '
            f'{count(dropped)} were dropped. Shares are of those found.</p><div class="card scroll">'
            f'<table class="bars wide"><tbody>{rows}</tbody></table></div>')


def _overlaps(figures: Figures) -> str:
    if figures.threshold is None:
        return ""
    sides = figures.task.compared
    rows = [[f"{found.split} in {found.pool}", count(found.examples), *(count(found.by_side[side]) for side in sides),
             f"{percent(found.either, found.examples)} ({count(found.either)})"] for found in figures.overlaps]
    table = _table(["examples of", "examples", *(f"by {side}" for side in sides), "on any side"], rows)
    pairs = "".join(_pair(f"{found.split} in {found.pool}", pair) for found in figures.overlaps for pair in found.nearest)
    return (f'<p class="note">Texts whose sets of token 5-grams have a Jaccard index of {figures.threshold:g} or more with a text '
            f'of the other split.</p><div class="card">{table}</div>'
            + (f'<details class="card"><summary>The nearest pairs</summary>{pairs}</details>' if pairs else ""))


def _pair(where: str, pair: NearPair) -> str:
    return (f'<h4>{_text(where)}, by {pair.side}: index {pair.index:.2f}</h4><div class="pair">'
            + "".join(f"<div><p class='note'>{_text(identity)}</p><pre>{_text(text)}</pre></div>"
                      for identity, text in ((pair.id, pair.text), (pair.other_id, pair.other_text))) + "</div>")


def _examples(figures: Figures, progress: bool) -> str:
    bar = tqdm(figures.examples, desc="pictures", unit="example", delay=2.0, leave=False, disable=None if progress else True)
    return "".join(example_card(split, example, figures.task, first=place == 0) for place, (split, example) in enumerate(bar))


def _facts(figures: Figures) -> str:
    rows = "".join(f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd></div>" for name, value in flattened(figures.facts))
    return f'<dl class="card">{rows}</dl>' if rows else ""


# ------------------------------------------------------------------------------------------------------- small parts
def _text(text: str) -> str:
    return escape(visible(text))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    body = "".join(f'<tr><th scope="row">{_text(row[0])}</th>' + "".join(f"<td>{_text(cell)}</td>" for cell in row[1:]) + "</tr>"
                   for row in rows)
    return (f'<div class="scroll"><table class="numbers"><thead><tr>{"".join(f"<th>{_text(name)}</th>" for name in head)}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>")


def _legend(splits: Iterable[str]) -> str:
    """The first split is drawn as bars and the others as lines, as in `charts.histogram_svg`."""
    marks = [f'<li><i class="{"swatch" if place == 0 else "stroke"} {split}"></i>{split}</li>' for place, split in enumerate(splits)]
    return f'<ul class="legend">{"".join(marks)}<li><i class="limit"></i>the task’s limit</li></ul>'


def _asset(name: str) -> str:
    return (resources.files(__package__) / "page_parts" / name).read_text(encoding="utf-8")


def _variables() -> str:
    """The colours as CSS variables: by the system's theme, unless the page's button chose one."""
    light, dark = ("".join(f"--{name}:{theme[name]};" for name in SHARED)
                   + "".join(f"--{split}:{colours[place]};" for split, colours in SPLIT_COLOURS.items())
                   for place, theme in enumerate((LIGHT, DARK)))
    return (f":root{{color-scheme:light dark;{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"
            f":root[data-theme=light]{{color-scheme:light;{light}}}:root[data-theme=dark]{{color-scheme:dark;{dark}}}\n")
