"""The page: one HTML text with the tables, charts, examples, style and script in it."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from html import escape

from .contents import costs_table, differences_table, facts, methods_table, missed_table, scores_table, trials_table
from .drawings import curve_figures, forest_figure, quality_figures
from .drilldown import MOST_POINTS, Drilldown, examples_within, methods_with_answers, with_graphs
from .folder import Comparison
from .html_text import bullets, choice, facts_list, json_text, pair, section, table
from .look import KINDS, asset, page_style
from .notes import notes, summary
from .wording import counted, metric_name

MOST_BYTES = 1_950_000
"""Of the page; what the examples take is made to fit."""
TEXT_SHARE = 0.6
"""Of the room that the rest of the page leaves: for the examples; what they do not need is for their graphs."""
SCRIPTS = ("page.js", "tables.js", "curves.js", "differences.js", "examples.js", "main.js")


def page(comparison: Comparison) -> str:
    """The page, of at most MOST_BYTES where the parts without the examples are."""
    sections = [(name, short, text) for name, short, text in _sections(comparison) if text]
    rest = len(_joined(comparison, sections, Drilldown([], 0)).encode())
    # The words around the examples, which a page without them has not.
    room = max(MOST_BYTES - rest - 8_000, 0)
    texts = examples_within(comparison, int(room * TEXT_SHARE))
    shown = with_graphs(texts, room - len(json_text(texts.examples).encode()))
    if shown.examples:
        examples = section("examples", "Examples", [_browser(comparison, shown)], _bounds(shown))
        sections.insert(-1, ("examples", "Examples", examples))
    return _joined(comparison, sections, shown)


def _joined(comparison: Comparison, sections: list[tuple[str, str, str]], shown: Drilldown) -> str:
    """The page of the (name, title in the navigation, HTML) of its parts."""
    parts = {
        "title": escape(f"Comparison of methods: {comparison.settings.get('task', 'unknown')}"),
        "summary": escape(summary(comparison)),
        "navigation": "".join(f'<a href="#{name}">{escape(short)}</a>' for name, short, _ in sections),
        "sections": "\n".join(text for _, _, text in sections),
        "templates": _templates(shown),
        "style": page_style(),
        "data": json_text(_data(comparison, shown)),
        "script": "(() => {\n\"use strict\";\nconst data = JSON.parse(document.getElementById(\"data\").textContent);\n"
                  + "\n".join(map(asset, SCRIPTS)) + "})();",
    }
    # The pieces are put side by side, not replaced one after the other: a text may hold the mark of another.
    pieces = asset("page.html").split("@")
    return "".join(parts[piece] if place % 2 else piece for place, piece in enumerate(pieces))


def _sections(comparison: Comparison) -> Iterator[tuple[str, str, str]]:
    """(name, title in the navigation, HTML) of each part but the examples; the HTML is empty where there is nothing to show."""
    reference = comparison.reference
    yield "scores", "Scores", section("scores", "Scores", _scores(comparison), (
        f"Mean ± standard deviation over seeds; below it the verdict against the reference, {reference}. The best mean is "
        "underlined."))
    yield "notes", "Notes", section("notes", "What can and cannot be concluded", [bullets(notes(comparison))])
    yield "differences", "Differences", section("differences", f"Differences to {reference}", _by_metric(
        comparison, lambda metric: forest_figure(comparison, metric) + _difference_table(comparison, metric)), (
            "Paired over test examples, so that what makes an example hard cancels out. Bars are bootstrap intervals."))
    yield "quality", "Quality and cost", section("quality", "Quality and cost", _by_metric(
        comparison, lambda metric: pair(quality_figures(comparison, metric))), (
            "Means over seeds, bars from the lowest to the highest seed. The orange line is the Pareto front: no method is cheaper "
            "and better than a filled point. It is drawn through means and knows no uncertainty."))
    yield "curves", "Training", section("curves", "Training", curve_figures(comparison), (
        "One line a method, the mean of its seeds at the steps that all of them reached."))
    yield "costs", "Costs", section("costs", "Costs", [table(costs_table(comparison), "Costs")], (
        "Means over seeds, their range below."))
    clean = scores_table(comparison, clean=True)
    yield "clean", "Near duplicates", section("clean", "Scores without near duplicates", (
        [table(clean, "Scores without near duplicates")] if len(clean.columns) > 2 else []),
        "Over the test examples that have no near duplicate in train.")
    yield "configuration", "Configuration", section("configuration", "Configuration", _configuration(comparison))


def _scores(comparison: Comparison) -> list[str]:
    parts = [table(scores_table(comparison), "Scores")]
    if comparison.missed:
        parts += ['<h3 id="missed">Runs without a result</h3>', table(missed_table(comparison), "Runs without a result")]
    return parts


def _by_metric(comparison: Comparison, draw: Callable[[str], str]) -> list[str]:
    """The buttons, and what `draw` makes for each metric, of which the chosen one is shown; nothing where it makes nothing."""
    drawn = [(metric, content) for metric in comparison.figures if (content := draw(metric))]
    names = [metric for metric, _ in drawn]
    if not drawn:
        return []
    chosen = comparison.headline if comparison.headline in names else names[0]
    parts = [choice("metric", [(metric, metric_name(metric)) for metric in names], chosen)] if len(names) > 1 else []
    return parts + [f'<div data-metric="{escape(metric)}"{"" if metric == chosen else " hidden"}>{content}</div>'
                    for metric, content in drawn]


def _difference_table(comparison: Comparison, metric: str) -> str:
    content = differences_table(comparison, metric)
    return f"<h3>Tests</h3>{table(content, f'Differences, {metric_name(metric)}')}" if content.rows else ""


def _bounds(shown: Drilldown) -> str:
    kept, total = len(shown.examples), shown.total
    parts = [f"All {total:,} test examples." if kept == total else
             f"{kept:,} of the {total:,} test examples, chosen by a hash of their ids so that the page stays under 2 MB."]
    if shown.graphs:
        why = ", so that the page stays under 2 MB; those on which methods disagree go first"
        parts.append(f"Graphs of {len(shown.graphs):,} of them{why if len(shown.graphs) < kept else ''}.")
    if shown.too_large:
        parts.append(f"{counted(shown.too_large, 'graph')} too large to be drawn (more than {MOST_POINTS} points, or a source "
                     "that was cut).")
    parts.append("An answer is right where it equals the gold answer but for white space; a method is, where most of its seeds "
                 "are. In the answers, what gold does not have is marked and what they lack is struck through.")
    return " ".join(parts)


def _browser(comparison: Comparison, shown: Drilldown) -> str:
    methods = "".join(f'<option value="{place}">{escape(method)}</option>'
                      for place, (method, _) in enumerate(methods_with_answers(comparison)))
    states = "".join(f'<option value="{value}">{text}</option>' for value, text in (
        ("all", "all"), ("correct", "correct"), ("incorrect", "incorrect"), ("disputed", "correct for some only"),
        ("differing", "differing answers")))
    return ('<div class="controls"><input id="query" type="search" placeholder="Search source, gold, answers" '
            'aria-label="Search source, gold answer, answers" autocomplete="off" spellcheck="false" aria-keyshortcuts="/">'
            f'<label>show <select id="state">{states}</select></label>'
            f'<label>of <select id="method"><option value="">any method</option>{methods}</select></label>'
            '<output id="found" for="query state method" aria-live="polite"></output></div>'
            '<div id="browser"><div id="list" role="region" aria-label="Examples"></div>'
            '<div id="example" aria-live="polite" tabindex="0" role="region" aria-label="Chosen example"></div></div>')


def _configuration(comparison: Comparison) -> list[str]:
    parts = ["<h3>Settings of the methods</h3>", table(methods_table(comparison), "Settings of the methods")]
    if comparison.tuning:
        parts[1] += f"<h3>Trials of the tuning</h3>{table(trials_table(comparison), 'Trials of the tuning')}"
    for title, pairs in facts(comparison):
        # The command and the settings are long, and first.
        parts.append(f"<div><h3>{escape(title)}</h3>{facts_list(pairs)}</div>")
    return [*parts[:2], f'<div class="facts-grid">{"".join(parts[2:])}</div>']


def _templates(shown: Drilldown) -> str:
    from cpg.pictures.svg import marker
    from cpg.pictures.theme import NAMES

    if not shown.graphs:
        return ""
    keys = "".join(f'<span><i class="key-{kind}"></i>{NAMES[kind]}</span>' for kind in KINDS)
    markers = "".join(map(marker, KINDS))
    tips = f'<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs>{markers}</defs></svg>'
    return tips + f'<template id="keys"><p class="keys">{keys}</p></template>\n' + "\n".join(
        f'<template id="graph-{place}">{svg}</template>' for place, svg in shown.graphs.items())


def _data(comparison: Comparison, shown: Drilldown) -> dict:
    """What the script reads."""
    from tasks import TASKS

    methods = methods_with_answers(comparison)
    names = [method for method, _ in methods]
    task = TASKS.get(comparison.settings.get("task", ""))
    return {"methods": methods, "reference": names.index(comparison.reference) if comparison.reference in names else -1,
            "metrics": [metric_name(metric) for metric in comparison.metrics], "placeholder": task.placeholder if task else None,
            "graphs": len(shown.graphs), "examples": shown.examples}
