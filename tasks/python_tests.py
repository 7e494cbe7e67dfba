"""Tests and assertions of a Python test file, in the styles of pytest, unittest and numpy.testing."""

from __future__ import annotations

import ast
import re
import unittest
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .python_index import ModuleFacts
from .python_names import FunctionNode
from .python_walk import descendants

SIMPLE = frozenset({ast.Expr, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Raise, ast.Pass, ast.Delete, ast.Global,
                    ast.Nonlocal, ast.Import, ast.ImportFrom, ast.Assert, ast.Break, ast.Continue})
"""Kinds of statements without statements in them."""

SETUP_METHODS = ("setup_method", "setUp", "setup_class", "setUpClass", "setup")

NUMPY_ASSERTIONS = frozenset(
    "assert_ assert_equal assert_almost_equal assert_approx_equal assert_array_equal assert_array_almost_equal "
    "assert_array_less assert_array_compare assert_allclose assert_string_equal assert_array_max_ulp "
    "assert_array_almost_equal_nulp assert_raises assert_raises_regex assert_warns assert_no_warnings "
    "assert_almost_equal assert_not_equal assert_array_approx_equal fail_if_equal".split())
"""Assertions that numpy.testing and numpy.ma.testutils offer as functions."""

_ASSERTION_NAME = re.compile(r"assert(_\w*|[A-Z]\w*)?$|_assert\w*$|fail[A-Z]\w*$")
_MODULES_OF_ASSERTIONS = ("numpy.testing", "numpy.ma.testutils", "unittest", "networkx.testing")


@dataclass(frozen=True)
class TestFunction:
    """A test.

    Attributes:
        node: the function.
        owner: the class around it, or None.
        setups: methods of the class, or of its bases in the same file, that run before the test.
        fixtures: parameter -> the pytest fixture of the same file that makes its value.
    """

    __test__ = False

    node: ast.FunctionDef
    owner: ast.ClassDef | None
    setups: tuple[ast.FunctionDef, ...]
    fixtures: Mapping[str, ast.FunctionDef] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.owner.name}.{self.node.name}" if self.owner else self.node.name


@dataclass(frozen=True)
class Assertion:
    """A statement that asserts.

    Attributes:
        node: the statement.
        kind: `assert`, or the name of the function or method that asserts.
        usable: whether its vocabulary is one that can be known without reading the test file.
        nested: whether it is inside a function within the test.
    """

    node: ast.stmt
    kind: str
    usable: bool
    nested: bool

    @property
    def arguments(self) -> list[ast.expr]:
        """The expressions in it, without the name of the assertion."""
        if isinstance(self.node, ast.Assert):
            return [self.node.test] + ([self.node.msg] if self.node.msg else [])
        call = self.node.value
        return [*call.args, *(keyword.value for keyword in call.keywords)]


def test_functions(facts: ModuleFacts) -> Iterator[TestFunction]:
    """The tests of a file in their order: functions and methods called `test*`, not asynchronous ones."""
    for node in facts.tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            yield TestFunction(node, None, ())
        elif isinstance(node, ast.ClassDef):
            setups = setups_of(node, facts)
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and method.name.startswith("test"):
                    yield TestFunction(method, node, setups)


test_functions.__test__ = False  # the name is that of a test to pytest, which would collect it where it is imported


def setups_of(owner: ast.ClassDef, facts: ModuleFacts, depth: int = 0) -> tuple[ast.FunctionDef, ...]:
    """Methods of a class, or of the first of its bases in the same file that has any, that run before its tests."""
    own = [node for name in SETUP_METHODS for node in owner.body if isinstance(node, ast.FunctionDef) and node.name == name]
    if own or depth > 5:
        return tuple(own)
    for base in owner.bases:
        if isinstance(base, ast.Name) and base.id in facts.classes:
            found = setups_of(facts.classes[base.id], facts, depth + 1)
            if found:
                return found
    return ()


