"""Fusion part ``beyond``: what the window lacks, read apart by the frozen model, for it to attend to beside its input.

::

    z_k = (1 + a . h_n) s_k        a = 0 at the start

``s_k`` is what the frozen model makes of a token beyond the window, reading what stands there by itself: the state ``[D]`` that
its encoder gives it, which the decoder attends to beside the states of the window, as a decoder does to separately encoded
passages in Fusion-in-Decoder (Izacard and Grave 2021, arXiv 2007.01282); of a decoder-only model the token's keys and values in
every layer, as if it stood in front of the input. ``h_n [r]`` is the vector of the innermost node that covers the token.

Tensors: ``[B, H, K, d]`` to ``[B, H, K, d]``; ``r`` parameters. Cost: one pass of the encoder or the model over the text beyond
the window without gradients, and ``K`` more keys and values for each layer that reads them.

Not in the paper, whose graph holds what the model reads. A factor is all that is trained: attention's scores are linear in a key,
so it makes a token more or less likely to be read, and the frozen model knows such states already. Pooled into fewer vectors, four
tokens each or one a line, they are worth next to nothing to it (``docs/study.md``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from transducer.fusion.base import GraphView, ReadApart

if TYPE_CHECKING:
    from transducer.tensors import Beyond


class BeyondWindow(nn.Module):
    """Tokens beyond the window, weighed by their nodes; see the module.

    Args:
        rank: ``r``, that of the node vectors.
    """

    def __init__(self, rank: int) -> None:
        super().__init__()
        self.gate = nn.Parameter(torch.zeros(rank))

    def forward(self, view: GraphView, beyond: Beyond) -> ReadApart:
        """What was read of a batch, weighed, in the number format given; zero where there is no token."""
        weights = torch.cat((view.node_vectors @ self.gate, self.gate.new_zeros(1)))  # [N + 1], the last for no node
        read = beyond.read
        factors = torch.where(read.mask.bool(), 1 + weights[beyond.node], 0.0)[:, None, :, None]  # [B, 1, K, 1]
        return read._replace(parts=tuple((part * factors.to(part.device)).to(part.dtype) for part in read.parts))

    def extra_repr(self) -> str:
        return f"rank={len(self.gate)}"
