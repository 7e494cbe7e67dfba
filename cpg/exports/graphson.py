"""graphson: GraphSON 3 as `joern-export --format graphson` writes it, in the words of `cpg.exports.joern`.

`{"@type": "tinker:graph", "@value": {"vertices": [...], "edges": [...]}}`. Ids are `g:Int64`, numbers `g:Int32`.
Like Joern's, vertices and edges carry their fields beside `@type`, and a property is one object with an `id`, not
a list. Edges and properties have no ids of their own: they are numbered. Joern's newer versions name the property
of an edge EdgeProperty; here it keeps its name, VARIABLE or BRANCH.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

from cpg.exports.joern import arcs, vertices
from cpg.graph import CodePropertyGraph


def render(graph: CodePropertyGraph) -> str:
    """The whole graph as one line of JSON."""
    numbers = itertools.count()
    labels: list[str] = []
    vertex_rows, edge_rows = [], []
    for vertex in vertices(graph):
        labels.append(vertex.label)
        row = {"@type": "g:Vertex", "id": _long(vertex.id), "label": vertex.label}
        row["properties"] = _properties(vertex.properties, "g:VertexProperty", numbers)
        vertex_rows.append(row)
    for i, arc in enumerate(arcs(graph)):
        row = {"@type": "g:Edge", "id": _long(i), "label": arc.label}
        row.update(inV=_long(arc.target), inVLabel=labels[arc.target])
        row.update(outV=_long(arc.source), outVLabel=labels[arc.source])
        row["properties"] = _properties(arc.properties, "g:Property", numbers)
        edge_rows.append(row)
    data = {"@type": "tinker:graph", "@value": {"vertices": vertex_rows, "edges": edge_rows}}
    return json.dumps(data, ensure_ascii=False) + "\n"


def _long(number: int) -> dict[str, Any]:
    return {"@type": "g:Int64", "@value": number}


def _properties(properties: dict[str, str | int], kind: str, numbers: Iterator[int]) -> dict[str, Any]:
    result = {}
    for name, value in properties.items():
        typed = {"@type": "g:Int32", "@value": value} if isinstance(value, int) else value
        result[name] = {"@type": kind, "id": _long(next(numbers)), "@value": typed}
    return result
