"""What a Python file declares, and which of it is a test.

Modules are called by their place: the name of the tree with a colon, then folders and file with dots (`tree:.package.module`).
So two files never have one name, and relative imports resolve; `tasks.mine.python_tree` adds the names that imports use.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate
from pathlib import PurePosixPath
from typing import Any

from ..python_context import fields_of, import_lines, signature_of
from ..python_index import ModuleFacts, global_statements, module_facts
from ..python_names import FunctionNode
from .language_miner import Declaration, SourceFile, Unparsable

_TEST_FOLDERS = frozenset({"tests", "test", "testing"})
_TEST_FILE = re.compile(r"(test_.*|.*_test|tests|conftest|testutils)\.py")
_TEST_MODULE = re.compile(r"/(test_[^/]*|[^/]*_test)\.py$")
_TEST = re.compile(r"^[ \t]*(?:async[ \t]+)?def[ \t]+test\w*[ \t]*\(", re.MULTILINE)
_CALL = re.compile(r"\b(\w+)\(")


def module_name(path: str) -> tuple[str, bool]:
    """The name of a file's module, and whether it is a package."""
    tree, _, place = path.partition("/")
    parts = place.removesuffix(".py").split("/")
    is_package = parts[-1] == "__init__"
    return ".".join([f"{tree}:", *(parts[:-1] if is_package else parts)]), is_package


def shown(name: str) -> str:
    """A name for people: without the colon behind the tree."""
    return name.replace(":.", ".", 1).removesuffix(":")


@lru_cache(maxsize=4096)
def serves_tests(path: str) -> bool:
    """Whether a file belongs to the tests by its name or folder: what it defines is not what is tested."""
    tree, *folders, name = path.split("/")
    return tree == "tests" or not _TEST_FOLDERS.isdisjoint(folders) or _TEST_FILE.fullmatch(name) is not None


def parsed(file: SourceFile) -> ModuleFacts:
    """The facts of a file.

    Raises:
        Unparsable: it does not parse.
    """
    name, is_package = module_name(file.path)
    try:
        return module_facts(name, PurePosixPath(file.path), is_package, file.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unparsable(str(error)) from error


def functions_and_classes(facts: ModuleFacts) -> Iterator[tuple[tuple[ast.ClassDef, ...], Any]]:
    """Every function and class outside functions, with the classes around it, outer before inner, in their order."""
    def within(body: list[ast.stmt], owners: tuple[ast.ClassDef, ...]) -> Iterator[tuple[tuple[ast.ClassDef, ...], Any]]:
        for node in global_statements(body):
            if isinstance(node, FunctionNode):
                yield owners, node
            elif isinstance(node, ast.ClassDef):
                yield owners, node
                yield from within(node.body, (*owners, node))

    return within(facts.tree.body, ())


def is_test(node: Any, owners: tuple[ast.ClassDef, ...], path: str) -> bool:
    """Whether a runner would take a function for a test: it is called `test*`, and its file serves tests or its class
    derives from one called `*TestCase`."""
    return isinstance(node, FunctionNode) and node.name.startswith("test") and (
        serves_tests(path) or any(dotted(base).endswith("TestCase") for owner in owners for base in owner.bases))


def dotted(expression: ast.expr) -> str:
    """`a.b.c` for a chain of names, and for a call of it; empty for other expressions."""
    if isinstance(expression, ast.Call):
        return dotted(expression.func)
    if isinstance(expression, ast.Name):
        return expression.id
    if isinstance(expression, ast.Attribute):
        before = dotted(expression.value)
        return f"{before}.{expression.attr}" if before else ""
    return ""


def declarations(file: SourceFile) -> list[Declaration]:
    """The module, then its functions and classes; see `LanguageMiner.declarations`. Of a file that is called like tests the
    module alone, with the number of its tests: it is parsed when its rows are asked for, or its names by another test."""
    if _TEST_MODULE.search(file.path):
        tests = len(_TEST.findall(file.text))
        name = shown(module_name(file.path)[0])
        return [Declaration(file.path, name.rpartition(".")[2], "module", "", name, "", 0, len(file.text.encode("utf-8")),
                            is_test=tests > 0, extra={"tests": tests, "calls": _calls(file.text)})]
    facts = parsed(file)
    data = file.text.encode("utf-8")
    line_starts = [0, *accumulate(len(line) + 1 for line in data.split(b"\n"))]
    module = shown(facts.name)
    found = [_module(file, facts, module, len(data))]
    for owners, node in functions_and_classes(facts):
        first = min(node.decorator_list[:1] + [node], key=lambda part: part.lineno)
        # The `@` of a decorator stands in front of its expression, on the same line.
        start = line_starts[first.lineno - 1] + (node.col_offset if first is not node else first.col_offset)
        owner = ".".join([module, *(outer.name for outer in owners)]) if owners else ""
        qualified_name = f"{owner or module}.{node.name}"
        shared = (qualified_name, signature_of(node, facts.lines), start, line_starts[node.end_lineno - 1] + node.end_col_offset)
        if isinstance(node, ast.ClassDef):
            bases = [name for name in map(dotted, node.bases) if name]
            found.append(Declaration(file.path, node.name, "class", owner, *shared, extra={"bases": bases,
                                                                                           "fields": fields_of(node)}))
            continue
        kind = "function" if not owners else "constructor" if node.name == "__init__" else "method"
        is_property = any("property" in dotted(decorator) for decorator in node.decorator_list)
        found.append(Declaration(file.path, node.name, kind, owner, *shared, _parameters(node, kind),
                                 is_test(node, owners, file.path), {"property": True} if is_property else {}))
    return found


def _module(file: SourceFile, facts: ModuleFacts, name: str, size: int) -> Declaration:
    extra = {"is_package": facts.is_package, "imports": facts.imports, "stars": facts.stars,
             "aliases": {local: dotted(value) for local, value in facts.aliases.items() if dotted(value)},
             "import_lines": import_lines(facts.import_statements)}
    exported = _exported(facts.tree)
    if exported is not None:
        extra["all"] = exported
    if serves_tests(file.path):
        extra["calls"] = _calls(file.text)
    return Declaration(file.path, name.rpartition(".")[2], "module", "", name, "", 0, size, extra=extra)


def _calls(text: str) -> list[str]:
    """Names that a text calls."""
    return sorted(set(_CALL.findall(text)))


def _exported(tree: ast.Module) -> list[str] | None:
    """The names in `__all__`, where it is a plain list that nothing is added to; else None."""
    found = None
    for node in tree.body:
        if isinstance(node, (ast.Assign, ast.AugAssign)):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and target.id == "__all__":
                plain = isinstance(node, ast.Assign) and isinstance(node.value, (ast.List, ast.Tuple)) and found is None
                if not plain or not all(isinstance(part, ast.Constant) for part in node.value.elts):
                    return None
                found = [part.value for part in node.value.elts]
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and dotted(node.value).startswith("__all__."):
            return None
    return found


def _parameters(node: Any, kind: str) -> int | None:
    arguments = node.args
    if arguments.vararg or arguments.kwarg:
        return None
    count = len(arguments.posonlyargs) + len(arguments.args) + len(arguments.kwonlyargs)
    static = kind == "function" or any(dotted(decorator) == "staticmethod" for decorator in node.decorator_list)
    return count if static else max(0, count - 1)
