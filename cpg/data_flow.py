"""Data dependence: reaching definitions over the flow graph (Aho, Lam, Sethi, Ullman, section 9.2.4).

A definition of a variable made at A reaches a use of it at B if some path from A to B holds no definition
that replaces it. Variables and the order of reads and writes come from `cpg.names`.

* Definitions of paths (`a[i]`, `this.f`) are weak: they replace nothing. Redefining `a` ends those of `a[i]`.
* A read that follows a write inside one point sees that write; it makes no edge.
* The variable of a loop is defined on its `iterate` way only, the names of a pattern on its `true` way.
* On an `exception` edge both the definitions before the point arrive and those that it had made when the
  last of its calls could still throw: `x = f()` in a try does not reach the handler, `f(x = 1)` does. An exception
  that goes on behind a finalizer carries all that the finalizer has defined.
* A point whose text holds conditions with points of their own (`x = a or b`) uses what they use, since its
  value depends on it; variables that are declared inside it, as in a comprehension, stay inside.
* A nested body receives the definitions of the variables it captures as definitions at its ENTRY and gives
  none back. They are those that reach the point where the function is made and, for `late_capture`
  languages, those made on some path after it; a class body runs at once and gets the former only. There, a
  function that is no statement is as good as made at the ENTRY around it.

Definitions are bits of Python integers; the equations are solved by a worklist in reverse post-order.
Cost: a few passes of big-integer operations over the points of a body.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from typing import NamedTuple

from cpg.flow_graph import ENTRY, FlowGraph
from cpg.languages.base import Language
from cpg.names import DEFINE, THROW, USE, Event, Names
from cpg.parse import SyntaxTree


class Definition(NamedTuple):
    """A definition of `variable` at `node`; `weak` ones replace nothing."""

    variable: int
    node: int
    weak: bool
    literal: str


class Use(NamedTuple):
    """A use that no definition in its own point precedes."""

    variable: int
    spelled: str
    literal: str


class PointFacts(NamedTuple):
    """What one point does. `early`: its definitions that happen before something in it may still throw.
    `ended`: variables whose older definitions do not survive the point."""

    uses: list[Use]
    definitions: list[Definition]
    early: list[Definition]
    ended: frozenset[int]


DataEdge = tuple  # (source node, target node, variable)


def data_flow(tree: SyntaxTree, language: Language, names: Names, graphs: list[FlowGraph]) -> list[list[DataEdge]]:
    """For each flow graph its data dependence edges between nodes, sorted, without repetition."""
    return _DataFlow(tree, language, names, graphs).solve()


class _DataFlow:
    def __init__(self, tree: SyntaxTree, language: Language, names: Names, graphs: list[FlowGraph]) -> None:
        self.tree = tree
        self.language = language
        self.names = names
        self.graphs = graphs
        self.body_of = {graph.owner: graph for graph in graphs}
        self.points = {n for graph in graphs for n, parts in zip(graph.nodes, graph.parts) if parts}
        """Nodes that are points and evaluate something; the text of others belongs to the point around."""
        self.ranges = self._inner_ranges()
        self.range_starts = sorted(self.ranges)
        self.defined = {v for v, e in zip(names.variables, names.events) if e.kind == DEFINE}
        self.made_at_entry: dict[int, list[int]] = {}
        """Body -> the functions in it that no statement makes."""
        self.made_at, self.captured = self._captures()
        self.paths_of: dict[int, list[int]] = {}
        for number, variable in enumerate(names.table):
            if variable.root != number:
                self.paths_of.setdefault(variable.root, []).append(number)
        self.used_in: dict[int, list[Use]] = {}
        self.late: dict[int, list[Definition]] = {}
        """Class body -> definitions that it does not see itself, but the functions in it do."""

    # ------------------------------------------------------------------------------- facts about points
    def _inner_ranges(self) -> dict[int, list[tuple[int, int, bool]]]:
        """Start of an event range -> (end, node, is a hole) of the points and holes that begin there."""
        names = self.names
        result: dict[int, list[tuple[int, int, bool]]] = {}
        for node in self.points:
            if names.end[node] > names.start[node]:
                result.setdefault(names.start[node], []).append((names.end[node], node, False))
        for node, (start, end) in names.holes.items():
            if end > start:
                result.setdefault(start, []).append((end, node, True))
        for ranges in result.values():
            ranges.sort(reverse=True)
        return result

    def _own_events(self, node: int, part: int) -> Iterator[Event | int]:
        """(number, event) of a part's own events; (node, None) for a point inside it."""
        names, tree = self.names, self.tree
        position, end = names.start[part], names.end[part]
        starts, ranges = self.range_starts, self.ranges
        following = bisect.bisect_left(starts, position)
        while position < end:
            while following < len(starts) and starts[following] < position:
                following += 1
            inner = None
            if following < len(starts) and starts[following] == position:
                for stop, other, hole in ranges[position]:
                    inside = part <= other < tree.last[part]
                    if inside and stop <= end and (hole or (other != node and other > node)):
                        inner = (stop, other, hole)
                        break
            if inner is None:
                yield position, names.events[position]
                position += 1
            else:
                if not inner[2]:
                    yield inner[1], None
                position = inner[0]

    def facts(self, node: int, parts: tuple[int, ...]) -> PointFacts:
        """Uses and definitions of a point in the order in which they happen."""
        names = self.names
        uses: dict[tuple, Use] = {}
        made: dict[int, Definition] = {}
        early: dict[tuple, Definition] = {}
        weak: list[Definition] = []
        pending: list[Definition] = []
        ended: set[int] = set()
        for part in parts:
            for number, event in self._own_events(node, part):
                if event is None:
                    for use in self._used_inside(number, node):
                        uses.setdefault((use.variable, use.literal), use)
                    continue
                if event.kind == THROW:
                    early.update({(d.variable, d.literal): d for d in pending})
                    pending.clear()
                    continue
                variable = names.variables[number]
                if event.kind == USE:
                    if variable in self.defined and variable not in made:
                        uses.setdefault((variable, event.literal), Use(variable, event.spelled, event.literal))
                    continue
                is_weak = self._is_weak(event)
                if not is_weak:
                    ended.add(variable)
                    ended.update(self.paths_of.get(variable, ()))
                    made.pop(variable, None)
                if event.kind == DEFINE:
                    definition = Definition(variable, node, is_weak, event.literal)
                    pending.append(definition)
                    if is_weak:
                        weak.append(definition)
                    else:
                        made[variable] = definition
        definitions = list(dict.fromkeys(weak)) + list(made.values())
        return PointFacts(list(uses.values()), definitions, list(early.values()), frozenset(ended))

    def _is_weak(self, event: Event) -> bool:
        return bool(event.suffix) or event.passed

    def _used_inside(self, inner: int, outer: int) -> list[Use]:
        """What the point `inner` uses and the point around it, `outer`, therefore depends on."""
        limit = self.tree.last[outer]
        found = []
        for use in self.used_in.get(inner, ()):
            if not outer <= self.names.table[use.variable].scope.node < limit:
                found.append(use)
        return found

    # -------------------------------------------------------------------------------------- captures
    def _captures(self) -> tuple[dict[int, int], dict[int, set[int]]]:
        """Body -> the point where it is made; body -> variables that come into it from around it."""
        tree, names, language = self.tree, self.names, self.language
        made_at: dict[int, int] = {}
        around: dict[int, int] = {}
        owner_of_point = {n: g.owner for g in self.graphs for n in g.nodes if n >= 0}
        for graph in self.graphs:
            node = graph.owner
            while node > 0 and (node not in owner_of_point or owner_of_point[node] == graph.owner):
                node = tree.parents[node]
            if node > 0:
                made_at[graph.owner] = node
                around[graph.owner] = owner_of_point[node]
            elif graph.owner and language.late_capture:
                outer = tree.parents[graph.owner]
                while outer > 0 and outer not in self.body_of:
                    outer = tree.parents[outer]
                if outer in self.body_of:
                    around[graph.owner] = outer
                    self.made_at_entry.setdefault(outer, []).append(graph.owner)
        captured: dict[int, set[int]] = {graph.owner: set() for graph in self.graphs}
        for number, event in enumerate(names.events):
            variable = names.variables[number]
            if event.kind != USE or variable not in self.defined:
                continue
            owner = names.table[variable].owner
            body = event.scope.owner
            while body != owner and body in captured and variable not in captured[body]:
                function = language.functions.get(tree.types[body])
                if owner < 0 and (function is None or function.member):
                    break
                captured[body].add(variable)
                if body not in around:
                    break
                body = around[body]
        return made_at, captured

    # ----------------------------------------------------------------------------------------- solving
    def solve(self) -> list[list[DataEdge]]:
        """Outer bodies first, so that what a nested body captures is known when it is solved."""
        incoming: dict[int, list[Definition]] = {}
        made: dict[int, list[int]] = {}
        for body, point in self.made_at.items():
            made.setdefault(point, []).append(body)
        return [self._solve_body(graph, incoming, made) for graph in self.graphs]

    def _solve_body(
        self, graph: FlowGraph, incoming: dict[int, list[Definition]], made: dict[int, list[int]]
    ) -> list[DataEdge]:
        facts: list[PointFacts | None] = [None] * len(graph.nodes)
        known: dict[int, PointFacts] = {}
        for point, node in enumerate(graph.nodes):
            if node >= 0:
                if node not in known:
                    known[node] = self.facts(node, graph.parts[point])
                    self.used_in[node] = known[node].uses
                facts[point] = known[node]
        order = graph.order()
        numbers: dict[Definition, int] = {}
        for definition in incoming.get(graph.owner, ()):
            numbers.setdefault(definition, len(numbers))
        at_entry = (1 << len(numbers)) - 1
        for point in order:
            if facts[point] is not None:
                for definition in (*facts[point].definitions, *facts[point].early):
                    numbers.setdefault(definition, len(numbers))
        if not numbers and graph.owner not in self.late:
            return []
        definitions = list(numbers)
        of_variable: dict[int, int] = {}
        for definition, number in numbers.items():
            of_variable[definition.variable] = of_variable.get(definition.variable, 0) | 1 << number
        reaching = self._reaching(graph, order, facts, numbers, of_variable, at_entry)
        self._pass_on(graph, order, facts, reaching, definitions, of_variable, numbers, incoming, made)
        edges: dict[DataEdge, None] = {}
        for point in order:
            fact = facts[point]
            for use in fact.uses if fact is not None else ():
                bits = reaching[point] & of_variable.get(use.variable, 0)
                for definition in _chosen(bits, definitions):
                    if not (use.literal and definition.literal and use.literal != definition.literal):
                        edges[definition.node, graph.nodes[point], use.spelled] = None
        return sorted(edges)

    def _reaching(
        self,
        graph: FlowGraph,
        order: list[int],
        facts: list[PointFacts | None],
        numbers: dict[Definition, int],
        of_variable: dict[int, int],
        at_entry: int,
    ) -> list[int]:
        """The bits that reach each point."""
        generated = [0] * len(graph.nodes)
        thrown = [0] * len(graph.nodes)
        kept = [-1] * len(graph.nodes)
        unbound: dict[int, tuple[int, int]] = {}

        def effect(fact: PointFacts) -> tuple[int, int]:
            made, left = 0, -1
            for definition in fact.definitions:
                made |= 1 << numbers[definition]
            for variable in fact.ended:
                left &= ~of_variable.get(variable, 0)
            return made, left

        for point in order:
            fact = facts[point]
            if fact is not None:
                generated[point], kept[point] = effect(fact)
                for definition in fact.early:
                    thrown[point] |= 1 << numbers[definition]
                if point in graph.bound and fact.definitions:
                    bound = graph.bound[point]
                    rest = tuple(part for part in graph.parts[point] if part not in bound)
                    unbound[point] = effect(self.facts(graph.nodes[point], rest))
        reaching = [0] * len(graph.nodes)
        reaching[ENTRY] = at_entry
        waiting = set(order)
        direction = order
        while waiting:
            for point in direction:
                if point not in waiting:
                    continue
                waiting.discard(point)
                before = reaching[point]
                after = generated[point] | (before & kept[point])
                failed = before | thrown[point]
                missed = after
                if point in unbound:
                    missed = unbound[point][0] | (before & unbound[point][1])
                for target, branch, _, completed in graph.successors[point]:
                    thrown_here = branch == "exception" and not completed
                    arriving = failed if thrown_here else missed if branch in ("done", "false") else after
                    new = reaching[target] | arriving
                    if new != reaching[target]:
                        reaching[target] = new
                        waiting.add(target)
            # Inner loops hand their definitions out against the order, level by level: every other pass runs
            # backwards, so that the number of passes does not grow with the nesting depth.
            direction = direction[::-1]
        return reaching

    def _pass_on(
        self,
        graph: FlowGraph,
        order: list[int],
        facts: list[PointFacts | None],
        reaching: list[int],
        definitions: list[Definition],
        of_variable: dict[int, int],
        numbers: dict[Definition, int],
        incoming: dict[int, list[Definition]],
        made: dict[int, list[int]],
    ) -> None:
        """Hand the captured definitions to the bodies that are made in this one."""
        for point in order:
            entered = self.made_at_entry.get(graph.owner, []) if point == ENTRY else made.get(graph.nodes[point], ())
            for body in entered:
                wanted = 0
                for variable in self.captured[body]:
                    wanted |= of_variable.get(variable, 0)
                now = reaching[point] & wanted
                later = 0
                if wanted and self.language.late_capture:
                    for other in self._after(graph, point):
                        for definition in facts[other].definitions if facts[other] is not None else ():
                            later |= 1 << numbers[definition]
                    later &= wanted & ~now
                now_made, later_made = list(_chosen(now, definitions)), list(_chosen(later, definitions))
                later_made += [d for d in self.late.get(graph.owner, ()) if d.variable in self.captured[body]]
                if self.tree.types[body] in self.language.classes:
                    self.late.setdefault(body, []).extend(later_made)
                else:
                    now_made += later_made
                incoming.setdefault(body, []).extend(now_made)

    def _after(self, graph: FlowGraph, point: int) -> set[int]:
        """The point and all points that can follow it."""
        seen = {point}
        queue = [point]
        while queue:
            for edge in graph.successors[queue.pop()]:
                if edge.target not in seen:
                    seen.add(edge.target)
                    queue.append(edge.target)
        return seen


def _chosen(bits: int, definitions: list[Definition]) -> Iterator[Definition]:
    while bits:
        low = bits & -bits
        yield definitions[low.bit_length() - 1]
        bits ^= low
