"""Kinds of edge that the Graph Vectorization Engine tells apart.

The first four are the edge kinds of a code property graph; the next four are the same edges walked backwards, so that
a node also hears from what it controls, feeds or contains; the last one is a node's edge to itself. A graph batch
carries edges of the first eight kinds. The self edges are added inside the engine, one a node, so that a node without
edges is well defined in every layer.
"""

from __future__ import annotations

import torch
from torch import Tensor

_FORWARD = ("AST", "CFG", "DDG", "CDG")

RELATIONS: tuple[str, ...] = (*_FORWARD, *(f"{name}_REVERSE" for name in _FORWARD), "SELF")
"""Names by index; ``edge_relation`` of a graph batch indexes this."""

FORWARD_COUNT = len(_FORWARD)
"""Relations ``0 .. FORWARD_COUNT - 1`` are edges as the code property graph stores them."""

SELF_RELATION = RELATIONS.index("SELF")
"""Index of the self edge."""


def with_reverses(edge_source: Tensor, edge_target: Tensor, edge_relation: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The given forward edges followed by the same edges walked backwards.

    Args:
        edge_source, edge_target: node indices, ``[E]``, integer.
        edge_relation: relation indices below ``FORWARD_COUNT``, ``[E]``, integer.

    Returns:
        Sources, targets and relations, each ``[2 E]``; edge ``E + e`` is edge ``e`` reversed.
    """
    return (
        torch.cat((edge_source, edge_target)),
        torch.cat((edge_target, edge_source)),
        torch.cat((edge_relation, edge_relation + FORWARD_COUNT)),
    )
