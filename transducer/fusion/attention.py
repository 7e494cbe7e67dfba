"""Fusion part ``attention``: tokens attend to the node vectors of their own graph.

After Yusuf and Jiang, "Transducer Tuning", 2024 (arXiv 2412.13467), and Vaswani et al., "Attention Is All You Need",
2017::

    Q = norm(E) W_q        K = [null; H W_k]        V = [0; H W_v]
    reading = softmax(Q K^T / sqrt r) V

Tensors: tokens ``[B, T, D]`` and node vectors ``[N, r]`` to readings ``[B, T, r]``. Cost: ``O(B T (D + M) r)`` time
for graphs of at most ``M`` nodes; ``D r + 2 r^2 + r`` parameters.

Deviations from the paper, whose own code is :mod:`transducer.fusion.published`. Keys and values come from the nodes,
so there is something to choose between; a token may abstain by turning to the learned null key, whose value is zero;
the reading is added to the embedding. ``norm`` is RMSNorm without a learned scale, which ``W_q`` would absorb.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from transducer.fusion.base import GraphView, TokenReading, attend_or_abstain, attention_weights
from transducer.gve.base import normal, orthogonal


class AttentionReading(TokenReading):
    """What a token finds in the graph by content; see the module."""

    def __init__(self, embedding_width: int, rank: int) -> None:
        super().__init__(embedding_width, rank)
        self.query_weight = normal(rank, embedding_width, deviation=embedding_width**-0.5)
        self.key_weight = orthogonal(rank, rank)
        self.value_weight = orthogonal(rank, rank)
        self.null_key = nn.Parameter(torch.zeros(rank))

    def forward(self, tokens: Tensor, view: GraphView) -> Tensor:
        nodes, present = view.padded
        values = functional.linear(nodes, self.value_weight)  # [B, M, r]
        return attend_or_abstain(*self._queries_and_keys(tokens, nodes), values, present, self.null_key)

    def weights(self, tokens: Tensor, view: GraphView) -> Tensor:
        nodes, present = view.padded
        return attention_weights(*self._queries_and_keys(tokens, nodes), present, self.null_key)

    def queries(self, tokens: Tensor) -> Tensor:
        """``Q [B, T, r]`` of normalised token embeddings ``[B, T, D]``."""
        return functional.linear(tokens, self.query_weight)

    def _queries_and_keys(self, tokens: Tensor, nodes: Tensor) -> tuple[Tensor, Tensor]:
        """``[B, T, r]`` and ``[B, M, r]``."""
        return self.queries(tokens), functional.linear(nodes, self.key_weight)
