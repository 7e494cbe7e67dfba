"""Fusion part ``bottlenecks``: what narrow layers add behind the frozen blocks that write the answer.

After adapters (Houlsby et al. 2019, arXiv 1902.00751), which learn two maps for each block. Here the blocks of one role (the
feed-forward blocks of the decoder, say; :mod:`transducer.blocks`) share ``b`` units, a block has its own shares in them, and the
graph has a say in these::

    h'_p = h_p + U ((c_p + G_p mean(H)) * SiLU(V h_p))        U = 0 and G = 0 at the start

Tensors: node vectors ``[N, r]`` to a ``Bottleneck`` for each role with ``P`` blocks. Cost: two thin products with each block's
output, ``b (2 D + P (1 + r))`` parameters a role.

Not in the paper. At a given number of weights, units that all blocks of a role share are as good as fewer of their own, and
blocks of the decoder as good as those of all layers (``docs/study.md``); there are fewer tokens in an answer than in its source,
so they are cheaper too. In a decoder-only model it is the same tokens that have something added to them, in all of its blocks.

The shares ``c`` start as cosines over the depth, so that no two units of a role with several blocks begin as the same.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from transducer.fusion.base import Bottleneck, GraphView
from transducer.fusion.scales import cosines, gated, gates_of, parameter_name
from transducer.gve.base import normal, require_positive


class StaticBottlenecks(nn.Module):
    """The same for every input.

    Args:
        blocks: of the frozen model: role -> ``P``.
        embedding_width: ``D``.
        units: ``b``, at least 1.
    """

    def __init__(self, blocks: Mapping[str, int], embedding_width: int, units: int) -> None:
        super().__init__()
        require_positive("bottleneck", units)
        self.blocks = dict(blocks)
        self.down, self.up, self.shares = nn.ParameterDict(), nn.ParameterDict(), nn.ParameterDict()
        for role, count in self.blocks.items():
            name = parameter_name(role)
            self.down[name] = normal(units, embedding_width, deviation=embedding_width**-0.5)
            self.up[name] = nn.Parameter(torch.zeros(embedding_width, units))
            # A further cosine than there are blocks would be zero at all of them.
            self.shares[name] = nn.Parameter(cosines(count, count)[:, torch.arange(units) % count])

    def forward(self, rows: int) -> dict[str, Bottleneck]:
        """By role, for a batch of ``rows``."""
        return self.static(rows)

    def static(self, rows: int) -> dict[str, Bottleneck]:
        """Those of inputs without a graph, for a batch of ``rows``."""
        return {role: self.of(role, self.shares[parameter_name(role)].expand(rows, -1, -1)) for role in self.blocks}

    def of(self, role: str, shares: Tensor) -> Bottleneck:
        """The units of a role with the shares ``[B, P, b]``."""
        name = parameter_name(role)
        owner = torch.zeros(len(shares), dtype=torch.long, device=shares.device)
        return Bottleneck(self.down[name].unsqueeze(0), self.up[name].unsqueeze(0), shares, owner)


class LayerBottlenecks(StaticBottlenecks):
    """Those that the graph has a say in; see the module.

    Args:
        blocks, embedding_width, units: as for ``StaticBottlenecks``.
        rank: ``r``.
    """

    def __init__(self, blocks: Mapping[str, int], embedding_width: int, rank: int, units: int) -> None:
        super().__init__(blocks, embedding_width, units)
        self.gates = gates_of(self.shares, rank)

    def forward(self, view: GraphView) -> dict[str, Bottleneck]:
        """By role; those of ``StaticBottlenecks`` in rows without nodes."""
        shares = gated(self.shares, self.gates, view.mean)
        return {role: self.of(role, shares[parameter_name(role)]) for role in self.blocks}
