"""What the layers of the Graph Vectorization Engine share."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from transducer.errors import ConfigurationError
from transducer.gve.engine import MessageGraph
from transducer.gve.relations import RELATIONS


class GraphLayer(nn.Module, ABC):
    """One layer: node vectors ``[N, r]`` to node vectors ``[N, r]``, without residual, norm or final nonlinearity.

    Args:
        rank: ``r``, the width of the node vectors, at least 1.
        heads: independent attention heads, which share the width between them; only for layers with ``HAS_HEADS``.
        relation_count: kinds of edge in the graphs, the self edge included.

    Raises:
        ConfigurationError: ``rank`` is below 1, ``heads`` does not divide it, or the layer has no heads to split.
    """

    HAS_HEADS = False

    def __init__(self, rank: int, heads: int = 1, relation_count: int = len(RELATIONS)) -> None:
        super().__init__()
        require_positive("rank", rank)
        require_positive("heads", heads)
        if heads > 1 and not self.HAS_HEADS:
            raise ConfigurationError(
                f"layer {type(self).__name__} got heads={heads}; expected 1, as it has no attention; "
                "use layer 'gatv2' or heads=1"
            )
        if rank % heads:
            raise ConfigurationError(
                f"heads={heads} does not divide rank={rank}; expected a divisor of the rank; "
                "choose another number of heads"
            )
        self.rank = rank
        self.heads = heads
        self.relation_count = relation_count

    @abstractmethod
    def forward(self, graph: MessageGraph, nodes: Tensor) -> Tensor:
        """New node vectors ``[N, r]`` from the graph and the old ones ``[N, r]``."""

    def extra_repr(self) -> str:
        return f"rank={self.rank}" + (f", heads={self.heads}" if self.HAS_HEADS else "")


def require_positive(name: str, value: int) -> None:
    """Raises ConfigurationError unless ``value`` is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ConfigurationError(f"{name} is {value!r}; expected a whole number of at least 1; change {name}")


def orthogonal(rows: int, columns: int) -> nn.Parameter:
    """A weight ``[rows, columns]`` with orthonormal rows or columns: a square one keeps the length of every vector."""
    return nn.Parameter(nn.init.orthogonal_(torch.empty(rows, columns)))


def normal(*shape: int, deviation: float) -> nn.Parameter:
    """A parameter of the given shape, drawn from a normal distribution around zero."""
    return nn.Parameter(torch.randn(*shape) * deviation)


def unit_rms(vectors: Tensor) -> Tensor:
    """Each vector of ``[*, D]`` divided by the root of its mean square.

    RMSNorm (Zhang and Sennrich 2019, arXiv 1910.07467) without the paper's learned scale: every use here is followed by
    a linear map, which can absorb it. A zero vector stays zero.
    """
    return functional.rms_norm(vectors, vectors.shape[-1:], eps=1e-6)
