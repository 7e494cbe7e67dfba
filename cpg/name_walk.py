"""The walk of `cpg.names`: nodes in the order of evaluation, and the events that names and paths make there.

Each event belongs to the innermost point whose text it is in; those of a nested function to the points of its body.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

from cpg.access_paths import RECEIVER, bare, spell
from cpg.flow_graph import NOWHERE
from cpg.languages.base import Language
from cpg.parse import SyntaxTree
from cpg.scopes import Scope, Scopes

USE, DEFINE, DELETE, THROW = range(4)

# How a name is treated where it stands.
READ, WRITE, DECLARE, RESERVE, REMOVE, IMPORT, PATTERN, EARLY, HOIST, HOIST_RESERVE, MAYBE = range(11)
DECLARING = frozenset({DECLARE, RESERVE, PATTERN, EARLY, HOIST})
"""Modes that reach the names in a target through the bindings inside it."""


class Event(NamedTuple):
    """`root` and `suffix` spell the variable as seen from `scope`; `spelled` is its name for people."""

    kind: int
    scope: Scope | None
    root: str = ""
    suffix: tuple[str, ...] = ()
    spelled: str = ""
    literal: str = ""
    """Text of the last index where it is a literal: `a[0]` and `a[1]` are different elements."""
    passed: bool = False
    """A definition by called code, which may or may not happen."""


THROWN = Event(THROW, None)

_new = tuple.__new__
"""`_new(Event, (...))` is `Event(...)` with all fields, in half the time; most events are made by it."""


Actions = dict[str, Callable[[Any, int, int, Scope], None]]
"""Node type -> the method that visiting such a node calls: with the walk, the node, the mode and the scope."""


class NameWalk:
    """State of the walk, and what it does with names, paths and calls. The constructs are those of `cpg.names`."""

    def __init__(
        self, tree: SyntaxTree, language: Language, texts: dict[int, int], with_throws: bool, calls_define: bool
    ) -> None:
        self.tree = tree
        self.language = language
        self.calls = language.calls if calls_define else {}
        self.events: list[Event] = []
        self.own: defaultdict[int, list[int]] = defaultdict(list)
        self._texts = texts
        self._around: list[int] = [NOWHERE]
        """The evaluated texts, and holes in them, around the node in hand."""
        self._assigned = 0
        """Number of the events that are already in `own`."""
        self._emitting = _emitting(language, with_throws, calls_define)
        self._with_throws = with_throws
        self._stack: list[tuple] = []
        self._scope_of: dict[int, Scope] = {}
        self._visited: set[int] = set()
        self._scopes = Scopes(language.hoisted)
        self._module = self._scopes.add("module", None, 0, 0)

    def _walk(self, actions: Actions, names: frozenset[str]) -> None:
        """Visit nodes and run what is to be done after them, from a stack of (None or what, node, mode, scope).

        `names`: the types whose action is that of a name. Most are only read, which is done here without a call.
        """
        emitting = self._emitting
        types, children = self.tree.types, self.tree.children
        visited, scope_of, texts, stack = self._visited, self._scope_of, self._texts, self._stack
        emit, leave, events, code = self._emit, self._leave, self.events, self.tree.code
        stack.append((None, 0, READ, self._module))
        while stack:
            what, node, mode, scope = stack.pop()
            if what is not None:
                what(node, mode, scope)
                continue
            if node in visited:
                continue
            if node in scope_of:
                scope = scope_of[node]
            kind, inner = types[node], children[node]
            if node in texts:
                self._enter(node)
                stack.append((leave, node, mode, scope))
            if inner and kind in emitting:
                stack.append((emit, node, mode, scope))
            if mode == READ and kind in names:
                name = code(node)
                events.append(_new(Event, (USE, scope, name, (), name, "", False)))
            elif kind in actions:
                actions[kind](self, node, mode, scope)
            else:
                for child in reversed(inner):
                    if children[child] or types[child] in actions or child in texts:
                        stack.append((None, child, READ, scope))

    def _push(self, nodes: list[int], mode: int, scope: Scope) -> None:
        """Visit the nodes next, in their order."""
        stack = self._stack
        for node in reversed(nodes):
            stack.append((None, node, mode, scope))

    def _emit(self, node: int, mode: int, scope: Scope) -> None:
        """What a node does after its children."""
        kind = self.tree.types[node]
        if kind in self.language.paths:
            self._emit_path(node, mode, scope)
        if kind in self.calls:
            self._call(node, scope)
        if kind in self.language.throwing and self._with_throws:
            operators = self.language.throwing[kind]
            if operators is None or not operators.isdisjoint(self.tree.tokens.get(node, ())):
                self.events.append(THROWN)

    def _assign(self) -> None:
        """Give the events since the last call to the text that they are in."""
        start, self._assigned = self._assigned, len(self.events)
        if start < self._assigned and self._around[-1] != NOWHERE:
            self.own[self._around[-1]] += range(start, self._assigned)

    def _enter(self, node: int) -> None:
        """Begin the text of a point, or a part of it."""
        self._assign()
        around, point = self._around[-1], self._texts[node]
        inside = node if point != NOWHERE else NOWHERE
        if around != NOWHERE:
            if self._texts[around] == node:  # the text around this point is its own
                inside = around
            elif point in (node, NOWHERE):
                self.own[around].append(-1 - node)
        self._around.append(inside)

    def _leave(self, node: int, mode: int, scope: Scope) -> None:
        self._assign()
        self._around.pop()

    def _nothing(self, node: int, mode: int, scope: Scope) -> None:
        """A subtree that names no variable."""

    def _mark_visited(self, node: int, mode: int, scope: Scope) -> None:
        self._visited.add(node)

    def _children(self, node: int, mode: int, scope: Scope) -> None:
        children = self.tree.children[node]
        if children:
            self._push(self._without_ignored(node, children), READ, scope)

    def _target(self, node: int, mode: int, scope: Scope) -> None:
        self._push(self._without_ignored(node, self.tree.children[node]), mode, scope)

    def _without_ignored(self, node: int, children: list[int]) -> list[int]:
        tree, language, kind = self.tree, self.language, self.tree.types[node]
        if kind not in language.ignored_parts and kind not in language.intrinsic:
            return children
        ignored, intrinsic = language.ignored_parts.get(kind, ()), language.intrinsic.get(kind)
        for part in ignored:
            dropped = tree.parts(node, part)
            children = [child for child in children if child not in dropped]
        if intrinsic is not None:
            tags = [child for child in tree.parts(node, intrinsic) if not tree.children[child]]
            children = [child for child in children if child not in tags or not tree.code(child)[:1].islower()]
        return children

    # -------------------------------------------------------------------------------------------- events
    def _identifier(self, node: int, mode: int, scope: Scope) -> None:
        name = self.tree.code(node)
        if mode == READ:
            self.events.append(_new(Event, (USE, scope, name, (), name, "", False)))
        elif mode == REMOVE:
            self.events.append(Event(USE, scope, name, (), name))
            self.events.append(Event(DELETE, scope, name, (), name))
        else:
            self._declare(name, mode, scope)
            if mode not in (RESERVE, HOIST_RESERVE):
                self.events.append(_new(Event, (DEFINE, scope, name, (), name, "", mode == MAYBE)))

    def _declare(self, name: str, mode: int, scope: Scope) -> None:
        position = len(self.events)
        if mode in (EARLY, HOIST, HOIST_RESERVE):
            position = 0
            scope = scope if mode == EARLY else self._around_blocks(scope)
            scope.names.pop(name, None)
        elif mode in (DECLARE, RESERVE):
            position = 0 if self.language.declared_throughout else position
        else:
            if not self.language.hoisted:
                return
            scope = self._around_blocks(scope)
        if name not in scope.redirects:
            scope.names.setdefault(name, position)

    def _around_blocks(self, scope: Scope) -> Scope:
        while scope.kind in ("block", "comprehension") and scope.parent:
            scope = scope.parent
        return scope

    def _receiver(self, node: int, mode: int, scope: Scope) -> None:
        self.events.append(Event(USE, scope, RECEIVER, (), self.tree.code(node)))

    def _write(self, node: int, mode: int, scope: Scope) -> None:
        """The write of a read-and-write, after its value; what the target itself reads was read before."""
        node = bare(self.tree, self.language, node)
        kind = self.tree.types[node]
        around = self.language.parentheses | self.language.targets
        while kind in around and self.tree.children[node]:
            node = bare(self.tree, self.language, self.tree.children[node][0])
            kind = self.tree.types[node]
        if kind in self.language.identifiers:
            self._identifier(node, mode, scope)
        elif kind in self.language.paths:
            self._emit_path(node, mode, scope)

    def _call(self, node: int, scope: Scope) -> None:
        """The definitions that called code may make: of the receiver and of what is passed."""
        tree, language = self.tree, self.language
        rule = self.calls[tree.types[node]]
        passed = tree.parts(node, rule.receiver)
        for callee in tree.parts(node, rule.callee):
            path = language.paths.get(tree.types[callee])
            passed += tree.parts(callee, path.base) if path is not None and path.member is not None else []
        for group in tree.parts(node, rule.arguments):
            passed += tree.children[group]
        for argument in passed:
            path = spell(tree, language, argument)
            while path is None and self._passes(argument):
                argument = tree.children[argument][-1]
                path = spell(tree, language, argument)
            if path is not None:
                self.events.append(Event(DEFINE, scope, *path, passed=True))

    def _passes(self, node: int) -> bool:
        """Whether a node is around what is passed."""
        tree, operators = self.tree, self.language.passing_operators
        if tree.types[node] not in self.language.passing or not tree.children[node]:
            return False
        return not operators or node not in tree.tokens or not operators.isdisjoint(tree.tokens[node])

    def _emit_path(self, node: int, mode: int, scope: Scope) -> None:
        path = spell(self.tree, self.language, node)
        if path is None:
            return
        kind = {READ: USE, REMOVE: DELETE}.get(mode, DEFINE)
        if kind == DELETE:
            return
        self.events.append(Event(kind, scope, *path, passed=mode == MAYBE))


@functools.lru_cache(maxsize=None)
def _emitting(language: Language, with_throws: bool, calls_define: bool) -> frozenset[str]:
    """Types of the nodes that do something after their children."""
    return frozenset({
        *language.paths,
        *(language.calls if calls_define else ()),
        *(language.throwing if with_throws else ()),
    })
