"""Which variable each name in the text stands for, and in which order names are read and written.

One walk over the tree in the order in which the program evaluates it (the right side of an assignment before
its target, the iterable of a loop before its variable) emits a flat list of events: a variable is used,
defined or deleted, or something may throw. `cpg.name_walk` holds the walk and the events, this file the constructs.

A variable is where its name is declared plus a path: `x`, `x.f`, `x[]`. Scopes nest as in the language:

* `hoisted` languages (Python): a name belongs to the function that binds it anywhere; class bodies are not
  visible from the functions in them; a comprehension has its own scope, all but its first iterable.
* others (Java): a declaration is visible from its own place to the end of its block, or in the whole block
  (`declared_throughout`), as the name of a nested function always is; what `hoisting` declares (JavaScript's
  var) in the whole function.

A name that nothing declares is a field of the receiver (`implicit_receiver`), so `f` and `this.f` are one
variable, or belongs to the file. A receiver itself (`this`) belongs to the function or class that receives it.
`cpg.access_paths` spells the paths.

Cost: linear in the tree, times the nesting depth of scopes that declare something.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

from cpg.access_paths import RECEIVER
from cpg.captures import Captures, read_captures
from cpg.flow_graph import NOWHERE
from cpg.languages.base import Binding, Class, Comprehension, Function, Jump, Language, Part
from cpg.name_walk import (
    DECLARE,
    DECLARING,
    DEFINE,
    EARLY,
    HOIST,
    HOIST_RESERVE,
    IMPORT,
    MAYBE,
    PATTERN,
    READ,
    REMOVE,
    RESERVE,
    THROWN,
    USE,
    WRITE,
    Actions,
    Event,
    NameWalk,
)
from cpg.parse import SyntaxTree
from cpg.scopes import Scope

_MODES = {"define": WRITE, "delete": REMOVE, "import": IMPORT, "pattern": PATTERN, "field": WRITE, "name": WRITE}


class Variable(NamedTuple):
    """`owner`: node of the body it belongs to, -1 for fields of the receiver. `root`: number of the variable
    that its path starts from. `scope`: where it is declared."""

    owner: int
    root: int
    scope: Scope


class Names(NameWalk):
    """Events of a whole tree, resolved.

    `texts`: see `cpg.flow_graph.evaluated_texts`. `events[i]` concerns variable `variables[i]`, -1 for THROW and names that
    nothing defines.
    `own[n]`: the numbers of the events in the text of node `n`, one of those that a point evaluates, in their order;
    in the place of a point inside it, whose text is not its own, `-1 - point`. `with_throws`: whether there are THROW
    events. `captures`: function node -> what its capture list says.
    """

    def __init__(
        self,
        tree: SyntaxTree,
        language: Language,
        texts: dict[int, int],
        with_throws: bool = True,
        calls_define: bool = False,
    ) -> None:
        super().__init__(tree, language, texts, with_throws, calls_define)
        self.captures: dict[int, Captures] = {}
        self.table: list[Variable] = []
        self._numbers: dict[tuple[Scope, str, tuple[str, ...]], int] = {}
        self._results: dict[int, tuple[Scope, list[int]]] = {}
        """Function -> its scope and the nodes that hold its named results."""
        self._literal_types: dict[int, int] = {}
        """Literal inside a literal -> the node of its type, -1 where that is not known."""
        self._walk(_actions(language), _plain_names(language))
        self._scopes.close()
        self.variables = self._resolved()

    def lazy_scopes(self) -> set[Scope]:
        """Comprehensions that run after the point that makes them, and the scopes in them up to the next body."""
        lazy: set[Scope] = set()
        types, parents = self.tree.types, self.tree.parents
        for scope in self._scopes.all if self.language.lazy else ():
            if scope.kind == "comprehension":
                consumer = self.language.lazy.get(types[scope.node])
                if scope.parent in lazy or consumer not in (None, types[parents[scope.node]]):
                    lazy.add(scope)
            elif scope.kind == "block" and scope.parent in lazy:
                lazy.add(scope)
        return lazy

    # ---------------------------------------------------------------------------------------- constructs
    def _initializer(self, node: int, mode: int, scope: Scope) -> None:
        tree, language = self.tree, self.language
        for child in tree.children[node]:
            rule = language.bindings.get(tree.types[child])
            for target in tree.parts(child, rule.target) if rule is not None else ():
                if tree.types[target] in language.identifiers:
                    self._visited.add(target)
        self._children(node, mode, scope)

    def _evaluated(self, node: int, mode: int, scope: Scope) -> None:
        called = self.tree.children[node]
        if not called or self.tree.code(called[0]) not in self.language.unevaluated:
            self._children(node, mode, scope)

    def _hoisting(self, node: int, mode: int, scope: Scope) -> None:
        self._push(self.tree.children[node], HOIST, scope)

    def _dotted(self, node: int, mode: int, scope: Scope) -> None:
        children = self.tree.children[node]
        # `case a:` binds a; `case a.b:` compares with a.b.
        mode = READ if mode == PATTERN and len(children) > 1 else mode
        self._push(children[:1], mode, scope)

    def _keyed(self, node: int, mode: int, scope: Scope) -> None:
        children = self.tree.children[node]
        self._push(children[1:] if self._is_field_key(node) else children, READ, scope)

    def _is_field_key(self, node: int) -> bool:
        tree, rule = self.tree, self.language.keyed[self.tree.types[node]]
        key = node
        while tree.children[key] and (key == node or len(tree.children[key]) == 1):
            key = tree.children[key][0]
        if tree.types[key] not in self.language.identifiers:
            return False
        around: list[int] = []
        literal = tree.parents[node]
        while literal > 0 and literal not in self._literal_types and tree.part(literal, rule.type) < 0:
            if tree.types[literal] == rule.literal:
                around.append(literal)
            literal = tree.parents[literal]
        known = self._literal_types.get(literal)
        for inner in reversed(around):
            known = tree.part(literal, rule.type) if known is None else tree.part(known, rule.element) if known >= 0 else -1
            self._literal_types[inner] = known
        return known is None or known < 0 or tree.types[known] not in rule.indexed

    def _block(self, node: int, mode: int, scope: Scope) -> None:
        if mode in DECLARING:  # a function's parameters, which belong to its scope; a prototype's are its own
            self._target(node, mode, scope)
            return
        inner = scope
        if scope.kind != "function" or self.tree.parents[node] != scope.node:
            inner = self._scopes.add("block", scope, scope.owner, node)
        confined = self.tree.parts(node, self.language.confined.get(self.tree.types[node]))
        for child in reversed(self._without_ignored(node, self.tree.children[node])):
            self._stack.append((None, child, DECLARE if child in confined else READ, inner))

    def _binding(self, node: int, mode: int, scope: Scope) -> None:
        tree, kind, children = self.tree, self.tree.types[node], self.tree.children[node]
        if kind in self.language.scopes:
            scope = self._scopes.add("block", scope, scope.owner, node)
        rule: Binding = self.language.bindings[kind]
        tokens = tree.tokens.get(node, ())
        if rule.only and rule.only.isdisjoint(tokens):
            passed_on = mode in DECLARING or kind in self.language.targets
            self._push(self._without_ignored(node, children), mode if passed_on else READ, scope)
            return
        targets = tree.parts(node, rule.target)
        values = tree.parts(node, rule.value)
        if mode == PATTERN and not targets:
            targets = children[-1:]
        values = [value for value in values if value not in targets]
        rest = self._without_ignored(node, [c for c in children if c not in targets and c not in values])
        wanted = _MODES[rule.mode]
        if mode == HOIST or not rule.hoists.isdisjoint(tokens):
            wanted = HOIST_RESERVE if rule.needs_value and not values else HOIST
        elif mode in DECLARING and not (mode == RESERVE and values):
            wanted = mode
        elif rule.needs_value and not values:
            wanted = RESERVE
        elif rule.declares or not rule.declares_with.isdisjoint(tokens):
            wanted = DECLARE
        reads = rule.reads and rule.plain.isdisjoint(tokens)
        first = tree.parts(node, rule.first)
        self._push([child for child in rest if child not in first] if first else rest, READ, scope)
        if reads:
            written = WRITE if rule.maybe.isdisjoint(tokens) else MAYBE
            self._stack.extend((self._write, target, written, scope) for target in reversed(targets))
            self._push(values, READ, scope)
            self._push(targets, READ, scope)
        else:
            if rule.stores and not rule.stores.isdisjoint((*tokens, *(tree.types[child] for child in rest))):
                self._stack.extend((self._field, target, wanted, scope) for target in reversed(targets))
            action = self._field if rule.mode == "field" else self._name if rule.mode == "name" else None
            constructs = wanted == RESERVE and bool(tree.parts(node, rule.constructs))
            for target in reversed(targets):
                made = constructs and tree.types[target] in rule.constructed
                self._stack.append((action, target, DECLARE if made else wanted, scope))
            self._push(values, READ, scope)
        self._push(first, READ, scope)

    def _name(self, node: int, mode: int, scope: Scope) -> None:
        """A target whose text is the name, whatever its type."""
        point = node in self._texts
        if point:
            self._enter(node)
        self._identifier(node, mode, scope)
        if point:
            self._leave(node, mode, scope)

    def _field(self, node: int, mode: int, scope: Scope) -> None:
        """The definition of the receiver's field of that name."""
        if self.tree.children[node]:
            self._push([node], READ, scope)
        elif mode not in (RESERVE, HOIST_RESERVE):
            suffix = "." + self.tree.code(node)
            self.events.append(Event(DEFINE, scope, RECEIVER, (suffix,), RECEIVER + suffix))

    # ----------------------------------------------------------------------------- functions and classes
    def _function(self, node: int, mode: int, scope: Scope) -> None:
        rule: Function = self.language.functions[self.tree.types[node]]
        if self.tree.types[node] in self.language.bindings and self.tree.part(node, rule.body) < 0:
            return self._binding(node, mode, scope)
        parameters = self.tree.parts(node, rule.parameters)
        captured = [child for part in self.tree.parts(node, rule.captures) for child in self.tree.children[part]]
        if rule.captures is not None:
            self.captures[node] = read_captures(self.tree, self.language, captured)
            scope = self._scopes.add("block", scope, scope.owner, node)
        inner = self._scopes.add("function", scope, node, node, receives=rule.receives)
        stack = self._stack
        stack.append((self._close_hole, node, mode, inner))
        self._push(self.tree.parts(node, rule.body), READ, inner)
        self._push(self.tree.parts(node, rule.prologue), READ, inner)
        results = self.tree.parts(node, rule.results)
        self._results[node] = inner, results
        self._push(results, DECLARE, inner)
        self._push(parameters, DECLARE, inner)
        self._push(self.tree.parts(node, rule.knows), RESERVE, inner)
        stack.append((self._open_hole, node, mode, inner))
        self._push(self.tree.parts(node, rule.binds), WRITE if self.language.hoisted else EARLY, scope)
        for child in reversed(captured):
            self._push([child], DECLARE if self.tree.types[child] in self.language.bindings else READ, scope)
        eager = self._eager(parameters)
        stack.extend((self._mark_visited, value, mode, scope) for value in eager)
        self._push(eager, READ, scope)
        self._now([node], rule.outside, scope)

    def _eager(self, parameters: list[int]) -> list[int]:
        if not self.language.eager:
            return []
        tree = self.tree
        return [
            value
            for group in parameters
            for parameter in tree.children[group]
            for value in tree.children[parameter]
            if tree.fields[value] in self.language.eager
        ]

    def _class(self, node: int, mode: int, scope: Scope) -> None:
        rule: Class = self.language.classes[self.tree.types[node]]
        body = self.tree.parts(node, rule.body)
        bound = self.tree.parts(node, rule.binds)
        parameters = self.tree.parts(node, rule.parameters)
        epilogue = self.tree.parts(node, rule.epilogue)
        inside = parameters + body + epilogue
        rest = [child for child in self.tree.children[node] if child not in inside and child not in bound]
        if inside:
            inner = self._scopes.add("class", scope, node, node)
            self._stack.append((self._close_hole, node, mode, inner))
            self._push(body + epilogue, READ, inner)
            self._push(parameters, DECLARE, inner)
            self._stack.append((self._open_hole, node, mode, inner))
        self._push(bound, WRITE if self.language.hoisted else DECLARE, scope)
        holders = [*body, *(member for part in body for member in self.tree.children[part])]
        self._now(holders if rule.outside is not None else [], rule.outside, scope)
        self._push(self._without_ignored(node, rest), READ, scope)

    def _now(self, holders: list[int], outside: Part, scope: Scope) -> None:
        """Read the parts of the holders here, and not again where they stand."""
        parts = [part for holder in holders for part in self.tree.parts(holder, outside)]
        self._stack.extend((self._mark_visited, part, READ, scope) for part in parts)
        self._push(parts, READ, scope)

    def _open_hole(self, node: int, mode: int, scope: Scope) -> None:
        """Begin what only runs when it is called."""
        self._assign()
        self._around.append(NOWHERE)

    _close_hole = NameWalk._leave

    def _comprehension(self, node: int, mode: int, scope: Scope) -> None:
        rule = self.language.expressions[self.tree.types[node]]
        assert isinstance(rule, Comprehension)
        inner = self._scopes.add("comprehension", scope, scope.owner, node)
        body = self.tree.parts(node, rule.body)
        clauses = [child for child in self.tree.children[node] if child not in body]
        if clauses:
            for iterable in self.tree.parts(clauses[0], rule.iterable):
                self._scope_of[iterable] = scope
        self._push(clauses + body, READ, inner)

    def _return(self, node: int, mode: int, scope: Scope) -> None:
        self._stack.append((self._close_return, node, mode, scope))
        self._children(node, mode, scope)

    def _close_return(self, node: int, mode: int, scope: Scope) -> None:
        """A return hands its values to the named results; without values it gives what they hold."""
        tree = self.tree
        kind = DEFINE if tree.children[node] else USE
        inner, groups = self._results.get(scope.owner, (scope, ()))
        for result in (member for group in groups for member in tree.children[group]):
            binding = self.language.bindings.get(tree.types[result])
            for name in map(tree.code, tree.parts(result, binding.target) if binding else ()):
                self.events.append(Event(kind, inner, name, (), name))

    def _redirect(self, node: int, mode: int, scope: Scope) -> None:
        scope = self._around_blocks(scope)
        for child in self.tree.children[node]:
            scope.redirects[self.tree.code(child)] = self.language.redirects[self.tree.types[node]]

    def _path(self, node: int, mode: int, scope: Scope) -> None:
        rule, tokens = self.language.paths[self.tree.types[node]], self.tree.tokens.get(node, ())
        binding = self.language.bindings.get(self.tree.types[node])
        if binding is not None and not binding.only.isdisjoint(tokens):
            self._binding(node, mode, scope)
        elif mode in DECLARING and rule.only and rule.only.isdisjoint(tokens):
            self._target(node, mode, scope)
        else:
            self._children(node, mode, scope)

    # ---------------------------------------------------------------------------------------- resolution
    def _resolved(self) -> list[int]:
        """The variable of each event."""
        defined = {RECEIVER}
        """The names that some definition mentions, as `x` or as `this.x`; what is read by another name is of no interest."""
        for event in self.events:
            if event.kind == DEFINE:
                defined.add(event.suffix[0][1:] if event.root == RECEIVER and event.suffix else event.root)
        return [
            self._resolve(position, event) if event.root in defined and event is not THROWN else -1
            for position, event in enumerate(self.events)
        ]

    def _resolve(self, position: int, event: Event) -> int:
        scope, root, suffix = self._scopes.find(event.scope, event.root, position), event.root, event.suffix
        if scope is None:
            if self.language.implicit_receiver:
                scope = event.scope.receiver
                if root != RECEIVER:
                    root, suffix = RECEIVER, ("." + root, *suffix)
            else:
                scope = event.scope.receiver if root == RECEIVER else self._module
        elif scope.kind == "class" and self.language.implicit_receiver:
            root, suffix = RECEIVER, ("." + root, *suffix)
        return self._number(scope, root, suffix)

    def _number(self, scope: Scope, root: str, suffix: tuple[str, ...]) -> int:
        key = (scope, root, suffix)
        number = self._numbers.get(key)
        if number is None:
            origin = self._number(scope, root, ()) if suffix else len(self.table)
            number = self._numbers[key] = len(self.table)
            owner = -1 if root == RECEIVER and self.language.implicit_receiver else scope.owner
            self.table.append(Variable(owner, origin, scope))
        return number


