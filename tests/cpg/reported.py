"""Random programs that report what they do, held against their graphs; each language says how its programs report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

from cpg import CodePropertyGraph


class Reported:
    """The graph of a program in terms of its points that report, and what of it was seen.

    Args:
        graph: of the program.
        point_of: number that the program reports -> the point that it stands for.
        reporting: the points that report whenever control comes to them.
        seen: the steps and the flows that were seen, as pairs of numbers.
        bodies: nodes that are bodies of their own.
        is_local: whether flows of a variable are meant to be seen, all of them, where they stay within one body. What is
            captured late and what is defined weakly says what may be.
    """

    def __init__(
        self,
        graph: CodePropertyGraph,
        point_of: dict[int, int],
        reporting: set[int],
        seen: tuple[set, set],
        bodies: list[int] = (),
        is_local: Callable[[str], bool] = lambda variable: False,
    ) -> None:
        self.graph, self.point_of, self.reporting = graph, point_of, reporting
        self.points = points_of(graph)
        self.successors: dict[int, set[int]] = defaultdict(set)
        self.flows: set[tuple[int, int]] = set()
        self.local_flows: set[tuple[int, int]] = set()
        for source, target, kind, _, variable in graph.edges:
            if kind == "CFG":
                self.successors[source].add(target)
            elif kind == "DDG" and source != target:
                self.flows.add((source, target))
                if is_local(variable):
                    around = {innermost(graph, bodies, graph.nodes.start_byte[end]) for end in (source, target)}
                    if len(around) == 1:
                        self.local_flows.add((source, target))
        self.reached = self._beyond((n for n, point in enumerate(graph.nodes.point) if point == "entry"), set())
        self.seen_steps, self.seen_flows = map(self._of_points, seen)

    def _of_points(self, pairs: set) -> set[tuple[int, int]]:
        found = {(self.point_of[source], self.point_of[target]) for source, target in pairs}
        return {(source, target) for source, target in found if source != target}

    def _beyond(self, sources: Iterable[int], blocked: set[int]) -> set[int]:
        """What control comes to from the sources, up to the blocked points."""
        seen, queue = set(), list(sources)
        while queue:
            for target in self.successors[queue.pop()] - seen:
                seen.add(target)
                if target not in blocked:
                    queue.append(target)
        return seen

    def steps(self, reachable: bool = False) -> set[tuple[int, int]]:
        """Pairs of reporting points with a path from one to the other through points that do not report; with `reachable`
        of those that control comes to."""
        reporting = self.reporting & self.reached if reachable else self.reporting
        return {
            (source, target)
            for source in reporting
            for target in self._beyond({source}, self.reporting) & reporting
            if source != target
        }

    def reported_flows(self) -> list[tuple[int, int]]:
        """The local flows between points that have a number."""
        known = set(self.point_of.values())
        return [flow for flow in self.local_flows if {*flow} <= known]

    def happens(self, source: int, target: int) -> bool:
        """Whether the flow was seen, or one into a point in the text of its target, whose value depends on it."""
        start, end = self.graph.nodes.start_byte, self.graph.nodes.end_byte
        inside = [p for p in self.points if start[target] <= start[p] and end[p] <= end[target]]
        return any((source, point) in self.seen_flows for point in inside)

    def shown(self, pairs: set) -> list[str]:
        """The texts of pairs of points."""
        text = self.graph.nodes.text_of
        return [f"{text(source)[:60]!r} -> {text(target)[:60]!r}" for source, target in sorted(pairs)]


def points_of(graph: CodePropertyGraph) -> list[int]:
    """The points of a graph but ENTRY and EXIT."""
    return [node for node, point in enumerate(graph.nodes.point) if point not in (None, "entry", "exit")]


def innermost(graph: CodePropertyGraph, nodes: Iterable[int], place: int) -> int:
    """The shortest of the nodes around a byte."""
    start, end = graph.nodes.start_byte, graph.nodes.end_byte
    return min((n for n in nodes if start[n] <= place < end[n]), key=lambda node: end[node] - start[node])
