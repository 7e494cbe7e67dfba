"""What the names of an installed Python package stand for, found by reading its files; nothing is imported or run.

`PackageIndex.resolve` follows imports, re-exports (`from .x import *` too), plain aliases and inheritance to the function
or class that a name ends at. Modules are parsed when first asked for and kept. Names that lead into compiled modules, or
that only running the code would define, resolve to nothing.
"""

from __future__ import annotations

import ast
import importlib.util
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from .errors import MissingDataError

FunctionNode = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Definition:
    """A function, class or module of a package.

    Attributes:
        kind: `function`, `class` or `module`.
        module: dotted name of the module that defines it.
        name: qualified name in that module; empty for a module.
        node: its syntax tree.
    """

    kind: str
    module: str
    name: str
    node: ast.AST

    @property
    def full_name(self) -> str:
        return f"{self.module}.{self.name}" if self.name else self.module


@dataclass
class ModuleFacts:
    """One parsed file."""

    name: str
    path: Path
    is_package: bool
    text: str
    tree: ast.Module
    functions: dict[str, ast.AST] = field(default_factory=dict)
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    aliases: dict[str, ast.expr] = field(default_factory=dict)

    @cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")


def package_folder(package: str) -> Path:
    """The folder of an installed package, found without importing it.

    Raises:
        MissingDataError: it is not installed, or is no package of files.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingDataError(f"package {package!r} is not installed; the embedded source is mined from its tests: "
                               f"pip install {package}, or give data with file:PATH")
    return Path(next(iter(spec.submodule_search_locations)))


class PackageIndex:
    """Names of the package `name` in `folder` (default: where it is installed)."""

    def __init__(self, name: str, folder: Path | None = None):
        self.name = name
        self.folder = folder or package_folder(name)
        self._modules: dict[str, ModuleFacts | None] = {}
        self._resolved: dict[str, dict[str, Definition | None]] = {}

    def module(self, name: str) -> ModuleFacts | None:
        """The file of a dotted name; None where there is none or it cannot be parsed."""
        if name not in self._modules:
            self._modules[name] = self._read(name)
        return self._modules[name]

    def forget(self, name: str) -> None:
        """Lets go of a module that is done with, so that memory does not grow with the number of test files."""
        self._modules.pop(name, None)
        self._resolved.pop(name, None)

    def files(self, tests: bool) -> list[Path]:
        """The package's Python files in order: those in a `tests` folder that are named `test_*`, or those outside."""
        found = []
        for path in sorted(self.folder.rglob("*.py")):
            inside = "tests" in path.relative_to(self.folder).parts
            if inside == tests and (not tests or path.name.startswith("test_")):
                found.append(path)
        return found

    def module_name(self, path: Path) -> str:
        parts = [self.name, *path.relative_to(self.folder).with_suffix("").parts]
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def resolve(self, module: str, name: str, seen: frozenset[tuple[str, str]] = frozenset()) -> Definition | None:
        """What the global `name` of `module` stands for; `seen` holds the names on the way, which end a circle."""
        if seen:
            return self._look_up(module, name, seen)
        known = self._resolved.setdefault(module, {})
        if name not in known:
            known[name] = self._look_up(module, name, seen)
        return known[name]

    def _look_up(self, module: str, name: str, seen: frozenset[tuple[str, str]]) -> Definition | None:
        facts = self.module(module)
        if facts is None or (module, name) in seen:
            return None
        seen |= {(module, name)}
        if name in facts.functions:
            return Definition("function", module, name, facts.functions[name])
        if name in facts.classes:
            return Definition("class", module, name, facts.classes[name])
        if name in facts.imports:
            origin, attribute = facts.imports[name]
            return self.imported(origin, attribute, seen)
        if name in facts.aliases:
            return self._alias(module, facts.aliases[name], seen)
        if self.module(f"{module}.{name}") is not None:
            return self._as_module(f"{module}.{name}")
        for origin in facts.stars if not name.startswith("_") else ():
            found = self.resolve(origin, name, seen)
            if found is not None:
                return found
        return None

    def imported(self, origin: str, attribute: str, seen: frozenset[tuple[str, str]] = frozenset()) -> Definition | None:
        """What `from origin import attribute` stands for; `import origin` where the attribute is empty."""
        if not attribute:
            return self._as_module(origin)
        return self.resolve(origin, attribute, seen) or self._as_module(f"{origin}.{attribute}")

    def attribute(self, owner: Definition | None, name: str) -> Definition | None:
        """What `owner.name` stands for, where the owner is a module or a class."""
        if owner is None or owner.kind == "function":
            return None
        return self.resolve(owner.module, name) if owner.kind == "module" else self.method(owner, name)

    def method(self, owner: Definition, name: str, depth: int = 0) -> Definition | None:
        """The method `name` of a class or of the first of its bases, left to right, that has it."""
        for node in owner.node.body:
            if isinstance(node, FunctionNode) and node.name == name:
                return Definition("function", owner.module, f"{owner.name}.{name}", node)
        for base in self.bases(owner) if depth < 10 else ():
            found = self.method(base, name, depth + 1)
            if found is not None:
                return found
        return None

    def bases(self, owner: Definition) -> Iterator[Definition]:
        for expression in owner.node.bases:
            base = self._alias(owner.module, expression, frozenset())
            if base is not None and base.kind == "class" and base.full_name != owner.full_name:
                yield base

    @cached_property
    def functions_and_methods(self) -> tuple[frozenset[str], dict[str, Definition]]:
        """Names of all functions outside tests, and the methods whose name belongs to one class and its descendants.

        Cost: parses the whole package once.
        """
        functions: set[str] = set()
        owners: dict[str, list[Definition]] = {}
        for path in self.files(tests=False):
            facts = self.module(self.module_name(path))
            if facts is None:
                continue
            functions.update(facts.functions)
            for class_name, node in facts.classes.items():
                for method in node.body:
                    if isinstance(method, FunctionNode):
                        owners.setdefault(method.name, []).append(Definition("class", facts.name, class_name, node))
        roots = {name: self._root(classes) for name, classes in owners.items()}
        return frozenset(functions), {name: self.method(root, name) for name, root in roots.items() if root is not None}

    def _root(self, classes: list[Definition]) -> Definition | None:
        """The one of `classes` that all others descend from, if there is one."""
        for candidate in classes:
            if all(self._descends(other, candidate) for other in classes):
                return candidate
        return None

    def _descends(self, child: Definition, ancestor: Definition, depth: int = 0) -> bool:
        return child.full_name == ancestor.full_name or (
            depth < 10 and any(self._descends(base, ancestor, depth + 1) for base in self.bases(child)))

    def _alias(self, module: str, expression: ast.expr, seen: frozenset[tuple[str, str]]) -> Definition | None:
        if isinstance(expression, ast.Name):
            return self.resolve(module, expression.id, seen)
        if isinstance(expression, ast.Attribute):
            return self.attribute(self._alias(module, expression.value, seen), expression.attr)
        return None

    def _as_module(self, name: str) -> Definition | None:
        facts = self.module(name)
        return Definition("module", name, "", facts.tree) if facts is not None else None

    def _read(self, name: str) -> ModuleFacts | None:
        if name != self.name and not name.startswith(self.name + "."):
            return None
        base = self.folder.joinpath(*name.split(".")[1:])
        for path, is_package in ((base / "__init__.py", True), (base.with_suffix(".py"), False)):
            if path.is_file():
                return read_module(name, path, is_package)
        return None


