"""Fusion part ``scales``: what keys, values and the inside of feed-forward blocks are multiplied by in the frozen layers.

After IA3 (Liu et al. 2022, arXiv 2205.05638), which learns a vector for each place. Here the places of one role (the keys of
the decoder's own attention, say; :mod:`transducer.places`) share ``m`` directions, and the graph has a say in how they are
mixed::

    z'_p = z_p * (1 + 3 (c_p + G_p mean(H)) V)        V = 0 and G = 0 at the start

Tensors: node vectors ``[N, r]`` to factors ``[B, P, w]`` for each role with ``P`` places of width ``w``. Cost: one product with
each signal, ``m (w + P (1 + r))`` parameters a role.

Every row of a batch has factors of its own, so requests for different transducers still go through the model together.

Why three: Adam moves every number by about the learning rate, and IA3 wants one three times as high as the rest.

The shares ``c`` of the first direction start as one everywhere, those of the further ones as cosines over the depth: together
they can tell early layers from late ones, and no two directions learn the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from transducer.fusion.base import GraphView
from transducer.gve.base import require_positive

if TYPE_CHECKING:
    from transducer.places import Role

SCALE_UNIT = 3.0
"""What one unit of a direction stands for; see the module."""


class StaticScales(nn.Module):
    """The same factors for every input: learned directions of each role, and the shares of each place in them.

    Args:
        roles: of the frozen model.
        directions: ``m``, at least 1; a role with fewer places has as many directions as places.
    """

    def __init__(self, roles: Mapping[str, Role], directions: int) -> None:
        super().__init__()
        require_positive("directions", directions)
        self.roles = dict(roles)
        self.directions = nn.ParameterDict()
        self.shares = nn.ParameterDict()
        for role, (width, count) in self.roles.items():
            used = min(directions, count)
            self.directions[parameter_name(role)] = nn.Parameter(torch.zeros(used, width))
            self.shares[parameter_name(role)] = nn.Parameter(cosines(count, used))

    def forward(self, rows: int) -> dict[str, Tensor]:
        """Role -> factors ``[B, P, w]`` for a batch of ``rows``."""
        return {role: self.factors(role, self.shares[parameter_name(role)].expand(rows, -1, -1)) for role in self.roles}

    def factors(self, role: str, shares: Tensor) -> Tensor:
        """Factors ``[B, P, w]`` from shares ``[B, P, m]``."""
        return 1.0 + SCALE_UNIT * shares @ self.directions[parameter_name(role)]


class LayerScales(StaticScales):
    """Factors that the graph has a say in; see the module.

    Args:
        roles, directions: as for ``StaticScales``.
        rank: ``r``.
    """

    def __init__(self, roles: Mapping[str, Role], rank: int, directions: int) -> None:
        super().__init__(roles, directions)
        self.gates = gates_of(self.shares, rank)

    def forward(self, view: GraphView) -> dict[str, Tensor]:
        """Role -> factors ``[B, P, w]``; those of ``StaticScales`` in rows without nodes."""
        shares = gated(self.shares, self.gates, view.mean)
        return {role: self.factors(role, shares[parameter_name(role)]) for role in self.roles}


def gates_of(shares: nn.ParameterDict, rank: int) -> nn.ParameterDict:
    """What the graph's say in shares ``[P, m]`` takes: ``G [P m, r]`` for each, zero at the start."""
    return nn.ParameterDict({name: nn.Parameter(torch.zeros(own.numel(), rank)) for name, own in shares.items()})


def gated(shares: nn.ParameterDict, gates: nn.ParameterDict, mean: Tensor) -> dict[str, Tensor]:
    """``[B, P, m]`` for each: the shares with what the graph, by the mean of its node vectors ``[B, r]``, has to say."""
    return {name: own + functional.linear(mean, gates[name]).unflatten(1, own.shape) for name, own in shares.items()}


def parameter_name(role: str) -> str:
    """A role as the name of a parameter, which has no dots: ``encoder.block.*.wo`` is ``encoder_block_wo``."""
    return "_".join(part for part in role.split(".") if part != "*")


def cosines(places: int, count: int) -> Tensor:
    """``[places, count]``: ``cos(pi j (p + 1/2) / places)``, the first column one everywhere."""
    depth = (torch.arange(places) + 0.5) / places
    return torch.cos(math.pi * depth.unsqueeze(1) * torch.arange(count))
