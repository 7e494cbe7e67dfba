"""neo4jcsv: CSV files for `neo4j-admin database import`, in the words of `cpg.exports.joern`.

Four kinds of file, named as by `joern-export --format neo4jcsv`:

    nodes_METHOD_header.csv   :ID,:LABEL,CODE:string,COLUMN_NUMBER:int,...
    nodes_METHOD_data.csv     one line a node of that label
    edges_CFG_header.csv      :START_ID,:END_ID,:TYPE,BRANCH:string
    edges_CFG_data.csv        one line an edge of that label

An empty cell means that the property is not there. A cell with a comma, a quote or a line break is quoted, a quote in
it doubled, so the import needs `--multiline-fields=true`. (Cypher's LOAD CSV takes a backslash before a quote for an
escape and misreads such cells.)
"""

from __future__ import annotations

from collections.abc import Iterable

from cpg.exports.joern import EDGE_PROPERTIES, INTEGERS, META_DATA, META_PROPERTIES, NODE_PROPERTIES, arcs, vertices
from cpg.graph import CodePropertyGraph


def render(graph: CodePropertyGraph) -> dict[str, str]:
    """File name -> text. Files are there for the labels that occur."""
    nodes: dict[str, list[list[object]]] = {}
    edges: dict[str, list[list[object]]] = {}
    for vertex in vertices(graph):
        cells = [vertex.properties.get(name, "") for name in _node_properties(vertex.label)]
        nodes.setdefault(vertex.label, []).append([vertex.id, vertex.label, *cells])
    for arc in arcs(graph):
        cells = [arc.properties.get(name, "") for name in EDGE_PROPERTIES[arc.label]]
        edges.setdefault(arc.label, []).append([arc.source, arc.target, arc.label, *cells])
    files = {}
    for label, rows in sorted(nodes.items()):
        header = [":ID", ":LABEL", *map(_typed, _node_properties(label))]
        files[f"nodes_{label}_header.csv"] = _text([header])
        files[f"nodes_{label}_data.csv"] = _text(rows)
    for label, rows in sorted(edges.items()):
        header = [":START_ID", ":END_ID", ":TYPE", *map(_typed, EDGE_PROPERTIES[label])]
        files[f"edges_{label}_header.csv"] = _text([header])
        files[f"edges_{label}_data.csv"] = _text(rows)
    return files


def _node_properties(label: str) -> tuple[str, ...]:
    return META_PROPERTIES if label == META_DATA else NODE_PROPERTIES


def _typed(name: str) -> str:
    return f"{name}:{'int' if name in INTEGERS else 'string'}"


def _text(rows: Iterable[Iterable[object]]) -> str:
    return "".join(",".join(map(_cell, row)) + "\n" for row in rows)


def _cell(value: object) -> str:
    # Python's csv leaves a lone carriage return unquoted, and readers take it for the end of the line.
    text = str(value)
    quoted = text != text.strip() or any(character in text for character in ',"\n\r')
    return '"' + text.replace('"', '""') + '"' if quoted else text
