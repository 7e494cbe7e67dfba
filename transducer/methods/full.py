"""Method `full`: every weight of the backbone is trained; the costly upper line of a comparison."""
from __future__ import annotations

from contextlib import contextmanager

import torch

from ..adapted_model import DirectModel
from ..backbone import load_backbone
from .saving import OwnTensors


class FullFineTuning(OwnTensors, DirectModel):
    """The backbone itself, trained as it is, without dropout.

    Saves all weights; those that share storage (tied embeddings) are counted and saved once. Disabling it loads the frozen
    weights anew from where the backbone came from, rather than keep a second copy in memory.
    """

    method = "full"
    changes_backbone = True
    default_learning_rate = 5e-4

    def __init__(self, backbone, settings, engine="auto"):
        super().__init__(backbone, settings, engine)
        backbone.model.requires_grad_(True)

    def trainable(self):
        return dict(self.backbone.model.named_parameters())

    @contextmanager
    def disabled(self):
        trained = {name: parameter.detach().cpu().clone() for name, parameter in self.trainable().items()}
        stored = load_backbone(self.backbone.name, self.backbone.precision, self.backbone.revision, device="cpu")
        self._put(dict(stored.model.named_parameters()))
        try:
            yield
        finally:
            self._put(trained)

    @torch.no_grad()
    def _put(self, tensors) -> None:
        for name, parameter in self.trainable().items():
            parameter.copy_(tensors[name])
