"""What lies around a function: kept beside its row, so that a graph can know more than the text window shows.

It is never shown to a model. A context is a dictionary:

- `class`: the signature of the enclosing class, its fields, and the signatures of its methods, a line each; empty for none;
- `callees`: signatures of the functions of the trees that the function calls, each once, in the order of the calls;
- `imports`: the import statements of its file, one line each.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .language_miner import FUNCTION_KINDS, Declaration
from .tree_index import TreeIndex

MAX_LINES = 60
"""Of each part; what is longer is cut, and the last line says by how much."""


def context_of(owner: str, callees: Iterable[Declaration], imports: Iterable[str], index: TreeIndex) -> dict[str, Any]:
    """The context of a function.

    Args:
        owner: qualified name of the enclosing class, empty for none.
        callees: what the function calls, as far as it was resolved.
        imports: the import statements of its file.
        index: what the trees declare.
    """
    return as_context(_class_lines(owner, index), (callee.signature for callee in callees), imports)


def as_context(class_lines: Iterable[str], callees: Iterable[str], imports: Iterable[str]) -> dict[str, Any]:
    """A context of its three parts, repetitions of callees gone, long parts cut."""
    return {"class": "\n".join(_bounded(class_lines)), "callees": _bounded(dict.fromkeys(callees)),
            "imports": _bounded(imports)}


def _class_lines(owner: str, index: TreeIndex) -> list[str]:
    classes = [declaration for declaration in index.qualified(owner) if declaration.kind == "class"] if owner else []
    if not classes:
        return []
    members = [member.signature for member in index.members(owner)
               if member.kind in FUNCTION_KINDS and member.file == classes[0].file]
    return [classes[0].signature, *(f"    {line}" for line in [*classes[0].extra.get("fields", ()), *members])]


def _bounded(lines: Iterable[str]) -> list[str]:
    lines = list(lines)
    return lines if len(lines) <= MAX_LINES else [*lines[:MAX_LINES], f"... {len(lines) - MAX_LINES} more"]
