"""The flow graph of one body while it is built, and the targets that jumps go to.

A body is a function, a lambda, the initialisers of a class, or the top level of the text. Its points are
numbered 0 (ENTRY), 1 (EXIT), 2, ... in the order in which they are made. Several points may stand for one
node: a finalizer is built once for every way into it, so that a `return` inside try does not seem to flow on
to the statement after it; edges of the finished graph join what belongs to one node.

A *frontier* is the list of edges that wait for their target: (source, branch, implicit, completed). `implicit` marks
the flow of an exception that no throw statement raises; control dependence does not follow it. `completed` marks an
exception that goes on behind its source, the end of a finalizer: what the source defines has happened.
"""

from __future__ import annotations

from typing import NamedTuple

ENTRY, EXIT = 0, 1
NOWHERE = -1
"""In place of a node: none."""


class Pending(NamedTuple):
    """An edge without its target."""

    source: int
    branch: str | None = None
    implicit: bool = False
    completed: bool = False


class Edge(NamedTuple):
    """An edge to `target`."""

    target: int
    branch: str | None
    implicit: bool
    completed: bool = False


Frontier = list  # of Pending

_new = tuple.__new__
"""`_new(Edge, (...))` is `Edge(...)` in half the time."""


class FlowGraph:
    """Points and edges of one body. All lists are indexed by point."""

    def __init__(self, owner: int) -> None:
        self.owner = owner
        """The node whose body this is."""
        self.nodes = [NOWHERE, NOWHERE]
        """Node of a point; NOWHERE for joins and forks, and for ENTRY and EXIT until they have nodes."""
        self.kinds = ["entry", "exit"]
        """entry, exit, parameter, statement, condition, join, or fork: a place from which control goes on in several
        ways without a condition; forks are no points of the finished graph."""
        self.parts: list[tuple[int, ...]] = [(), ()]
        """The nodes whose text the point evaluates, in order."""
        self.successors: list[list[Edge]] = [[], []]
        self.bound: dict[int, tuple[int, ...]] = {}
        """Point -> the parts of it that bind names on its `true` and `iterate` ways only: patterns, loop variables."""
        self.waiting: dict[int, int] = {}
        """Point -> the call that it leaves to the ways out, see `cpg.deferred_calls`."""
        self.quits: set[int] = set()
        """Points that end the program: their way to EXIT passes nothing."""
        self.forks: set[int] = set()
        """The points whose kind is fork."""

    def add(self, node: int, kind: str, parts: tuple[int, ...]) -> int:
        """A new point."""
        if kind == "fork":
            self.forks.add(len(self.nodes))
        self.nodes.append(node)
        self.kinds.append(kind)
        self.parts.append(parts)
        self.successors.append([])
        return len(self.nodes) - 1

    def connect(self, frontier: Frontier, target: int) -> None:
        """Give every waiting edge its target."""
        successors = self.successors
        for source, branch, implicit, completed in frontier:
            successors[source].append(_new(Edge, (target, branch, implicit, completed)))

    def splice_joins(self) -> None:
        """Replace the joins, which loops use as the target of their back edges, by direct edges.

        A join has unlabelled edges only, so the label of the edge into it is kept. Edges are made unique.
        """
        joins = {point for point, kind in enumerate(self.kinds) if kind == "join"}
        if not joins:
            self.successors = [edges if len(edges) < 2 else list(dict.fromkeys(edges)) for edges in self.successors]
            return
        resolved: dict[int, list[Edge]] = {}
        for join in sorted(joins):
            resolved[join] = self._beyond(join, joins)
        for point, edges in enumerate(self.successors):
            if point in joins:
                self.successors[point] = []
                continue
            direct: list[Edge] = []
            for edge in edges:
                if edge.target in joins:
                    direct.extend(edge._replace(target=e.target) for e in resolved[edge.target])
                else:
                    direct.append(edge)
            self.successors[point] = list(dict.fromkeys(direct))

    def between_points(self) -> list[list[Edge]]:
        """`successors` with the edges into forks replaced by direct ones."""
        if not self.forks:
            return self.successors
        direct: list[list[Edge]] = []
        for edges in self.successors:
            direct.append([])
            for edge in edges:
                ends = self._beyond(edge.target, self.forks) if edge.target in self.forks else [edge]
                direct[-1] += [edge._replace(target=end.target) for end in ends]
        return direct

    def _beyond(self, join: int, joins: set[int]) -> list[Edge]:
        found: list[Edge] = []
        seen = {join}
        queue = [join]
        while queue:
            for edge in self.successors[queue.pop()]:
                if edge.target not in joins:
                    found.append(edge)
                elif edge.target not in seen:
                    seen.add(edge.target)
                    queue.append(edge.target)
        return found

    def predecessors(self) -> list[list[tuple[int, Edge]]]:
        """For each point its (source, edge) pairs."""
        result: list[list[tuple[int, Edge]]] = [[] for _ in self.nodes]
        for source, edges in enumerate(self.successors):
            for edge in edges:
                result[edge.target].append((source, edge))
        return result

    def line(self) -> list[int]:
        """The points from ENTRY on if each has one way on, without a loop or handlers; else none."""
        line = [ENTRY]
        while len(line) <= len(self.successors):
            ways_on = self.successors[line[-1]]
            if not ways_on:
                return line
            edge = ways_on[0]
            if len(ways_on) > 1 or (edge.branch == "exception" and edge.target != EXIT):
                break
            line.append(edge.target)
        return []

    def order(self) -> list[int]:
        """The points reachable from ENTRY in reverse post-order."""
        seen = {ENTRY}
        stack = [(ENTRY, iter(self.successors[ENTRY]))]
        finished: list[int] = []
        while stack:
            point, edges = stack[-1]
            for edge in edges:
                if edge.target not in seen:
                    seen.add(edge.target)
                    stack.append((edge.target, iter(self.successors[edge.target])))
                    break
            else:
                finished.append(point)
                stack.pop()
        finished.reverse()
        return finished


