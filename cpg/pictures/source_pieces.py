"""The source text cut into pieces, each inside exactly one innermost node, for the viewer."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from cpg.graph import CodePropertyGraph

KINDS = {
    "LITERAL": "literal",
    "COMMENT": "comment",
    "TYPE": "type",
    "MODIFIER": "keyword",
    "UNKNOWN": "unknown",
    "IDENTIFIER": "",
    "PARAMETER": "",
    "FIELD_IDENTIFIER": "",
}
"""Label of the innermost node -> how its text is shown. In all others words are keywords."""
_PARTS = re.compile(r"\n|[^\W\d]\w*|[^\w\n]+|\d\w*")


@dataclass
class Pieces:
    """`rows` are (text, kind, node); a line break is a piece of its own. The other lists are indexed by node."""

    rows: list[tuple[str, str, int]] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    """The node's first piece, -1 for nodes without text."""
    last: list[int] = field(default_factory=list)


def cut(graph: CodePropertyGraph) -> Pieces:
    """The pieces of a graph's text. Time: sorting of the nodes' ends."""
    nodes = graph.nodes
    spans = [i for i in range(len(nodes)) if nodes.end_byte[i] > nodes.start_byte[i]]
    # Preorder: a node that starts where its parent does comes after it.
    opening = sorted(spans, key=lambda i: (nodes.start_byte[i], -nodes.end_byte[i], i))
    borders = sorted({b for i in spans for b in (nodes.start_byte[i], nodes.end_byte[i])})
    called = _called(graph)
    pieces = Pieces()
    at_border = {}
    stack: list[int] = []
    position = 0
    for start, end in zip(borders, borders[1:]):
        while stack and nodes.end_byte[stack[-1]] <= start:
            stack.pop()
        while position < len(opening) and nodes.start_byte[opening[position]] <= start:
            stack.append(opening[position])
            position += 1
        at_border[start] = len(pieces.rows)
        _add(pieces, nodes.text[start:end].decode(errors="replace"), stack[-1], nodes.label[stack[-1]], called)
    at_border[borders[-1] if borders else 0] = len(pieces.rows)
    pieces.first = [-1] * len(nodes)
    pieces.last = [-1] * len(nodes)
    for i in spans:
        pieces.first[i], pieces.last[i] = at_border[nodes.start_byte[i]], at_border[nodes.end_byte[i]] - 1
    return pieces


def _called(graph: CodePropertyGraph) -> set[int]:
    """Name nodes of calls and of functions."""
    nodes = graph.nodes
    result = set()
    for source, target, kind, _, _ in graph.edges:
        if kind == "AST" and nodes.label[source] in ("CALL", "METHOD") and nodes.label[target].endswith("IDENTIFIER"):
            if nodes.text_of(target) == nodes.name[source]:
                result.add(target)
    return result


def _add(pieces: Pieces, text: str, node: int, label: str, called: set[int]) -> None:
    kind = "call" if node in called else KINDS.get(label)
    for part in _PARTS.findall(text.replace("\r\n", "\n").replace("\r", "\n")):
        if part == "\n":
            shown = ""
        elif kind is not None:
            shown = kind
        else:
            shown = "keyword" if part[0].isalpha() or part[0] == "_" else ""
        pieces.rows.append((part, shown, node))
