"""Method `no-graph`: the transducer's twin that never sees a graph, the honest rival of every claim about graphs.

::

    E' = [P; E + s norm(E) A B]

`P` [k, D] are prompts as the transducer has them, `A` [D, r], `B` [r, D] a low-rank residual with `B = 0` at the start, `s`
the scale of the embeddings. In the layers, the transducer's scales and bottlenecks without the graph's say (`fusion.scales`,
`fusion.bottlenecks`). The rank is the one that comes nearest to the transducer's number of parameters.
"""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from ..adapted_model import InputModel, growing
from ..config import TransducerSettings, option
from ..fusion.base import FusedInput
from ..fusion.bottlenecks import StaticBottlenecks
from ..fusion.build import parameter_count
from ..fusion.prompts import PROMPT_UNIT
from ..gve.base import unit_rms
from ..fusion.scales import StaticScales
from ..model import sampled_embeddings, with_sizes
from .saving import OwnTensors, Switch


@dataclass(frozen=True)
class TwinSettings:
    """Sizes of the twin."""

    prompts: int = option(10, "trained vectors in front of the input", minimum=0)
    directions: int = option(0, "directions of the scales; 0: those of the default transducer", minimum=0)
    bottleneck: int = option(0, "units of the bottlenecks; 0: those of the default transducer", minimum=0)
    rank: int = option(0, "rank of the residual; 0: that with as many parameters as the default transducer", minimum=0)


class NoGraphTwin(OwnTensors, Switch, InputModel):
    """Static prompts, static scales and bottlenecks, and a low-rank residual on the embeddings."""

    method = "no-graph"
    settings_type = TwinSettings
    sizes = (*growing("rank", 1, 2, 3, directions=1, bottleneck=1), *growing("bottleneck", 2, 3, 4, 5, rank=4, directions=1),
             *growing("rank", 4, 6, 8, 9, 10, 12, directions=2, bottleneck=5), *growing("rank", 12, 16, 20, 24, directions=4, bottleneck=8),
             *growing("bottleneck", 12, 16, 20, 24, 32, 40, 48, 56, 64, 80, 96, 128, 192, 256, rank=24, directions=4))
    default_learning_rate = 1e-2
    slower_when_repeated = True
    search_space = {"rank": (8, 16, 32), "prompts": (5, 10, 20)}

    def __init__(self, backbone, settings, engine="auto"):
        super().__init__(backbone, settings, engine)
        width = backbone.width
        shape = backbone.shape
        sized = with_sizes(TransducerSettings(), shape)
        self.scales = StaticScales(shape.roles, settings.directions or sized.directions)
        self.bottlenecks = StaticBottlenecks(shape.blocks, width, settings.bottleneck or sized.bottleneck)
        rank = settings.rank
        if not rank:
            wanted = parameter_count(rank=sized.rank, prompt_count=sized.prompts, directions=sized.directions,
                                     bottleneck=sized.bottleneck, **shape._asdict())
            static = (*self.scales.parameters(), *self.bottlenecks.parameters())
            left = wanted - sum(parameter.numel() for parameter in static) - settings.prompts * width
            rank = max(1, round(left / (2 * width)))
        self.scale = backbone.embedding_scale
        self.down = nn.Parameter(torch.randn(width, rank) * width ** -0.5)
        self.up = nn.Parameter(torch.zeros(rank, width))
        self.prompts = None
        if settings.prompts:
            self.prompts = nn.Parameter(sampled_embeddings(backbone, settings.prompts) / self.scale / PROMPT_UNIT)

    @property
    def added_positions(self):
        return self.settings.prompts

    def fused(self, input_ids, attention_mask, **graph):
        embeddings = self.backbone.model.get_input_embeddings()(input_ids)
        if not self._enabled:
            return embeddings, attention_mask
        with torch.autocast(embeddings.device.type, enabled=False):
            exact = embeddings.to(self.up.dtype)
            changed = exact + self.scale * (unit_rms(exact) @ self.down @ self.up)  # [B, T, D]
            rows = len(input_ids)
            scales, bottlenecks = self.scales(rows), self.bottlenecks(rows)
            if self.prompts is None:
                return FusedInput(changed.to(embeddings.dtype), attention_mask, scales, bottlenecks=bottlenecks)
            front = (self.scale * PROMPT_UNIT * self.prompts).expand(rows, -1, -1)  # [B, k, D]
        return FusedInput(torch.cat((front, changed), dim=1).to(embeddings.dtype),
                          torch.cat((attention_mask.new_ones(front.shape[:2]), attention_mask), dim=1), scales,
                          bottlenecks=bottlenecks)
