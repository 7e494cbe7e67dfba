"""The declarations of a file whose functions are methods of classes, read off its outline (`tasks.mine.syntax`).

Documentation in front of a member is part of its byte range. What else the rules of these languages need is in `extra`:

    every one   `in_tests` (whether the file is one of tests), `package`
    classes     `fields` (a line each), `field_types`, `supertypes`, `enum`, `type_parameters`; the first class of a
                file also `imports` (the statements)
    methods     `types` (of the parameters), `required` (arguments that a call has to give), `variadic`, `returns`, `body`
                (whether there is one), `trivial` (whether it does no more than read or write a field), `property`, `generic`,
                `extension`, `static`, `documentation` (its byte range, or None)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cpg.parse import SyntaxTree

from .language_miner import Declaration, SourceFile, Unparsable
from .syntax import Syntax, plain

_TEST_FOLDER = re.compile(r"(?i:(?:^|.*[._-])(?:unit|integration|functional)?tests?|testing|androidtest|testfixtures|jmh)$"
                          r"|.*[a-z]Tests?$")
"""Names of folders that hold tests."""

_BODY_FIELDS = ("body", "accessors", "value")

_TRIVIAL = re.compile(rb"""\s*(?:\{\s*)?(?:get\s*)?(?:\{\s*|=>\s*)
    (?:return\s+(?:this\.)?\w+\s*;|(?:this\.)?\w+\s*=\s*\w+\s*;(?:\s*return\s+this\s*;)?|(?:this\.)?\w+\s*;)?
    \s*(?:\}\s*(?:set\s*\{\s*(?:this\.)?\w+\s*=\s*value\s*;\s*\}\s*)?)*$""", re.VERBOSE)
"""The body of a getter or a setter, or an empty one."""

_ACCESSOR_WITH_BODY = re.compile(rb"=>|\b(?:get|set|init|add|remove)\s*\{")

IsTest = Callable[[SyntaxTree, int, int, "FileFacts"], bool]
"""Whether a method (second) of a class (first node) is a test."""


class FileFacts:
    """What stands in front of the classes of a file."""

    def __init__(self, syntax: Syntax, tree: SyntaxTree):
        self.imports = [one_line(text) for text in tree.codes(tree.of_types(syntax.imports))]
        self.packages = {node: syntax.package(tree, node) for node in tree.of_types(syntax.packages)}
        self._scoped = [node for node in self.packages if any(tree.types[child] in syntax.class_bodies
                                                               for child in tree.children[node])]

    def package_of(self, tree: SyntaxTree, node: int) -> str:
        """The package or namespace that a class is in."""
        around = [self.packages[one] for one in self._scoped if one < node < tree.last[one]]
        before = [name for one, name in self.packages.items() if one < node and one not in self._scoped]
        return ".".join([*before[-1:], *around])


def declarations(syntax: Syntax, is_test: IsTest, file: SourceFile) -> list[Declaration]:
    """What a file declares, in its order.

    Raises:
        Unparsable: nothing could be made of its text.
    """
    tree = syntax.outline(file.text)
    reader = _OutlineReader(syntax, is_test, file, tree)
    found = reader.read()
    if tree.broken and not found:
        raise Unparsable("not_parsable")
    in_tests = bool(is_test_path(file.path) or any(one.is_test for one in found))
    for one in found:
        one.extra["in_tests"] = in_tests
    for one in found[:1]:
        one.extra["imports"] = reader.facts.imports
    return found


def is_test_path(path: str) -> bool:
    """Whether a file lies in a folder of tests; the first part of its path is the name of its tree."""
    return any(_TEST_FOLDER.match(part) for part in path.split("/")[1:-1])


class _OutlineReader:
    def __init__(self, syntax: Syntax, is_test: IsTest, file: SourceFile, tree: SyntaxTree):
        self.syntax = syntax
        self.is_test = is_test
        self.file = file
        self.tree = tree
        self.facts = FileFacts(syntax, tree)

    def read(self) -> list[Declaration]:
        found: list[Declaration] = []
        owners: dict[int, str] = {}
        types, parents = self.tree.types, self.tree.parents
        for node in self.tree.of_types(self.syntax.classes):
            holder = parents[node]
            while holder > 0 and types[holder] in self.syntax.class_bodies and holder not in owners:
                holder = parents[holder]
            owner = owners.get(holder, "")
            if not owner and any(types[one] in self.syntax.methods for one in self._around(node)):
                continue
            declared = self._class(node, owner)
            owners[node] = declared.qualified_name
            members = self._members(node, declared.qualified_name, declared.extra["package"])
            holds_tests = any(one.is_test for one in members)
            found += [replace(declared, is_test=True) if holds_tests else declared, *members]
        return found

    def _around(self, node: int):
        while node > 0:
            node = self.tree.parents[node]
            yield node

    def _class(self, node: int, owner: str) -> Declaration:
        syntax, tree = self.syntax, self.tree
        package = self.facts.package_of(tree, node)
        name = syntax.name(tree, node)
        fields = [(member, variable) for member in syntax.members(tree, node) for variable in syntax.fields(tree, member)]
        lines = list(dict.fromkeys(self._field_line(member) for member, _ in fields))
        parameters = tree.part(node, "type_parameters")
        return self._declaration(node, name, "class", owner, package, self._head_end(node), None, False, {
            "package": package, "fields": lines, "field_types": {one.name: one.type for _, one in fields},
            "supertypes": syntax.supertypes(tree, node), "enum": tree.types[node].startswith("enum"),
            "type_parameters": plain(tree, parameters).strip("<>").split(",") if parameters >= 0 else []})

    def _members(self, node: int, owner: str, package: str) -> list[Declaration]:
        return [self._method(member, node, owner, package) for member in self.syntax.members(self.tree, node)
                if self.tree.types[member] in self.syntax.methods]

    def _method(self, node: int, class_node: int, owner: str, package: str) -> Declaration:
        syntax, tree = self.syntax, self.tree
        kind = syntax.methods[tree.types[node]]
        types, required, variadic = syntax.parameters(tree, node)
        head_end = self._head_end(node)
        tail = tree.text[head_end:tree.ends[node]]
        is_property = tree.types[node] in syntax.properties
        body = bool(_ACCESSOR_WITH_BODY.search(tail)) if is_property else b"{" in tail or b"=>" in tail
        generic = tree.part(node, "type_parameters") >= 0
        modifiers = syntax.modifiers(tree, node)
        extra = {"package": package, "types": types, "required": required, "variadic": variadic, "body": body,
                 "returns": syntax.returns(tree, node), "trivial": len(tail) < 200 and bool(_TRIVIAL.match(tail)),
                 "property": is_property, "generic": generic, "static": "static" in modifiers,
                 "extension": "static" in modifiers and self._takes_this(node)}
        fixed = None if variadic or required < len(types) else len(types)
        return self._declaration(node, syntax.name(tree, node), kind, owner, package, head_end, fixed,
                                 self.is_test(tree, class_node, node, self.facts), extra)

    def _takes_this(self, node: int) -> bool:
        holder = self.tree.part(node, "parameters")
        return holder >= 0 and re.match(r"\(\s*this\s", self.tree.code(holder)) is not None

    def _declaration(self, node: int, name: str, kind: str, owner: str, package: str, head_end: int, parameters: int | None,
                     is_test: bool, extra: dict[str, Any]) -> Declaration:
        documented = documentation_range(self.syntax, self.tree, node)
        if kind != "class":
            extra["documentation"] = documented
        qualified = f"{owner or package}.{name}".lstrip(".")
        return Declaration(self.file.path, name, kind, owner, qualified, self._signature(node, head_end),
                           documented[0] if documented else self.tree.starts[node], self.tree.ends[node], parameters, is_test,
                           extra)

    def _head_end(self, node: int) -> int:
        """Where the head of a class or member ends: before its body, or what else follows."""
        tree = self.tree
        end = tree.starts[node]
        for child in tree.children[node]:
            if tree.fields[child] in _BODY_FIELDS or tree.types[child] in self.syntax.after_head:
                break
            end = tree.ends[child]
        return end

    def _signature(self, node: int, head_end: int) -> str:
        """The head of a class or member on one line, without annotations."""
        tree = self.tree
        children = tree.children[node]
        words = " ".join(tree.tokens.get(tree.part(node, "modifiers"), ()))
        start = max([tree.starts[node], *(tree.ends[child] for child in children
                                          if tree.types[child] in ("attribute_list", "modifiers"))])
        return one_line(f"{words} {tree.text[start:head_end].decode('utf-8', 'replace')}")

    def _field_line(self, node: int) -> str:
        """A field on one line; a long value is left out."""
        line = one_line(self.tree.code(node))
        return line if len(line) <= 120 else f"{line.partition('=')[0].strip()[:110]};"


def documentation_range(syntax: Syntax, tree: SyntaxTree, node: int) -> tuple[int, int] | None:
    """Byte range of the documentation comment in front of a declaration; None where there is none."""
    found: list[int] = []
    before = node - 1
    while before > 0 and tree.types[before] in syntax.language.comments and tree.parents[before] == tree.parents[node]:
        text = tree.code(before)
        if text.startswith("///") or text.startswith("/**") and len(text) > 5:
            found.append(before)
            if text.startswith("/**"):
                break
        elif found:
            break
        before -= 1
    return (tree.starts[found[-1]], tree.ends[found[0]]) if found else None


def one_line(text: str) -> str:
    """A text on one line, comments in it gone."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.DOTALL) if "/*" in text or "//" in text else text
    return " ".join(text.split())
