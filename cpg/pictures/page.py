"""The interactive viewer: one HTML text with the graph, the layouts, the style and the script in it."""

from __future__ import annotations

import html
import itertools
import json
from importlib import resources
from typing import Any

from cpg.graph import EDGE_KINDS, CodePropertyGraph
from cpg.pictures.geometry import NOTE_COLUMN, Picture, number, path_text
from cpg.pictures.picture import draw
from cpg.pictures.scene import FLOW_KINDS, header, make_scene
from cpg.pictures.source_pieces import cut
from cpg.pictures.theme import NAMES, css_variables

SCRIPTS = ("model.js", "code.js", "graph.js", "panels.js", "main.js")
MANY_POINTS = 400
"""Above that, one layout serves all choices of flow edges; below, each choice has its own."""
LONG_TEXT = 300
"""Columns of a node's text in panels and the search."""


def page(graph: CodePropertyGraph, kinds: tuple[str, ...], title: str) -> str:
    """The page; `kinds` are on when it opens.

    Cost: the layouts, see `cpg.pictures.picture.draw`; eight of them up to MANY_POINTS points, else two.
    """
    data = json.dumps(page_data(graph, kinds), ensure_ascii=False, separators=(",", ":"))
    parts = {
        "title": html.escape(title),
        "style": css_variables() + _asset("style.css"),
        # In JSON these characters stand in texts only, and a text must not end the element around it.
        "data": data.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"),
        "script": "(() => {\n\"use strict\";\n" + "\n".join(map(_asset, SCRIPTS)) + "})();",
    }
    pieces = _asset("page.html").split("@")
    return "".join(parts[piece] if i % 2 else piece for i, piece in enumerate(pieces))


def page_data(graph: CodePropertyGraph, kinds: tuple[str, ...]) -> dict[str, Any]:
    """What the script reads."""
    return {
        "language": graph.language,
        "names": NAMES,
        "on": kinds,
        "sizes": {"note": NOTE_COLUMN},
        **_text(graph),
        "edges": [[s, t, EDGE_KINDS.index(kind), branch or variable or ""] for s, t, kind, branch, variable in graph.edges],
        "pictures": {name: _drawn(draw(graph, chosen)) for name, chosen in _choices(graph).items()},
    }


def _choices(graph: CodePropertyGraph) -> dict[str, tuple[str, ...]]:
    """The sets of kinds that get a layout, by name; AST stands for all kinds over the whole tree."""
    sizes = range(1, 4) if sum(point is not None for point in graph.nodes.point) <= MANY_POINTS else (3,)
    flows = (chosen for size in sizes for chosen in itertools.combinations(FLOW_KINDS, size))
    return {",".join(chosen): chosen for chosen in flows} | {"AST": EDGE_KINDS}


def _text(graph: CodePropertyGraph) -> dict[str, Any]:
    """Columns of the nodes, and the pieces of the source."""
    nodes = graph.nodes
    scene = make_scene(graph)
    pieces = cut(graph)
    parents = [-1] * len(nodes)
    for parent, children in scene.children.items():
        for child in children:
            parents[child] = parent
    heads = list(pieces.last)
    texts = [""] * len(nodes)
    for node in range(len(nodes)):
        children = scene.children.get(node, ())
        blocks = [child for child in children if nodes.label[child] == "BLOCK" and pieces.first[child] >= 0]
        if blocks:
            heads[node] = max(pieces.first[node], _trimmed(pieces.rows, pieces.first[blocks[0]] - 1))
        # The text of inner syntax would repeat that of all leaves below it in every search.
        named = nodes.point[node] is None and children
        texts[node] = nodes.name[node] if named else header(graph, scene, node)[:LONG_TEXT]
    columns = {"type": nodes.type, "label": nodes.label, "name": nodes.name, "point": nodes.point}
    columns |= {"line": nodes.start_line, "parent": parents, "text": texts}
    columns |= {"first": pieces.first, "head": heads, "last": pieces.last}
    return {"nodes": columns, "pieces": pieces.rows}


def _trimmed(rows: list[tuple[str, str, int]], last: int) -> int:
    while last > 0 and not rows[last][0].strip():
        last -= 1
    return last


def _drawn(picture: Picture) -> dict[str, Any]:
    boxes = [
        [node, _short(p.x), _short(p.y), p.width, p.height, p.box.shape, p.box.text, p.box.note]
        for node, p in sorted(picture.places.items())
    ]
    routes = []
    for route in picture.routes:
        link = route.link
        at = (_short(route.label_at[0]), _short(route.label_at[1])) if route.label_at else (None, None)
        path = path_text(route.start, route.curves)
        routes.append([EDGE_KINDS.index(link.kind), link.source, link.target, link.label, path, *at, int(route.across)])
    frames = [[f.title, _short(f.x), _short(f.y), _short(f.width), _short(f.height)] for f in picture.frames]
    return {"w": picture.width, "h": picture.height, "boxes": boxes, "routes": routes, "frames": frames}


def _short(value: float) -> float:
    return float(number(value))


def _asset(name: str) -> str:
    return (resources.files("cpg.pictures") / "viewer" / name).read_text(encoding="utf-8")
