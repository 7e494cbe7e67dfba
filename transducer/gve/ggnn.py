"""Gated graph layer.

Li et al., "Gated Graph Sequence Neural Networks", ICLR 2016 (arXiv 1511.05493)::

    m_i  = mean over edges ij into i of (W h_j) * s[rel_ij] + b[rel_ij]
    h_i' = GRU(m_i, h_i)

Tensors: ``[N, r]`` to ``[N, r]``. Cost: ``O(N r^2 + E r)`` time, ``7 r^2 + 24 r`` parameters.

Deviations from the paper. A relation scales the channels of one shared matrix (``18 r`` parameters) where the paper
has a matrix a relation (``9 r^2``). Messages are averaged, not summed: a block of source text has dozens of children,
whose sum would hold the gates at their ends. A layer is one step and has its own weights; the paper repeats one step.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from transducer.gve.base import GraphLayer, normal, orthogonal
from transducer.gve.engine import MessageGraph
from transducer.gve.relations import RELATIONS


class GGNN(GraphLayer):
    """Gated recurrent update of a node by the mean of its neighbours' messages; see the module."""

    def __init__(self, rank: int, heads: int = 1, relation_count: int = len(RELATIONS)) -> None:
        super().__init__(rank, heads, relation_count)
        self.weight = orthogonal(rank, rank)
        self.relation_scale = nn.Parameter(torch.ones(relation_count, rank))
        self.relation_bias = normal(relation_count, rank, deviation=0.5)
        self.update = nn.GRUCell(rank, rank)

    def forward(self, graph: MessageGraph, nodes: Tensor) -> Tensor:
        messages = functional.linear(nodes, self.weight)  # [N, r]
        total = graph.weighted_sum(messages, graph.of_relation(self.relation_scale))
        total = total + graph.relation_in_counts.to(nodes.dtype) @ self.relation_bias
        return self.update(total / graph.in_degree.to(nodes.dtype).unsqueeze(-1), nodes)
