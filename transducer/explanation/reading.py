"""The weights of a fusion beside the text and the graph that they are about, as plain data for a page or a client.

    {"language", "code", "fusion",
     "tokens": [[text, start, end]],                  start and end in `code`, in UTF-16 units; -1 for marks and frames
     "nodes": {"type", "point", "line", "text", "first", "last", "box"},      columns; `first` to `last`: tokens, exclusive
     "parts": [{"name", "readers": "tokens" | "prompts", "mean": READING, "rows": [READING]}],
     "picture": {"svg", "boxes": [node]}}             the nodes of the SVG's boxes, in its order

A READING is `[weight of nothing, [[node, weight], ...]]`, the heaviest nodes first and those beyond MOST_NODES, or lighter than
LEAST_WEIGHT, left out. `box` is the node that stands for another in the picture: the nearest around it that has a box there.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from cpg import CodePropertyGraph

    from ..backbone import Backbone
    from ..text import EncodedSource

MOST_NODES = 12
"""Nodes of one reader that are named."""
MOST_MEAN_NODES = 400
"""The same for the mean over all readers."""
LEAST_WEIGHT = 5e-4
LONGEST_TEXT = 60
"""Characters of a node's text."""


def reading(backbone: Backbone, encoded: EncodedSource, graph: CodePropertyGraph, fusion: str,
            weights: dict[str, Tensor]) -> dict[str, Any]:
    """The data of one input.

    Args:
        backbone: its tokenizer names the tokens that stand for no text.
        encoded: the input; `graph` is that of its text.
        fusion: its name.
        weights: part -> [R, 1 + N], see `CombinedFusion.explain`; of this input alone.

    Cost: the layout of the picture, a few milliseconds for each point of the graph.
    """
    from ..fusion.combined import PROMPTS

    units = _utf16_units(encoded.text)
    data = encoded.text.encode()
    has_text = encoded.start_byte >= 0
    marks = backbone.tokenizer.convert_ids_to_tokens(encoded.token_ids.tolist())
    tokens = [[data[start:end].decode(errors="replace"), int(units[start]), int(units[end])] if shown else [mark, -1, -1]
              for shown, start, end, mark in zip(has_text, encoded.start_byte, encoded.end_byte, marks)]
    boxes, svg = _picture(graph)
    return {
        "language": graph.language, "code": encoded.text, "fusion": fusion, "tokens": tokens,
        "nodes": _nodes(graph, encoded, set(boxes)),
        "parts": [{"name": name, "readers": "prompts" if name == PROMPTS else "tokens", "mean": _reading(found.mean(0), MOST_MEAN_NODES),
                   "rows": [_reading(row, MOST_NODES) for row in found]} for name, found in weights.items()],
        "picture": {"svg": svg, "boxes": boxes},
    }


def _utf16_units(text: str) -> np.ndarray:
    """[bytes + 1]: how many UTF-16 units of the text end at or before a byte."""
    units = np.zeros(len(text.encode()) + 1, dtype=np.int64)
    place = unit = 0
    for character in text:
        size = len(character.encode())
        units[place:place + size] = unit
        place, unit = place + size, unit + (2 if ord(character) > 0xFFFF else 1)
    units[place] = unit
    return units


def _nodes(graph: CodePropertyGraph, encoded: EncodedSource, drawn: set[int]) -> dict[str, list]:
    nodes = graph.nodes
    has_text = np.flatnonzero(encoded.start_byte >= 0)
    offset = int(has_text[0]) if len(has_text) else 0
    # Tokens that overlap a node are its, as in `tensors.graph_arrays`.
    first = offset + np.searchsorted(encoded.end_byte[has_text], np.array(nodes.start_byte), side="right")
    last = offset + np.searchsorted(encoded.start_byte[has_text], np.array(nodes.end_byte), side="left")
    parents = {target: source for source, target, kind, _, _ in graph.edges if kind == "AST"}
    texts = [nodes.text_of(node) for node in range(len(nodes))]
    return {"type": list(nodes.type), "point": list(nodes.point), "line": list(nodes.start_line),
            "text": [_short(text) or nodes.name[node] for node, text in enumerate(texts)],
            "first": first.tolist(), "last": np.maximum(first, last).tolist(),
            "box": [_box(node, parents, drawn) for node in range(len(nodes))]}


def _short(text: str) -> str:
    text = " ".join(text[:4 * LONGEST_TEXT].split())
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT - 1] + "…"


def _box(node: int, parents: dict[int, int], drawn: set[int]) -> int:
    while node not in drawn and node in parents:
        node = parents[node]
    return node if node in drawn else -1


def _reading(row: Tensor, most: int) -> list:
    """A READING of weights [1 + N]."""
    values, nodes = row[1:].topk(min(most, len(row) - 1))
    named = [[node, round(value, 4)] for node, value in zip(nodes.tolist(), values.tolist()) if value >= LEAST_WEIGHT]
    return [round(float(row[0]), 4), named]


def _picture(graph: CodePropertyGraph) -> tuple[list[int], str]:
    """The nodes that have a box, in the order of the boxes, and the SVG element, whose rules are in `page.style`."""
    from cpg.pictures.picture import draw
    from cpg.pictures.svg import inline_svg

    picture = draw(graph)
    return sorted(picture.places), inline_svg(picture, f"Graph of the source: {len(graph.nodes)} nodes, {len(graph.edges)} edges")
