"""The Python miner: pytest and unittest assertions, docstrings, and the functions of a file.

Assertions and their focal functions are found as in the embedded data (`tasks.mining`, `tasks.focal`), but names resolve
through the index of the trees, so that only the test file and the focal functions themselves are parsed. What is incidental
is not listed: it is what many test files call (`tasks.mine.python_tree`). Fixtures of pytest that stand in the file of a test
and are its parameters count as its set-up.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from ..embedded_summaries import MAX_SOURCE_CHARACTERS, first_sentence, sentence_problem
from ..focal import Focal
from ..mining import LibraryTexts, MiningReport, TestMiner
from ..python_context import python_context
from ..python_index import ModuleFacts
from ..python_names import Definition, FunctionNode
from ..python_tests import Assertion, TestFunction, fixtures_of, setups_of
from ..python_text import CannotCut, FunctionText
from .language_miner import FUNCTION_KINDS, Declaration, Mined, SourceFile, Unparsable
from .python_declarations import declarations, functions_and_classes, is_test, parsed, serves_tests, shown
from .python_tree import TreeNames
from .tree_index import TreeIndex

TEXTS_KEPT = 4000
"""Focal functions whose text and context a process keeps."""


class PythonMiner:
    """See `tasks.mine.language_miner.LanguageMiner`."""

    language = "python"
    suffixes = (".py",)
    looked_for = ("functions and methods called test* in files called test_*.py, *_test.py or tests.py or in folders tests or "
                  "test, and methods test* of classes that derive from a *TestCase")

    def __init__(self) -> None:
        self._texts: TreeTexts | None = None

    def declarations(self, file: SourceFile) -> list[Declaration]:
        return declarations(file)

    def assertions(self, file: SourceFile, index: TreeIndex) -> Mined:
        texts = self._texts_of(index)
        facts = parsed(file)
        texts.index.learn(facts)
        report = MiningReport()
        rows = [row for test in tests_of(facts, file.path)
                for row in TreeTestMiner(texts, facts, test, report, file).examples()]
        texts.tidy(facts.name)
        return Mined(rows, report.found, report.drops)

    def summaries(self, file: SourceFile, index: TreeIndex) -> Mined:
        mined = Mined()
        if serves_tests(file.path):
            return mined
        texts = self._texts_of(index)
        facts = parsed(file)
        for owners, node in functions_and_classes(facts):
            documentation = ast.get_docstring(node) if isinstance(node, FunctionNode) else None
            if not documentation:
                continue
            mined.found += 1
            sentence = first_sentence(documentation)
            try:
                source = _summarized(node, facts, sentence)
            except CannotCut as reason:
                mined.drops[str(reason)] += 1
                continue
            name = ".".join([*(owner.name for owner in owners), node.name])
            definition = Definition("function", facts.name, name, node)
            mined.rows.append({
                "source": source, "target": sentence, "language": self.language,
                "context": python_context(definition, node, texts.index),
                "metadata": {"file": file.path, "line": node.lineno, "tree": file.tree,
                             "function": shown(definition.full_name)}})
        texts.tidy(facts.name)
        return mined

    def functions(self, text: str) -> list[tuple[str, int, int]]:
        return [(declaration.qualified_name.removeprefix("tree.module."), declaration.start, declaration.end)
                for declaration in declarations(SourceFile("tree/module.py", "tree", text))
                if declaration.kind in FUNCTION_KINDS]

    def bare(self, function: str) -> str:
        try:
            return FunctionText(*_parsed_function(function)).cut()
        except (SyntaxError, ValueError, RecursionError, MemoryError, CannotCut) as error:
            raise Unparsable(str(error)) from error

    def _texts_of(self, index: TreeIndex) -> TreeTexts:
        if self._texts is None or self._texts.tree_index is not index:
            self._texts = TreeTexts(index)
        return self._texts


def _summarized(node: Any, facts: ModuleFacts, sentence: str) -> str:
    """The text that a documented function is summarized from.

    Raises:
        CannotCut: there is none, or the sentence is none; cheap reasons first.
    """
    reason = sentence_problem(sentence)
    if not reason and any("overload" in ast.unparse(decorator) for decorator in node.decorator_list):
        reason = "overload_without_body"
    if reason:
        raise CannotCut(reason)
    source = FunctionText(node, facts.lines).cut()
    if len(source) > MAX_SOURCE_CHARACTERS:
        raise CannotCut("long_source")
    return source


def tests_of(facts: ModuleFacts, path: str) -> Iterator[TestFunction]:
    """The tests of a file in their order, asynchronous ones and those in nested classes too."""
    for owners, node in functions_and_classes(facts):
        if is_test(node, owners, path):
            owner = owners[-1] if owners else None
            yield TestFunction(node, owner, setups_of(owner, facts) if owner else (), fixtures_of(node, owner, facts))


class TreeTexts(LibraryTexts):
    """Functions of trees, each read from its file and parsed by itself."""

    def __init__(self, index: TreeIndex):
        super().__init__(TreeNames(index))
        self.tree_index = index
        self._parsed: dict[str, tuple[Any, list[str]]] = {}

    def node_and_lines(self, definition: Definition) -> tuple[Any, list[str]]:
        name = definition.full_name
        if name not in self._parsed:
            self._parsed[name] = _parsed_function(self.tree_index.text_of(definition.node, whole_lines=True))
        return self._parsed[name]

    def tidy(self, module: str) -> None:
        """Lets go of a test file that is done with, and of everything else when it is much."""
        self.index.forget(module)
        self._parsed.clear()
        if len(self._texts) > TEXTS_KEPT:
            self._texts.clear()
            self._contexts.clear()


def _parsed_function(text: str) -> tuple[Any, list[str]]:
    """The syntax tree of one function, indented or not, and the lines that it refers to.

    Raises:
        SyntaxError: it does not parse by itself.
    """
    text = f"class _:\n{text}" if text[:1].isspace() else text
    body = ast.parse(text).body
    return (body[0].body if isinstance(body[0], ast.ClassDef) else body)[0], text.split("\n")


class TreeTestMiner(TestMiner):
    """Rows of one test."""

    __test__ = False
    names_first = True

    def __init__(self, texts: TreeTexts, facts: ModuleFacts, test: TestFunction, report: MiningReport, file: SourceFile):
        super().__init__(texts, facts, test, report)
        self.file = file

    def _as_example(self, source: str, target: str, assertion: Assertion, focal: Focal) -> dict[str, Any]:
        return {"source": source, "target": target, "language": "python", "context": self.texts.context(focal.definition),
                "metadata": {"file": self.file.path, "line": assertion.node.lineno, "tree": self.file.tree,
                             "test": self.test.name, "kind": assertion.kind, "assertions": len(self.all),
                             "focal": shown(focal.definition.full_name), "focal_file": focal.definition.node.file,
                             "focal_by": focal.heuristic, "confidence": focal.confidence}}
