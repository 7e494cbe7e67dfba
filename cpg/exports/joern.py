"""The graph in Joern's words: what GraphML, GraphSON and Neo4j CSV write.

| here | there |
|---|---|
| label PARAMETER, EXIT, TYPE, NAMESPACE | METHOD_PARAMETER_IN, METHOD_RETURN, TYPE_REF, NAMESPACE_BLOCK |
| all other labels | the same word (ENTRY, GROUP and LAMBDA are ours, Joern has no such node) |
| edges AST, CFG, CDG | AST, CFG, CDG |
| edge DDG with `variable` | REACHING_DEF with VARIABLE |
| `branch` of CFG and CDG | BRANCH (ours) |
| code, name, type | CODE, NAME, PARSER_TYPE_NAME |
| start_line, start_column | LINE_NUMBER, COLUMN_NUMBER |
| end_line, end_column | LINE_NUMBER_END, COLUMN_NUMBER_END |
| place among the children of its parent, from 1 | ORDER |
| start_byte, end_byte, point | START_BYTE, END_BYTE, POINT (ours; Joern's OFFSET counts UTF-16 units) |
| language, hash of the text | LANGUAGE, HASH of the one META_DATA vertex, which has the highest id and no edges |

Properties that are empty are left out. Columns count from 0 and in bytes. Diagnostics are not exported.
What Joern's nodes and edges mean stands in https://cpg.joern.io; ours are the graph's own, only the words
are Joern's: our CFG goes from statement to statement, Joern's from expression to expression.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from cpg.graph import SCHEMA, CodePropertyGraph

NODE_LABELS = {
    "PARAMETER": "METHOD_PARAMETER_IN",
    "EXIT": "METHOD_RETURN",
    "TYPE": "TYPE_REF",
    "NAMESPACE": "NAMESPACE_BLOCK",
}
EDGE_LABELS = {"DDG": "REACHING_DEF"}
META_DATA = "META_DATA"

COLUMNS = {
    "CODE": "code",
    "COLUMN_NUMBER": "start_column",
    "COLUMN_NUMBER_END": "end_column",
    "END_BYTE": "end_byte",
    "LINE_NUMBER": "start_line",
    "LINE_NUMBER_END": "end_line",
    "NAME": "name",
    "PARSER_TYPE_NAME": "type",
    "POINT": "point",
    "START_BYTE": "start_byte",
}
"""Property -> column of the nodes that it holds; ORDER is made from the syntax edges."""

NODE_PROPERTIES = tuple(sorted({*COLUMNS, "ORDER"}))
META_PROPERTIES = ("HASH", "LANGUAGE", "VERSION")
EDGE_PROPERTIES = {"AST": (), "CFG": ("BRANCH",), "CDG": ("BRANCH",), "REACHING_DEF": ("VARIABLE",)}
"""Edge label -> its properties."""

INTEGERS = frozenset({
    "COLUMN_NUMBER",
    "COLUMN_NUMBER_END",
    "END_BYTE",
    "LINE_NUMBER",
    "LINE_NUMBER_END",
    "ORDER",
    "START_BYTE",
})
"""Properties that are integers; all others are text."""


class Vertex(NamedTuple):
    """A node; `properties` in the order of their names."""

    id: int
    label: str
    properties: dict[str, str | int]


class Arc(NamedTuple):
    """An edge."""

    source: int
    target: int
    label: str
    properties: dict[str, str | int]


def vertices(graph: CodePropertyGraph) -> Iterator[Vertex]:
    """The nodes by id, then META_DATA."""
    nodes = graph.nodes
    columns = {name: nodes.code if column == "code" else getattr(nodes, column) for name, column in COLUMNS.items()}
    columns["ORDER"] = orders(graph)
    for i in range(len(nodes)):
        values = ((name, columns[name][i]) for name in NODE_PROPERTIES)
        properties = {name: value for name, value in values if value not in ("", None)}
        yield Vertex(i, NODE_LABELS.get(nodes.label[i], nodes.label[i]), properties)
    digest = hashlib.sha256(graph.code.encode()).hexdigest()
    yield Vertex(len(nodes), META_DATA, {"HASH": digest, "LANGUAGE": graph.language, "VERSION": SCHEMA})


def arcs(graph: CodePropertyGraph) -> Iterator[Arc]:
    """The edges in their order."""
    for source, target, kind, branch, variable in graph.edges:
        properties: dict[str, str | int] = {}
        if branch is not None:
            properties["BRANCH"] = branch
        if variable is not None:
            properties["VARIABLE"] = variable
        yield Arc(source, target, EDGE_LABELS.get(kind, kind), properties)


def orders(graph: CodePropertyGraph) -> list[int]:
    """Each node's place among the children of its parent, from 1; the root's is 1."""
    result = [1] * len(graph.nodes)
    children: dict[int, int] = {}
    for source, target, kind, _, _ in graph.edges:
        if kind == "AST":
            children[source] = result[target] = children.get(source, 0) + 1
    return result
