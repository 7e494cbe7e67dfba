"""Code property graphs of a data set: how large they are, what their edges are, how many texts do not parse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tqdm import tqdm

from ..base import Example, Task
from .distribution import Histogram, histogram
from .sampling import spread


@dataclass
class GraphGroup:
    """The graphs of one split.

    Attributes:
        graphs: how many were made.
        edges: kind -> edges in all of them.
        broken: graphs with at least one diagnostic; they stay in the data, with the rest of their graph.
        diagnostics: kind of diagnostic -> how many.
        broken_ids: the first few examples with one.
    """

    graphs: int = 0
    edges: dict[str, int] = field(default_factory=dict)
    broken: int = 0
    diagnostics: dict[str, int] = field(default_factory=dict)
    broken_ids: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class GraphStatistics:
    """The graphs of one side: `nodes` and `points` have a group a split, as `splits` has."""

    nodes: Histogram
    points: Histogram
    splits: dict[str, GraphGroup]


SHOWN_IDS = 5


def graph_statistics(splits: Mapping[str, Sequence[Example]], task: Task, most: int,
                     progress: bool = False) -> dict[str, GraphStatistics]:
    """Side -> statistics, over at most `most` examples of each split, evenly spread; sides that are no code are left out.

    Cost: one to three milliseconds a graph.
    """
    from cpg import LANGUAGES

    chosen = {split: spread(examples, most) for split, examples in splits.items()}
    wanted: dict[str, dict[str, list[tuple[str, str, str]]]] = {"source": {}, "target": {}}
    for split, examples in chosen.items():
        wanted["source"][split] = [(example.id, example.source, example.language) for example in examples]
        answers = [(example.id, example.target, task.language_of_answers(example.language)) for example in examples]
        wanted["target"][split] = [(identity, text, language) for identity, text, language in answers
                                   if text is not None and language in LANGUAGES]
    total = sum(len(texts) for sides in wanted.values() for texts in sides.values())
    with tqdm(total=total, desc="graphs", unit="graph", delay=2.0, leave=False, disable=None if progress else True) as bar:
        return {side: _statistics(side, texts, bar) for side, texts in wanted.items() if any(texts.values())}


def _statistics(side: str, texts: Mapping[str, Sequence[tuple[str, str, str]]], bar: tqdm) -> GraphStatistics:
    from cpg import EDGE_KINDS, extract

    nodes: dict[str, list[int]] = {}
    points: dict[str, list[int]] = {}
    groups: dict[str, GraphGroup] = {}
    for split, rows in texts.items():
        group = groups[split] = GraphGroup(len(rows))
        edges: Counter[str] = Counter(dict.fromkeys(EDGE_KINDS, 0))
        diagnostics: Counter[str] = Counter()
        nodes[split], points[split] = [], []
        for identity, text, language in rows:
            graph = extract(text, language)
            nodes[split].append(len(graph.nodes))
            points[split].append(sum(point is not None for point in graph.nodes.point))
            edges.update(graph.edges.kind)
            diagnostics.update(diagnostic.kind for diagnostic in graph.diagnostics)
            if graph.diagnostics:
                group.broken += 1
                group.broken_ids += [identity] if len(group.broken_ids) < SHOWN_IDS else []
            bar.update()
        group.edges, group.diagnostics = dict(edges), dict(sorted(diagnostics.items()))
    return GraphStatistics(histogram(nodes, f"nodes of the graph of a {side}"),
                           histogram(points, f"points of control flow in the graph of a {side}"), groups)
