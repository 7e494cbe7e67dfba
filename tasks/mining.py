"""Tests of installed Python packages -> examples of the task `assert`.

One example per assertion. Its source is the test without documentation, the placeholder where the assertion was. Assertions
before it stay, since whoever writes the next one has written them; those after it go, since they often say the answer in
other words. Then, where the test reads what a set-up method of its class keeps on the instance, that method (in mined trees
also the fixtures of the file that are the test's parameters); then the focal function (`tasks.focal`). Its target is the
assertion on one line. Files are read and parsed; nothing is imported or run. The same files give the same examples in the
same order.

Every assertion found in a test becomes an example or is counted under the reason for which it was dropped.
"""

from __future__ import annotations

import ast
import gc
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .assertion import PLACEHOLDER
from .base import Example
from .code_tokens import code_tokens
from .errors import AccountingError
from .focal import Focal, FocalFinder
from .python_context import python_context
from .python_index import ModuleFacts, PackageIndex
from .python_names import Definition, Names
from .python_tests import Assertion, TestFunction, assertion_blocks, assertions, test_functions
from .python_text import CannotCut, FunctionText, one_line
from .python_walk import descendants

MAX_SOURCE_CHARACTERS = 1600
MAX_TARGET_CHARACTERS = 250
MAX_SETUP_CHARACTERS = 600
EXAMPLES_PER_TEST = 3

FROM_COMPILED_CODE = "array_function_from_c_func_and_dispatcher"
"""Decorator of numpy functions whose Python body is only the list of their array arguments."""


@dataclass
class MiningReport:
    """What was looked at and what became of it; `found` is the examples plus the sum of `drops`."""

    files: int = 0
    unreadable_files: int = 0
    tests: int = 0
    found: int = 0
    drops: Counter[str] = field(default_factory=Counter)


class Dropped(Exception):
    """An assertion that becomes no example; its text is the reason."""


def mine_package(package: str, folder: Path | None = None, progress: bool = False) -> tuple[list[Example], MiningReport]:
    """Examples from the tests of `package`, in the order of files and lines.

    Args:
        package: an installed package, or a name for the one in `folder`.
        folder: where its files are; default: where it is installed.
        progress: whether to show a bar when it takes over two seconds.

    Raises:
        MissingDataError: the package is not installed.
        AccountingError: an assertion was lost without a reason.
    """
    texts = LibraryTexts(PackageIndex(package, folder))
    report = MiningReport()
    examples: list[Example] = []
    with without_collector():
        for path in tqdm(texts.index.files(tests=True), desc=f"mining {package}", unit="file", delay=2.0, leave=False,
                         disable=None if progress else True):
            examples += _mine_file(path, texts, report)
    check_accounts(report.found, len(examples), report.drops, package)
    return examples, report


def _mine_file(path: Path, texts: LibraryTexts, report: MiningReport) -> list[Example]:
    name = texts.index.module_name(path)
    facts = texts.index.module(name)
    report.files += 1
    if facts is None:
        report.unreadable_files += 1
        return []
    tests = list(test_functions(facts))
    report.tests += len(tests)
    examples = [example for test in tests for example in TestMiner(texts, facts, test, report).examples()]
    texts.index.forget(name)
    return examples


