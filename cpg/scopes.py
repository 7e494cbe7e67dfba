"""Scopes, and which of them a name belongs to.

`Scopes.find` takes one binary search and a step for each scope around that declares the name, so deep nesting of
scopes that do not costs nothing.
"""

from __future__ import annotations

import bisect


class Scope:
    """One scope: `kind` is module, function, class, block or comprehension."""

    __slots__ = (
        "kind", "leave", "names", "node", "number", "outer_class", "outer_receiver", "owner", "parent", "redirects"
    )  # fmt: skip

    def __init__(
        self, kind: str, parent: Scope | None, owner: int, node: int, number: int, receives: bool
    ) -> None:
        self.kind = kind
        self.parent = parent
        self.number = number
        """By `Scopes.close` scopes are numbered in preorder; those inside this one are `number` .. `leave - 1`."""
        self.leave = number + 1
        # None stands for the scope itself, since a reference to itself would keep it from being freed at once.
        self.outer_class = parent.direct_class if kind == "block" and parent is not None else None
        self.outer_receiver = None if receives or kind == "class" or parent is None else parent.receiver
        self.owner = owner
        """The node whose body (own ENTRY and EXIT) the scope belongs to."""
        self.node = node
        self.names: dict[str, int] = {}
        """Name -> number of events before its declaration."""
        self.redirects: dict[str, str] = {}

    @property
    def direct_class(self) -> Scope | None:
        """The class scope that it is, or that is around it with no function between."""
        return self if self.kind == "class" else self.outer_class

    @property
    def receiver(self) -> Scope:
        """The function, class or file whose fields a name without declaration belongs to."""
        return self.outer_receiver or self


class Scopes:
    """All scopes of a text. `hoisted` as in `cpg.languages.base.Language`."""

    def __init__(self, hoisted: bool) -> None:
        self.hoisted = hoisted
        self.all: list[Scope] = []
        self._declaring: dict[str, tuple[list[int], list[Scope], list[int]]] = {}

    def add(self, kind: str, parent: Scope | None, owner: int, node: int, receives: bool = False) -> Scope:
        """A new scope. (What a function's head evaluates is seen after the function, and is not inside it.)

        `receives`: it has a receiver of its own, as classes do.
        """
        scope = Scope(kind, parent, owner, node, len(self.all), receives)
        self.all.append(scope)
        return scope

    def close(self) -> None:
        """To be called when all names are declared, before the first `find`.

        Makes a table: name -> numbers of the scopes that declare or redirect it, the scopes, and for each the
        position in the list of the next one around it (-1: none).
        """
        self._number()
        for scope in self.all:
            for name in dict.fromkeys((*scope.names, *scope.redirects)):
                numbers, found, around = self._declaring.setdefault(name, ([], [], []))
                outer = len(found) - 1
                while outer >= 0 and found[outer].leave <= scope.number:
                    outer = around[outer]
                numbers.append(scope.number)
                found.append(scope)
                around.append(outer)

    def _number(self) -> None:
        """Number in preorder of the tree of scopes, in which parents are made before children."""
        sizes = [1] * len(self.all)
        for made in range(len(self.all) - 1, 0, -1):
            sizes[self.all[made].parent.number] += sizes[made]
        for made, scope in enumerate(self.all):
            # Until a scope's children are numbered, `leave` is the next number that is free for them.
            if scope.parent is not None:
                scope.number = scope.parent.leave
                scope.parent.leave += sizes[made]
            scope.leave = scope.number + 1
        self.all.sort(key=lambda scope: scope.number)

    def find(self, scope: Scope, name: str, position: int) -> Scope | None:
        """The innermost scope around `scope` in which event `position` sees a declaration of `name`."""
        entry = self._declaring.get(name)
        if entry is None:
            return None
        numbers, scopes, around = entry
        place = bisect.bisect_right(numbers, scope.number) - 1
        while place >= 0:
            candidate = scopes[place]
            if scope.number < candidate.leave:
                redirect = candidate.redirects.get(name)
                if redirect == "global":
                    return self.all[0]
                if redirect is None and self._visible(candidate, scope, name, position):
                    return candidate
            place = around[place]
        return None

    def _visible(self, candidate: Scope, scope: Scope, name: str, position: int) -> bool:
        if candidate.kind == "class":
            # A hoisted language hides the names of a class body from the functions in it.
            return not self.hoisted or scope.direct_class is candidate
        return self.hoisted or candidate.names[name] <= position
