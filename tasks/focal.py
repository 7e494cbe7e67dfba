"""The focal function of an assertion: the function of the library whose result is asserted.

Candidates, nearest first:

* `call_in_assertion`: what a call within the assertion resolves to;
* `call_of_variable`: what was called to make a variable that the assertion uses (up to three steps back);
* `call_on_variable`: the last function or method that such a variable was given to before, or called on.

Among them goes first what the test is about by its name: a function whose name is part of the test's, or one defined in
the module that the test file is named after. For mined trees (`names_first`) the function with the most of the test's name
goes before one that only the file is named after. Calls are resolved through imports, re-exports and the classes of variables
that a constructor made; a method of a variable of unknown class is resolved where only one class of the library and its
descendants have a method of that name and no function has (`method_by_name`). Without types and without running the test
this can be wrong; `confidence` orders the ways by how direct they are:

    high    a call in the assertion, or of its variable, that the test is named after
    medium  another call in the assertion
    low     everything else
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from .python_index import ModuleFacts, imported_names
from .python_names import Definition, Names
from .python_tests import Assertion, TestFunction, assertion_kind, made_by
from .python_walk import descendants

STEPS_BACK = 3

TELLING = frozenset({ast.Assign, ast.AnnAssign, ast.AugAssign, ast.For, ast.comprehension, ast.withitem, ast.Expr, ast.Import,
                     ast.ImportFrom})
"""Kinds of nodes that say what a test does with its variables."""

COMPARISONS = frozenset({"edges_equal", "nodes_equal", "graphs_equal"})
"""Functions of networkx that tests compare by; what they are given is what is tested."""

NOT_BY_NAME = frozenset(name for kind in (str, bytes, list, dict, set, tuple, int, float, complex) for name in dir(kind)) | {
    "tolist", "item", "view", "fill", "flatten", "tobytes", "tofile", "byteswap", "setfield", "getfield", "setflags",
    "dump", "dumps", "read", "write", "close", "seek", "match", "group", "next", "send", "run", "start", "result"}
"""Methods that objects outside the library have as well."""


@dataclass(frozen=True)
class Focal:
    """A focal function and how it was found."""

    definition: Definition
    heuristic: str
    confidence: str


class FocalFinder:
    """Focal functions of the assertions of one test.

    Args:
        index: what names stand for.
        facts: the test's file.
        test: the test.
        names_first: whether, of several candidates, the one with the most of the test's own name goes first, then the one with
            the most of the file's; else the first that either is named after.
    """

    def __init__(self, index: Names, facts: ModuleFacts, test: TestFunction, names_first: bool = False):
        self.names_first = names_first
        self.index = index
        self.facts = facts
        self.test = test
        self.nodes = [node for node in descendants(test.node) if node.__class__ in TELLING]
        self.setup_nodes = [node for setup in (*test.setups, *test.fixtures.values()) for node in descendants(setup)
                            if node.__class__ in TELLING]
        self.setup_nodes += [ast.Assign([ast.Name(name)], value) for name, value in (
            (name, made_by(fixture)) for name, fixture in test.fixtures.items()) if value is not None]
        self.local_imports = _local_imports(self.nodes, facts)
        self.subject = facts.path.stem.removeprefix("test_").removesuffix("_test").strip("_")
        self._said = _letters(test.name), _letters(self.subject)
        self.classes = self._variable_classes()
        self.history = _by_variable(sorted(_events(self.setup_nodes, self.nodes), key=lambda event: event[0]))
        self.ambiguous = False
        """Whether the last `find` met a method that it cannot tell the class of: several have one of that name."""
        self._known_parts: dict[int, tuple[list[ast.expr], list[str]]] = {}
        self._called: dict[int, tuple[list[Definition], list[Definition], bool]] = {}

    def find(self, assertion: Assertion) -> Focal | None:
        """The best candidate, None where no call leads into the library."""
        self.ambiguous = False
        direct = self._calls(assertion.arguments)
        if assertion.kind.startswith(("assert_raises", "raises", "assertRaises", "assert_warns", "assert_no_warnings")):
            direct += [(found, "call_in_assertion") for expression in assertion.arguments[:3]
                       for found in self._library_function(expression)]
        traced = self._traced(self._variables(assertion.arguments), assertion.node.lineno, STEPS_BACK)
        candidates = direct + traced
        subject = self._subject_of(candidates)
        if subject is not None:
            definition, heuristic = subject
            return Focal(definition, heuristic, "low" if heuristic in ("call_on_variable", "method_by_name") else "high")
        candidates = [found for found in candidates if not self.index.is_incidental(found[0])]
        if not candidates:
            return None
        definition, heuristic = candidates[0]
        return Focal(definition, heuristic, "medium" if heuristic == "call_in_assertion" else "low")

    def _calls(self, expressions: list[ast.expr], heuristic: str = "call_in_assertion") -> list[tuple[Definition, str]]:
        """Library functions called in `expressions`, outer before inner; those found by a method's name alone last."""
        sure: list[Definition] = []
        unsure: list[Definition] = []
        for expression in expressions:
            if id(expression) not in self._called:
                self._called[id(expression)] = self._calls_of(expression)
            known, guessed, ambiguous = self._called[id(expression)]
            sure += known
            unsure += guessed
            self.ambiguous |= ambiguous
        return [(definition, heuristic) for definition in sure] + [(definition, "method_by_name") for definition in unsure]

    def _calls_of(self, expression: ast.expr) -> tuple[list[Definition], list[Definition], bool]:
        """Functions called in `expression`: those that resolve, those known by a method's name alone, and whether there is
        one of a name that several classes have."""
        sure: list[Definition] = []
        unsure: list[Definition] = []
        ambiguous = False
        for function in self._parts(expression)[0]:
            found = list(self._library_function(function))
            sure += found
            if not found and self._has_telling_name(function):
                method = self.index.method_by_name(function.attr, self.subject)
                if method is not None and not self.index.is_property(method):
                    unsure.append(method)
                ambiguous |= method is None and self.index.is_ambiguous(function.attr)
        return sure, unsure, ambiguous

    def _parts(self, expression: ast.expr) -> tuple[list[ast.expr], list[str]]:
        """What is called in an expression, outer before inner, and the variables that it reads; found once."""
        if id(expression) not in self._known_parts:
            nodes = descendants(expression)
            self._known_parts[id(expression)] = ([node.func for node in nodes if node.__class__ is ast.Call],
                                                 _variables_of(nodes))
        return self._known_parts[id(expression)]

    def _variables(self, expressions: list[ast.expr]) -> list[str]:
        """Variables that `expressions` read, in order, each once."""
        return list(dict.fromkeys(name for expression in expressions for name in self._parts(expression)[1]))

    def _library_function(self, expression: ast.expr) -> Iterator[Definition]:
        definition = self._resolve(expression)
        if definition is None or definition.kind != "function":
            return
        if self.index.is_library(definition) and definition.name not in COMPARISONS and not self.index.is_property(definition):
            yield definition

    def _resolve(self, expression: ast.expr) -> Definition | None:
        if isinstance(expression, ast.Name):
            if expression.id in self.local_imports:
                return self.index.imported(*self.local_imports[expression.id])
            return self.index.resolve(self.facts.name, expression.id)
        if not isinstance(expression, ast.Attribute):
            return None
        key = _variable(expression.value)
        if key in self.classes:
            return self.index.method(self.classes[key], expression.attr)
        return self.index.attribute(self._resolve(expression.value), expression.attr)

    def _has_telling_name(self, function: ast.expr) -> bool:
        """Whether what is called is a method of a variable, by a name that objects outside the library do not have."""
        if not isinstance(function, ast.Attribute) or function.attr in NOT_BY_NAME or function.attr.startswith("assert"):
            return False
        root = function.value
        while isinstance(root, ast.Attribute):
            root = root.value
        imported = isinstance(root, ast.Name) and (root.id in self.facts.imports or root.id in self.local_imports)
        return not imported and not (isinstance(function.value, ast.Name) and function.value.id == "self")

    def _traced(self, variables: list[str], line: int, steps: int) -> list[tuple[Definition, str]]:
        """Candidates of the last event before `line` that made or touched each of `variables`; those of events that
        made one first, and then, where an event led nowhere, of the variables that it used."""
        made: list[tuple[Definition, str]] = []
        touched: list[tuple[Definition, str]] = []
        for variable in variables:
            for number, _, expressions, makes in reversed(self.history.get(variable, ())):
                if number >= line:
                    continue
                heuristic = "call_of_variable" if makes else "call_on_variable"
                found = self._calls(expressions, heuristic)
                if not found and makes and steps > 1:
                    found = self._traced(self._variables(expressions), number, steps - 1)
                (made if makes else touched).extend(found)
                if found or makes:
                    break
        return made + touched

    def _is_subject(self, definition: Definition) -> bool:
        function = definition.name.rpartition(".")[2].strip("_").lower()
        named = len(function) > 2 and function in f"{self.subject} {self.test.name.lower().replace('test', '', 1)}"
        return named or self._module_is_subject(definition)

    def _module_is_subject(self, definition: Definition) -> bool:
        owner = definition.module.rpartition(".")[2].strip("_").removesuffix("_impl")
        return owner in (self.subject, f"{self.subject}s") or (
            "_" in owner and set(owner.split("_")) <= set(self.subject.split("_")))

    def _subject_of(self, candidates: list[tuple[Definition, str]]) -> tuple[Definition, str] | None:
        """The one of the candidates that the test is about by its name, the first of several."""
        if self.names_first and candidates:
            parts = [self._named_parts(definition) for definition, _ in candidates]
            best = max(parts)
            if any(best):
                return candidates[parts.index(best)]
            return next((found for found in candidates if self._is_in_file_name(found[0])), None)
        return next((found for found in candidates if self._is_subject(found[0])), None)

    def _is_in_file_name(self, definition: Definition) -> bool:
        function = definition.name.rpartition(".")[2].strip("_").lower()
        return len(function) > 2 and function in self.subject

    def _named_parts(self, definition: Definition) -> tuple[int, int, bool]:
        """How much of the name of the test with its class is the function's, then how much of the file's, then whether the
        function is the subject in another way; case and underscores do not count, and nothing of an incidental function does
        unless the file is named after its module: graphs are made by `complete_graph` in many a test of that name."""
        if self.index.is_incidental(definition) and not self._module_is_subject(definition):
            return 0, 0, False
        function = _letters(definition.name.rpartition(".")[2])
        parts = [len(function) if len(function) > 2 and function in text else 0 for text in self._said]
        return parts[0], parts[1], self._is_subject(definition)

    def _variable_classes(self) -> dict[str, Definition]:
        """Class of each variable whose every assignment in the test and its set-up is a call of the same class."""
        seen: dict[str, set[str]] = {}
        classes: dict[str, Definition] = {}
        self.classes = {}
        for node in [*self.setup_nodes, *self.nodes]:
            if not isinstance(node, ast.Assign):
                continue
            value = self._resolve(node.value.func) if isinstance(node.value, ast.Call) else None
            known = value is not None and value.kind == "class"
            for key in filter(None, map(_variable, node.targets)):
                seen.setdefault(key, set()).add(value.full_name if known else "?")
                if known:
                    classes[key] = value
        return {key: classes[key] for key, names in seen.items() if len(names) == 1 and "?" not in names}


