"""Reaching definitions in one body (Aho, Lam, Sethi, Ullman, section 9.2.4).

`Straight` is for bodies in which every point has one way on: the points are passed in their order. `Branching` solves
the equations by a worklist in reverse post-order, with definitions as bits of Python integers. Both are used alike:
for each point of `order`, `at` tells what arrives, then `leave` goes on.

Cost: linear in the points; for `Branching` a few passes of big-integer operations over them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import NamedTuple

from cpg.flow_graph import ENTRY, FlowGraph


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


NO_FACTS = PointFacts([], [], [], frozenset())


class Straight:
    """`order`: the points; `facts` by point; `incoming`: the definitions that arrive at ENTRY."""

    def __init__(self, order: list[int], facts: list[PointFacts], incoming: Iterable[Definition]) -> None:
        self.order = order
        self._facts = facts
        self._live: dict[int, list[Definition]] = {}
        self._add(incoming)

    def _add(self, definitions: Iterable[Definition]) -> None:
        for definition in definitions:
            self._live.setdefault(definition.variable, []).append(definition)

    def at(self, point: int, variable: int) -> list[Definition]:
        """The definitions of a variable that arrive at the point, which is the next one."""
        return self._live.get(variable, [])

    def leave(self, point: int) -> None:
        """Go on behind the point."""
        for variable in self._facts[point].ended:
            self._live.pop(variable, None)
        self._add(self._facts[point].definitions)

    def later(self, point: int, variable: int) -> list[Definition]:
        """The definitions of a variable at the point and behind it."""
        return [definition for place, definition in self._places.get(variable, ()) if place >= self._position[point]]

    @functools.cached_property
    def _position(self) -> dict[int, int]:
        return {point: position for position, point in enumerate(self.order)}

    @functools.cached_property
    def _places(self) -> dict[int, list[tuple[int, Definition]]]:
        """Variable -> position of the point and definition, for each definition of it."""
        places: dict[int, list[tuple[int, Definition]]] = {}
        for position, point in enumerate(self.order):
            for definition in self._facts[point].definitions:
                places.setdefault(definition.variable, []).append((position, definition))
        return places


class Branching:
    """`facts` by point; `incoming`: the definitions that arrive at ENTRY; `unbound(point)`: the facts of a point of
    `graph.bound` on the ways on which it binds nothing."""

    def __init__(
        self,
        graph: FlowGraph,
        facts: list[PointFacts],
        incoming: Iterable[Definition],
        unbound: Callable[[int], PointFacts],
    ) -> None:
        self.order = graph.order()
        self._graph = graph
        self._facts = facts
        self._unbound = unbound
        self._numbers: dict[Definition, int] = {}
        for definition in incoming:
            self._numbers.setdefault(definition, len(self._numbers))
        at_entry = (1 << len(self._numbers)) - 1
        for point in self.order:
            if facts[point] is not NO_FACTS:
                for definition in (*facts[point].definitions, *facts[point].early):
                    self._numbers.setdefault(definition, len(self._numbers))
        self._definitions = list(self._numbers)
        self._of_variable: dict[int, int] = {}
        for definition, number in self._numbers.items():
            self._of_variable[definition.variable] = self._of_variable.get(definition.variable, 0) | 1 << number
        self._arriving = self._solve(at_entry)

    def at(self, point: int, variable: int) -> list[Definition]:
        """The definitions of a variable that arrive at the point."""
        return self._chosen(self._arriving[point], variable)

    def leave(self, point: int) -> None:
        """Nothing is to be done to go on."""

    def later(self, point: int, variable: int) -> list[Definition]:
        """The definitions of a variable at the point and on some way behind it."""
        return self._chosen(self._made_later[point], variable)

    def _chosen(self, bits: int, variable: int) -> list[Definition]:
        bits &= self._of_variable.get(variable, 0)
        found = []
        while bits:
            low = bits & -bits
            found.append(self._definitions[low.bit_length() - 1])
            bits ^= low
        return found

    def _bits(self, definitions: list[Definition]) -> int:
        bits = 0
        for definition in definitions:
            bits |= 1 << self._numbers[definition]
        return bits

    def _effect(self, facts: PointFacts) -> tuple[int, int]:
        """The definitions that a point makes, and those that it keeps."""
        kept = -1
        for variable in facts.ended:
            kept &= ~self._of_variable.get(variable, 0)
        return self._bits(facts.definitions), kept

    def _solve(self, at_entry: int) -> list[int]:
        """The bits that arrive at each point."""
        successors, count = self._graph.successors, len(self._graph.nodes)
        made, kept, thrown = [0] * count, [-1] * count, [0] * count
        unbound: dict[int, tuple[int, int]] = {}
        for point in self.order:
            facts = self._facts[point]
            if facts is not NO_FACTS:
                made[point], kept[point] = self._effect(facts)
                thrown[point] = self._bits(facts.early)
                if point in self._graph.bound and facts.definitions:
                    unbound[point] = self._effect(self._unbound(point))
        arriving = [0] * count
        arriving[ENTRY] = at_entry
        waiting = set(self.order)
        direction = self.order
        while waiting:
            for point in direction:
                if point not in waiting:
                    continue
                waiting.discard(point)
                before = arriving[point]
                after = missed = made[point] | before & kept[point]
                if point in unbound:
                    missed = unbound[point][0] | before & unbound[point][1]
                for target, branch, _, completed in successors[point]:
                    leaving = after
                    if branch == "exception" and not completed:
                        leaving = before | thrown[point]
                    elif branch == "done" or branch == "false":
                        leaving = missed
                    new = arriving[target] | leaving
                    if new != arriving[target]:
                        arriving[target] = new
                        waiting.add(target)
            # Inner loops hand their definitions out against the order, level by level: every other pass runs
            # backwards, so that the number of passes does not grow with the nesting depth.
            direction = direction[::-1]
        return arriving

    @functools.cached_property
    def _made_later(self) -> list[int]:
        """For each point the definitions that it makes or that are made on some way behind it."""
        later = [0] * len(self._graph.nodes)
        for point in self.order:
            later[point] = self._bits(self._facts[point].definitions)
        changed = True
        while changed:
            changed = False
            for point in reversed(self.order):
                bits = later[point]
                for edge in self._graph.successors[point]:
                    bits |= later[edge.target]
                if bits != later[point]:
                    later[point] = bits
                    changed = True
        return later
