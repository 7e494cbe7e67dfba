"""svg: a picture, drawn by Graphviz's `dot` where it is on the PATH, else by the package's own layout."""

from __future__ import annotations

import shutil
import subprocess

from cpg.errors import MissingProgramError, UnknownFormatError, unknown_name
from cpg.exports import dot
from cpg.graph import CodePropertyGraph
from cpg.pictures.scene import FLOW_KINDS

LAYOUTS = ("auto", "dot", "own")
DOT_SECONDS = 60.0
"""Graphviz needs minutes for large graphs. After that time the own layout, which needs seconds, takes over."""


def render(
    graph: CodePropertyGraph, edges: tuple[str, ...] = FLOW_KINDS, layout: str = "auto", title: str = "Code Property Graph"
) -> str:
    """The picture.

    Args:
        graph: what to draw.
        edges: kinds of edges to show; with AST every node is shown, else the points.
        layout: one of LAYOUTS. The own layout gives the same text on every machine.
        title: for readers of screens.

    Raises:
        UnknownFormatError: no such layout.
        MissingProgramError: `dot` failed; or `layout` is dot, and it is not on the PATH or took more than DOT_SECONDS.
    """
    if layout not in LAYOUTS:
        raise UnknownFormatError(unknown_name("layout", layout, LAYOUTS))
    program = None if layout == "own" else shutil.which("dot")
    drawn = _run(program, dot.render(graph, edges, title=title)) if program is not None else None
    if drawn is not None:
        return drawn
    if program is not None and layout == "dot":
        raise MissingProgramError(f"dot took more than {DOT_SECONDS:g} seconds; choose fewer kinds of edges or layout own")
    if layout == "dot":
        raise MissingProgramError("layout dot needs the program dot, which is not on the PATH; install graphviz or use own")
    from cpg.pictures.picture import draw
    from cpg.pictures.svg import svg_text

    return svg_text(draw(graph, edges), title)


def _run(program: str, text: str) -> str | None:
    """What Graphviz draws; None where it takes too long."""
    try:
        done = subprocess.run([program, "-Tsvg"], input=text.encode(), capture_output=True, check=False, timeout=DOT_SECONDS)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode != 0:
        reason = done.stderr.decode(errors="replace")[:200]
        raise MissingProgramError(f"dot failed with status {done.returncode}: {reason}; use layout own")
    return done.stdout.decode()
