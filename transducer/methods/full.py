"""Method `full`: every weight of the backbone is trained; the costly upper line of a comparison."""
from __future__ import annotations

from contextlib import contextmanager

import torch

from ..adapted_model import DirectModel
from .saving import OwnTensors


class FullFineTuning(OwnTensors, DirectModel):
    """The backbone itself, trained as it is, without dropout.

    What was the frozen backbone is kept beside it on the CPU, so that it can be disabled: memory of one more copy there.
    Saves all weights. Weights that share storage (tied embeddings) are counted and saved once.
    """

    method = "full"
    changes_backbone = True
    default_learning_rate = 5e-4

    def __init__(self, backbone, settings, engine="auto"):
        super().__init__(backbone, settings, engine)
        self._frozen = {name: parameter.detach().cpu().clone() for name, parameter in backbone.model.named_parameters()}
        backbone.model.requires_grad_(True)

    def trainable(self):
        return dict(self.backbone.model.named_parameters())

    @contextmanager
    def disabled(self):
        trained = {name: parameter.detach().cpu().clone() for name, parameter in self.trainable().items()}
        self._put(self._frozen)
        try:
            yield
        finally:
            self._put(trained)

    @torch.no_grad()
    def _put(self, tensors) -> None:
        for name, parameter in self.trainable().items():
            parameter.copy_(tensors[name])
