"""dot: Graphviz text; each body in a cluster, one colour a kind of edge.

For programs that read it: the `class` of an edge is its kind, that of a node its label and its kind of point.
"""

from __future__ import annotations

from cpg.graph import EDGE_KINDS, CodePropertyGraph
from cpg.pictures.scene import Box, make_scene
from cpg.pictures.theme import LIGHT

SHAPES = {"condition": "hexagon", "syntax": "plaintext"}
"""Of boxes; all others are rectangles."""
STYLES = {"CDG": "dashed"}
WEIGHTS = {"AST": 2, "CFG": 8, "DDG": 1, "CDG": 1}


def render(graph: CodePropertyGraph, edges: tuple[str, ...] = EDGE_KINDS, title: str = "cpg") -> str:
    """Graphviz text with these kinds of edges; with AST every node is there, else the points. One line an edge."""
    scene = make_scene(graph, edges)
    lines = [f"digraph {quoted(title)} {{"]
    lines.append(f'  graph [fontname="Helvetica", fontsize=11, fontcolor="{LIGHT["muted"]}", nodesep=0.2, ranksep=0.3];')
    lines.append('  node [fontname="Courier,monospace", fontsize=10, height=0.3, margin="0.12,0.05"];')
    lines.append('  edge [fontname="Courier,monospace", fontsize=8, arrowsize=0.6];')
    grouped = set()
    for i, body in enumerate(scene.bodies if "AST" not in edges else ()):
        lines.append(f"  subgraph cluster_{i} {{")
        lines.append(f'    label={quoted(body.title)}; labeljust=l; color="{LIGHT["frame-line"]}";')
        lines += [_node(scene.boxes[point], graph.nodes.label[point], "    ") for point in body.points]
        lines.append("  }")
        grouped.update(body.points)
    lines += [_node(box, graph.nodes.label[node], "  ") for node, box in scene.boxes.items() if node not in grouped]
    for source, target, kind, branch, variable in graph.edges:
        if kind in edges:
            lines.append(_edge(source, target, kind, branch or variable or ""))
    return "\n".join([*lines, "}"]) + "\n"


def _node(box: Box, label: str, indent: str) -> str:
    caption = f"{box.note}  {box.text}" if box.note and box.text else box.note or box.text
    rounded = ",rounded" if box.shape in ("entry", "exit", "parameter") else ""
    ink = LIGHT["end-ink" if box.shape in ("entry", "exit") else "ink"]
    colours = f'fillcolor="{LIGHT[box.shape]}", color="{LIGHT[box.shape + "-line"]}", fontcolor="{ink}"'
    shape = f'shape={SHAPES.get(box.shape, "box")}, style="filled{rounded}", class="{label} {box.shape}"'
    return f"{indent}n{box.node} [label={quoted(caption)}, {shape}, {colours}];"


def _edge(source: int, target: int, kind: str, label: str) -> str:
    style = f", style={STYLES[kind]}" if kind in STYLES else ""
    colour = f'color="{LIGHT[kind]}", fontcolor="{LIGHT[kind]}"'
    text = f"label={quoted(label)}, " if label else ""
    return f"  n{source} -> n{target} [{text}class={kind}, {colour}{style}, weight={WEIGHTS[kind]}];"


def quoted(text: str) -> str:
    """A string of the language: quotes and backslashes escaped, what has no picture replaced."""
    text = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
