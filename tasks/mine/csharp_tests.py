"""Tests and assertions of NUnit, xUnit.net and MSTest."""

from __future__ import annotations

import re

from cpg.parse import SyntaxTree

from .class_tests import ASSERTION, GROUP, HELPER, TestRules
from .csharp_syntax import CSharpSyntax
from .outline import FileFacts

OWNERS = frozenset({"Assert", "ClassicAssert", "StringAssert", "CollectionAssert", "FileAssert", "DirectoryAssert",
                    "Assertion"})
"""Simple names of the classes that have the assertions."""
GROUPS = frozenset({"Multiple", "MultipleAsync"})
NO_ASSERTIONS = frozenset({"Fail", "Pass", "Ignore", "Inconclusive", "Skip", "SkipWhen", "SkipUnless", "Warn", "Charlie"})
"""Methods of `Assert` that end a test, whatever came of it."""


class CSharpTests(TestRules):
    """The vocabulary of C#."""

    test_annotations = frozenset({"Test", "TestCase", "TestCaseSource", "Theory", "Fact", "TestMethod", "DataTestMethod"})
    setup_annotations = frozenset({"SetUp", "OneTimeSetUp", "TestFixtureSetUp", "TestInitialize", "ClassInitialize"})
    vocabulary = OWNERS | {"Is", "Has", "Does", "Contains", "Throws", "Assume"}
    any_assertion = re.compile(r"[Aa]ssert(?:[A-Z_]\w*)?$")
    equality = re.compile(r"(?:Equal|Same|Equivalent)")
    _own_kinds = re.compile(r"\w+(?:Fact|Theory|TestMethod)$")
    """Attributes that projects derive from those of xUnit.net and MSTest."""

    def __init__(self, syntax: CSharpSyntax):
        self.syntax = syntax

    def is_test(self, tree: SyntaxTree, class_node: int, node: int, facts: FileFacts) -> bool:
        if tree.types[node] != "method_declaration":
            return False
        return any(name in self.test_annotations or self._own_kinds.match(name)
                   for name in self.syntax.annotations(tree, node))

    def is_setup(self, tree: SyntaxTree, node: int) -> bool:
        return tree.types[node] == "constructor_declaration" or super().is_setup(tree, node)

    def role(self, name: str, receiver: str) -> str | None:
        owner = receiver.rpartition(".")[2].strip()
        if owner in OWNERS:
            if name in GROUPS:
                return GROUP
            return None if name in NO_ASSERTIONS else ASSERTION
        if self.any_assertion.match(name) or owner.endswith("Assert") or owner.startswith("Assert"):
            return HELPER
        return None