def read_module(name: str, path: Path, is_package: bool) -> ModuleFacts | None:
    """The facts of a file; None where it is not UTF-8 or does not parse."""
    try:
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # invalid escapes in a library's strings are not ours to report
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return None
    facts = ModuleFacts(name, path, is_package, text, tree)
    for node in _global_statements(tree.body):
        _record(node, facts)
    return facts


def _global_statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module that run in its own scope, those under `if`, `try` and `with` included."""
    for node in body:
        yield node
        if isinstance(node, (ast.If, ast.Try, ast.With)):
            for block in (node.body, getattr(node, "orelse", []), getattr(node, "finalbody", []),
                          *(handler.body for handler in getattr(node, "handlers", []))):
                yield from _global_statements(block)


def _record(node: ast.stmt, facts: ModuleFacts) -> None:
    if isinstance(node, FunctionNode):
        facts.functions[node.name] = node
    elif isinstance(node, ast.ClassDef):
        facts.classes[node.name] = node
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        names, stars = imported_names(node, facts)
        facts.imports.update(names)
        facts.stars.extend(stars)
    elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        if isinstance(node.value, (ast.Name, ast.Attribute)):
            facts.aliases[node.targets[0].id] = node.value


def imported_names(node: ast.Import | ast.ImportFrom, facts: ModuleFacts) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """Local name -> (module, attribute or empty) of an import, and the modules that it takes everything from."""
    if isinstance(node, ast.Import):
        return {alias.asname or alias.name.partition(".")[0]:
                (alias.name if alias.asname else alias.name.partition(".")[0], "") for alias in node.names}, []
    origin = node.module or ""
    if node.level:
        parts = facts.name.split(".")
        parts = parts[:len(parts) - node.level + facts.is_package]
        origin = ".".join(parts + ([node.module] if node.module else []))
    stars = [origin for alias in node.names if alias.name == "*"]
    return {alias.asname or alias.name: (origin, alias.name) for alias in node.names if alias.name != "*"}, stars
