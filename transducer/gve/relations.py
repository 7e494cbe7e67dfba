"""Kinds of edge that the Graph Vectorization Engine tells apart.

The first four are the edge kinds of a code property graph; the next four are the same edges walked backwards, so that
a node also hears from what it controls, feeds or contains; the last one is a node's edge to itself. A graph batch
carries edges of the first eight kinds. The self edges are added inside the engine, one a node, so that a node without
edges is well defined in every layer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from transducer.errors import UnknownNameError

if TYPE_CHECKING:
    from transducer.tensors import GraphBatch

_FORWARD = ("AST", "CFG", "DDG", "CDG")

RELATIONS: tuple[str, ...] = (*_FORWARD, *(f"{name}_REVERSE" for name in _FORWARD), "SELF")
"""Names by index; ``edge_relation`` of a graph batch indexes this."""

DEFAULT_RELATIONS = "+".join(_FORWARD)
"""All kinds of edge of a code property graph."""

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


def chosen_relations(names: str) -> tuple[int, ...]:
    """Indices of the named kinds of edge and of their reverses, in the order of ``RELATIONS``.

    Raises:
        UnknownNameError: a name is no kind of edge.
    """
    chosen = set()
    for name in filter(None, names.split("+")):
        if name not in _FORWARD:
            raise UnknownNameError.among("relation", name, _FORWARD)
        chosen |= {RELATIONS.index(name), RELATIONS.index(f"{name}_REVERSE")}
    return tuple(sorted(chosen))


def only_relations(batch: GraphBatch, relations: tuple[int, ...]) -> GraphBatch:
    """The batch with the edges of these kinds alone, whose relations count from 0 in their order."""
    if len(relations) == 2 * FORWARD_COUNT:
        return batch
    numbers = torch.full((len(RELATIONS),), -1, device=batch.edge_relation.device)
    for number, index in enumerate(relations):
        numbers[index] = number
    relation = numbers[batch.edge_relation]
    kept = relation >= 0
    return replace(batch, edge_source=batch.edge_source[kept], edge_target=batch.edge_target[kept],
                   edge_relation=relation[kept])
