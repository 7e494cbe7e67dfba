"""Names of the Python modules of source trees (`tasks.python_names`), from the index of declarations alone.

A module is found by its place (`tasks.mine.python_declarations`) and by the names that imports use for it: its name below
the outermost package that holds it (the folders with an `__init__.py`, those around the tree included), and for files in no
package, and for namespace packages, any end of its path, where only one file has it and the standard library has no such module.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..python_index import ModuleFacts
from ..python_names import Definition, Names
from .language_miner import Declaration, SourceFile, Unparsable
from .python_declarations import dotted, module_name, parsed, serves_tests, shown
from .tree_index import TreeIndex

COMMON_PART = 0.05
COMMON_LEAST = 4
"""A function whose name is called in so large a part of the test files, and in at least so many, makes input or sums up."""


@dataclass
class TreeModule:
    """A module as the index knows it; nodes are declarations. The last of its star imports comes first: its names count."""

    name: str
    declaration: Declaration
    functions: dict[str, Declaration]
    classes: dict[str, Declaration]
    imports: dict[str, tuple[str, str]]
    stars: list[str]
    aliases: dict[str, ast.expr]
    exported: frozenset[str] | None


class TreeNames(Names):
    """Names of all Python files of an index."""

    def __init__(self, index: TreeIndex):
        super().__init__()
        self.index = index
        self._places = {module_name(path)[0]: path for path in index.files()}
        self._imported = _imported_names(index.files(), index.roots)
        self._modules: dict[str, TreeModule | None] = {}

    def module(self, name: str) -> TreeModule | None:
        if name not in self._modules:
            path = self._places.get(name) or self._imported.get(name)
            self._modules[name] = self._module(path) if path is not None else None
        return self._modules[name]

    def forget(self, name: str) -> None:
        super().forget(name)
        self._modules.pop(name, None)

    def learn(self, facts: ModuleFacts) -> None:
        """Takes a module of tests from its parsed file; the index knows it by name only."""
        path = self._places[facts.name]

        def declared(name: str, kind: str, **extra: Any) -> Declaration:
            return Declaration(path, name, kind, "", f"{shown(facts.name)}.{name}", "", 0, 0, extra=extra)

        self._modules[facts.name] = TreeModule(
            facts.name, self.index.first_in_file(path), {name: declared(name, "function") for name in facts.functions},
            {name: declared(name, "class", fields=[], bases=[base for base in map(dotted, node.bases) if base])
             for name, node in facts.classes.items()}, facts.imports, facts.stars[::-1], facts.aliases, None)

    def _module(self, path: str) -> TreeModule | None:
        declaration, *others = self.index.in_file(path)
        extra = declaration.extra
        if "imports" not in extra:
            try:
                self.learn(parsed(SourceFile(path, path.partition("/")[0], self.index.file_text(path))))
            except (Unparsable, OSError, UnicodeDecodeError):
                return None
            return self._modules[module_name(path)[0]]
        top = [other for other in others if not other.owner]
        return TreeModule(module_name(path)[0], declaration,
                          {other.name: other for other in top if other.kind == "function"},
                          {other.name: other for other in top if other.kind == "class"},
                          {local: tuple(origin) for local, origin in extra["imports"].items()}, extra["stars"][::-1],
                          {local: _expression(value) for local, value in extra["aliases"].items()},
                          frozenset(extra["all"]) if "all" in extra else None)

    def module_node(self, module: TreeModule) -> Declaration:
        return module.declaration

    def methods_of(self, owner: Definition) -> Iterable[tuple[str, Declaration]]:
        return ((member.name, member) for member in self.index.members(owner.node.qualified_name)
                if member.kind != "class" and member.file == owner.node.file)

    def base_expressions(self, owner: Definition) -> Iterable[ast.expr]:
        return map(_expression, owner.node.extra["bases"])

    def is_property(self, definition: Definition) -> bool:
        return "property" in definition.node.extra

    def is_library(self, definition: Definition) -> bool:
        return not serves_tests(definition.node.file)

    def is_incidental(self, definition: Definition) -> bool:
        return definition.node.name in self._common_calls

    def signature(self, definition: Definition) -> str:
        return definition.node.signature

    def fields(self, owner: Definition) -> Iterable[str]:
        return owner.node.extra["fields"]

    def import_lines(self, module: str) -> list[str]:
        return self.module(module).declaration.extra.get("import_lines", [])

    def exports(self, module: str, name: str) -> bool:
        known = self.module(module)
        return known is None or known.exported is None or name in known.exported

    def method_by_name(self, name: str, subject: str) -> Definition | None:
        """That of the classes in the modules called like the subject, inherited or not, where they have only one; else that of
        the class that all others with it descend from."""
        if name in self._functions or name not in self._owners:
            return None
        key = (name, subject if subject in self._classes_by_module else "")
        if key not in self._by_name:
            near = [self.method(owner, name) for owner in self._classes_by_module.get(key[1], ())]
            found = {method.full_name: method for method in near if method is not None}
            root = self.root([_as_definition(owner) for owner in self._owners[name]]) if len(found) != 1 else None
            self._by_name[key] = (next(iter(found.values())) if len(found) == 1 else
                                  self.method(root, name) if root is not None else None)
        return self._by_name[key]

    def is_ambiguous(self, name: str) -> bool:
        return name in self._owners and name not in self._functions

    @cached_property
    def _functions(self) -> frozenset[str]:
        return frozenset(declaration.name for declaration in self.index.of_kind("function") if not serves_tests(declaration.file))

    @cached_property
    def _owners(self) -> dict[str, list[Declaration]]:
        """Name of a method -> the top-level classes outside the tests that define one."""
        self._by_name: dict[tuple[str, str], Definition | None] = {}
        found: dict[str, list[Declaration]] = {}
        for declaration in self.index.of_kind("class"):
            if not declaration.owner and not serves_tests(declaration.file):
                for member in self.index.members(declaration.qualified_name):
                    if member.kind != "class" and member.file == declaration.file:
                        found.setdefault(member.name, []).append(declaration)
        return found

    @cached_property
    def _classes_by_module(self) -> dict[str, list[Definition]]:
        """Last part of a module's name -> the top-level classes in such modules outside the tests."""
        found: dict[str, list[Definition]] = {}
        for declaration in self.index.of_kind("class"):
            if not declaration.owner and not serves_tests(declaration.file):
                owner = _as_definition(declaration)
                found.setdefault(owner.module.rpartition(".")[2].strip("_"), []).append(owner)
        return found

    @cached_property
    def _common_calls(self) -> frozenset[str]:
        files = 0
        counts: Counter[str] = Counter()
        for declaration in self.index.of_kind("module"):
            if "calls" in declaration.extra:
                files += 1
                counts.update(declaration.extra["calls"])
        return frozenset(name for name, count in counts.items() if count >= max(COMMON_LEAST, COMMON_PART * files))


