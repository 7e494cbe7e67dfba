"""All nodes of a Python syntax tree, in the order of `ast.walk`, several times as fast.

Left out are nodes without a place in the text: contexts (`Load`, `Store`) and operators.
"""

from __future__ import annotations

import ast
from operator import attrgetter

_NO_NODES = frozenset("ctx op ops id attr arg name names level module kind conversion simple is_async rest kwd_attrs type_comment "
                      "type_ignores asname".split())
"""Fields that hold texts, numbers, or nodes without a place."""

_BUT = {("Import", "names"), ("ImportFrom", "names"), ("TypeAlias", "name")}
"""Those of them that hold nodes in some kinds of nodes."""

_VALUES = ("Constant", "MatchSingleton")
"""Kinds of nodes whose `value` is none."""

_FIELDS: dict[type, tuple[str, ...]] = {
    kind: tuple(field for field in kind._fields if (field not in _NO_NODES or (kind.__name__, field) in _BUT)
                and not (field == "value" and kind.__name__ in _VALUES))
    for kind in vars(ast).values() if isinstance(kind, type) and issubclass(kind, ast.AST)}


_SINGLE = {kind: attrgetter(*fields) for kind, fields in _FIELDS.items() if len(fields) == 1}
_SEVERAL = {kind: attrgetter(*fields) for kind, fields in _FIELDS.items() if len(fields) > 1}
"""Kind of node -> what gets its field, or all of them as a tuple."""


def descendants(root: ast.AST) -> list[ast.AST]:
    """`root` and all nodes below it, level by level."""
    found = [root]
    append, extend, single, several = found.append, found.extend, _SINGLE, _SEVERAL
    for node in found:
        kind = node.__class__
        if kind in several:
            values = several[kind](node)
        elif kind in single:
            values = (single[kind](node),)
        else:
            continue
        for value in values:
            if value.__class__ is list:
                if value:
                    extend(value if None not in value else [part for part in value if part is not None])
            elif value is not None:
                append(value)
    return found
