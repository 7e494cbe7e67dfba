"""No message passing: the ablation that tells what the edges are worth.

::

    h_i' = W h_i

Tensors: ``[N, r]`` to ``[N, r]``. Cost: ``O(N r^2)`` time, ``r^2`` parameters. Everything around the layer (norm,
residual, nonlinearity) is that of the other layers, so a difference in results is due to the edges.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from transducer.gve.base import GraphLayer, orthogonal
from transducer.gve.engine import MessageGraph
from transducer.gve.relations import RELATIONS


class Linear(GraphLayer):
    """A linear map of each node by itself; reads no edge."""

    def __init__(self, rank: int, heads: int = 1, relation_count: int = len(RELATIONS)) -> None:
        super().__init__(rank, heads, relation_count)
        self.weight = orthogonal(rank, rank)

    def forward(self, graph: MessageGraph, nodes: Tensor) -> Tensor:
        return functional.linear(nodes, self.weight)