def _as_definition(declaration: Declaration) -> Definition:
    """The definition of a top-level class."""
    return Definition("class", module_name(declaration.file)[0], declaration.name, declaration)


def _expression(dotted: str) -> ast.expr:
    first, *others = dotted.split(".")
    expression: ast.expr = ast.Name(first)
    for name in others:
        expression = ast.Attribute(expression, name)
    return expression


def _imported_names(paths: list[str], roots: dict[str, str]) -> dict[str, str]:
    """Name in import statements -> path of the module."""
    packages = {path.rpartition("/")[0] for path in paths if path.endswith("/__init__.py")}
    around = {tree: _packages_around(Path(root)) if tree in packages else () for tree, root in roots.items()}
    sure: dict[str, str] = {}
    possible: dict[str, str | None] = {}
    for path in paths:
        tree, *folders = path.split("/")[:-1]
        stem = path.rpartition("/")[2].removesuffix(".py")
        parts = [*folders, stem] if stem != "__init__" else folders
        depth = len(folders)
        while depth and "/".join([tree, *folders[:depth]]) in packages:
            depth -= 1
        in_package = depth < len(folders) or stem == "__init__"
        if depth == 0 and tree in packages:
            sure.setdefault(".".join([*around[tree], *parts]), path)
        elif in_package:
            sure.setdefault(".".join(parts[depth:]), path)
        for start in range(depth + 1 if not in_package else depth):
            name = ".".join(parts[start:])
            if name and (start < len(parts) - 1 or name not in sys.stdlib_module_names):
                possible[name] = None if name in possible else path
    return {**{name: path for name, path in possible.items() if path is not None}, **sure}


def _packages_around(root: Path) -> tuple[str, ...]:
    """Names of the packages from the outermost one down to the folder `root`, which is one."""
    root = root.resolve()
    names = []
    while (root / "__init__.py").is_file():
        names.append(root.name)
        root = root.parent
    return tuple(reversed(names))
