"""draw: a graph as a picture with places."""

from __future__ import annotations

from cpg.graph import CodePropertyGraph
from cpg.pictures.flow_layout import flow_layout
from cpg.pictures.geometry import Picture, fitted
from cpg.pictures.scene import FLOW_KINDS, make_scene
from cpg.pictures.tree_layout import tree_layout

MARGIN = 16


def draw(graph: CodePropertyGraph, kinds: tuple[str, ...] = FLOW_KINDS) -> Picture:
    """The picture of a graph: its points in rows, or with AST among the kinds the whole syntax tree.

    Cost: a few milliseconds a point; a tree less.
    """
    scene = make_scene(graph, kinds)
    return fitted(tree_layout(scene) if "AST" in kinds else flow_layout(scene), MARGIN)
