"""The graph side of the paper's released code, kept for comparison.

Yusuf and Jiang, "Transducer Tuning", 2024 (arXiv 2412.13467; code imamnurby/Transducer-Tuning)::

    g = mean over the nodes of a graph of GATv2(RMSNorm(X) W_down) W_up

with widths ``F = 1024``, 8, 8, 128, one head, a learned scale in the norm, no biases and edges without kinds.

Tensors: features ``[N, F]`` to one vector a graph, ``[B, 128]``. Cost: ``O(N F 8)`` time, ``9 F + 1,160`` parameters
(10,376 at ``F = 1024``). None of them ever receives gradient from the published fusion: see
:mod:`transducer.fusion.published`.

Only the edges as the code property graph stores them are read, and a self edge is added to each node. A row without
nodes gives a zero vector. Weights are drawn as torch draws those of a linear map.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from transducer.gve.base import normal, require_positive
from transducer.gve.engine import MessageGraph, check_engine, connect
from transducer.gve.gatv2 import attention_weights
from transducer.gve.gve import check_features

if TYPE_CHECKING:
    from transducer.tensors import GraphBatch

RANK = 8
"""Width of the node vectors in the paper's code."""

GRAPH_WIDTH = 128
"""Width of the graph vector in the paper's code."""


class PlainGATv2(nn.Module):
    """Graph attention of Brody et al. 2022 with one head, no edge kinds and no biases: ``2 r^2 + r`` parameters."""

    def __init__(self, rank: int) -> None:
        super().__init__()
        self.source = nn.Linear(rank, rank, bias=False)
        self.target = nn.Linear(rank, rank, bias=False)
        self.attention = normal(1, rank, deviation=rank**-0.5)

    def forward(self, graph: MessageGraph, nodes: Tensor) -> Tensor:
        """Node vectors ``[N, r]`` from node vectors ``[N, r]``."""
        source = self.source(nodes).unsqueeze(1)  # [N, 1, r]
        target = self.target(nodes).unsqueeze(1)  # [N, 1, r]
        weights = attention_weights(graph, graph.source_plus_target(source, target), self.attention)
        return graph.weighted_sum(source, weights).squeeze(1)


class PublishedVectorizationEngine(nn.Module):
    """One vector a graph, as in the paper's released code; see the module.

    Args:
        feature_width: ``F``; the paper has 1024.
        engine: ``auto``, ``dgl`` or ``torch``.

    Raises:
        ConfigurationError, UnknownNameError, DependencyError: as for ``GraphVectorizationEngine``.
    """

    output = "graph_vectors"

    def __init__(self, feature_width: int = 1024, *, engine: str = "auto") -> None:
        super().__init__()
        require_positive("feature_width", feature_width)
        self.feature_width = feature_width
        self.engine = check_engine(engine)
        self.norm = nn.RMSNorm(feature_width, eps=1e-6)
        self.down = nn.Linear(feature_width, RANK, bias=False)
        self.layer = PlainGATv2(RANK)
        self.up = nn.Linear(RANK, GRAPH_WIDTH, bias=False)

    def forward(self, batch: GraphBatch) -> Tensor:
        """Graph vectors ``[B, 128]``.

        Raises:
            ShapeError: the features are not ``[N, feature_width]``, or the edge tensors do not fit together.
        """
        check_features(batch.features, self.feature_width)
        weight = self.down.weight
        with torch.autocast(weight.device.type, enabled=False):
            nodes = self.down(self.norm(batch.features.to(weight.dtype)))  # [N, 8]
            graph = connect(batch, self.engine, like=nodes, forward_only=True)
            nodes = self.up(self.layer(graph, nodes))  # [N, 128]
            sums = nodes.new_zeros(batch.batch_size, GRAPH_WIDTH).index_add(0, batch.node_graph, nodes)
            counts = torch.bincount(batch.node_graph, minlength=batch.batch_size).clamp(min=1)
            return sums / counts.unsqueeze(-1)

    def extra_repr(self) -> str:
        return f"feature_width={self.feature_width}, engine={self.engine!r}"
