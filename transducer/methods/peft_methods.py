"""Methods from `peft`, saved as genuine peft folders: LoRA, DoRA, IA3, prefix tuning, prompt tuning, p-tuning.

Settings are those of the paper where it states them (REFERENCE: LoRA rank 8 and scaling 32 on queries and values with
dropout 0.1, prefix of 10 tokens; 25 prompt tokens are ours).
"""
from __future__ import annotations

import warnings
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import (
    IA3Config,
    LoraConfig,
    PeftConfig,
    PrefixTuningConfig,
    PromptEncoderConfig,
    PromptTuningConfig,
    TaskType,
    get_peft_model,
    set_peft_model_state_dict,
)
from peft.utils import get_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from checkpoints.errors import ArtefactContentError, MissingArtefactError

from ..adapted_model import DirectModel, InputModel, growing
from ..backbone import Backbone
from ..config import option
from ..errors import BackboneError, UnknownNameError
from ..families import STATE_SPACE
from .depth import FEWER_LAYERS, in_last_layers, layers_option
from .saving import OwnTensors, Switch


class PeftMethod(DirectModel):
    """A peft model around the backbone. Subclasses say which configuration."""

    def __init__(self, backbone, settings, engine="auto"):
        super().__init__(backbone, settings, engine)
        with warnings.catch_warnings():
            # peft asks transformers for an attribute under its former name.
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
            self.language_model = get_peft_model(backbone.model, self.configuration())

    @abstractmethod
    def configuration(self) -> PeftConfig:
        """What peft is to build around the backbone."""

    @property
    def prompt_sizes(self) -> dict[str, int]:
        """What peft cannot read off the configuration of a model without attention."""
        if self.backbone.family.kind != STATE_SPACE:
            return {}
        return {"token_dim": self.backbone.width, "num_attention_heads": 1, "num_layers": self.backbone.model.config.num_hidden_layers}

    @property
    def peft_task(self) -> TaskType:
        return TaskType.SEQ_2_SEQ_LM if self.backbone.encoder_decoder else TaskType.CAUSAL_LM

    def train(self, mode: bool = True):
        """The backbone stays in evaluation mode; a method's own dropout follows `mode`."""
        super().train(mode)
        for name, module in self.language_model.named_modules():
            if "lora_dropout" in name:
                module.train(mode)
        self.language_model.training = mode
        return self

    def save(self, folder: Path) -> None:
        self.language_model.save_pretrained(folder)

    def load(self, folder: Path) -> None:
        path, tensors = self._stored(folder)
        self._require_shapes(path, tensors, {
            name: tensor.shape for name, tensor in get_peft_model_state_dict(self.language_model).items()})
        set_peft_model_state_dict(self.language_model, tensors)

    def _stored(self, folder: Path) -> tuple[Path, dict[str, Tensor]]:
        """The file of tensors in a peft folder, and what is in it."""
        path = Path(folder) / "adapter_model.safetensors"
        if not path.exists():
            raise MissingArtefactError(f"no {path.name} in {folder}; expected a peft folder saved by method {self.method!r}")
        try:
            return path, load_file(path)
        except SafetensorError as error:
            raise ArtefactContentError(f"{path} is truncated or no safetensors file ({error}); copy it again from where "
                                       "it was saved") from error

    def _require_shapes(self, path: Path, tensors: dict[str, Tensor], expected: dict[str, torch.Size]) -> None:
        found = {name: tensor.shape for name, tensor in tensors.items()}
        if found != expected:
            odd = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))[:3]
            raise ArtefactContentError(f"{path} does not fit method {self.method!r}: missing, surplus or misshapen "
                                       f"tensors {odd}; load it with the settings it was saved with")

    def disabled(self):
        return self.language_model.disable_adapter()


@dataclass(frozen=True)
class LoRASettings:
    """Settings of low-rank updates."""

    rank: int = option(8, "rank of an update; the paper: 8", minimum=1)
    alpha: int = option(32, "updates are scaled by alpha / rank; the paper: 32", minimum=1)
    dropout: float = option(0.1, "dropout in front of an update; the paper: 0.1", minimum=0.0, maximum=0.9)
    targets: str = option("", "names of the projections that are updated, joined by +; empty: queries and values, as in the "
                              "paper, or what `families` names where they are no projections of their own")
    layers: int = layers_option()

    def projections(self, backbone: Backbone) -> list[str]:
        """Names of the projections to update: their last parts, or in full where not all layers are changed.

        Raises:
            UnknownNameError: the backbone has no such projection; peft would leave it out where it has others.
            BackboneError: an update of it would get no gradient.
        """
        chosen = self.targets.split("+") if self.targets else list(backbone.family.updated)
        known = [name for name, module in backbone.model.named_modules() if isinstance(module, (nn.Linear, nn.Embedding, Conv1D))]
        for target in chosen if self.targets else ():
            if not any(f".{name}".endswith(f".{target}") for name in known):
                raise UnknownNameError.among("target", target, dict.fromkeys(name.rpartition(".")[2] for name in known))
            if target.rpartition(".")[2] in backbone.family.read_uncalled:
                raise BackboneError(f"an update of {target!r} would get no gradient: {backbone.model.config.model_type} reads its "
                                    f"weight past peft; use lora-partial:targets={target.rpartition('.')[2]}")
        if not self.layers:
            return chosen
        return in_last_layers((name for name in known if name.endswith(tuple(f".{target}" for target in chosen))), self.layers)