def evaluated_texts(graphs: list[FlowGraph]) -> dict[int, int]:
    """Every node whose text a point evaluates -> the node of that point; NOWHERE for points made of other texts.

    The text of a point that evaluates nothing belongs to the point around.
    """
    texts: dict[int, int] = {}
    for graph in graphs:
        for node, parts in zip(graph.nodes, graph.parts):
            if parts:
                texts.setdefault(node, NOWHERE)
            for part in parts:
                if texts.get(part) != part:
                    texts[part] = node
    return texts


def handle_exceptions(graphs: list[FlowGraph]) -> bool:
    """Whether some exception leads to a point, not only out of its body."""
    for graph in graphs:
        for edges in graph.successors:
            for edge in edges:
                if edge.branch == "exception" and edge.target != EXIT:
                    return True
    return False


# ------------------------------------------------------------------------------------- targets of jumps
class Target:
    """A loop, switch or labelled statement: takes break, continue and yield.

    `accepts` are the kinds of jump without a label that stop here; a label in `labels` stops any kind. `places`: what
    a goto may name in a switch -> the join in front of it.
    """

    def __init__(
        self, accepts: tuple[str, ...], labels: frozenset[str] = frozenset(), places: dict | None = None
    ) -> None:
        self.accepts = accepts
        self.labels = labels
        self.places = places or {}
        self.left: Frontier = []
        """Edges that leave: break and yield."""
        self.continued: Frontier = []
        self.fallen: Frontier = []
        """Edges into the next group of a switch."""

    def take(self, kind: str, label: str | None, frontier: Frontier) -> bool:
        """True when the jump ends here."""
        if label is None:
            if kind not in self.accepts:
                return False
        elif label not in self.labels or kind not in ("break", "continue"):
            return False
        where = {"continue": self.continued, "fallthrough": self.fallen}.get(kind, self.left)
        where.extend(frontier)
        return True


class Handlers:
    """A try with handlers: takes everything that is thrown."""

    def __init__(self) -> None:
        self.incoming: Frontier = []

    def take(self, kind: str, label: str | None, frontier: Frontier) -> bool:
        """True when the jump ends here."""
        if kind == "throw":
            self.incoming.extend(frontier)
        return kind == "throw"


class Finalizer:
    """A try with a finalizer: every jump out of `node` passes through it. Keeps them apart by where they go."""

    def __init__(self, node: int) -> None:
        self.node = node
        self.pending: dict[tuple[str, str | None], Frontier] = {}

    def take(self, kind: str, label: str | None, frontier: Frontier) -> bool:
        """True: every jump that is handed on to here passes through the finalizer first."""
        self.pending.setdefault((kind, label), []).extend(frontier)
        return True
