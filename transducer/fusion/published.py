"""Fusion ``published``: the paper's released code, kept for comparison. Its graph never reaches the language model.

Yusuf and Jiang, "Transducer Tuning", 2024 (arXiv 2412.13467; code imamnurby/Transducer-Tuning)::

    Q = norm(E) W_q        K_t = norm(g) W_k for every position t        V = norm(E) W_v
    E' = softmax(Q K^T / sqrt 8) V W_out

Tensors: embeddings ``[B, T, D]`` and graph vectors ``g [B, 128]`` to embeddings ``[B, T, D]``. Cost:
``O(B T^2 8 + B T D 8)`` time, ``25 D + 1,152`` parameters; with the published engine's 10,376 that is 30,728 at
``D = 768`` and 37,128 at ``D = 1024``.

All keys of a row are equal, so the softmax is uniform whatever the queries: every position receives the same mean of
values. The result replaces the embeddings and averages over padding too. Another graph changes nothing, and ``W_q``,
``W_k``, the norm of ``g`` and the whole engine have zero gradient: 17,672 of 30,728 parameters at ``D = 768``. The
tests hold this.

No deviation. The attention mask is handed on and not used, as in the original.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from transducer.errors import ShapeError
from transducer.fusion.base import FusedInput, check_tokens
from transducer.gve.base import require_positive
from transducer.gve.published import GRAPH_WIDTH, RANK

if TYPE_CHECKING:
    from transducer.tensors import GraphBatch


class PublishedFusion(nn.Module):
    """The fusion of the paper's released code; see the module. Takes the output of ``PublishedVectorizationEngine``.

    Args:
        embedding_width: ``D``.

    Raises:
        ConfigurationError: ``embedding_width`` is below 1.
    """

    graph_input = "graph_vectors"
    added_positions = 0
    scales = None
    bottlenecks = None
    beyond = None
    reads_padding = True

    def __init__(self, embedding_width: int) -> None:
        super().__init__()
        require_positive("embedding_width", embedding_width)
        self.embedding_width = embedding_width
        self.token_norm = nn.RMSNorm(embedding_width, eps=1e-6)
        self.graph_norm = nn.RMSNorm(GRAPH_WIDTH, eps=1e-6)
        self.query = nn.Linear(embedding_width, RANK, bias=False)
        self.key = nn.Linear(GRAPH_WIDTH, RANK, bias=False)
        self.value = nn.Linear(embedding_width, RANK, bias=False)
        self.out = nn.Linear(RANK, embedding_width, bias=False)

    def forward(
        self, embeddings: Tensor, attention_mask: Tensor, graph_vectors: Tensor, graph_batch: GraphBatch
    ) -> FusedInput:
        """Embeddings that replace the tokens' own, and the mask as given.

        Args:
            embeddings: ``[B, T, D]``.
            attention_mask: ``[B, T]``; not used.
            graph_vectors: ``[B, 128]``.
            graph_batch: not used; every fusion is called alike.

        Raises:
            ShapeError: the tensors do not fit together.
        """
        check_tokens(embeddings, attention_mask, self.embedding_width)
        if graph_vectors.shape != (embeddings.shape[0], GRAPH_WIDTH):
            raise ShapeError(
                f"graph vectors have shape {tuple(graph_vectors.shape)}; expected "
                f"{(embeddings.shape[0], GRAPH_WIDTH)}; use PublishedVectorizationEngine with this fusion"
            )
        with torch.autocast(embeddings.device.type, enabled=False):
            weight = self.out.weight
            tokens = self.token_norm(embeddings.to(weight.dtype))  # [B, T, D]
            key = self.key(self.graph_norm(graph_vectors.to(weight.dtype)))  # [B, 8]
            keys = key.unsqueeze(1).expand(-1, tokens.shape[1], -1)  # [B, T, 8]
            read = functional.scaled_dot_product_attention(self.query(tokens), keys, self.value(tokens))  # [B, T, 8]
            return FusedInput(self.out(read).to(embeddings.dtype), attention_mask)

    def explain(
        self, embeddings: Tensor, attention_mask: Tensor, graph_vectors: Tensor, graph_batch: GraphBatch
    ) -> dict[str, Tensor]:
        """Nothing: no part of this fusion reads the nodes of a graph."""
        return {}

    def extra_repr(self) -> str:
        return f"embedding_width={self.embedding_width}"