def fixtures_of(test: ast.FunctionDef, owner: ast.ClassDef | None, facts: ModuleFacts) -> dict[str, ast.FunctionDef]:
    """The pytest fixtures of the file, or of the class around the test, that parameters of the test are named after."""
    inside = {node.name: node for node in owner.body if isinstance(node, FunctionNode)} if owner else {}
    found = {}
    for argument in test.args.args:
        node = inside.get(argument.arg) or facts.functions.get(argument.arg)
        if node is not None and any("fixture" in ast.unparse(decorator) for decorator in node.decorator_list):
            found[argument.arg] = node
    return found


def made_by(fixture: ast.FunctionDef) -> ast.expr | None:
    """What a fixture gives: the last expression that it returns or yields; for a variable, what is assigned to it before."""
    nodes = descendants(fixture)
    given = [node.value for node in nodes if isinstance(node, (ast.Return, ast.Yield)) and node.value is not None]
    if given and isinstance(given[-1], ast.Name):
        assigned = [node.value for node in nodes if isinstance(node, ast.Assign)
                    and any(isinstance(target, ast.Name) and target.id == given[-1].id for target in node.targets)]
        given += assigned[-1:]
    return given[-1] if given else None


def assertions(test: ast.FunctionDef, facts: ModuleFacts) -> list[Assertion]:
    """Every statement of `test` that asserts, in order of the text; context managers are none."""
    found: list[Assertion] = []
    _collect(test.body, facts, False, found)
    return found


def _collect(block: list[ast.stmt], facts: ModuleFacts, nested: bool, found: list[Assertion]) -> None:
    for statement in block:
        kind = assertion_kind(statement)
        if kind is not None:
            found.append(Assertion(statement, kind, _is_usable(statement, kind, facts), nested))
            continue
        if statement.__class__ in SIMPLE:
            continue
        inside = nested or isinstance(statement, (*FunctionNode, ast.ClassDef))
        for name in ("body", "orelse", "finalbody"):
            _collect(getattr(statement, name, []), facts, inside, found)
        for part in [*getattr(statement, "handlers", []), *getattr(statement, "cases", [])]:
            _collect(part.body, facts, inside, found)


def assertion_kind(statement: ast.stmt) -> str | None:
    """The kind of an assertion, None for other statements."""
    if isinstance(statement, ast.Assert):
        return "assert"
    if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)):
        return None
    name = call_name(statement.value)
    if name is not None and (_ASSERTION_NAME.match(name) or name == "raises"):
        return name
    return None


def call_name(call: ast.Call) -> str | None:
    """The last name of what is called."""
    if isinstance(call.func, ast.Name):
        return call.func.id
    return call.func.attr if isinstance(call.func, ast.Attribute) else None


def _is_usable(statement: ast.stmt, kind: str, facts: ModuleFacts) -> bool:
    if isinstance(statement, ast.Assert):
        return True
    function = statement.value.func
    if isinstance(function, ast.Attribute):
        by_self = isinstance(function.value, ast.Name) and function.value.id == "self"
        return kind in NUMPY_ASSERTIONS or kind == "raises" or (by_self and hasattr(unittest.TestCase, kind))
    origin = facts.imports.get(kind, ("", ""))[0]
    from_star = kind in NUMPY_ASSERTIONS and kind not in facts.functions and bool(facts.stars)
    return from_star or origin.startswith(_MODULES_OF_ASSERTIONS)


def assertion_blocks(test: ast.FunctionDef, others: set[int]) -> list[ast.stmt]:
    """Compound statements of `test` in which nothing is done but asserting, outermost ones.

    Such a loop or condition is an assertion as a whole: when the assertions in it go, it goes with them.

    Args:
        test: the test.
        others: identities of the assertions that are to go.
    """
    found: list[ast.stmt] = []

    def hollow(statement: ast.stmt) -> bool:
        if id(statement) in others:
            return True
        if not isinstance(statement, (ast.For, ast.If, ast.While, ast.With)):
            return False
        return all(hollow(child) for child in [*statement.body, *getattr(statement, "orelse", [])])

    def visit(block: list[ast.stmt]) -> None:
        for statement in block:
            if id(statement) in others:
                continue
            if statement.__class__ in SIMPLE:
                continue
            if hollow(statement):
                found.append(statement)
            else:
                for name in ("body", "orelse", "finalbody"):
                    visit(getattr(statement, name, []))
                for handler in getattr(statement, "handlers", []):
                    visit(handler.body)

    visit(test.body)
    return found
