"""What a method of adaptation is: a frozen backbone, something small trained with it, and five verbs.

A method is one file in `methods` with one subclass of `AdaptedModel`, and one line in `METHODS`.
"""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import torch
from torch import Tensor, nn

from .backbone import Backbone
from .config import NoSettings, TransducerSettings, require_fields, resolve
from .errors import BackboneError
from .fusion.base import FusedInput
from .tensors import PreparedExample


def growing(field: str, *values: int, **others: int) -> tuple[dict[str, int], ...]:
    """Sizes in which one field grows and others stay."""
    return tuple(others | {field: value} for value in values)


class AdaptedModel(nn.Module, ABC):
    """A frozen backbone and what a method trains with it.

    Class attributes:
        method: name in `METHODS`.
        model_types: families (`families.FAMILIES`) whose parts it changes by name; none: it takes every one.
        settings_type: dataclass of what can be chosen.
        sizes: fields of the settings and their values, for budgets; where from one to the next a single field grows, no fewer
            parameters.
        reads_graph: whether batches must hold graphs.
        changes_backbone: whether the backbone's own weights are what is trained.
        narrow_backbone: whether the backbone's weights are only multiplied with, so that `Backbone.narrow_weights` changes
            nothing.
        starts_wide: whether what it starts from is made in the type of the backbone's weights, which are then float32.
        has_loss: whether `forward` gives answers a probability, so that there is a loss.
        reads_weights: whether it works on weights as numbers, which it cannot where they are quantised or lie elsewhere.
        default_learning_rate: AdamW's for one pass over the examples, used unless one is given (`README.md` says how they were
            chosen).
        slower_when_repeated: whether the default falls with the number of passes, see `learning_rate_for`.
        search_space: fields of the settings and the values that tuning tries, beside the learning rate.
        fixed: settings that make the method what it is, whatever else is asked for.
        artefact: name of the folder that `save` writes to within a run.
        remark: what a reader of a results table has to know, or "".

    Args:
        backbone: the frozen model; a method may change it in place.
        settings: of `settings_type`, see `make_settings`.
        engine: of the graph layers, where there are any: `auto`, `dgl` or `torch`.

    Raises:
        BackboneError: the method is not for the backbone's family.
    """

    method: str
    model_types: tuple[str, ...] = ()
    settings_type: type = NoSettings
    sizes: tuple[dict[str, int], ...] = ()
    reads_graph = False
    changes_backbone = False
    narrow_backbone = True
    starts_wide = False
    has_loss = True
    reads_weights = False
    default_learning_rate = 0.0
    slower_when_repeated = False
    search_space: dict[str, tuple] = {}
    fixed: dict = {}
    artefact = "adapter"
    remark = ""

    def __init__(self, backbone: Backbone, settings, engine: str = "auto"):
        super().__init__()
        family = backbone.model.config.model_type
        if self.model_types and family not in self.model_types:
            raise BackboneError(f"method {self.method!r} is for the families {', '.join(self.model_types)}, got a backbone of the "
                                f"family {family}; leave the method out")
        self.backbone = backbone
        self.settings = settings
        self.language_model = backbone.model

    @classmethod
    def make_settings(cls, given: dict, transducer: TransducerSettings):
        """The method's settings with the `given` fields.

        Args:
            given: field -> value, of a specification `NAME:FIELD=VALUE,...`.
            transducer: what the command says about transducers; other methods do not look at it.

        Raises:
            ConfigurationError: an unknown field, or a value of the wrong type or out of range.
        """
        require_fields(cls.settings_type, given)
        return resolve(cls.settings_type, given)

    @classmethod
    def learning_rate_for(cls, epochs: float) -> float:
        """The default for so many passes over the examples: that of one, divided by their square root
        with `slower_when_repeated`.

        What learns fast in one pass learns examples by heart in several (`docs/study.md`, "Few examples").
        """
        return cls.default_learning_rate / (max(epochs, 1.0) ** 0.5 if cls.slower_when_repeated else 1.0)

    @classmethod
    def learning_rates(cls, epochs: float = 1.0) -> tuple[float, float]:
        """What tuning searches, on a logarithmic scale: from a tenth of the default to three times as much."""
        default = cls.learning_rate_for(epochs)
        return default / 10, 3 * default

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

    def on_device(self) -> AdaptedModel:
        """Itself, where the backbone is; what must stay where it lies stays."""
        if not self.backbone.stays:
            return self.to(self.backbone.device)
        device = self.backbone.device
        for parameter in self.parameters(recurse=False):
            parameter.data = parameter.data.to(device)
        for child in self.children():
            if child is not self.language_model:
                child.to(device)
        return self

    def trainable(self) -> dict[str, nn.Parameter]:
        return {name: parameter for name, parameter in self.named_parameters() if parameter.requires_grad}

    def trainable_count(self) -> int:
        """Numbers that are trained, without those that pruning has switched off."""
        return (sum(parameter.numel() for parameter in self.trainable().values())
                - sum(int(off.sum()) for off in self.switched_off().values()))

    @property
    def added_positions(self) -> int:
        """Vectors that it puts in front of every input."""
        return 0

    def require_positions(self, source: int, target: int) -> None:
        """Raises BackboneError where the backbone has too few places for inputs and answers of so many tokens."""
        self.backbone.require_positions(source, target, self.added_positions)

    def remember(self, examples: Sequence[PreparedExample]) -> None:
        """Given the training examples before training; only a method that looks answers up keeps them."""

    def seen(self, examples: Sequence[PreparedExample]) -> Sequence[PreparedExample]:
        """The examples of a data set as the method sees them, one for one; only controls see other ones."""
        return examples

    def written(self, sources: Sequence[str]) -> list[str] | None:
        """Answers made of the sources' texts alone; None where, as in nearly every method, `generate` makes them."""
        return None

    # What a method that changes its own size while it is trained says; for all others there is nothing to say.

    def switched_off(self) -> dict[str, Tensor]:
        """Masks, by name of a trained parameter, of the numbers that pruning has switched off."""
        return {}

    @property
    def settled(self) -> bool:
        """Whether the size is final; a validation loss from before is not that of what training ends with."""
        return True

    def plan(self, steps: int) -> None:
        """Told by the trainer, before its first step and after a checkpoint was read, how many steps a whole run has."""

    def after_step(self, step: int, optimizer) -> None:
        """Called after step number `step` (from 1) of the optimiser, while the gradients are still there."""

    def training_state(self) -> dict[str, Tensor]:
        """What training needs to go on besides what `save` writes and the state of the optimiser."""
        return {}

    def load_training_state(self, tensors: dict[str, Tensor]) -> None:
        """Restores `training_state`."""

    def train(self, mode: bool = True):
        """Training mode for the trained parts; the frozen backbone stays in evaluation mode, without dropout."""
        super().train(mode)
        self.language_model.eval()
        # Not before it is used: the backbone may have been lent to a method only to be looked at.
        if self.narrow_backbone and not self.changes_backbone:
            self.backbone.narrow_weights()
        return self


