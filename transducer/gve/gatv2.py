"""Relation-aware graph attention.

Brody, Alon and Yahav, "How Attentive are Graph Attention Networks?", ICLR 2022 (arXiv 2105.14491)::

    s_ij = a^T LeakyReLU(W_source h_j + W_target h_i + K[rel_ij])
    w_ij = softmax of s_ij over the edges ij that enter i
    h_i' = sum_j w_ij (W_source h_j + V[rel_ij])

Tensors: ``[N, r]`` to ``[N, r]``. Cost: ``O(N r^2 + E r)`` time, ``2 r^2 + 19 r`` parameters.

Deviations from the paper. Its edges have one kind; here each relation adds a vector ``K`` to the score, so that
attention can prefer, say, data flow, and a vector ``V`` to the message, so that the target learns by which kind of
edge it was reached. A vector each costs ``18 r`` parameters; a matrix each would cost ``9 r^2``, more than the rest
of the layer, and ``V`` already separates the relations, which a score alone cannot do where a node has one incoming
edge. No biases.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from transducer.gve.base import GraphLayer, normal, orthogonal
from transducer.gve.engine import MessageGraph
from transducer.gve.relations import RELATIONS

NEGATIVE_SLOPE = 0.2
"""Slope of LeakyReLU below zero, as in the paper."""


class GATv2(GraphLayer):
    """Graph attention whose scores and messages know the relation of an edge; see the module.

    ``heads`` split the width: each attends on its own over ``r / heads`` channels.
    """

    HAS_HEADS = True

    def __init__(self, rank: int, heads: int = 1, relation_count: int = len(RELATIONS)) -> None:
        super().__init__(rank, heads, relation_count)
        self.source_weight = orthogonal(rank, rank)
        self.target_weight = orthogonal(rank, rank)
        self.attention = normal(heads, rank // heads, deviation=(rank // heads) ** -0.5)
        # Half the scale of the node vectors: at the start, content outweighs the kind of edge.
        self.relation_key = normal(relation_count, rank, deviation=0.5)
        self.relation_value = normal(relation_count, rank, deviation=0.5)

    def forward(self, graph: MessageGraph, nodes: Tensor) -> Tensor:
        by_head = (-1, self.heads, self.rank // self.heads)
        source = functional.linear(nodes, self.source_weight).view(by_head)  # [N, heads, r / heads]
        target = functional.linear(nodes, self.target_weight).view(by_head)  # [N, heads, r / heads]
        key = graph.of_relation(self.relation_key).view(by_head)  # [E, heads, r / heads]
        value = self.relation_value.view(by_head)  # [relations, heads, r / heads]
        weights = attention_weights(graph, graph.source_plus_target(source, target) + key, self.attention)
        # Weights by relation first, [N, relations, heads]: narrower to sum over edges than the values are.
        by_relation = graph.relation_sum(weights.squeeze(-1))
        values = torch.einsum("nkh,khw->nhw", by_relation, value)  # [N, heads, r / heads]
        return (graph.weighted_sum(source, weights) + values).reshape(-1, self.rank)


def attention_weights(graph: MessageGraph, hidden: Tensor, attention: Tensor) -> Tensor:
    """``softmax(a^T LeakyReLU(hidden))`` over the edges into each node.

    Args:
        hidden: ``[E, heads, width]``.
        attention: the vector ``a`` of each head, ``[heads, width]``.

    Returns:
        Weights ``[E, heads, 1]``, one in sum at every node and head.
    """
    scores = (functional.leaky_relu(hidden, NEGATIVE_SLOPE) * attention).sum(-1, keepdim=True)  # [E, heads, 1]
    return graph.softmax(scores)
