"""html: an interactive viewer in one file that needs no network."""

from __future__ import annotations

from cpg.graph import CodePropertyGraph
from cpg.pictures.scene import FLOW_KINDS


def render(graph: CodePropertyGraph, edges: tuple[str, ...] = FLOW_KINDS, title: str = "Code Property Graph") -> str:
    """The page. `edges` are shown when it opens; its buttons switch every kind on and off."""
    from cpg.pictures.page import page

    return page(graph, edges, title)
