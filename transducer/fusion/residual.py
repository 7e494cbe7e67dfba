"""Fusion part ``residual``: what a token is, by itself, through a map of low rank, whatever the graph is.

::

    residual_t = W q_t      q_t: the query that ``attention`` makes of the token; without that part its embedding, norm(e_t)

Tensors: queries ``[B, T, r]`` or tokens ``[B, T, D]`` to ``[B, T, r]``; the up-projection ``W_o`` of the fusion brings it back
to ``D``. Cost: ``r^2`` parameters beside ``attention``, whose projection of the tokens it shares, ``D r`` without.

Not in the paper. The other parts tell a token what the graph says about it; what a task asks of the token itself, wherever it
stands, they can only learn through the graph. It is what the twin ``no-graph`` has, so a transducer with it holds its twin at a
lower rank, and what the graph adds can be told apart. It reads no node: a fusion needs another part beside it.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from transducer.gve.base import normal, orthogonal


class TokenResidual(nn.Module):
    """A linear map of every token by itself; see the module.

    Args:
        input_width: ``r`` for queries, ``D`` for embeddings.
        rank: ``r``.
    """

    def __init__(self, input_width: int, rank: int) -> None:
        super().__init__()
        of_queries = input_width == rank
        self.weight = orthogonal(rank, rank) if of_queries else normal(rank, input_width, deviation=input_width**-0.5)

    def forward(self, known: Tensor) -> Tensor:
        """``[B, T, r]`` from what a token is known by, ``[B, T, input_width]``."""
        return functional.linear(known, self.weight)

    def extra_repr(self) -> str:
        rank, width = self.weight.shape
        return f"input_width={width}, rank={rank}"
