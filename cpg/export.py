"""Interchange formats and pictures: `export(graph, format)`; FORMATS is the table.

A format is one module with a function `render(graph, ...)`; it is imported when it is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass

from cpg.errors import EdgeKindError, UnknownFormatError, unknown_name
from cpg.graph import EDGE_KINDS, CodePropertyGraph


@dataclass(frozen=True)
class Format:
    """One line of the table."""

    module: str
    """Where `render` is."""
    extension: str
    """Of a file in this format; of a folder's name where `folder`."""
    help: str
    selects: bool = False
    """`render` takes the kinds of edges to show."""
    folder: bool = False
    """`render` gives several files: {file name: text}; else one text."""
    joins: bool = False
    """Texts of several graphs may stand one after the other."""
    titled: bool = False
    """`render` takes a title."""


FORMATS: dict[str, Format] = {
    "json": Format("cpg.exports.json_text", "json", "the schema cpg/1, one line a graph", joins=True),
    "dot": Format("cpg.exports.dot", "dot", "Graphviz text", selects=True, joins=True, titled=True),
    "svg": Format("cpg.exports.svg", "svg", "a picture", selects=True, titled=True),
    "html": Format("cpg.exports.html", "html", "an interactive viewer in one file", selects=True, titled=True),
    "graphml": Format("cpg.exports.graphml", "graphml", "XML for networkx, Gephi, yEd"),
    "graphson": Format("cpg.exports.graphson", "graphson.json", "GraphSON 3 as Joern writes it", joins=True),
    "neo4jcsv": Format("cpg.exports.neo4j_csv", "neo4jcsv", "a folder of CSV files for neo4j-admin import", folder=True),
}


def get_format(name: str) -> Format:
    """A line of FORMATS.

    Raises:
        UnknownFormatError: no such format; the message lists them.
    """
    found = FORMATS.get(name) if isinstance(name, str) else None
    if found is None:
        raise UnknownFormatError(unknown_name("format", name, FORMATS))
    return found


def edge_kinds(names: Iterable[str]) -> tuple[str, ...]:
    """The kinds in the order of EDGE_KINDS, each once; upper and lower case are the same.

    Raises:
        EdgeKindError: no such kind, or none at all.
    """
    wanted = [name.strip().upper() for name in names]
    for name in wanted:
        if name not in EDGE_KINDS:
            raise EdgeKindError(unknown_name("kind of edge", name, EDGE_KINDS))
    if not wanted:
        raise EdgeKindError(f"no kind of edge given; name at least one of: {', '.join(EDGE_KINDS)}.")
    return tuple(kind for kind in EDGE_KINDS if kind in wanted)


def export(
    graph: CodePropertyGraph, format: str, *, edges: Iterable[str] | None = None, **options: object
) -> str | dict[str, str]:
    """The graph in one of FORMATS.

    Args:
        graph: what to write.
        format: a name in FORMATS.
        edges: kinds of edges to show, for the formats that can leave some out (`selects`): dot, svg, html.
            Default: all of them in dot; CFG, DDG and CDG between the points in pictures.
        options: of the format's `render`: `layout` for svg, `title` for dot, svg and html.

    Returns:
        text; for a format of several files (neo4jcsv) a dictionary from file name to text.

    Raises:
        UnknownFormatError: no such format; the message lists them.
        EdgeKindError: `edges` names no kind of edge, or the format always writes all of them.
        MissingProgramError: svg was asked for Graphviz's layout, and `dot` is not on the PATH or failed.
    """
    entry = get_format(format)
    if edges is not None:
        if not entry.selects:
            able = ", ".join(name for name, other in FORMATS.items() if other.selects)
            raise EdgeKindError(f"{format} always holds all edges; kinds can be chosen for {able}.")
        options["edges"] = edge_kinds(edges)
    return importlib.import_module(entry.module).render(graph, **options)
