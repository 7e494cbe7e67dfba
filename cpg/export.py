"""Interchange formats: `export(graph, format)`; FORMATS is the table.

json: the schema of the graph. dot: Graphviz text, points in boxes, one colour an edge kind. svg: the dot text
drawn by Graphviz's `dot`, which has to be on the PATH.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable

from cpg.errors import MissingProgramError, UnknownFormatError, unknown_name
from cpg.graph import CodePropertyGraph

COLOURS = {"AST": "gray70", "CFG": "black", "DDG": "blue", "CDG": "darkgreen"}
SHAPES = {"entry": "circle", "exit": "doublecircle", "condition": "diamond", "parameter": "cds", "statement": "box"}
CODE_WIDTH = 40
"""Characters of a node's text in a picture."""


def to_json(graph: CodePropertyGraph) -> str:
    """One line of JSON, schema "cpg/1"."""
    return graph.to_json() + "\n"


def to_dot(graph: CodePropertyGraph) -> str:
    """Graphviz text."""
    lines = ["digraph cpg {", '  node [fontname="monospace", fontsize=10];']
    nodes = graph.nodes
    for i in range(len(nodes)):
        text = " ".join(nodes.text_of(i).split())
        text = text if len(text) <= CODE_WIDTH else text[: CODE_WIDTH - 1] + "…"
        shape = SHAPES.get(nodes.point[i] or "", "plaintext")
        caption = f"{nodes.label[i]}\n{text}" if text else nodes.label[i]
        lines.append(f"  n{i} [label={_quoted(caption)}, shape={shape}];")
    for source, target, kind, branch, variable in graph.edges:
        caption = branch or variable or ""
        colour = COLOURS[kind]
        lines.append(f"  n{source} -> n{target} [label={_quoted(caption)}, color={colour}, fontcolor={colour}];")
    lines.append("}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    text = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def to_svg(graph: CodePropertyGraph) -> str:
    """A picture.

    Raises:
        MissingProgramError: `dot` is not on the PATH, or it failed.
    """
    program = shutil.which("dot")
    if program is None:
        raise MissingProgramError("svg needs the program dot, which is not on the PATH; install graphviz or use dot")
    done = subprocess.run([program, "-Tsvg"], input=to_dot(graph).encode(), capture_output=True, check=False)
    if done.returncode != 0:
        raise MissingProgramError(f"dot failed with status {done.returncode}: {done.stderr.decode(errors='replace')[:200]}")
    return done.stdout.decode()


FORMATS: dict[str, Callable[[CodePropertyGraph], str]] = {"json": to_json, "dot": to_dot, "svg": to_svg}


def export(graph: CodePropertyGraph, format: str) -> str:
    """The graph as text in one of FORMATS.

    Raises:
        UnknownFormatError: no such format; the message lists them.
        MissingProgramError: see `to_svg`.
    """
    writer = FORMATS.get(format)
    if writer is None:
        raise UnknownFormatError(unknown_name("format", format, FORMATS))
    return writer(graph)
