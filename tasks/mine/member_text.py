"""The text of a method cut from its file: comments gone, statements taken out or replaced, indented from column 0."""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import compress

from cpg.parse import SyntaxTree

from .syntax import Syntax

_GONE = "\x01"
"""Stands where something was taken out; a line that holds nothing else goes with it."""
_KEPT = re.compile("\x02(\\d+)\x02")
_OPENING = ("{", "(", "[")
_GONE_WITH_BLANKS = re.compile(rf"[ \t]*{_GONE}")
_BLANKS_IN_FRONT = re.compile(r"([(\[]) +")


class CannotCut(Exception):
    """The text cannot be cut; the message is the reason under which it is counted."""


def cut(syntax: Syntax, tree: SyntaxTree, node: int, removed: Collection[int] = (), replaced: int = -1,
        replacement: str = "") -> str:
    """The text of `node` without comments.

    Args:
        syntax: of the language.
        tree: of the file.
        node: a method, or another node.
        removed: statements to leave out; where a branch is nothing else, `;` stays.
        replaced: a node in whose place `replacement` stands.

    Raises:
        CannotCut: what a preprocessor chooses begins or ends outside of it (`conditional_compilation`).
    """
    code = tree.code(node)
    if not removed and replaced < 0 and "\n" not in code and "/*" not in code:
        return code
    edits: list[tuple[int, int, str]] = []
    kept: list[str] = []
    open_conditions = 0
    end = node
    for inner in _touched(syntax, tree, node, {*removed, replaced}):
        if inner < end:
            continue
        kind = tree.types[inner]
        if inner == replaced:
            text = replacement
        elif inner in removed:
            text = _GONE if _may_go(syntax, tree, inner, removed) else ";"
        elif kind in syntax.directives:
            open_conditions += syntax.directives[kind]
            if open_conditions < 0:
                raise CannotCut("conditional_compilation")
            continue
        elif kind in syntax.strings:
            if "\n" not in tree.code(inner):
                continue
            text = f"\x02{len(kept)}\x02"
            kept.append(tree.code(inner))
        else:
            text = _GONE
        edits.append((_start(syntax, tree, inner), tree.ends[inner], text))
        end = tree.last[inner]
    if open_conditions:
        raise CannotCut("conditional_compilation")
    return _KEPT.sub(lambda match: kept[int(match.group(1))], _laid_out(_edited(tree, node, edits), _column(tree, node)))


def _touched(syntax: Syntax, tree: SyntaxTree, node: int, wanted: Collection[int]) -> list[int]:
    """Nodes in the subtree of `node` that may be edited, in order: the `wanted` ones, comments, strings, lines for a
    preprocessor."""
    last = tree.last[node]
    kinds = compress(range(node, last), map(syntax.cut_kinds.__contains__, tree.types[node:last]))
    return sorted({*kinds, *(one for one in wanted if node <= one < last)})


def _start(syntax: Syntax, tree: SyntaxTree, node: int) -> int:
    """The `#` of a directive stands in front of its node."""
    start = tree.starts[node]
    return tree.text.rindex(b"#", 0, start + 1) if tree.types[node] in syntax.remarks else start


def _may_go(syntax: Syntax, tree: SyntaxTree, node: int, gone: Collection[int]) -> bool:
    parent = tree.parents[node]
    return tree.types[parent] in syntax.blocks or parent in gone


def _edited(tree: SyntaxTree, node: int, edits: list[tuple[int, int, str]]) -> str:
    parts: list[str] = []
    place = tree.starts[node]
    for start, end, text in edits:
        parts += [tree.text[place:start].decode("utf-8", "replace"), text]
        place = end
    parts.append(tree.text[place:tree.ends[node]].decode("utf-8", "replace"))
    return "".join(parts)


def _column(tree: SyntaxTree, node: int) -> str:
    """What stands in front of a node on its line, if it is blank."""
    start = tree.starts[node]
    return _indentation(tree.text[tree.text.rfind(b"\n", 0, start) + 1:start].decode("utf-8", "replace"))


def _indentation(line: str) -> str:
    return line[:len(line) - len(line.lstrip())]


def _laid_out(text: str, indentation: str) -> str:
    """Lines without `indentation`, without those that were emptied, blank ones in a row as one, none behind a bracket."""
    lines: list[str] = []
    for line in text.split("\n"):
        touched = _GONE in line
        if touched:
            indentation_here = _indentation(line)
            line = _GONE_WITH_BLANKS.sub("", line)
            line = _BLANKS_IN_FRONT.sub(r"\1", indentation_here + line.lstrip()) if line.strip() else ""
        line = line.rstrip()
        if not line and (touched or not lines or not lines[-1] or lines[-1].endswith(_OPENING)):
            continue
        lines.append(line.removeprefix(indentation) if indentation and line.startswith(indentation) else line)
    return "\n".join(lines).strip("\n")


def on_one_line(text: str) -> str:
    """Code on one line: breaks become a blank, or nothing next to a bracket or in front of a dot.

    Raises:
        CannotCut: it holds a text of several lines (`multiline_string`).
    """
    if "\n" not in text:
        return text
    if '"""' in text or re.search(r'[@$]"[^"]*\n', text):
        raise CannotCut("multiline_string")
    joined = ""
    for part in filter(None, map(str.strip, text.split("\n"))):
        tight = not joined or joined[-1] in "([." or part[0] in ")].,;" or part.startswith("?.")
        joined += part if tight else f" {part}"
    return joined


def assertion_blocks(syntax: Syntax, tree: SyntaxTree, method: int, others: Collection[int]) -> set[int]:
    """Compound statements of a method in which nothing is done but asserting, outermost ones.

    Such a loop or condition is an assertion as a whole: when the assertions in it go, it goes with them.

    Args:
        syntax: of the language.
        tree: of the file.
        method: its node.
        others: statements that are to go.
    """
    hollow: set[int] = set()
    for node in range(tree.last[method] - 1, method, -1):
        if tree.types[node] not in syntax.hollow or tree.types[tree.parents[node]] in syntax.methods:
            continue
        inner = [child for child in tree.children[node]
                 if tree.types[child] == syntax.statement or tree.types[child].endswith("statement")
                 or tree.types[child] in syntax.blocks or tree.types[child] == "local_variable_declaration"]
        inner = [child for child in inner if tree.fields[child] not in ("init", "update", "initializer")]
        if inner and all(child in others or child in hollow for child in inner):
            hollow.add(node)
    return {node for node in hollow if tree.parents[node] not in hollow}
