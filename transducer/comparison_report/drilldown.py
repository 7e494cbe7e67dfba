"""The examples of the page: source, gold answer, every method's answers, and graphs, within a bound of bytes."""
from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from .folder import Comparison, Json
from .html_text import json_text
from .wording import finite

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
        total: examples of the comparison.
        graphs: place in `examples` -> SVG.
        too_large: examples that would have had a graph, but for its more than MOST_POINTS points.
    """

    examples: list[Json]
    total: int
    graphs: dict[int, str] = field(default_factory=dict)
    too_large: int = 0


def examples_within(comparison: Comparison, most_bytes: int) -> Drilldown:
    """As many examples as that many bytes of JSON can hold, chosen by a hash of their ids; no graphs yet."""
    total = len(comparison.examples)
    if not comparison.predictions:
        return Drilldown([], total)
    chosen, used = [], 0
    ids = [str(example.get("id")) for example in comparison.examples]
    for place in sorted(range(total), key=lambda place: hashlib.sha256(ids[place].encode()).digest()):
        content = _example(comparison, place)
        used += len(json_text(content).encode()) + 1
        if used > most_bytes:
            break
        chosen.append((place, content))
    return Drilldown([content for _, content in sorted(chosen, key=lambda pair: pair[0])], total)


def with_graphs(shown: Drilldown, most_bytes: int) -> Drilldown:
    """With as many graphs as that many bytes can hold, of examples on which the methods disagree first.

    Cost: a few milliseconds a point of each graph.
    """
    graphs: dict[int, str] = {}
    used = too_large = 0
    examples = shown.examples
    order = sorted(range(len(examples)), key=lambda at: (not disputed(examples[at]), len(examples[at]["answers"]) < 2, at))
    for place in order:
        # A source that was cut is not the one that the method's graph is of.
        svg = _graph(examples[place]) if "cut" not in examples[place] else None
        if svg is None:
            too_large += 1
            continue
        used += len(svg.encode()) + 60
        if used > most_bytes or len(graphs) == MOST_GRAPHS:
            break
        if svg:
            graphs[place] = svg
    return replace(shown, graphs=dict(sorted(graphs.items())), too_large=too_large)


def methods_with_answers(comparison: Comparison) -> list[tuple[str, list[int]]]:
    """Methods and the seeds of which there are answers, in the order of an example's `by`."""
    found = ((method, [row["seed"] for row in comparison.done.get(method, ()) if (method, row["seed"]) in comparison.predictions])
             for method in comparison.methods)
    return [(method, seeds) for method, seeds in found if seeds]


def _example(comparison: Comparison, place: int) -> Json:
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
    example = {"id": str(described.get("id")), "language": described.get("language") or "",
               "near": bool(described.get("near_duplicate")), "source": source[:LONGEST_SOURCE],
               "gold": gold[:LONGEST_SOURCE], "answers": list(answers.values()), "by": by}
    return example | ({"cut": len(source)} if len(source) > LONGEST_SOURCE else {})


def _answer(comparison: Comparison, entry: Json) -> Json:
    scores = entry.get("scores") or {}
    text, gold = str(entry.get("prediction") or ""), str(entry.get("target") or "")
    # Tasks without exact match have no other notion of a right answer.
    right = scores["exact_match"] >= 100 if "exact_match" in scores else text.split() == gold.split()
    return {"text": text[:LONGEST_SOURCE], "right": int(right),
            "scores": [round(scores[metric], 1) if finite(scores.get(metric)) else None for metric in comparison.metrics]}


def disputed(example: Json) -> bool:
    """Whether some answers are right and some are not."""
    return len({answer["right"] for answer in example["answers"]}) == 2


def _graph(example: Json) -> str | None:
    """The picture; None where it would be too large, an empty text where there are no graphs of the language."""
    from cpg import LANGUAGES, extract
    from cpg.pictures.picture import draw
    from cpg.pictures.svg import inline_svg

    if not example["source"] or example["language"] not in LANGUAGES:
        return ""
    graph = extract(example["source"], example["language"])
    if sum(point is not None for point in graph.nodes.point) > MOST_POINTS:
        return None
    return inline_svg(draw(graph), f"Graph of the source: {len(graph.nodes)} nodes, {len(graph.edges)} edges")
