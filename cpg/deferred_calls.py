"""Calls that a statement leaves to the end of the function (Go's defer).

The statement is a point that evaluates the function and its arguments; the call is a point of its own on every way
out that comes after the statement, the last statement's call first. What waits at a way out is found by data flow:
a call *may* wait where some path from its statement leads, it *must* where all paths to there pass the statement. A
call that may wait, but need not, can be passed by. Calls that are left in a loop may run any number of times.

A point that can throw while calls wait has an `exception` edge to them, as in a try with a finalizer. Behind them
comes EXIT, whether they stop the exception or not.

Cost: a few passes over the body for each kind of fact, and a point for each call and each state that it is run in.
"""

from __future__ import annotations

from collections.abc import Callable

from cpg.flow_graph import ENTRY, EXIT, Edge, FlowGraph

CONDITIONAL_LIMIT = 50
"""In a body that defers more calls than this, all that may wait are drawn as if they must, and once, to bound the
edges."""


def add_deferred_calls(graph: FlowGraph, can_throw: Callable[[int, tuple[int, ...]], bool]) -> None:
    """Lead the ways out of the finished graph of a body through the calls that `graph.waiting` tells of.

    `can_throw(node, parts)` says whether a point can throw.
    """
    if graph.waiting:
        _DeferredCalls(graph).add(can_throw)


class _DeferredCalls:
    """Sets of waiting calls are bits of integers, numbered in the order in which the calls are left."""

    def __init__(self, graph: FlowGraph) -> None:
        self.graph = graph
        self.order = graph.order()
        reached = set(self.order)
        self.order += [point for point in range(len(graph.nodes)) if point not in reached]
        self.bits = {point: 1 << number for number, point in enumerate(sorted(graph.waiting))}
        before = self._before(union=True)
        # Whoever comes before another one in some run and never after it has fewer before it.
        points = sorted(graph.waiting, key=lambda point: (before[point].bit_count(), point))
        self.bits = {point: 1 << number for number, point in enumerate(points)}
        self.may = self._before(union=True)
        self.must = self._before(union=False) if len(points) <= CONDITIONAL_LIMIT else self.may
        self.calls = [graph.waiting[point] for point in points]
        self.loops = self._loops(points) if len(points) <= CONDITIONAL_LIMIT else [0] * len(points)
        self.ways: dict[tuple[int, int], list[int]] = {}
        """(may wait, must wait) -> the points at which the way out begins."""

    def _before(self, union: bool) -> list[int]:
        """The calls that wait before each point: on some path to it (`union`) or on all."""
        graph = self.graph
        predecessors = graph.predecessors()
        sources = [[source for source, _ in edges] for edges in predecessors]
        everything = 0 if union else (1 << len(self.bits)) - 1
        before = [everything if sources[point] and point != ENTRY else 0 for point in range(len(graph.nodes))]
        changed = True
        while changed:
            changed = False
            for point in self.order:
                if not sources[point] or point == ENTRY:
                    continue
                new = everything
                for source in sources[point]:
                    after = before[source] | self.bits.get(source, 0)
                    new = new | after if union else new & after
                if new != before[point]:
                    before[point] = new
                    changed = True
        return before

    def _loops(self, points: list[int]) -> list[int]:
        """For each call those that are left in the same loop, 0 where it is left once."""
        groups: dict[int, int] = {}
        for point in points:
            if self.may[point] & self.bits[point]:
                groups[self.may[point]] = groups.get(self.may[point], 0) | self.bits[point]
        return [groups[self.may[p]] if self.may[p] & self.bits[p] else 0 for p in points]

    def add(self, can_throw: Callable[[int, tuple[int, ...]], bool]) -> None:
        """Turn the edges to EXIT, and add those of exceptions."""
        graph = self.graph
        for point in range(len(graph.nodes)):
            edges = graph.successors[point]
            if not edges or point in graph.quits:
                continue
            own = self.bits.get(point, 0)
            turned: list[Edge] = []
            for edge in edges:
                if edge.target == EXIT:
                    ways = self._way_out(self.may[point] | own, self.must[point] | own)
                    turned += [Edge(way, edge.branch, edge.implicit) for way in ways]
                else:
                    turned.append(edge)
            throws = any(edge.branch == "exception" for edge in edges)
            if self.may[point] and not throws and graph.nodes[point] >= 0 and can_throw(graph.nodes[point], graph.parts[point]):
                turned += [Edge(way, "exception", True) for way in self._way_out(self.may[point], self.must[point])]
            graph.successors[point] = list(dict.fromkeys(turned))

    def _way_out(self, may: int, must: int) -> list[int]:
        """Where the way out begins: at a waiting call, or at EXIT."""
        state = may, must & may
        open_states: list[tuple[tuple[int, int], int]] = []
        while state[0] and state not in self.ways:
            last = state[0].bit_length() - 1
            group = self.loops[last] & state[0] or 1 << last
            open_states.append((state, group))
            state = state[0] & ~group, state[1] & ~group
        ways = self.ways.get(state, [EXIT])
        for (may, must), group in reversed(open_states):
            ways = self.ways[may, must] = self._run(group, ways, sure=bool(group & must))
        return ways

    def _run(self, group: int, behind: list[int], sure: bool) -> list[int]:
        """Points that run the calls of a group: one call, or those of a loop in any order and number."""
        graph = self.graph
        numbers = [number for number in reversed(range(group.bit_length())) if group >> number & 1]
        repeated = bool(self.loops[numbers[0]])
        runs = [graph.add(self.calls[number], "statement", ()) for number in numbers]
        for run in runs:
            graph.successors[run] = [Edge(target, None, False) for target in (runs if repeated else []) + behind]
        return runs if sure else runs + behind
