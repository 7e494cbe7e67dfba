"""Readers of the export formats, each written against the format's own rules, not against our writers.

They give what a graph is made of: {node: (label, properties)} and a list of (source, target, label, properties).
`restored` turns that back into a graph.
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from cpg import CodePropertyGraph, Edges, Nodes

Read = tuple[dict[int, tuple[str, dict[str, Any]]], list[tuple[int, int, str, dict[str, Any]]]]

LABELS = {
    "METHOD_PARAMETER_IN": "PARAMETER",
    "METHOD_RETURN": "EXIT",
    "TYPE_REF": "TYPE",
    "NAMESPACE_BLOCK": "NAMESPACE",
}
"""Joern's word -> ours, as the page on formats says it."""


def read_graphson(text: str) -> Read:
    data = json.loads(text)
    assert data["@type"] == "tinker:graph" and set(data["@value"]) == {"vertices", "edges"}
    nodes, edges, ids = {}, [], set()
    for vertex in data["@value"]["vertices"]:
        assert vertex["@type"] == "g:Vertex"
        nodes[_typed(vertex["id"], "g:Int64")] = (vertex["label"], _properties(vertex, "g:VertexProperty", ids))
    for number, edge in enumerate(data["@value"]["edges"]):
        assert edge["@type"] == "g:Edge" and _typed(edge["id"], "g:Int64") == number
        source, target = _typed(edge["outV"], "g:Int64"), _typed(edge["inV"], "g:Int64")
        assert (edge["outVLabel"], edge["inVLabel"]) == (nodes[source][0], nodes[target][0])
        edges.append((source, target, edge["label"], _properties(edge, "g:Property", ids)))
    return nodes, edges


def _typed(value: dict[str, Any], kind: str) -> int:
    assert value["@type"] == kind and type(value["@value"]) is int
    return value["@value"]


def _properties(element: dict[str, Any], kind: str, ids: set[int]) -> dict[str, Any]:
    result = {}
    for name, entry in element["properties"].items():
        assert entry["@type"] == kind
        number = _typed(entry["id"], "g:Int64")
        assert number not in ids, "ids of properties are unique"
        ids.add(number)
        value = entry["@value"]
        result[name] = value if isinstance(value, str) else _typed(value, "g:Int32")
    return result


def read_neo4j(files: dict[str, str]) -> Read:
    nodes, edges = {}, []
    stems = {name.removesuffix("_header.csv").removesuffix("_data.csv") for name in files}
    assert files.keys() == {f"{stem}_{part}.csv" for stem in stems for part in ("header", "data")}
    for stem in sorted(stems):
        (header,) = _rows(files[f"{stem}_header.csv"])
        for row in _rows(files[f"{stem}_data.csv"]):
            assert len(row) == len(header)
            fields, properties = {}, {}
            for column, cell in zip(header, row):
                name, kind = column.split(":")
                if not name:
                    fields[kind] = cell
                elif cell:
                    properties[name] = {"int": int, "string": str}[kind](cell)
            if stem.startswith("nodes_"):
                assert stem == f"nodes_{fields['LABEL']}"
                nodes[int(fields["ID"])] = (fields["LABEL"], properties)
            else:
                assert stem == f"edges_{fields['TYPE']}"
                edges.append((int(fields["START_ID"]), int(fields["END_ID"]), fields["TYPE"], properties))
    return nodes, edges


def _rows(text: str) -> list[list[str]]:
    csv.field_size_limit(10**8)
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def restored(read: Read) -> CodePropertyGraph:
    """The graph without its diagnostics; edges sorted by kind, as `by_kind` sorts them."""
    nodes, edges = read
    (meta,) = (number for number, (label, _) in nodes.items() if label == "META_DATA")
    assert meta == len(nodes) - 1
    code = nodes[0][1].get("CODE", "")
    result = Nodes(code.encode())
    for number in range(meta):
        label, properties = nodes[number]
        result.label.append(LABELS.get(label, label))
        result.type.append(properties["PARSER_TYPE_NAME"])
        result.name.append(properties.get("NAME", ""))
        result.point.append(properties.get("POINT"))
        for side, suffix in (("start", ""), ("end", "_END")):
            getattr(result, f"{side}_line").append(properties[f"LINE_NUMBER{suffix}"])
            getattr(result, f"{side}_column").append(properties[f"COLUMN_NUMBER{suffix}"])
            getattr(result, f"{side}_byte").append(properties[f"{side.upper()}_BYTE"])
    made = Edges()
    for source, target, label, properties in edges:
        kind = "DDG" if label == "REACHING_DEF" else label
        made.add(source, target, kind, properties.get("BRANCH"), properties.get("VARIABLE"))
    graph = CodePropertyGraph(nodes[meta][1]["LANGUAGE"], code, result, made)
    graph.check()
    assert [nodes[number][1].get("CODE", "") for number in range(meta)] == graph.nodes.code
    return by_kind(graph)


def by_kind(graph: CodePropertyGraph) -> CodePropertyGraph:
    """The same graph, its edges sorted by kind; without diagnostics."""
    edges = Edges()
    for edge in sorted(graph.edges, key=lambda edge: edge[2]):
        edges.add(*edge)
    return CodePropertyGraph(graph.language, graph.code, graph.nodes, edges)
