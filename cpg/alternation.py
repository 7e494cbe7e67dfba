"""Ways through a block among which the compiler chooses, where directives (`#if`) stand between its statements."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from cpg.flow_graph import Frontier, Pending


class _Choice(NamedTuple):
    """`before`: where a later way may still begin. `behind`: what has left the earlier ways."""

    before: Frontier
    behind: Frontier


class Alternation:
    """The choices of one block that are open, the innermost last. Every way that a directive does not rule out is
    possible, and no point decides. `fork` makes a place from which control goes on in several ways."""

    def __init__(self, fork: Callable[[Frontier], int], always: frozenset[str], never: frozenset[str]) -> None:
        self.fork = fork
        self.always = always
        self.never = never
        self.open: list[_Choice] = []

    def directive(self, kind: str, condition: str, frontier: Frontier) -> Frontier:
        """The frontier behind a directive: if, elif, else or end. One that belongs to no `if` changes nothing."""
        if kind == "if":
            certain = condition in self.always or condition in self.never
            before, behind = frontier if certain else [Pending(self.fork(frontier))], []
        elif not self.open:
            return frontier
        else:
            before, behind = self.open.pop()
            if kind == "end":
                return behind + frontier + before
            behind = behind + frontier
        taken = kind == "else" or condition in self.always
        self.open.append(_Choice([] if taken else before, behind))
        return [] if condition in self.never else list(before)

    def close(self, frontier: Frontier) -> Frontier:
        """The frontier at the end of the block, where directives may be missing."""
        while self.open:
            frontier = self.directive("end", "", frontier)
        return frontier
