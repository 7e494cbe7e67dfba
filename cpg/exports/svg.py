"""svg: a picture, drawn by Graphviz's `dot` where it is on the PATH, else by the package's own layout."""

from __future__ import annotations

import shutil
import subprocess

from cpg.errors import MissingProgramError, UnknownFormatError, unknown_name
from cpg.exports import dot
from cpg.graph import CodePropertyGraph
from cpg.pictures.scene import FLOW_KINDS

LAYOUTS = ("auto", "dot", "own")


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
        MissingProgramError: `layout` is dot, and the program is not on the PATH or failed.
    """
    if layout not in LAYOUTS:
        raise UnknownFormatError(unknown_name("layout", layout, LAYOUTS))
    program = None if layout == "own" else shutil.which("dot")
    if program is not None:
        return _run(program, dot.render(graph, edges, title=title))
    if layout == "dot":
        raise MissingProgramError("layout dot needs the program dot, which is not on the PATH; install graphviz or use own")
    from cpg.pictures.picture import draw
    from cpg.pictures.svg import svg_text

    return svg_text(draw(graph, edges), title)


def _run(program: str, text: str) -> str:
    done = subprocess.run([program, "-Tsvg"], input=text.encode(), capture_output=True, check=False)
    if done.returncode != 0:
        reason = done.stderr.decode(errors="replace")[:200]
        raise MissingProgramError(f"dot failed with status {done.returncode}: {reason}; use layout own")
    return done.stdout.decode()