@contextmanager
def without_collector() -> Iterator[None]:
    """Pauses the search for circular garbage, which would go through the same syntax trees again and again for nothing and
    takes a third of the time; they hold no circles and are freed without it."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def check_accounts(found: int, kept: int, drops: Counter[str], where: str) -> None:
    """Raises `AccountingError` unless what was found is what was kept and what was dropped."""
    if found != kept + sum(drops.values()):
        raise AccountingError(f"{where}: {found} found, but {kept} kept and {sum(drops.values())} dropped; expected the sums "
                              f"to agree: report this as a defect of tasks.mining")


class LibraryTexts:
    """Functions of a package without comments and documentation, each cut once; None for those without a body."""

    def __init__(self, index: Names):
        self.index = index
        self._texts: dict[str, str] = {}
        self._contexts: dict[str, dict[str, Any]] = {}

    def focal(self, definition: Definition) -> str:
        """The text of a focal function.

        Raises:
            Dropped: nothing of it is left, or its body is not what runs.
        """
        name = definition.full_name
        if name not in self._texts:
            self._texts[name] = self._cut(definition)
        return self._texts[name]

    def context(self, definition: Definition) -> dict[str, Any]:
        """What lies around a function; see `tasks.mine.context`."""
        name = definition.full_name
        if name not in self._contexts:
            self._contexts[name] = python_context(definition, self.node_and_lines(definition)[0], self.index)
        return self._contexts[name]

    def node_and_lines(self, definition: Definition) -> tuple[Any, list[str]]:
        """The syntax tree of a function, and the lines that its line numbers refer to."""
        return definition.node, self.index.module(definition.module).lines

    def _cut(self, definition: Definition) -> str:
        node, lines = self.node_and_lines(definition)
        decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
        if any(decorator.startswith(FROM_COMPILED_CODE) for decorator in decorators):
            raise Dropped("focal_function_is_compiled")
        try:
            return FunctionText(node, lines).cut()
        except CannotCut as reason:
            raise Dropped("focal_function_without_body") from reason


class TestMiner:
    """Examples of one test. `names_first` is that of `FocalFinder`."""

    __test__ = False
    names_first = False

    def __init__(self, texts: LibraryTexts, facts: ModuleFacts, test: TestFunction, report: MiningReport):
        self.texts = texts
        self.index = texts.index
        self.facts = facts
        self.test = test
        self.report = report
        self.all = assertions(test.node, facts)

    def examples(self) -> list[Example]:
        """At most `EXAMPLES_PER_TEST`; counts every assertion of the test."""
        self.report.found += len(self.all)
        kept: list[Example] = []
        for assertion in self.all:
            try:
                if len(kept) == EXAMPLES_PER_TEST:
                    raise Dropped("over_three_per_test")
                kept.append(self._example(assertion))
            except (Dropped, CannotCut) as reason:
                self.report.drops[str(reason)] += 1
        return kept

    @cached_property
    def _finder(self) -> FocalFinder:
        return FocalFinder(self.index, self.facts, self.test, self.names_first)

    @cached_property
    def _text(self) -> FunctionText:
        return FunctionText(self.test.node, self.facts.lines)

    def _example(self, assertion: Assertion) -> Example:
        if assertion.nested:
            raise Dropped("in_nested_function")
        if not assertion.usable:
            raise Dropped("helper_of_the_test_file")
        target = one_line(assertion.node, self.facts.lines)
        if len(target) > MAX_TARGET_CHARACTERS:
            raise Dropped("long_target")
        focal = self._finder.find(assertion)
        if focal is None:
            raise Dropped("ambiguous_focal_method" if self._finder.ambiguous else "no_focal_function")
        focal_text = self.texts.focal(focal.definition)
        if len(focal_text) > MAX_SOURCE_CHARACTERS:
            raise Dropped("long_source")
        removed = self._removed_with(assertion)
        test = self._text.cut(removed, assertion.node, PLACEHOLDER)
        source = "\n\n".join([test, *self._setup_texts, focal_text])
        if len(source) > MAX_SOURCE_CHARACTERS:
            raise Dropped("long_source")
        self._check_content(source, [*removed, assertion.node], target, assertion, focal)
        return self._as_example(source, target, assertion, focal)

    def _removed_with(self, assertion: Assertion) -> list[ast.stmt]:
        """Later assertions, and the blocks that only assert them."""
        later = [other.node for other in self.all if other.node.lineno > assertion.node.lineno]
        return [*later, *assertion_blocks(self.test.node, {id(other) for other in later})] if later else []

    @cached_property
    def _setup_texts(self) -> list[str]:
        """Fixtures of the test, and set-up methods that give a value to an attribute which the test reads, without those that
        are long."""
        texts = [FunctionText(fixture, self.facts.lines).cut() for fixture in self.test.fixtures.values()]
        return [text for text in [*texts, *self._setup_methods()] if len(text) <= MAX_SETUP_CHARACTERS]

    def _setup_methods(self) -> list[str]:
        if not self.test.setups:
            return []
        read = {node.attr for node in descendants(self.test.node) if isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")}
        texts = []
        for setup in self.test.setups if read else ():
            written = {node.attr for node in descendants(setup) if isinstance(node, ast.Attribute)
                       and isinstance(node.ctx, ast.Store)}
            if read & written:
                texts.append(FunctionText(setup, self.facts.lines).cut())
        return texts

    def _check_content(self, source: str, removed: list[ast.stmt], target: str, assertion: Assertion, focal: Focal) -> None:
        if source.count(PLACEHOLDER) != 1:
            raise Dropped("placeholder_in_code")
        asserted = {name for name, _ in _names(assertion.arguments)}
        if focal.definition.name.rpartition(".")[2] not in asserted and not self._is_known(asserted, removed):
            raise Dropped("unrelated_to_the_test")
        if "".join(target.split()) in "".join(source.split()) and (  # tokens need more time
                f" {' '.join(code_tokens(target))} " in f" {' '.join(code_tokens(source))} "):
            raise Dropped("answer_in_source")

    def _is_known(self, names: set[str], removed: list[ast.stmt]) -> bool:
        """Whether the test has one of `names` outside the lines of the `removed` statements."""
        gone = {line for statement in removed for line in range(statement.lineno, statement.end_lineno + 1)}
        return any(not gone.issuperset(self._lines_of_names.get(name, ())) for name in names)

    @cached_property
    def _lines_of_names(self) -> dict[str, set[int]]:
        found: dict[str, set[int]] = {}
        for name, line in _names([self.test.node]):
            found.setdefault(name, set()).add(line)
        return found

    def _as_example(self, source: str, target: str, assertion: Assertion, focal: Focal) -> Example:
        path = self._relative(self.facts.path)
        identity = hashlib.sha256(f"{path}:{assertion.node.lineno}:{source}".encode()).hexdigest()[:10]
        focal_facts = self.index.module(focal.definition.module)
        return Example(f"assert-{self.index.name}-{identity}", source, target, "python", {
            "package": self.index.name, "test_module": self.facts.name, "test_file": path, "test": self.test.name,
            "line": assertion.node.lineno, "kind": assertion.kind, "assertions": len(self.all),
            "focal": focal.definition.full_name, "focal_file": self._relative(focal_facts.path),
            "focal_heuristic": focal.heuristic, "focal_confidence": focal.confidence,
            "context": self.texts.context(focal.definition)})

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.index.folder.parent).as_posix()


_IN_NEARLY_EVERY_TEST = frozenset({"self", "cls", "nx", "np", "pytest", "len", "list", "sorted", "set", "range", "dict", "tuple",
                                   "float", "int", "str", "isinstance", "all", "any", "sum", "type"})


def _names(nodes: Sequence[ast.AST]) -> Iterator[tuple[str, int]]:
    """Names and attributes in `nodes` with their lines, without what nearly every test has."""
    for root in nodes:
        for node in descendants(root):
            kind = node.__class__
            name = (node.id if kind is ast.Name else node.attr if kind is ast.Attribute else node.arg if kind is ast.arg else "")
            if name and name not in _IN_NEARLY_EVERY_TEST:
                yield name, node.lineno