class InputModel(AdaptedModel):
    """A method that changes the input embeddings, and at most the signals of the frozen backbone (`Backbone.change_layers`)."""

    @abstractmethod
    def fused(self, input_ids: Tensor, attention_mask: Tensor, **graph: Tensor) -> tuple[Tensor, ...]:
        """The fields of a `FusedInput`, without the last where there is none: what a collated batch becomes."""

    def forward(self, input_ids, attention_mask, labels=None, **graph):
        fused = FusedInput(*self.fused(input_ids, attention_mask, **graph))
        return self.backbone.forward(fused.embeddings, fused.attention_mask, labels, fused.scales, fused.apart, fused.bottlenecks)

    @torch.no_grad()
    def generate(self, batch, *, beams, max_new_tokens):
        inputs = {name: tensor for name, tensor in batch.items() if name != "labels"}
        return self.backbone.generate(*FusedInput(*self.fused(**inputs)), beams=beams, max_new_tokens=max_new_tokens)


class DirectModel(AdaptedModel):
    """A method whose model takes token ids as the backbone does: `self.language_model` does all the work.

    Class attributes:
        makes_cache: whether the model makes the decoder's cache itself, since there is something in it from the start.
    """

    makes_cache = False

    def forward(self, input_ids, attention_mask, labels=None, **graph):
        return self.backbone.forward_tokens(self.language_model, input_ids, attention_mask, labels)

    @torch.no_grad()
    def generate(self, batch, *, beams, max_new_tokens):
        return self.backbone.generate_tokens(self.language_model, batch["input_ids"], batch["attention_mask"], beams=beams,
                                             max_new_tokens=max_new_tokens, makes_cache=self.makes_cache)
