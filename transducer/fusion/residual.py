"""Fusion part ``residual``: a token's own embedding through a map of low rank, whatever the graph is.

::

    residual_t = norm(e_t) W_i

Tensors: tokens ``[B, T, D]`` to ``[B, T, r]``; the up-projection ``W_o`` of the fusion brings it back to ``D``. Cost:
``O(B T D r)`` time, ``D r`` parameters.

Not in the paper. The other parts tell a token what the graph says about it; what a task asks of the token itself, wherever it
stands, they can only learn through the graph. It is what the twin ``no-graph`` has, so a transducer with it holds its twin at a
lower rank, and what the graph adds can be told apart. It reads no node: a fusion needs another part beside it.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from transducer.gve.base import normal


class TokenResidual(nn.Module):
    """A linear map of every token by itself; see the module.

    Args:
        embedding_width: ``D``.
        rank: ``r``.
    """

    def __init__(self, embedding_width: int, rank: int) -> None:
        super().__init__()
        self.weight = normal(rank, embedding_width, deviation=embedding_width**-0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        """``[B, T, r]`` from normalised token embeddings ``[B, T, D]``."""
        return functional.linear(tokens, self.weight)

    def extra_repr(self) -> str:
        rank, width = self.weight.shape
        return f"embedding_width={width}, rank={rank}"
