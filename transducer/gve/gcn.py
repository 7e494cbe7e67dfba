"""Graph convolution with a gate for every relation.

Kipf and Welling, "Semi-Supervised Classification with Graph Convolutional Networks", ICLR 2017 (arXiv 1609.02907)::

    h_i' = sum over edges ij into i of c[rel_ij] / sqrt(out_j in_i) W h_j

Tensors: ``[N, r]`` to ``[N, r]``. Cost: ``O(N r^2 + E r)`` time, ``r^2 + 9`` parameters: the cheapest layer that
reads edges.

Deviations from the paper. Each relation has a learned weight ``c``, one at the start. Edges are directed, so the
degree is the out-degree at the source and the in-degree at the target; with every edge given in both directions they
are equal.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from transducer.gve.base import GraphLayer, orthogonal
from transducer.gve.engine import MessageGraph
from transducer.gve.relations import RELATIONS


class GCN(GraphLayer):
    """Degree-normalised sum of the neighbours, weighted by relation; see the module."""

    def __init__(self, rank: int, heads: int = 1, relation_count: int = len(RELATIONS)) -> None:
        super().__init__(rank, heads, relation_count)
        self.weight = orthogonal(rank, rank)
        self.relation_weight = nn.Parameter(torch.ones(relation_count, 1))

    def forward(self, graph: MessageGraph, nodes: Tensor) -> Tensor:
        sent = functional.linear(nodes, self.weight)  # [N, r]
        sent = sent * graph.out_degree.to(nodes.dtype).rsqrt().unsqueeze(-1)
        total = graph.weighted_sum(sent, graph.of_relation(self.relation_weight))  # [N, r]
        return total * graph.in_degree.to(nodes.dtype).rsqrt().unsqueeze(-1)
