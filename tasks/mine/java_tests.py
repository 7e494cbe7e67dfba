"""Tests of JUnit 3, 4 and 5 and TestNG; assertions of these, Hamcrest, AssertJ and Truth."""

from __future__ import annotations

import re

from cpg.parse import SyntaxTree

from .class_tests import ASSERTION, GROUP, HELPER, TestRules
from .java_syntax import JavaSyntax
from .outline import FileFacts

JUNIT = frozenset(
    "assertEquals assertNotEquals assertTrue assertFalse assertNull assertNotNull assertSame assertNotSame "
    "assertArrayEquals assertIterableEquals assertLinesMatch assertThrows assertThrowsExactly assertDoesNotThrow "
    "assertTimeout assertTimeoutPreemptively assertInstanceOf assertNotInstanceOf assertThat assertEqualsNoOrder "
    "assertEqualsDeep assertNotEqualsDeep assertListContains assertListNotContains".split())
CHAINED = frozenset(
    "assertThat assertThatObject assertThatThrownBy assertThatCode assertThatException assertThatExceptionOfType "
    "assertThatNoException assertThatNullPointerException assertThatIllegalArgumentException assertThatIOException "
    "assertThatIllegalStateException assertThatRuntimeException assertWithMessage assertThatPredicate assertThatList".split())
GROUPS = frozenset({"assertAll", "assertSoftly"})
OWNERS = frozenset({"Assert", "Assertions", "MatcherAssert", "TestCase", "Truth", "AssertionsForClassTypes",
                    "AssertionsForInterfaceTypes", "AssertJUnit", "this", "super", ""})
"""Simple names of the classes that have the assertions."""


class JavaTests(TestRules):
    """The vocabulary of Java."""

    test_annotations = frozenset({"Test", "ParameterizedTest", "RepeatedTest", "TestTemplate", "TestFactory", "Theory"})
    setup_annotations = frozenset({"Before", "BeforeEach", "BeforeClass", "BeforeAll", "BeforeMethod", "BeforeTest",
                                   "BeforeSuite"})
    setup_names = frozenset({"setUp"})
    vocabulary = (OWNERS | {"Matchers", "CoreMatchers", "Mockito", "Is", "BDDAssertions"}) - {"", "this", "super"}
    any_assertion = re.compile(r"assert(?:[A-Z_]\w*)?$")

    def __init__(self, syntax: JavaSyntax):
        self.syntax = syntax

    def is_test(self, tree: SyntaxTree, class_node: int, node: int, facts: FileFacts) -> bool:
        syntax = self.syntax
        if syntax.methods[tree.types[node]] != "method" or tree.types[class_node] not in ("class_declaration",
                                                                                          "interface_declaration"):
            return False
        annotations = set(syntax.annotations(tree, node))
        if annotations & self.test_annotations:
            return True
        if syntax.returns(tree, node) != "void" or tree.ends[node] - tree.starts[node] < 10:
            return False
        modifiers = syntax.modifiers(tree, node)
        if "Test" in syntax.annotations(tree, class_node) and "public" in modifiers and "static" not in modifiers:
            return not annotations and not self.is_setup(tree, node)  # TestNG: every public method of such a class
        types, _, _ = syntax.parameters(tree, node)
        named = syntax.name(tree, node).startswith("test") and not types and "static" not in modifiers
        return named and "private" not in modifiers and self._is_test_case(tree, class_node, facts)

    def _is_test_case(self, tree: SyntaxTree, class_node: int, facts: FileFacts) -> bool:
        """Whether a class is one of JUnit 3, itself or by a class of the project whose name says so."""
        bases = [base.partition("<")[0] for base in self.syntax.supertypes(tree, class_node)]
        return any("Test" in base.rpartition(".")[2] for base in bases) or any("junit.framework" in one
                                                                               for one in facts.imports)

    def role(self, name: str, receiver: str) -> str | None:
        if not self.any_assertion.match(name):
            return None
        owner = receiver.rpartition(".")[2].strip()
        if owner not in OWNERS:
            return HELPER
        if name in GROUPS:
            return GROUP
        return ASSERTION if name in JUNIT or name in CHAINED else HELPER

    def actual_first(self, facts: FileFacts) -> bool:
        return any("org.testng" in one and "AssertJUnit" not in one for one in facts.imports)
