"""What a picture shows: boxes, links between them, and the bodies that group them.

With syntax edges every node is a box; without them the points are. Parallel edges of one kind between the same
two nodes are one link with their labels joined.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

from cpg.graph import CodePropertyGraph

FLOW_KINDS = ("CFG", "DDG", "CDG")
"""Kinds between points; a picture shows these unless it is told otherwise."""

BOX_TEXT = 40
"""Columns of a node's text in a box; longer texts end in an ellipsis."""
SYNTAX_TEXT = 28
"""The same for a node that is no point."""
HOLDERS = ("FILE", "BLOCK")
"""Labels whose text is that of everything below: shown without it."""
TITLE_TEXT = 56
"""The same for the title of a body."""
LINK_TEXT = 28
"""Columns of a link's label."""


@dataclass(frozen=True)
class Box:
    """A node of the picture."""

    node: int
    shape: str
    """entry, exit, parameter, statement, condition, or syntax for a node that is no point."""
    text: str
    """One line, cut to size."""
    note: str
    """Small text in front: the line of a point, the label of a syntax node."""


@dataclass(frozen=True)
class Link:
    """One or more edges of the graph between the same ends."""

    source: int
    target: int
    kind: str
    label: str
    """Branches or variables; may be empty."""


@dataclass(frozen=True)
class Body:
    """The points of a function, lambda, class body or the top level, in the order of the text."""

    title: str
    points: tuple[int, ...]


@dataclass
class Scene:
    """Everything that a layout needs to know."""

    boxes: dict[int, Box] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    bodies: list[Body] = field(default_factory=list)
    flow: dict[int, list[int]] = field(default_factory=dict)
    """Successors in control flow, whether its links are drawn or not: the layout goes along it."""
    children: dict[int, list[int]] = field(default_factory=dict)
    """Syntax children in the order of the text; ENTRY and EXIT last."""


def make_scene(graph: CodePropertyGraph, kinds: tuple[str, ...] = FLOW_KINDS) -> Scene:
    """The boxes and links of a picture with these kinds of edges. Linear in the graph."""
    scene = Scene()
    for source, target, kind, _, _ in graph.edges:
        if kind == "AST":
            scene.children.setdefault(source, []).append(target)
        elif kind == "CFG" and target not in scene.flow.setdefault(source, []):
            scene.flow[source].append(target)
    for node, point in enumerate(graph.nodes.point):
        if point is not None or "AST" in kinds:
            scene.boxes[node] = _box(graph, scene, node)
    scene.links = _links(graph, kinds)
    scene.bodies = _bodies(graph, scene)
    return scene


def _box(graph: CodePropertyGraph, scene: Scene, node: int) -> Box:
    nodes = graph.nodes
    point = nodes.point[node]
    if point in ("entry", "exit"):
        return Box(node, point, f"{point.upper()} {nodes.name[node]}".strip(), "")
    text = header(graph, scene, node)
    if point is None:
        return Box(node, "syntax", "" if nodes.label[node] in HOLDERS else shorten(text, SYNTAX_TEXT), nodes.label[node])
    return Box(node, point, shorten(text, BOX_TEXT), str(nodes.start_line[node]))


def header(graph: CodePropertyGraph, scene: Scene, node: int) -> str:
    """The text of a node up to its body, on one line; of a long text the beginning."""
    nodes = graph.nodes
    blocks = [child for child in scene.children.get(node, ()) if nodes.label[child] == "BLOCK"]
    end = nodes.start_byte[blocks[0]] if blocks else nodes.end_byte[node]
    # Boxes show a few dozen columns; the root alone may be the text of a whole file.
    text = nodes.text[nodes.start_byte[node] : min(end, nodes.start_byte[node] + 2000)].decode(errors="ignore")
    return printable(" ".join(text.split()))


def printable(text: str) -> str:
    """Characters that have no picture replaced."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in text)


def columns(text: str) -> int:
    """Cells that the text takes in a font of one width: two for wide East Asian characters, none for accents."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def shorten(text: str, limit: int) -> str:
    """At most `limit` columns, the last an ellipsis where something was cut off."""
    if columns(text) <= limit:
        return text
    kept = text[: limit - 1]
    while columns(kept) > limit - 1:
        kept = kept[:-1]
    return kept.rstrip() + "…"


def _links(graph: CodePropertyGraph, kinds: tuple[str, ...]) -> list[Link]:
    labels: dict[tuple[int, int, str], list[str]] = {}
    for source, target, kind, branch, variable in graph.edges:
        if kind in kinds:
            found = labels.setdefault((source, target, kind), [])
            label = branch or variable
            if label and label not in found:
                found.append(label)
    return [Link(*ends, shorten(printable(", ".join(texts)), LINK_TEXT)) for ends, texts in labels.items()]


def _bodies(graph: CodePropertyGraph, scene: Scene) -> list[Body]:
    """The parts that control flow connects. ENTRY and EXIT of one body are neighbours in the numbering."""
    nodes = graph.nodes
    group = list(range(len(nodes)))

    def root(node: int) -> int:
        while group[node] != node:
            group[node] = node = group[group[node]]
        return node

    for node, point in enumerate(nodes.point):
        for target in scene.flow.get(node, ()):
            group[root(target)] = root(node)
        if point == "entry":
            group[root(node + 1)] = root(node)
    parents = {child: parent for parent, children in scene.children.items() for child in children}
    members: dict[int, list[int]] = {}
    titles: dict[int, str] = {}
    for node, point in enumerate(nodes.point):
        if point is not None:
            members.setdefault(root(node), []).append(node)
        if point == "entry":
            owner = parents.get(node, 0)
            text = header(graph, scene, owner) if owner else "top level"
            titles[root(node)] = shorten(text, TITLE_TEXT)
    rank = {"entry": 0, "exit": 2}
    bodies = []
    for key, points in members.items():
        points.sort(key=lambda node: (rank.get(nodes.point[node] or "", 1), nodes.start_byte[node], node))
        bodies.append(Body(titles.get(key, "unreachable"), tuple(points)))
    return sorted(bodies, key=lambda body: (nodes.start_byte[body.points[0]], body.points[0]))
