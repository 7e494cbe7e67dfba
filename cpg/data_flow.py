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
* A lazy comprehension (a generator expression) that is not consumed at once uses its values when they are asked for:
  definitions from around it that are made on some path behind it count as well.
* A nested body receives the definitions of the variables it captures as definitions at its ENTRY and gives
  none back. They are those that reach the point where the function is made and, for what it sees when it is
  called (`late_capture` languages, or by its capture list), those made on some path after it; a class body runs
  at once and gets the former only. In those languages a function that is no statement is as good as made at the
  ENTRY around it.

Cost: linear in the points of a body, or the few passes that `cpg.reaching` says.
"""

from __future__ import annotations

from cpg.flow_graph import ENTRY, NOWHERE, FlowGraph
from cpg.languages.base import Jump, Language
from cpg.name_walk import DEFINE, THROWN, USE
from cpg.names import Names
from cpg.parse import SyntaxTree
from cpg.reaching import NO_FACTS, Branching, Definition, PointFacts, Straight, Use


DataEdge = tuple  # (source node, target node, variable)

_new = tuple.__new__
"""`_new(Use, (...))` is `Use(...)` in half the time."""


def data_flow(tree: SyntaxTree, language: Language, names: Names, graphs: list[FlowGraph]) -> list[list[DataEdge]]:
    """For each flow graph its data dependence edges between nodes, sorted, without repetition."""
    defined, used = set(), set()
    for variable, event in zip(names.variables, names.events):
        if event.kind == DEFINE:
            defined.add(variable)
        elif event.kind == USE:
            used.add(variable)
    if defined.isdisjoint(used):
        return [[] for _ in graphs]
    return _DataFlow(tree, language, names, graphs, defined).solve()


class _DataFlow:
    def __init__(
        self, tree: SyntaxTree, language: Language, names: Names, graphs: list[FlowGraph], defined: set[int]
    ) -> None:
        self.tree = tree
        self.language = language
        self.names = names
        self.graphs = graphs
        self.defined = defined
        self.made_at = self._made_at()
        self.made_at_entry = self._made_at_entry()
        self.made, self.entered = _inverse(self.made_at), _inverse(self.made_at_entry)
        self.seen_late: dict[int, set[int]] = {}
        """Body -> those variables of `captured` that it sees when it is called."""
        self.captured = self._captures() if self.made or self.entered else {}
        self.paths_of: dict[int, list[int]] = {}
        for number, variable in enumerate(names.table):
            if variable.root != number:
                self.paths_of.setdefault(variable.root, []).append(number)
        self.used_in: dict[int, list[Use]] = {}
        self.lazy_scopes = names.lazy_scopes()
        self.used_lazily: set[tuple[int, int]] = set()
        """Pairs of a point in a lazy comprehension and a variable from around it that it uses."""
        self.late: dict[int, list[Definition]] = {}
        """Class body -> definitions that it does not see itself, but the functions in it do."""

    # ------------------------------------------------------------------------------- facts about points
    def facts(self, node: int, parts: tuple[int, ...]) -> PointFacts:
        """Uses and definitions of a point in the order in which they happen."""
        own, events, variables, defined = self.names.own, self.names.events, self.names.variables, self.defined
        numbers = [
            number
            for part in parts
            if part in own
            for number in own[part]
            if number < 0 or variables[number] in defined or events[number] is THROWN
        ]
        if not numbers:
            return NO_FACTS
        uses: dict[tuple, Use] = {}
        made: dict[int, Definition] = {}
        early: dict[tuple, Definition] = {}
        weak: list[Definition] = []
        pending: list[Definition] = []
        ended: set[int] = set()
        for number in numbers:
            if number < 0:
                if isinstance(self.language.expressions.get(self.tree.types[-1 - number]), Jump):
                    continue  # control does not come from there to this point
                for use in self._used_inside(-1 - number, node):
                    uses.setdefault((use.variable, use.literal), use)
                continue
            event, variable = events[number], variables[number]
            if event.kind == USE:
                if variable not in made:
                    uses.setdefault((variable, event.literal), _new(Use, (variable, event.spelled, event.literal)))
                if event.scope in self.lazy_scopes and self.names.table[variable].scope not in self.lazy_scopes:
                    self.used_lazily.add((node, variable))
                continue
            if event is THROWN:
                early.update({(d.variable, d.literal): d for d in pending})
                pending.clear()
                continue
            is_weak = bool(event.suffix) or event.passed
            if not is_weak:
                ended.add(variable)
                ended.update(self.paths_of.get(variable, ()))
                made.pop(variable, None)
            if event.kind == DEFINE:
                definition = _new(Definition, (variable, node, is_weak, event.literal))
                pending.append(definition)
                if is_weak:
                    weak.append(definition)
                else:
                    made[variable] = definition
        if not ended and not weak:
            return PointFacts(list(uses.values()), [], [], NO_FACTS.ended)
        definitions = list(dict.fromkeys(weak)) + list(made.values())
        return PointFacts(list(uses.values()), definitions, list(early.values()), frozenset(ended))

    def _used_inside(self, inner: int, outer: int) -> list[Use]:
        """What the point `inner` uses and the point around it, `outer`, therefore depends on."""
        limit = self.tree.last[outer]
        found = []
        for use in self.used_in.get(inner, ()):
            if not outer <= self.names.table[use.variable].scope.node < limit:
                found.append(use)
        return found

    # -------------------------------------------------------------------------------------- captures
    def _made_at(self) -> dict[int, int]:
        """Body -> the point where it is made."""
        if len(self.graphs) == 1:
            return {}
        parents = self.tree.parents
        self.owner_of_point = {node: graph.owner for graph in self.graphs for node in graph.nodes if node >= 0}
        functions, types = self.language.functions, self.tree.types
        bodies = {graph.owner for graph in self.graphs if types[graph.owner] in functions}
        made_at: dict[int, int] = {}
        for graph in self.graphs:
            node = graph.owner
            while node > 0 and self.owner_of_point.get(node, graph.owner) == graph.owner:
                node = parents[node]
                if node in bodies and node not in self.owner_of_point:
                    node = 0  # no point between the two functions
            if node > 0:
                made_at[graph.owner] = node
        return made_at

    def _made_at_entry(self) -> dict[int, int]:
        """Body that no statement makes -> the body at whose ENTRY it is as good as made."""
        bodies, parents = {graph.owner for graph in self.graphs}, self.tree.parents
        around: dict[int, int] = {}
        for body in bodies if self.language.late_capture and len(bodies) > 1 else ():
            if body and body not in self.made_at:
                outer = parents[body]
                while outer > 0 and outer not in bodies:
                    outer = parents[outer]
                if outer in bodies:
                    around[body] = outer
        return around

    def _captures(self) -> dict[int, set[int]]:
        """Body -> variables that come into it from around it."""
        tree, names, language = self.tree, self.names, self.language
        around = {body: self.owner_of_point[point] for body, point in self.made_at.items()} | self.made_at_entry
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
                if self._is_late(body, variable, event.root):
                    self.seen_late.setdefault(body, set()).add(variable)
                if body not in around:
                    break
                body = around[body]
        return captured

    def _is_late(self, body: int, variable: int, name: str) -> bool:
        """Whether a body sees the variable when it is called; else its value when it is made."""
        captures = self.names.captures.get(body)
        if captures is None:
            return self.language.late_capture
        return self.names.table[variable].owner < 0 or captures.by_reference(name)

    # ----------------------------------------------------------------------------------------- solving
    def solve(self) -> list[list[DataEdge]]:
        """Outer bodies first, so that what a nested body captures is known when it is solved."""
        incoming: dict[int, list[Definition]] = {}
        return [self._solve_body(graph, incoming) for graph in self.graphs]

    def _solve_body(self, graph: FlowGraph, incoming: dict[int, list[Definition]]) -> list[DataEdge]:
        known: dict[int, PointFacts] = {NOWHERE: NO_FACTS}
        for node, parts in zip(graph.nodes, graph.parts):
            if node not in known:
                known[node] = self.facts(node, parts)
                self.used_in[node] = known[node].uses
        makes_bodies = graph.owner in self.entered or not self.made.keys().isdisjoint(known)
        if not makes_bodies and not any([facts.uses for facts in known.values()]):
            return []
        facts = [known[node] for node in graph.nodes]
        line = graph.line()
        arriving = incoming.get(graph.owner, ())
        if line:
            reaching = Straight(line, facts, dict.fromkeys(arriving))
        else:
            reaching = Branching(graph, facts, arriving, lambda point: self._unbound(graph, point))
        edges: dict[DataEdge, None] = {}
        for point in reaching.order:
            for variable, spelled, literal in facts[point].uses:
                definitions = reaching.at(point, variable)
                if (graph.nodes[point], variable) in self.used_lazily:
                    definitions = [*definitions, *reaching.later(point, variable)]
                for definition in definitions:
                    if not (literal and definition.literal and literal != definition.literal):
                        edges[definition.node, graph.nodes[point], spelled] = None
            if makes_bodies:
                self._pass_on(graph, point, reaching, incoming)
            if facts[point] is not NO_FACTS:
                reaching.leave(point)
        return sorted(edges)

    def _unbound(self, graph: FlowGraph, point: int) -> PointFacts:
        """The facts of a point on the ways on which it binds nothing."""
        bound = graph.bound[point]
        return self.facts(graph.nodes[point], tuple(part for part in graph.parts[point] if part not in bound))

    def _pass_on(
        self,
        graph: FlowGraph,
        point: int,
        reaching: Straight | Branching,
        incoming: dict[int, list[Definition]],
    ) -> None:
        """Hand the captured definitions to the bodies that are made at the point."""
        for body in self.entered.get(graph.owner, ()) if point == ENTRY else self.made.get(graph.nodes[point], ()):
            wanted = self.captured[body]
            now = {definition for variable in wanted for definition in reaching.at(point, variable)}
            for variable in wanted if body in self.names.captures else ():
                if self.names.table[variable].scope.node == body:  # bound by the capture list itself
                    now.update(reaching.later(point, variable))
            late = self.seen_late.get(body, ())
            later = {definition for variable in late for definition in reaching.later(point, variable)} - now
            later.update(definition for definition in self.late.get(graph.owner, ()) if definition.variable in wanted)
            if self.tree.types[body] in self.language.classes:
                self.late.setdefault(body, []).extend(later)
            else:
                now |= later
            incoming.setdefault(body, []).extend(now)


def _inverse(table: dict[int, int]) -> dict[int, list[int]]:
    inverse: dict[int, list[int]] = {}
    for key, value in table.items():
        inverse.setdefault(value, []).append(key)
    return inverse
