"""Method `linear`: one linear map on the input embeddings, the paper's linear adapter.

::

    E' = E + E W

`W` [D, D] is zero at the start, so that training begins at the frozen model; the paper's begins at a random map. `D^2`
parameters: 65,536 at 256, 589,824 at 768.
"""
from __future__ import annotations

import torch
from torch import nn

from ..adapted_model import InputModel
from .saving import OwnTensors, Switch


class LinearAdapter(OwnTensors, Switch, InputModel):
    """A linear residual on every token's embedding."""

    method = "linear"
    default_learning_rate = 1e-3

    def __init__(self, backbone, settings, engine="auto"):
        super().__init__(backbone, settings, engine)
        self.weight = nn.Parameter(torch.zeros(backbone.width, backbone.width))

    def fused(self, input_ids, attention_mask, **graph):
        embeddings = self.backbone.model.get_input_embeddings()(input_ids)
        if self._enabled:
            embeddings = embeddings + embeddings @ self.weight
        return embeddings, attention_mask
