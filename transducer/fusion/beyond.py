"""Fusion part ``beyond``: what the window lacks, as further states for the decoder.

::

    z_k = (1 + a . h_n) s_k        a = 0 at the start

``s_k [D]`` is the state that the frozen encoder gives a token beyond the window, reading what stands there by itself; ``h_n [r]``
is the vector of the innermost node that covers the token. The decoder attends to the ``z_k`` beside the states of the window, as
a decoder does to separately encoded passages in Fusion-in-Decoder (Izacard and Grave 2021, arXiv 2007.01282).

Tensors: states ``[B, K, D]`` to ``[B, K, D]``; ``r`` parameters. Cost: one pass of the encoder over the text beyond the window
without gradients, and ``K`` more keys and values for each layer of the decoder.

Not in the paper, whose graph holds what the model reads. A factor is all that is trained: keys are linear in a state, so it
makes a token more or less likely to be read, and the frozen decoder knows such states already. Pooled into fewer vectors, four
tokens each or one a statement, they are worth next to nothing to it (``docs/study.md``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from transducer.fusion.base import FurtherStates, GraphView

if TYPE_CHECKING:
    from transducer.tensors import Beyond


class BeyondWindow(nn.Module):
    """States of the tokens beyond the window, weighed by their nodes; see the module.

    Args:
        rank: ``r``, that of the node vectors.
    """

    def __init__(self, rank: int) -> None:
        super().__init__()
        self.gate = nn.Parameter(torch.zeros(rank))

    def forward(self, view: GraphView, beyond: Beyond) -> FurtherStates:
        """Further states of a batch, in the number format of the states given; zero where there is no token."""
        weights = torch.cat((view.node_vectors @ self.gate, self.gate.new_zeros(1)))  # [N + 1], the last for no node
        factors = torch.where(beyond.mask.bool(), 1 + weights[beyond.node], 0.0)  # [B, K]
        return FurtherStates((beyond.states * factors.unsqueeze(-1)).to(beyond.states.dtype), beyond.mask)

    def extra_repr(self) -> str:
        return f"rank={len(self.gate)}"