def _letters(name: str) -> str:
    return name.lower().replace("_", "")


Event = tuple[int, frozenset[str], list[ast.expr], bool]


def _events(setup_nodes: list[ast.AST], nodes: list[ast.AST]) -> Iterator[Event]:
    """(line, variables, expressions, whether the variables get a value) of what happens in a set-up and its test.

    The set-up counts as line 0, before the whole test.
    """
    for node in setup_nodes:
        yield from ((0, *event) for event in _what_happens(node))
    for node in nodes:
        yield from ((event[1][0].lineno, *event) for event in _what_happens(node))


def _by_variable(events: list[Event]) -> dict[str, list[Event]]:
    """The events of each variable, in their order."""
    found: dict[str, list[Event]] = {}
    for event in events:
        for variable in event[1]:
            found.setdefault(variable, []).append(event)
    return found


def _what_happens(node: ast.AST) -> Iterator[tuple[frozenset[str], list[ast.expr], bool]]:
    if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)) and node.value is not None:
        yield _stored(node.targets if isinstance(node, ast.Assign) else [node.target]), [node.value], True
    elif isinstance(node, (ast.For, ast.comprehension)):
        yield _stored([node.target]), [node.iter], True
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        yield _stored([node.optional_vars]), [node.context_expr], True
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and assertion_kind(node) is None:
        yield frozenset(_variables_of(descendants(node.value))), [node.value], False


def _stored(targets: list[ast.expr]) -> frozenset[str]:
    names: set[str] = set()
    for target in targets:
        if isinstance(target, (ast.Tuple, ast.List)):
            names |= _stored(target.elts)
        elif isinstance(target, ast.Starred):
            names |= _stored([target.value])
        elif isinstance(target, ast.Subscript):
            names |= _stored([target.value])
        else:
            names.add(_variable(target) or "")
    return frozenset(names - {""})


def _variable(node: ast.expr) -> str:
    """`x`, or `self.x` for what a test keeps on its instance or class; empty for other expressions."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
        return f"self.{node.attr}"
    return ""


def _variables_of(nodes: list[ast.AST]) -> list[str]:
    """Variables among `nodes`, in order, each once."""
    found = [_variable(node) for node in nodes if node.__class__ is ast.Name or node.__class__ is ast.Attribute]
    return [name for name in dict.fromkeys(found) if name not in ("", "self", "cls")]


def _local_imports(nodes: list[ast.AST], facts: ModuleFacts) -> dict[str, tuple[str, str]]:
    """Imports within a test; they hide those of the file."""
    found: dict[str, tuple[str, str]] = {}
    for node in nodes:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found.update(imported_names(node, facts.name, facts.is_package)[0])
    return found
