"""Relational graph convolution with basis decomposition.

Schlichtkrull et al., "Modeling Relational Data with Graph Convolutional Networks", ESWC 2018 (arXiv 1703.06103)::

    h_i' = sum over relations R, sum over j in N_i^R of W_R h_j / |N_i^R|        with W_R = sum_b c_Rb B_b

Tensors: ``[N, r]`` to ``[N, r]``. Cost: ``O(E b r + N b r^2)`` time, ``b r^2 + 9 b`` parameters for ``b`` bases. The
sums are taken before the bases are applied, so no ``[E, r, r]`` or ``[9, r, r]`` is ever made.

Deviation from the paper: its separate self matrix ``W_0`` is the matrix of the relation ``SELF``, from the same
bases.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from transducer.gve.base import GraphLayer, normal, orthogonal
from transducer.gve.engine import MessageGraph
from transducer.gve.relations import RELATIONS

BASES = 4
"""Basis matrices: as many as there are edge kinds, so that nine relations share four matrices."""


class RGCN(GraphLayer):
    """A matrix for every relation, made of shared basis matrices; see the module."""

    def __init__(self, rank: int, heads: int = 1, relation_count: int = len(RELATIONS)) -> None:
        super().__init__(rank, heads, relation_count)
        self.bases = nn.Parameter(torch.stack([orthogonal(rank, rank).detach() for _ in range(BASES)]))
        self.coefficients = normal(relation_count, BASES, deviation=BASES**-0.5)

    def forward(self, graph: MessageGraph, nodes: Tensor) -> Tensor:
        share = graph.relation_in_degree.to(nodes.dtype).reciprocal().unsqueeze(-1)  # [E, 1]
        weights = graph.of_relation(self.coefficients) * share  # [E, b]
        sums = graph.weighted_sum(nodes.unsqueeze(1), weights.unsqueeze(2))  # [N, b, r]
        return torch.einsum("nbr,bsr->ns", sums, self.bases)  # [N, r]
