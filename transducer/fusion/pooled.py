"""A token reads the mean of its graph's node vectors: the ablation without attention and alignment.

::

    reading_t = mean(H) W_v

Tensors: node vectors ``[N, r]`` to readings ``[B, T, r]``, the same for every token of a row; zero where a graph has no
nodes. Cost: ``O(N r)``, ``r^2`` parameters.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from transducer.fusion.base import GraphView, TokenReading
from transducer.gve.base import orthogonal


class PooledReading(TokenReading):
    """The mean node vector of the row, through a linear map."""

    def __init__(self, embedding_width: int, rank: int) -> None:
        super().__init__(embedding_width, rank)
        self.value = orthogonal(rank, rank)

    def forward(self, tokens: Tensor, view: GraphView) -> Tensor:
        padded = view.padded
        count = padded.present.sum(1, keepdim=True).clamp(min=1)  # [B, 1]
        pooled = functional.linear(padded.vectors.sum(1) / count, self.value)  # [B, r]
        return pooled.unsqueeze(1).expand(-1, tokens.shape[1], -1)

    def weights(self, tokens: Tensor, view: GraphView) -> Tensor:
        present = view.padded.present.to(view.node_vectors.dtype)  # [B, M]
        count = present.sum(1, keepdim=True)  # [B, 1]
        row = torch.cat(((count == 0).to(present.dtype), present / count.clamp(min=1)), dim=1)  # [B, 1 + M]
        return row.unsqueeze(1).expand(-1, tokens.shape[1], -1)
