"""Fusion part ``aligned``: a token reads the vector of the innermost node that covers it.

::

    reading_t = W h_node(t), zero where no node covers token t

Tensors: node vectors ``[N, r]`` and the alignment ``[B, T]`` to readings ``[B, T, r]``. Cost: ``O(N r^2 + B T r)``
time, ``r^2`` parameters.

Not in the paper. The span of a node says for free which tokens it is about; ``attention`` would have to learn that by
content. ``W`` lets this reading use other directions of the shared up-projection than the other parts do.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from transducer.fusion.base import GraphView, TokenReading
from transducer.gve.base import orthogonal


class AlignedReading(TokenReading):
    """What the graph says about the very place of a token; see the module."""

    def __init__(self, embedding_width: int, rank: int) -> None:
        super().__init__(embedding_width, rank)
        self.weight = orthogonal(rank, rank)

    def forward(self, tokens: Tensor, view: GraphView) -> Tensor:
        mapped = functional.linear(view.node_vectors, self.weight)  # [N, r]
        with_nothing = functional.pad(mapped, (0, 0, 1, 0))  # [1 + N, r], row 0 for tokens that no node covers
        return functional.embedding(view.batch.token_node + 1, with_nothing)

    def weights(self, tokens: Tensor, view: GraphView) -> Tensor:
        covering = view.batch.token_node  # [B, T]
        first = torch.searchsorted(view.batch.node_graph, torch.arange(len(covering), device=covering.device))  # [B]
        column = torch.where(covering >= 0, covering - first.unsqueeze(-1) + 1, 0)  # [B, T]
        return functional.one_hot(column, 1 + view.padded.present.shape[1]).to(view.node_vectors.dtype)
