"""What the names of Python modules stand for, found by reading; nothing is imported or run.

`Names.resolve` follows imports, re-exports (`from .x import *` too), plain aliases and inheritance to the function or class
that a name ends at. Names that lead out of what is read, or that only running the code would define, resolve to nothing.
Where modules come from is up to the subclasses: `tasks.python_index` reads the files of a package, `tasks.mine.python_tree`
takes what is known of the declarations of source trees.
"""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

FunctionNode = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Definition:
    """A function, class or module.

    Attributes:
        kind: `function`, `class` or `module`.
        module: dotted name of the module that defines it.
        name: qualified name in that module; empty for a module.
        node: what the kind of `Names` knows of it: its syntax tree, or its declaration.
    """

    kind: str
    module: str
    name: str
    node: Any

    @property
    def full_name(self) -> str:
        return f"{self.module}.{self.name}" if self.name else self.module


class Module(Protocol):
    """What has to be known of a module; nodes are those of its definitions."""

    name: str
    functions: Mapping[str, Any]
    classes: Mapping[str, Any]
    imports: Mapping[str, tuple[str, str]]
    stars: list[str]
    aliases: Mapping[str, ast.expr]


class Names(ABC):
    """Names of modules. A subclass says what a module, a class and the node of a definition are."""

    def __init__(self) -> None:
        self._resolved: dict[str, dict[str, Definition | None]] = {}

    @abstractmethod
    def module(self, name: str) -> Module | None:
        """The module of a dotted name; None where there is none."""

    @abstractmethod
    def module_node(self, module: Module) -> Any:
        """The node of a module's definition."""

    @abstractmethod
    def methods_of(self, owner: Definition) -> Iterable[tuple[str, Any]]:
        """Names and nodes of the methods that a class itself defines."""

    @abstractmethod
    def base_expressions(self, owner: Definition) -> Iterable[ast.expr]:
        """The expressions that name a class's bases."""

    @abstractmethod
    def is_property(self, definition: Definition) -> bool:
        """Whether a method is one: what is called is then its result, not the method."""

    @abstractmethod
    def is_library(self, definition: Definition) -> bool:
        """Whether a function may be what a test is about; those that tests are made with are not."""

    @abstractmethod
    def is_incidental(self, definition: Definition) -> bool:
        """Whether a function mostly makes the input of tests or sums up their outcome."""

    @abstractmethod
    def method_by_name(self, name: str, subject: str) -> Definition | None:
        """The method of a name that no function has and only one class with its descendants; `subject` is what the test file
        is named after, by which an index may choose between classes."""

    def exports(self, module: str, name: str) -> bool:
        """Whether `from module import *` may give `name`; what the module's `__all__` says where that is known."""
        return True

    def is_ambiguous(self, name: str) -> bool:
        """Whether several classes that do not descend from one have a method of that name, and no function has it."""
        return False

    @abstractmethod
    def signature(self, definition: Definition) -> str:
        """A function or class on one line, without its body."""

    @abstractmethod
    def fields(self, owner: Definition) -> Iterable[str]:
        """The fields of a class, one line each."""

    @abstractmethod
    def import_lines(self, module: str) -> list[str]:
        """The import statements of a module, one line each."""

    def forget(self, name: str) -> None:
        """Lets go of what is known of a module."""
        self._resolved.pop(name, None)

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
            return Definition("function", facts.name, name, facts.functions[name])
        if name in facts.classes:
            return Definition("class", facts.name, name, facts.classes[name])
        if name in facts.imports:
            origin, attribute = facts.imports[name]
            return self.imported(origin, attribute, seen)
        if name in facts.aliases:
            return self._alias(facts.name, facts.aliases[name], seen)
        if self.module(f"{facts.name}.{name}") is not None:
            return self._as_module(f"{facts.name}.{name}")
        for origin in facts.stars if not name.startswith("_") else ():
            found = self.resolve(origin, name, seen) if self.exports(origin, name) else None
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
        for method, node in self.methods_of(owner):
            if method == name:
                return Definition("function", owner.module, f"{owner.name}.{name}", node)
        for base in self.bases(owner) if depth < 10 else ():
            found = self.method(base, name, depth + 1)
            if found is not None:
                return found
        return None

    def bases(self, owner: Definition) -> Iterator[Definition]:
        """The classes that a class names as its bases, as far as they resolve."""
        for expression in self.base_expressions(owner):
            base = self._alias(owner.module, expression, frozenset())
            if base is not None and base.kind == "class" and base.full_name != owner.full_name:
                yield base

    def root(self, classes: list[Definition]) -> Definition | None:
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
        return Definition("module", facts.name, "", self.module_node(facts)) if facts is not None else None