@functools.lru_cache(maxsize=None)
def _actions(language: Language) -> Actions:
    """Node type -> what visiting such a node does. Without an entry its children are read."""
    returns: list[str] = []
    if any(function.results is not None for function in language.functions.values()):
        returns = [k for k, rule in language.statements.items() if isinstance(rule, Jump) and rule.kind == "return"]
    return {
        kind: action
        for kinds, action in (
            (language.initializers, Names._initializer),
            (language.ignored_parts, Names._children),
            (language.calls if language.unevaluated else (), Names._evaluated),
            (language.intrinsic, Names._children),
            (language.targets, Names._target),
            (language.keyed, Names._keyed),
            (returns, Names._return),
            (language.hoisting, Names._hoisting),
            (language.dotted, Names._dotted),
            (language.scopes, Names._block),
            (language.bindings, Names._binding),
            (language.paths, Names._path),
            (language.functions, Names._function),
            (language.classes, Names._class),
            (language.comprehensions, Names._comprehension),
            (language.redirects, Names._redirect),
            (language.identifiers, Names._identifier),
            (language.receivers, Names._receiver),
            (language.ignored, Names._nothing),
        )
        for kind in kinds
    }


@functools.lru_cache(maxsize=None)
def _plain_names(language: Language) -> frozenset[str]:
    return frozenset(kind for kind, action in _actions(language).items() if action is Names._identifier)