class LoRA(PeftMethod):
    """Low-rank updates of the query and value projections (Hu et al., 2022)."""

    method = "lora"
    settings_type = LoRASettings
    sizes = (*FEWER_LAYERS, *growing("rank", 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128))
    default_learning_rate = 3e-3
    search_space = {"rank": (4, 8, 16), "dropout": (0.0, 0.05, 0.1, 0.2)}
    weight_decomposed = False
    starts_wide = True  # peft rounds the first update to the type of the weight

    def configuration(self):
        settings = self.settings
        return LoraConfig(task_type=self.peft_task, r=settings.rank, lora_alpha=settings.alpha,
                          lora_dropout=settings.dropout, target_modules=settings.projections(self.backbone),
                          use_dora=self.weight_decomposed, fan_in_fan_out=stored_transposed(self.backbone))


def stored_transposed(backbone: Backbone) -> bool:
    """Whether the projections are stored as [in, out], as GPT-2's are."""
    return any(isinstance(module, Conv1D) for module in backbone.model.modules())


class DoRA(LoRA):
    """Low-rank updates of directions, with trained magnitudes (Liu et al., 2024)."""

    method = "dora"
    weight_decomposed = True
    narrow_backbone = False  # norms of the weights are part of it
    reads_weights = True


class IA3(PeftMethod):
    """Trained scales on keys, values and the inside of feed-forward blocks (Liu et al., 2022); of Mamba, on what goes into its
    mixers."""

    method = "ia3"
    default_learning_rate = 3e-2

    def configuration(self):
        family = self.backbone.family
        return IA3Config(task_type=self.peft_task, target_modules=list(family.scaled),
                         feedforward_modules=list(family.scaled_inside), fan_in_fan_out=stored_transposed(self.backbone))


@dataclass(frozen=True)
class VirtualTokenSettings:
    """Settings of methods that put trained vectors in front."""

    tokens: int = option(10, "virtual tokens; the paper: 10 for prefix tuning, 25 for prompt tuning", minimum=1)


class PrefixTuning(PeftMethod):
    """Trained keys and values in front of every decoder layer (Li and Liang, 2021).

    peft deals what it allocates out four tensors a layer and drops the two meant for cross-attention. With an even
    number of layers `L`, layers `l` and `l + L / 2` get the same prefix and half of the parameters are never read.
    """

    method = "prefix"
    settings_type = VirtualTokenSettings
    sizes = growing("tokens", 1, 2, 3, 4, 6, 8, 10, 15, 20, 30, 40, 60, 80, 100)
    default_learning_rate = 1e-1
    makes_cache = True
    search_space = {"tokens": (5, 10, 20, 40)}
    remark = "peft's prefixes reach only the decoder; half of the parameters are never read"

    def configuration(self):
        if not self.backbone.encoder_decoder:
            # peft gives a prefix the first positions of a padded row, so an answer would depend on the rest of the batch.
            raise BackboneError(f"method {self.method!r} works with encoder-decoders only, got a {self.backbone.family.kind} "
                                "model; use prompt or prompt+adapter")
        return PrefixTuningConfig(task_type=self.peft_task, num_virtual_tokens=self.settings.tokens)

    def require_positions(self, source, target):
        # To the decoder they are tokens that it has read.
        self.backbone.require_positions(source, target, prefix=self.settings.tokens)


class PromptsInFront(Switch, PeftMethod, InputModel):
    """Virtual tokens that peft makes and that go in front of the input, where no padding comes between."""

    @property
    def added_positions(self):
        return self.settings.tokens

    def fused(self, input_ids, attention_mask, **graph):
        embeddings = self.backbone.model.get_input_embeddings()(input_ids)
        if not self._enabled:
            return embeddings, attention_mask
        front = self.language_model.get_prompt(len(input_ids)).to(embeddings.dtype)
        return torch.cat((front, embeddings), dim=1), torch.cat((attention_mask.new_ones(front.shape[:2]), attention_mask), dim=1)

    def forward(self, input_ids, attention_mask, labels=None, **graph):
        return InputModel.forward(self, input_ids, attention_mask, labels)

    def generate(self, batch, *, beams, max_new_tokens):
        return InputModel.generate(self, batch, beams=beams, max_new_tokens=max_new_tokens)


class PromptTuning(PromptsInFront):
    """Trained vectors in front of the input (Lester et al., 2021), started from embeddings of real tokens."""

    method = "prompt"
    settings_type = VirtualTokenSettings
    sizes = growing("tokens", 1, 2, 4, 6, 8, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150)
    default_learning_rate = 1e-1
    search_space = {"tokens": (10, 25, 50, 100)}

    @classmethod
    def make_settings(cls, given, transducer):
        return super().make_settings({"tokens": 25} | given, transducer)

    def configuration(self):
        # One submodule: with the default of two, peft allocates rows for the decoder that are never trained.
        return PromptTuningConfig(task_type=self.peft_task, num_virtual_tokens=self.settings.tokens,
                                  num_transformer_submodules=1, **self.prompt_sizes)


@dataclass(frozen=True)
class EncodedPromptSettings(VirtualTokenSettings):
    """Settings of p-tuning."""

    width: int = option(128, "hidden width of the network that makes the prompts", minimum=1)


class PTuning(OwnTensors, PromptsInFront):
    """Prompts made by a small network from trained vectors (Liu et al., GPT Understands, Too, 2021).

    Saves vectors and network as they are, not as a peft folder: peft keeps only the prompts that come out, with which
    training cannot go on.
    """

    method = "p-tuning"
    settings_type = EncodedPromptSettings
    sizes = growing("width", 2, 4, 8, 16, 32, 64, 128, 256)
    default_learning_rate = 1e-2
    search_space = {"tokens": (10, 25, 50), "width": (64, 128, 256)}

    def configuration(self):
        return PromptEncoderConfig(task_type=self.peft_task, num_virtual_tokens=self.settings.tokens,
                                   encoder_hidden_size=self.settings.width, num_transformer_submodules=1,
                                   **self.prompt_sizes)
