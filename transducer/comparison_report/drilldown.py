"""The examples of the page: source, gold answer, every method's answers, and graphs, within a bound of bytes."""
from __future__ import annotations

import hashlib
from dataclasses import dataclass

from .folder import Comparison, Json
from .html_text import json_text

LONGEST_SOURCE = 6000
"""Characters of a source or an answer that are shown."""
MOST_POINTS = 90
"""Points of a graph that is drawn; larger ones take long to lay out and cannot be read in a page."""
MOST_GRAPHS = 40


@dataclass(frozen=True)
class Drilldown:
    """What the page holds of the examples.

    Attributes:
        examples: what the script reads, in test order.
        graphs: place in `examples` -> SVG.
        total: examples of the comparison.
        too_large: shown examples whose graph has more than MOST_POINTS points.
    """

    examples: list[Json]
    graphs: dict[int, str]
    total: int
    too_large: int


def drilldown(comparison: Comparison, text_bytes: int, graph_bytes: int) -> Drilldown:
    """As many examples as `text_bytes` can hold, and as many of their graphs as `graph_bytes` can.

    Examples are chosen by a hash of their ids, graphs of examples on which the methods disagree first. Cost: of each
    graph some milliseconds a point.
    """
    methods = [method for method in comparison.methods if any((method, row["seed"]) in comparison.predictions
                                                              for row in comparison.done.get(method, ()))]
    if not methods:
        return Drilldown([], {}, len(comparison.examples), 0)
    total = len(comparison.examples)
    chosen, used = [], 0
    for place in sorted(range(total), key=lambda place: hashlib.sha256(str(comparison.examples[place].get("id")).encode()).digest()):
        content = _example(comparison, methods, place)
        used += len(json_text(content).encode()) + 1
        if used > text_bytes:
            break
        chosen.append((place, content))
    chosen.sort(key=lambda pair: pair[0])
    examples = [content for _, content in chosen]
    graphs, too_large = _graphs(comparison, [place for place, _ in chosen], examples, graph_bytes)
    return Drilldown(examples, graphs, total, too_large)


def methods_with_answers(comparison: Comparison) -> list[tuple[str, list[int]]]:
    """Methods and the seeds of which there are answers, in the order of an example's `by`."""
    found = ((method, [row["seed"] for row in comparison.done.get(method, ()) if (method, row["seed"]) in comparison.predictions])
             for method in comparison.methods)
    return [(method, seeds) for method, seeds in found if seeds]


def _example(comparison: Comparison, methods: list[str], place: int) -> Json:
    """Equal answers, of which there are many, stand in it once; `by` has places in `answers`, a list a method."""
    answers: dict[str, Json] = {}
    order: dict[str, int] = {}
    by = []
    first: Json = {}
    for method, seeds in methods_with_answers(comparison):
        entries = [comparison.predictions[method, seed][place] for seed in seeds]
        first = first or entries[0]
        for entry in entries:
            text = entry.get("prediction") or ""
            if text not in order:
                order[text] = len(order)
                answers[text] = _answer(comparison, entry)
        by.append([order[entry.get("prediction") or ""] for entry in entries])
    described = comparison.examples[place]
    source, gold = str(first.get("source") or ""), str(first.get("target") or "")
    example = {"id": str(described.get("id")), "language": described.get("language") or "", "near": bool(described.get("near_duplicate")),
               "source": source[:LONGEST_SOURCE], "gold": gold[:LONGEST_SOURCE], "answers": list(answers.values()), "by": by}
    return example | ({"cut": len(source)} if len(source) > LONGEST_SOURCE else {})


def _answer(comparison: Comparison, entry: Json) -> Json:
    scores = entry.get("scores") or {}
    text, gold = str(entry.get("prediction") or ""), str(entry.get("target") or "")
    # Tasks without exact match have no other notion of a right answer.
    right = scores["exact_match"] >= 100 if "exact_match" in scores else text.split() == gold.split()
    return {"text": text[:LONGEST_SOURCE], "right": int(right),
            "scores": [round(scores[metric], 1) if scores.get(metric) is not None else None for metric in comparison.metrics]}


def disputed(example: Json) -> bool:
    """Whether some answers are right and some are not."""
    return len({answer["right"] for answer in example["answers"]}) == 2


def _graphs(comparison: Comparison, places: list[int], examples: list[Json], graph_bytes: int) -> tuple[dict[int, str], int]:
    graphs: dict[int, str] = {}
    used = too_large = 0
    order = sorted(range(len(examples)), key=lambda shown: (not disputed(examples[shown]), len(examples[shown]["answers"]) < 2, shown))
    for shown in order:
        if len(graphs) == MOST_GRAPHS:
            break
        run = next(iter(comparison.predictions))
        svg = _graph(str(comparison.predictions[run][places[shown]].get("source") or ""), examples[shown]["language"])
        if svg is None:
            too_large += 1
            continue
        used += len(svg.encode()) + 60
        if used > graph_bytes:
            break
        if svg:
            graphs[shown] = svg
    return dict(sorted(graphs.items())), too_large


def _graph(source: str, language: str) -> str | None:
    """The picture; None where it would be too large, an empty text where the language has no graphs."""
    from cpg import LANGUAGES, extract
    from cpg.pictures.picture import draw
    from cpg.pictures.svg import inline_svg

    if not source or language not in LANGUAGES:
        return ""
    graph = extract(source, language)
    if sum(point is not None for point in graph.nodes.point) > MOST_POINTS:
        return None
    return inline_svg(draw(graph), f"Graph of the source: {len(graph.nodes)} nodes, {len(graph.edges)} edges")
