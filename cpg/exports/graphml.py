"""graphml: XML for networkx, Gephi, yEd and others, in the words of `cpg.exports.joern`.

The label of a node is its attribute `labelV`, that of an edge `labelE`, as in Joern's export. Edges have ids, so
that readers keep parallel ones apart. XML has no place for most control characters: they become U+FFFD.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from cpg.exports.joern import EDGE_PROPERTIES, INTEGERS, META_PROPERTIES, NODE_PROPERTIES, arcs, vertices
from cpg.graph import CodePropertyGraph

_HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="http://graphml.graphdrawing.org/xmlns http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd">
"""
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"})


def escape(text: str) -> str:
    """Text as XML: markup escaped, carriage returns kept, characters that XML forbids replaced."""
    return _FORBIDDEN.sub("\ufffd", text).translate(_ESCAPES)


def render(graph: CodePropertyGraph) -> str:
    """The whole graph as one GraphML document."""
    lines = [_HEAD]
    lines += _keys("node", ("labelV", *META_PROPERTIES, *NODE_PROPERTIES))
    lines += _keys("edge", ("labelE", *sorted({name for names in EDGE_PROPERTIES.values() for name in names})))
    lines.append('<graph id="G" edgedefault="directed">\n')
    for vertex in vertices(graph):
        lines.append(f'<node id="{vertex.id}">{_data("labelV", vertex.label, vertex.properties)}</node>\n')
    for i, arc in enumerate(arcs(graph)):
        data = _data("labelE", arc.label, arc.properties)
        lines.append(f'<edge id="{i}" source="{arc.source}" target="{arc.target}">{data}</edge>\n')
    lines.append("</graph>\n</graphml>\n")
    return "".join(lines)


def _keys(element: str, names: Iterable[str]) -> list[str]:
    types = {name: "int" if name in INTEGERS else "string" for name in names}
    return [f'<key id="{name}" for="{element}" attr.name="{name}" attr.type="{t}"/>\n' for name, t in types.items()]


def _data(label_key: str, label: str, properties: dict[str, str | int]) -> str:
    values = {label_key: label, **properties}
    return "".join(f'<data key="{name}">{escape(str(value))}</data>' for name, value in values.items())
