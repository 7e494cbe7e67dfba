"""What mining reads off the syntax trees of languages whose functions are methods of classes.

A language is a `Syntax`: tables of node types and a few readings that differ from grammar to grammar. Everything else in the
mining of such languages is written in these terms. Trees are those of `cpg.parse`, in three depths: a whole file; its
`outline`, where the inside of methods is not looked into, which is several times as fast; and a single member.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from cpg.languages.base import Language, Wrapper
from cpg.parse import SyntaxTree, parse

from .language_miner import Unparsable


@dataclass(frozen=True)
class Call:
    """A call, the making of an object, or the reading of a property.

    Attributes:
        node: its node.
        name: of the method, or the text of the type that is made.
        receiver: what it is called on; -1 for nothing.
        arguments: nodes; None where a method is named without being called.
        creates: whether an object is made.
        generic: whether type arguments are given.
    """

    node: int
    name: str
    receiver: int
    arguments: tuple[int, ...] | None
    creates: bool = False
    generic: bool = False


@dataclass(frozen=True)
class Variable:
    """A variable that gets a value, or a declared one.

    Attributes:
        name: of the variable; a field of the own object has the name alone.
        type: text of its declared type, empty where none is written.
        value: node of what it gets; -1 for nothing.
        loops: whether it gets the elements of its value.
    """

    name: str
    type: str
    value: int
    loops: bool = False


class Syntax(ABC):
    """One language; the subclasses fill in the tables."""

    language: ClassVar[Language]
    hidden_in_outline: ClassVar[frozenset[str]]
    """Node types that an outline does not look into."""
    member_wrapper: ClassVar[Wrapper]

    imports: ClassVar[frozenset[str]]
    packages: ClassVar[frozenset[str]]
    """Nodes that open a package or namespace."""
    classes: ClassVar[frozenset[str]]
    class_bodies: ClassVar[frozenset[str]]
    """Nodes between a class and its members."""
    methods: ClassVar[dict[str, str]]
    """Type of a member -> `method` or `constructor`."""
    properties: ClassVar[frozenset[str]] = frozenset()
    """Members that are read like fields."""
    generics_are_told: ClassVar[bool] = False
    """Whether a generic method and another of the same parameters are two."""
    called_by_others: ClassVar[bool] = False
    """Whether there are methods that are called as if they were of their first argument, and such that a class has only where
    it is used as an interface."""
    nested_functions: ClassVar[frozenset[str]]
    """Functions and classes inside a method."""
    statement: ClassVar[str] = "expression_statement"
    blocks: ClassVar[frozenset[str]]
    """Nodes whose children are statements, any number of them."""
    hollow: ClassVar[frozenset[str]]
    """Compound statements that do nothing when all that their blocks hold is gone."""
    strings: ClassVar[frozenset[str]]
    directives: ClassVar[dict[str, int]] = {}
    """Lines for a preprocessor that choose what is compiled: 1 for those that begin a choice, -1 for those that end one."""
    remarks: ClassVar[frozenset[str]] = frozenset()
    """Lines for a preprocessor that change nothing."""
    identifiers: ClassVar[frozenset[str]]
    call_kinds: ClassVar[frozenset[str]]
    """Nodes that may be calls."""
    variable_kinds: ClassVar[frozenset[str]]
    """Nodes that may declare variables or give them a value."""
    literals: ClassVar[dict[str, str]]
    """Type of a literal -> the type of its value."""
    self_names: ClassVar[dict[str, str]]
    """Node type -> `this` or `super`."""
    after_head: ClassVar[frozenset[str]] = frozenset()
    """Types of what may follow the head of a member, beside what stands in one of the fields of a body."""
    casts: ClassVar[frozenset[str]] = frozenset({"cast_expression"})
    transparent: ClassVar[frozenset[str]] = frozenset({"parenthesized_expression"})
    """Expressions whose value is that of their last child."""
    elements: ClassVar[frozenset[str]]
    """Reading an element of what the first child is."""

    def __init__(self) -> None:
        hidden = self.language.omitted | self.hidden_in_outline
        self._file = replace(self.language, wrappers=(Wrapper(),))
        self._outline = replace(self.language, wrappers=(Wrapper(),), omitted=hidden)
        self._member = replace(self.language, wrappers=(self.member_wrapper, Wrapper()))
        self.cut_kinds = frozenset({*self.language.comments, *self.remarks, *self.directives, *self.strings})
        """Nodes of which a text is not passed on as it stands, or not always (`tasks.mine.member_text`)."""

    def file(self, text: str) -> SyntaxTree:
        """The tree of a file.

        Raises:
            Unparsable: nothing could be made of it.
        """
        return self._checked(parse(text, self._file))

    def outline(self, text: str) -> SyntaxTree:
        """The tree of a file without the inside of its methods.

        Raises:
            Unparsable: nothing could be made of it.
        """
        return self._checked(parse(text, self._outline))

    def member(self, text: str) -> tuple[SyntaxTree, int]:
        """The tree of one method or constructor and its node in it; -1 where it is none."""
        tree = parse(text, self._member)
        return tree, next((node for node in range(len(tree)) if tree.types[node] in self.methods), -1)

    def _checked(self, tree: SyntaxTree) -> SyntaxTree:
        if 0 in tree.broken:
            raise Unparsable("not_parsable")
        return tree

    # Readings that differ from grammar to grammar

    @abstractmethod
    def call(self, tree: SyntaxTree, node: int) -> Call | None:
        """The call that `node` is."""

    @abstractmethod
    def variables(self, tree: SyntaxTree, node: int) -> list[Variable]:
        """What `node` declares or gives a value to; empty for most nodes."""

    @abstractmethod
    def access(self, tree: SyntaxTree, node: int) -> tuple[int, str] | None:
        """What a member is read of, and its name, where `node` reads one."""

    @abstractmethod
    def package(self, tree: SyntaxTree, node: int) -> str:
        """The name of the package or namespace that `node` opens."""

    @abstractmethod
    def annotations(self, tree: SyntaxTree, node: int) -> list[str]:
        """Simple names of the annotations of a class or member."""

    @abstractmethod
    def modifiers(self, tree: SyntaxTree, node: int) -> set[str]:
        """Words in front of a class or member."""

    @abstractmethod
    def supertypes(self, tree: SyntaxTree, node: int) -> list[str]:
        """Texts of the types that a class is made from."""

    @abstractmethod
    def fields(self, tree: SyntaxTree, node: int) -> list[Variable]:
        """The fields that a member of a class declares; empty for other members."""

    @abstractmethod
    def parameters(self, tree: SyntaxTree, node: int) -> tuple[list[str], int, bool]:
        """Texts of the types of a method's parameters, how many of them a call has to give, whether the last takes any
        number."""

    def returns(self, tree: SyntaxTree, node: int) -> str:
        """Text of the type of what a method returns."""
        return type_text(tree, tree.part(node, "type"))

    def name(self, tree: SyntaxTree, node: int) -> str:
        """Simple name of a class or member."""
        return plain(tree, tree.part(node, "name"))

    # Shared readings

    def members(self, tree: SyntaxTree, node: int) -> Iterator[int]:
        """Members of a class, in order; those of a broken part too."""
        for child in tree.children[node]:
            if tree.types[child] in self.class_bodies:
                yield from self.members(tree, child)
            else:
                yield child


class CodeTree:
    """A tree whose calls, variables, identifiers and statements are listed, so that a part is looked through quickly.

    Args:
        syntax: of the language.
        tree: a file or a member.
    """

    def __init__(self, syntax: Syntax, tree: SyntaxTree):
        self.syntax = syntax
        self.tree = tree
        self._calls = tree.of_types(syntax.call_kinds)
        self._variables = tree.of_types(syntax.variable_kinds)
        self._identifiers = tree.of_types(syntax.identifiers)
        self._statements = tree.of_types((syntax.statement, "assert_statement"))
        self._call_of: dict[int, Call | None] = {}

    def calls(self, node: int) -> list[Call]:
        """The calls in the subtree of a node, outer before inner."""
        found = [self.call(one) for one in self._in(self._calls, node)]
        return [call for call in found if call is not None]

    def call(self, node: int) -> Call | None:
        """The call that a node is."""
        if node not in self._call_of:
            self._call_of[node] = self.syntax.call(self.tree, node) if node >= 0 else None
        return self._call_of[node]

    def variables(self, node: int) -> list[tuple[int, Variable]]:
        """What gets a value or is declared in the subtree of a node, with the nodes that say so."""
        return [(one, variable) for one in self._in(self._variables, node)
                for variable in self.syntax.variables(self.tree, one)]

    def names(self, node: int) -> list[str]:
        """The identifiers in the subtree of a node."""
        return self.tree.codes(self._in(self._identifiers, node))

    def identifiers(self, node: int) -> list[int]:
        """Their nodes."""
        return self._in(self._identifiers, node)

    def statements(self, node: int) -> list[int]:
        """The statements in the subtree of a node that are expressions or assertions."""
        return self._in(self._statements, node)

    def _in(self, nodes: list[int], node: int) -> list[int]:
        return nodes[bisect_left(nodes, node):bisect_left(nodes, self.tree.last[node])]


def plain(tree: SyntaxTree, node: int) -> str:
    """The text of a node without blanks; empty for none."""
    return "".join(tree.code(node).split()) if node >= 0 else ""


def type_text(tree: SyntaxTree, node: int) -> str:
    """The text of a type, without blanks and without the mark of a nullable one."""
    return plain(tree, node).rstrip("?")


def erased(text: str) -> str:
    """A type without its arguments: `Map` of `Map<K,V>`; arrays keep their brackets."""
    while "<" in text:
        shorter = re.sub(r"<[^<>]*>", "", text)
        if shorter == text:
            break
        text = shorter
    return text


def element(text: str) -> str:
    """What a collection of this type holds: `Foo` of `Foo[]`, `List<Foo>`, `Map<K,Foo>`; empty where it is not said."""
    if text.endswith("]"):
        return text.rpartition("[")[0]
    arguments = type_arguments(text)
    return re.sub(r"^\?(extends|super)?", "", arguments[-1]) if arguments else ""


def type_arguments(text: str) -> list[str]:
    """The arguments of a type: `K` and `V` of `Map<K,V>`."""
    if not text.endswith(">") or "<" not in text:
        return []
    depth, parts = 0, [""]
    for character in text[text.index("<") + 1:-1]:
        depth += (character == "<") - (character == ">")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
