"""Tests and assertions in languages whose tests are methods of classes. The vocabulary is the language's own: `TestRules`."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from cpg.parse import SyntaxTree

from .outline import FileFacts
from .syntax import Call, CodeTree, Syntax

ASSERTION, GROUP, HELPER = "assertion", "group", "helper"


@dataclass(frozen=True)
class Assertion:
    """A call that asserts.

    Attributes:
        statement: the statement that it is, with what is chained to it; the call itself where its value is used.
        call: the call.
        arguments: expressions in it, what is tested first as far as the order tells; of what is chained to it, too.
        problem: the reason for which it makes no row; empty where it may.
    """

    statement: int
    call: Call
    arguments: list[int]
    problem: str


class TestRules(ABC):
    """What makes a test and an assertion in one language; the subclasses fill in the tables."""

    __test__ = False

    syntax: Syntax
    test_annotations: ClassVar[frozenset[str]]
    setup_annotations: ClassVar[frozenset[str]]
    setup_names: ClassVar[frozenset[str]] = frozenset()
    vocabulary: ClassVar[frozenset[str]]
    """Simple names of the classes that assertions are made of."""
    any_assertion: ClassVar[re.Pattern[str]]
    """Names of calls that assert, in some vocabulary or other."""
    equality: ClassVar[re.Pattern[str]] = re.compile(r"(?i)(?:equal|same)")
    """Assertions that compare their first two arguments."""

    @abstractmethod
    def is_test(self, tree: SyntaxTree, class_node: int, node: int, facts: FileFacts) -> bool:
        """Whether a method of a class is run as a test."""

    def is_setup(self, tree: SyntaxTree, node: int) -> bool:
        """Whether a method runs before the tests of its class."""
        if self.syntax.name(tree, node) in self.setup_names:
            return True
        return bool(self.setup_annotations & set(self.syntax.annotations(tree, node)))

    @abstractmethod
    def role(self, name: str, receiver: str) -> str | None:
        """What a call of this name on what has this text is: `assertion`, `group` (it holds assertions), `helper` (it asserts
        in words that are not known) or None."""

    def actual_first(self, facts: FileFacts) -> bool:
        """Whether what is tested stands in front of what is expected in the tests of a file."""
        return False

    def assertions(self, code: CodeTree, method: int, facts: FileFacts) -> list[Assertion]:
        """Every assertion of a test, in the order of the text."""
        found: dict[int, Assertion] = {}
        end = method
        starts = {*code.statements(method), *(call.node for call in code.calls(method))}
        for node in sorted(starts):
            assertion = self._assertion(code, node, method, facts) if node >= end else None
            if assertion is not None:
                found[node] = assertion
                end = code.tree.last[assertion.statement]
        return list(found.values())

    def _assertion(self, code: CodeTree, node: int, method: int, facts: FileFacts) -> Assertion | None:
        tree = code.tree
        if tree.types[node] == "assert_statement":
            call = Call(node, "assert", -1, tuple(tree.children[node][:1]))
            return Assertion(node, call, list(tree.children[node][:1]), self._nested(code, node, method))
        is_statement = tree.types[node] == self.syntax.statement
        calls = self._chain(code, node) if is_statement else [code.call(node)]
        place = next((place for place, call in enumerate(calls) if self._role(tree, call) in (ASSERTION, HELPER)), -1)
        if place < 0:
            return None
        call = calls[place]
        problem = "helper_assertion" if self._role(tree, call) == HELPER else self._nested(code, node, method)
        if not problem and not is_statement:
            problem = "value_is_used"
        if not problem and self._asserts_nothing(call, place):
            problem = "asserts_nothing"
        chained = [argument for other in calls[:place] for argument in other.arguments or ()]
        return Assertion(node, call, self._ordered(tree, call, facts) + chained, problem)

    def _chain(self, code: CodeTree, statement: int) -> list[Call]:
        """The calls that a statement is, each called on the next one; empty where it is no call."""
        tree = code.tree
        calls: list[Call] = []
        node = tree.children[statement][0] if tree.children[statement] else -1
        while node >= 0:
            if tree.types[node] in self.syntax.transparent:
                node = tree.children[node][-1] if tree.children[node] else -1
                continue
            call = code.call(node)
            if call is None or call.creates:
                break
            calls.append(call)
            node = call.receiver
        return calls

    def _role(self, tree: SyntaxTree, call: Call | None) -> str | None:
        if call is None or call.arguments is None or call.creates:
            return None
        receiver = tree.code(call.receiver) if call.receiver >= 0 else ""
        return self.role(call.name, receiver) if len(receiver) < 100 else None

    def _asserts_nothing(self, call: Call, chained: int) -> bool:
        """Whether only what could be chained to a call would assert, and nothing is."""
        return call.name == "assertThat" and len(call.arguments or ()) == 1 and not chained

    def _nested(self, code: CodeTree, node: int, method: int) -> str:
        """`in_nested_function` for what stands in one; the blocks that a group of assertions is given are none."""
        tree, inner = code.tree, node
        node = tree.parents[node]
        while node > method:
            if tree.types[node] in self.syntax.nested_functions and not self._is_grouped(code, node, inner):
                return "in_nested_function"
            inner, node = node, tree.parents[node]
        return ""

    def _is_grouped(self, code: CodeTree, function: int, inside: int) -> bool:
        tree = code.tree
        if tree.types[inside] not in self.syntax.blocks:
            return False
        node = tree.parents[function]
        while node > 0 and "argument" in tree.types[node]:
            node = tree.parents[node]
        return self._role(tree, code.call(node)) == GROUP

    def is_group(self, code: CodeTree, statement: int) -> bool:
        """Whether a statement does nothing but hold assertions."""
        return any(self._role(code.tree, call) == GROUP for call in self._chain(code, statement))

    def _ordered(self, tree: SyntaxTree, call: Call, facts: FileFacts) -> list[int]:
        """The arguments of an assertion, what is tested first, without a message in front."""
        arguments = list(call.arguments or ())
        compares = bool(self.equality.search(call.name))
        actual_first = self.actual_first(facts)
        if not actual_first and len(arguments) > 1 + compares and self._is_message(tree, arguments[0]):
            arguments = arguments[1:]
        if compares and len(arguments) > 1 and not actual_first:
            arguments[:2] = arguments[1::-1]
        return arguments

    def _is_message(self, tree: SyntaxTree, node: int) -> bool:
        if tree.types[node] in self.syntax.strings:
            return True
        return tree.types[node] == "binary_expression" and any(map(lambda one: self._is_message(tree, one),
                                                                   tree.children[node]))
