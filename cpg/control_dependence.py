"""Control dependence (Ferrante, Ottenstein, Warren: The Program Dependence Graph, TOPLAS 1987).

Y depends on the condition X with branch b if the edge of X labelled b leads to a place from which every path
reaches Y, while some path from X does not: for each edge X -> Z, the post-dominators of Z up to, and without,
the immediate post-dominator of X. Post-dominators are dominators of the reversed graph, found by the
iterative algorithm of Cooper, Harvey, Kennedy (A Simple, Fast Dominance Algorithm, 2001).

Only explicit transfers of control count: exceptions that no throw statement raises are left out, and so is
the way from a handler that does not take an exception to the next one. A loop that
is never left gets a way to EXIT from its head, for this analysis only, so that its points have one
post-dominator tree. Dependence is direct; a loop's condition depends on itself, since it decides whether it
is tested again.

Cost: near-linear in the edges of a body in practice, quadratic at worst.
"""

from __future__ import annotations

from cpg.flow_graph import EXIT, FlowGraph

ControlEdge = tuple  # (condition node, controlled node, branch)


def control_dependence(graph: FlowGraph) -> list[ControlEdge]:
    """Direct control dependence edges between nodes, sorted, without repetition."""
    if "condition" not in graph.kinds:
        return []
    successors = [[e.target for e in edges if not e.implicit] for edges in graph.successors]
    successors = _with_way_out(graph, successors)
    immediate = post_dominators(successors)
    found: dict[ControlEdge, None] = {}
    copies = _copies(graph)
    depends: dict[tuple[int, int, str | None], None] = {}
    for condition, kind in enumerate(graph.kinds):
        if kind not in ("condition", "fork"):
            continue
        stop = immediate[condition]
        for target, branch, implicit, _ in graph.successors[condition]:
            if implicit:
                continue
            while target != stop and target not in (EXIT, -1):
                depends[condition, target, branch] = None
                target = immediate[target]
    for condition, point, branch in _without_forks(graph, depends):
        if graph.nodes[point] not in copies:
            found[graph.nodes[condition], graph.nodes[point], branch] = None
    for node, points in copies.items():
        for edge in _dependences_of_copies(graph, node, points, successors):
            found[edge] = None
    return sorted(found)


def _without_forks(graph: FlowGraph, depends: dict) -> list[ControlEdge]:
    """What depends on a fork, which is no condition, depends on what the fork depends on."""
    if not graph.forks:
        return list(depends)
    on: dict[int, list[tuple[int, str | None]]] = {}
    for condition, point, branch in depends:
        on.setdefault(point, []).append((condition, branch))
    found: dict[ControlEdge, None] = {}
    for point, reasons in on.items():
        waiting, seen = list(reasons), set()
        while waiting:
            condition, branch = waiting.pop()
            if graph.kinds[condition] == "condition":
                found[condition, point, branch] = None
            elif condition not in seen:
                seen.add(condition)
                waiting += on.get(condition, ())
    return [edge for edge in found if graph.kinds[edge[1]] != "fork"]


def _copies(graph: FlowGraph) -> dict[int, list[int]]:
    """Node -> its points, for nodes that have several: those in finalizers."""
    if len(set(graph.nodes)) == len(graph.nodes):
        return {}
    points: dict[int, list[int]] = {}
    for point, node in enumerate(graph.nodes):
        if node >= 0:
            points.setdefault(node, []).append(point)
    return {node: found for node, found in points.items() if len(found) > 1}


def _dependences_of_copies(
    graph: FlowGraph, node: int, points: list[int], successors: list[list[int]]
) -> list[ControlEdge]:
    """The definition applied to a set of points, one of which has to be passed: post-dominators are of single
    points, and no copy of a finalizer's point post-dominates a condition that only decides between copies."""
    predecessors = _reverse(successors)
    passed = set(points)
    avoids = [False] * len(successors)
    avoids[EXIT] = True
    queue = [EXIT]
    while queue:
        for source in predecessors[queue.pop()]:
            if not avoids[source] and source not in passed:
                avoids[source] = True
                queue.append(source)
    found = []
    for condition, kind in enumerate(graph.kinds):
        if kind == "condition" and any(avoids[target] for target in successors[condition]):
            for target, branch, implicit, _ in graph.successors[condition]:
                if not implicit and not avoids[target]:
                    found.append((graph.nodes[condition], node, branch))
    return found


def _with_way_out(graph: FlowGraph, successors: list[list[int]]) -> list[list[int]]:
    """`successors` plus an edge to EXIT from the head of every loop that is never left."""
    predecessors = _reverse(successors)
    done = [False] * len(successors)

    def mark(start: int) -> None:
        done[start] = True
        queue = [start]
        while queue:
            for source in predecessors[queue.pop()]:
                if not done[source]:
                    done[source] = True
                    queue.append(source)

    mark(EXIT)
    for point, kind in enumerate(graph.kinds):
        # Points are numbered in textual order, so the target of a backward edge is a loop's head.
        if not done[point] and any(source >= point for source in predecessors[point]):
            successors[point] = [*successors[point], EXIT]
            mark(point)
    for point, kind in enumerate(graph.kinds):
        if not done[point] and kind != "join":
            successors[point] = [*successors[point], EXIT]
            mark(point)
    return successors


def _reverse(successors: list[list[int]]) -> list[list[int]]:
    predecessors: list[list[int]] = [[] for _ in successors]
    for source, targets in enumerate(successors):
        for target in targets:
            predecessors[target].append(source)
    return predecessors


def post_dominators(successors: list[list[int]]) -> list[int]:
    """The immediate post-dominator of each point; EXIT's is itself, -1 where EXIT is out of reach."""
    predecessors = _reverse(successors)
    order: list[int] = []
    seen = [False] * len(successors)
    seen[EXIT] = True
    stack = [(EXIT, iter(predecessors[EXIT]))]
    while stack:
        point, sources = stack[-1]
        for source in sources:
            if not seen[source]:
                seen[source] = True
                stack.append((source, iter(predecessors[source])))
                break
        else:
            order.append(point)
            stack.pop()
    rank = [-1] * len(successors)
    for position, point in enumerate(order):
        rank[point] = position
    immediate = [-1] * len(successors)
    immediate[EXIT] = EXIT
    changed = True
    while changed:
        changed = False
        for point in reversed(order[:-1]):
            best = -1
            for target in successors[point]:
                if immediate[target] < 0:
                    continue
                if best < 0:
                    best = target
                    continue
                other = target
                while best != other:
                    while rank[best] < rank[other]:
                        best = immediate[best]
                    while rank[other] < rank[best]:
                        other = immediate[other]
            if immediate[point] != best:
                immediate[point] = best
                changed = True
    return immediate
