"""Graph isomorphism layer with edge kinds.

Xu et al., "How Powerful are Graph Neural Networks?", ICLR 2019 (arXiv 1810.00826), with the edge term of Hu et al.,
"Strategies for Pre-training Graph Neural Networks", ICLR 2020 (arXiv 1905.12265)::

    h_i' = W_2 SiLU(W_1 norm((1 + e) h_i + sum over edges ij into i of SiLU(h_j + K[rel_ij])))

Tensors: ``[N, r]`` to ``[N, r]``. Cost: ``O(N r^2 + E r)`` time, ``2 r^2 + 9 r + 1`` parameters.

Deviations from the papers. RMSNorm after the sum stands for their batch normalisation, which would let the examples
of a batch change each other. SiLU stands for ReLU: of 8 to 16 channels none may be lost for good. The self edge is
part of the sum as well, as one more relation. No biases.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from transducer.gve.base import GraphLayer, normal, orthogonal, unit_rms
from transducer.gve.engine import MessageGraph
from transducer.gve.relations import RELATIONS


class GIN(GraphLayer):
    """Two-layer perceptron of a node and the sum of its neighbours; see the module."""

    def __init__(self, rank: int, heads: int = 1, relation_count: int = len(RELATIONS)) -> None:
        super().__init__(rank, heads, relation_count)
        self.epsilon = nn.Parameter(torch.zeros(()))
        self.relation_key = normal(relation_count, rank, deviation=0.5)
        self.inner = orthogonal(rank, rank)
        self.outer = orthogonal(rank, rank)

    def forward(self, graph: MessageGraph, nodes: Tensor) -> Tensor:
        heard = graph.source_plus_edge(nodes, graph.of_relation(self.relation_key))  # [E, r]
        total = (1 + self.epsilon) * nodes + graph.edge_sum(functional.silu(heard))  # [N, r]
        return functional.linear(functional.silu(functional.linear(unit_rms(total), self.inner)), self.outer)
