"""json: the schema of the graph, "cpg/1", on one line."""

from __future__ import annotations

from cpg.graph import CodePropertyGraph


def render(graph: CodePropertyGraph) -> str:
    """One line of JSON; `CodePropertyGraph.from_json` reads it."""
    return graph.to_json() + "\n"
