"""What a method of adaptation is: a frozen backbone, something small trained with it, and five verbs.

A method is one file in `methods` with one subclass of `AdaptedModel`, and one line in `METHODS`.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from pathlib import Path

import torch
from torch import Tensor, nn

from .backbone import Backbone, generation_config
from .config import TransducerSettings


class AdaptedModel(nn.Module, ABC):
    """A frozen backbone and what a method trains with it.

    Class attributes:
        method: name in `METHODS`.
        reads_graph: whether batches must hold graphs.
        default_learning_rate: AdamW's, used unless one is given (`README.md` says how they were chosen).
        artefact: name of the folder that `save` writes to within a run.
        remark: what a reader of a results table has to know, or "".

    Args:
        backbone: the frozen model; a method may change it in place.
        settings: sizes and kinds of a transducer; other methods have settings of their own.
        engine: of the graph layers, where there are any: `auto`, `dgl` or `torch`.
    """

    method: str
    reads_graph = False
    default_learning_rate = 0.0
    artefact = "adapter"
    remark = ""

    def __init__(self, backbone: Backbone, settings: TransducerSettings, engine: str = "auto"):
        super().__init__()
        self.backbone = backbone
        self.settings = settings
        self.language_model = backbone.model

    @abstractmethod
    def forward(self, input_ids: Tensor, attention_mask: Tensor, labels: Tensor | None = None, **graph: Tensor):
        """Output with `loss` (nats, mean over the batch's target tokens) and `logits` [B, L, V]."""

    @abstractmethod
    def generate(self, batch: dict[str, Tensor], *, beams: int, max_new_tokens: int) -> Tensor:
        """Generated ids [B, <= max_new_tokens + 1] from `input_ids`, `attention_mask` and the graph; labels are not read."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Writes what was trained, and nothing of the backbone, to a new folder."""

    @abstractmethod
    def load(self, folder: Path) -> None:
        """Strictly restores what `save` wrote."""

    @abstractmethod
    def disabled(self) -> AbstractContextManager[None]:
        """Within it, the model is the frozen backbone."""

    def trainable(self) -> dict[str, nn.Parameter]:
        return {name: parameter for name, parameter in self.named_parameters() if parameter.requires_grad}

    def trainable_count(self) -> int:
        return sum(parameter.numel() for parameter in self.trainable().values())

    def train(self, mode: bool = True):
        """Training mode for the trained parts; the frozen backbone stays in evaluation mode, without dropout."""
        super().train(mode)
        self.language_model.eval()
        return self


class DirectModel(AdaptedModel):
    """A method whose model takes token ids as the backbone does: `self.language_model` does all the work."""

    def forward(self, input_ids, attention_mask, labels=None, **graph):
        with self.backbone.autocast():
            return self.language_model(input_ids=input_ids, attention_mask=attention_mask, labels=labels)

    @torch.no_grad()
    def generate(self, batch, *, beams, max_new_tokens):
        with self.backbone.autocast():
            return self.language_model.generate(
                input_ids=batch["input_ids"], attention_mask=batch["attention_mask"],
                generation_config=generation_config(self.backbone.model, beams, max_new_tokens))
