"""Method `no-graph`: the transducer's twin that never sees a graph, the honest rival of every claim about graphs.

::

    E' = [P; E + s norm(E) A B]

`P` [k, D] are prompts as the transducer has them, `A` [D, r], `B` [r, D] a low-rank residual with `B = 0` at the start, `s`
the scale of the embeddings. The rank is the one that comes nearest to the transducer's number of parameters.
"""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from ..adapted_model import InputModel
from ..config import option
from ..fusion.build import parameter_count, rank_within_budget
from ..fusion.prompts import PROMPT_UNIT
from ..gve.base import unit_rms
from ..model import sampled_embeddings
from .saving import OwnTensors, Switch


@dataclass(frozen=True)
class TwinSettings:
    """Sizes of the twin."""

    prompts: int = option(10, "trained vectors in front of the input", minimum=0)
    rank: int = option(0, "rank of the residual; 0: that with as many parameters as the default transducer", minimum=0)


class NoGraphTwin(OwnTensors, Switch, InputModel):
    """Static prompts and a low-rank residual on the embeddings."""

    method = "no-graph"
    settings_type = TwinSettings
    sizes = ("rank", (1, 2, 4, 6, 8, 10, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 96, 128, 192, 256))
    default_learning_rate = 1e-2
    search_space = {"rank": (8, 16, 32), "prompts": (5, 10, 20)}

    def __init__(self, backbone, settings, engine="auto"):
        super().__init__(backbone, settings, engine)
        width = backbone.width
        rank = settings.rank or _equal_rank(width, settings.prompts)
        self.scale = backbone.embedding_scale
        self.down = nn.Parameter(torch.randn(width, rank) * width ** -0.5)
        self.up = nn.Parameter(torch.zeros(rank, width))
        self.prompts = None
        if settings.prompts:
            self.prompts = nn.Parameter(sampled_embeddings(backbone, settings.prompts) / self.scale / PROMPT_UNIT)

    def fused(self, input_ids, attention_mask, **graph):
        embeddings = self.backbone.model.get_input_embeddings()(input_ids)
        if not self._enabled:
            return embeddings, attention_mask
        with torch.autocast(embeddings.device.type, enabled=False):
            exact = embeddings.to(self.up.dtype)
            changed = exact + self.scale * (unit_rms(exact) @ self.down @ self.up)  # [B, T, D]
            if self.prompts is None:
                return changed.to(embeddings.dtype), attention_mask
            front = (self.scale * PROMPT_UNIT * self.prompts).expand(len(input_ids), -1, -1)  # [B, k, D]
        return (torch.cat((front, changed), dim=1).to(embeddings.dtype),
                torch.cat((attention_mask.new_ones(front.shape[:2]), attention_mask), dim=1))


def _equal_rank(width: int, prompts: int) -> int:
    wanted = parameter_count(width, rank_within_budget(width))
    return max(1, round((wanted - prompts * width) / (2 * width)))
