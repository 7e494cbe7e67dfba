"""The tests of one file of a language whose tests are methods of classes, to rows of the task `assert`."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from cpg.parse import SyntaxTree

from ..assertion import PLACEHOLDER
from ..code_tokens import code_tokens
from ..mining import EXAMPLES_PER_TEST, MAX_SOURCE_CHARACTERS, MAX_TARGET_CHARACTERS
from .class_tests import Assertion, TestRules
from .focal_method import Focal, FocalFinder, NoFocal
from .language_miner import Declaration, Mined, SourceFile
from .member_text import CannotCut, assertion_blocks, cut, on_one_line
from .method_texts import MethodTexts
from .outline import FileFacts
from .scope import Scope
from .syntax import CodeTree, Syntax

EVERYWHERE = frozenset(
    "this base String string Object object int Integer List Arrays asList Assert Assertions assertThat is equalTo Is EqualTo "
    "Matchers CoreMatchers hasSize nullValue notNullValue class equals Equals toString ToString "
    "isEqualTo containsExactly System Collections Exception typeof nameof void var Test".split())
"""Names that say nothing of what a test is about."""


class TestFile:
    """A file with tests.

    Args:
        texts: of the methods of the index.
        rules: of the language.
        tree: of the file.
        file: the file.
    """

    __test__ = False

    def __init__(self, texts: MethodTexts, rules: TestRules, tree: SyntaxTree, file: SourceFile):
        self.texts = texts
        self.names = texts.names
        self.syntax: Syntax = texts.syntax
        self.rules = rules
        self.tree = tree
        self.file = file
        self.code = CodeTree(self.syntax, tree)
        self.facts = FileFacts(self.syntax, tree)
        declared = {one.end: one for one in self.names.index.in_file(file.path) if one.kind != "class"}
        self.methods: dict[int, Declaration] = {
            node: declared[tree.ends[node]] for node in range(len(tree))
            if tree.types[node] in self.syntax.methods and tree.ends[node] in declared}

    def mine(self, mined: Mined) -> None:
        """Adds the rows and drops of every test."""
        for node, declared in self.methods.items():
            if declared.is_test:
                self._test(node, declared, mined)

    def _test(self, node: int, declared: Declaration, mined: Mined) -> None:
        everything = self.rules.assertions(self.code, node, self.facts)
        mined.found += len(everything)
        if not everything:
            return
        broken = any(node <= one < self.tree.last[node] for one in self.tree.broken)
        test = Test(self, node, declared, everything)
        kept = 0
        for assertion in everything:
            try:
                if broken:
                    raise CannotCut("test_not_parsable")
                if kept == EXAMPLES_PER_TEST:
                    raise CannotCut("over_three_per_test")
                if test.is_too_long(assertion):
                    raise CannotCut("long_source")
                mined.rows.append(test.row(assertion))
                kept += 1
            except (CannotCut, NoFocal) as reason:
                mined.drops[str(reason)] += 1

    @cached_property
    def before(self) -> dict[str, list[int]]:
        """Class -> nodes that are run before its tests: its fields and set-up methods."""
        found: dict[str, list[int]] = {}
        tree = self.tree
        owners = {tree.parents[node]: declared.owner for node, declared in self.methods.items()}
        for body, owner in owners.items():
            found.setdefault(owner, []).extend(
                node for node in tree.children[body]
                if (self.rules.is_setup(tree, node) if node in self.methods else self.syntax.fields(tree, node)))
        return found

    def scope(self, node: int, declared: Declaration) -> Scope:
        """The names of a method of the file."""
        return Scope(self.names, self.code, node, self.file.path, declared.owner, self.before.get(declared.owner, ()))

    @cached_property
    def helpers(self) -> dict[str, Scope]:
        """Methods of the file that are neither tests nor set up tests, by name; without those of one name."""
        found: dict[str, list[int]] = {}
        for node, declared in self.methods.items():
            if declared.kind == "method" and not declared.is_test and not self.rules.is_setup(self.tree, node):
                found.setdefault(declared.name, []).append(node)
        return {name: self.scope(nodes[0], self.methods[nodes[0]]) for name, nodes in found.items() if len(nodes) == 1}


class Test:
    """One test: its assertions to rows."""

    __test__ = False

    def __init__(self, file: TestFile, node: int, declared: Declaration, everything: list[Assertion]):
        self.file = file
        self.node = node
        self.declared = declared
        self.all = everything
        self._too_long = False

    def is_too_long(self, assertion: Assertion) -> bool:
        """Whether what stands before an assertion, all of which stays, is already more than a source may be. Then so it is
        for those behind it, which are not even looked at."""
        tree = self.file.tree
        start, end = tree.starts[self.node], tree.starts[assertion.statement]
        if end - start > MAX_SOURCE_CHARACTERS and not self._too_long:
            comments = [tree.text[tree.starts[node]:tree.ends[node]] for node in range(self.node, assertion.statement)
                        if tree.types[node] in self.file.syntax.language.comments]
            visible = len(b"".join(tree.text[start:end].split()).decode("utf-8", "replace"))
            self._too_long = visible - sum(map(len, comments)) > MAX_SOURCE_CHARACTERS
        return self._too_long

    @cached_property
    def _finder(self) -> FocalFinder:
        asserting = {assertion.statement for assertion in self.all}
        return FocalFinder(self.file.scope(self.node, self.declared), self.declared.name, asserting, self.file.helpers,
                           self.file.rules.vocabulary)

    def row(self, assertion: Assertion) -> dict[str, Any]:
        """The row of an assertion.

        Raises:
            CannotCut: it makes none.
            NoFocal: it has no focal method, or several.
        """
        file, tree = self.file, self.file.tree
        if assertion.problem:
            raise CannotCut(assertion.problem)
        if self._is_of_the_tests(assertion):
            raise CannotCut("helper_assertion")
        target = on_one_line(cut(file.syntax, tree, assertion.statement))
        if len(target) > MAX_TARGET_CHARACTERS:
            raise CannotCut("long_target")
        focal = self._finder.find(assertion)
        text = file.texts.of(focal.declaration)
        if text.problem:
            raise CannotCut(text.problem)
        if len(text.text) > MAX_SOURCE_CHARACTERS:
            raise CannotCut("long_source")
        removed = self._removed(assertion)
        source = f"{cut(file.syntax, tree, self.node, removed, assertion.statement, PLACEHOLDER + ';')}\n\n{text.text}"
        if len(source) > MAX_SOURCE_CHARACTERS:
            raise CannotCut("long_source")
        self._check_content(source, target, assertion, focal, removed)
        declared = focal.declaration
        owner = self.declared.owner.removeprefix(f"{self.declared.extra['package']}.")
        return {"source": source, "target": target, "language": file.syntax.language.name,
                "context": file.texts.context(declared),
                "metadata": {"file": file.file.path, "line": tree.line(tree.starts[assertion.statement]),
                             "tree": file.file.tree, "test": f"{owner}.{self.declared.name}", "kind": assertion.call.name,
                             "focal": declared.qualified_name, "focal_file": declared.file, "focal_by": focal.by,
                             "focal_named": focal.named, "confidence": focal.confidence}}

    def _is_of_the_tests(self, assertion: Assertion) -> bool:
        """Whether a known name is that of a method of the trees."""
        if assertion.call.receiver >= 0 or not self.file.names.index.is_declared(assertion.call.name):
            return False
        found, _ = self._finder.scope.resolve(assertion.call)
        return bool(found)

    def _removed(self, assertion: Assertion) -> set[int]:
        """Statements behind an assertion that assert, and compound ones that do nothing else."""
        tree = self.file.tree
        behind = {whole for other, whole in self._wholes.items() if other > assertion.statement and whole > assertion.statement}
        behind |= {node for node in self._groups if node >= tree.last[assertion.statement]}
        return behind | assertion_blocks(self.file.syntax, tree, self.node, behind)

    @cached_property
    def _wholes(self) -> dict[int, int]:
        return {assertion.statement: self._whole(assertion) for assertion in self.all}

    @cached_property
    def _groups(self) -> list[int]:
        """Statements that do nothing but hold assertions."""
        code = self.file.code
        return [node for node in code.statements(self.node) if self.file.rules.is_group(code, node)]

    def _whole(self, assertion: Assertion) -> int:
        """The statement that an assertion is, or that uses its value; -1 where it stands in a nested function."""
        tree, syntax = self.file.tree, self.file.syntax
        node = assertion.statement
        while assertion.problem == "value_is_used" and tree.types[tree.parents[node]] not in syntax.blocks:
            node = tree.parents[node]
        return node if tree.types[node].endswith(("statement", "local_variable_declaration")) else -1

    def _check_content(self, source: str, target: str, assertion: Assertion, focal: Focal, removed: set[int]) -> None:
        if source.count(PLACEHOLDER) != 1:
            raise CannotCut("placeholder_in_code")
        tree, code = self.file.tree, self.file.code
        asserted = {name for argument in assertion.arguments for name in code.names(argument)} - EVERYWHERE
        known = {focal.declaration.name, focal.declaration.owner.rpartition(".")[2]}
        gone = {node for one in {*removed, assertion.statement} for node in code.identifiers(one)}
        gone.add(tree.part(self.node, "name"))
        known.update(tree.codes(node for node in code.identifiers(self.node) if node not in gone))
        if not asserted & known:
            raise CannotCut("unrelated_to_the_test")
        if "".join(target.split()) in "".join(source.split()) and (  # tokens need more time
                f" {' '.join(code_tokens(target))} " in f" {' '.join(code_tokens(source))} "):
            raise CannotCut("answer_in_source")
