"""Methods from `peft`, saved as genuine peft folders: LoRA, prefix tuning and prompt tuning.

Settings are those of the paper where it states them (REFERENCE: LoRA rank 8 and scaling 32 on queries and values with
dropout 0.1, prefix of 10 tokens; 25 prompt tokens are ours).
"""
from __future__ import annotations

import warnings
from abc import abstractmethod
from pathlib import Path

from peft import LoraConfig, PeftConfig, PrefixTuningConfig, PromptTuningConfig, TaskType, get_peft_model, set_peft_model_state_dict
from peft.utils import get_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file

from checkpoints.errors import ArtefactContentError, MissingArtefactError

from ..adapted_model import DirectModel


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
        path = Path(folder) / "adapter_model.safetensors"
        if not path.exists():
            raise MissingArtefactError(f"no {path.name} in {folder}; expected a peft folder saved by method {self.method!r}")
        try:
            tensors = load_file(path)
        except SafetensorError as error:
            raise ArtefactContentError(f"{path} is truncated or no safetensors file ({error}); copy it again from where "
                                       "it was saved") from error
        expected = {name: tensor.shape for name, tensor in get_peft_model_state_dict(self.language_model).items()}
        found = {name: tensor.shape for name, tensor in tensors.items()}
        if found != expected:
            odd = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))[:3]
            raise ArtefactContentError(f"{path} does not fit method {self.method!r}: missing, surplus or misshapen "
                                       f"tensors {odd}; load it with the settings it was saved with")
        set_peft_model_state_dict(self.language_model, tensors)

    def disabled(self):
        return self.language_model.disable_adapter()


class LoRA(PeftMethod):
    """Low-rank updates of the query and value projections (Hu et al., 2022)."""

    method = "lora"
    default_learning_rate = 3e-3

    def configuration(self):
        return LoraConfig(task_type=TaskType.SEQ_2_SEQ_LM, r=8, lora_alpha=32, lora_dropout=0.1, target_modules=["q", "v"])


class PrefixTuning(PeftMethod):
    """Trained keys and values in front of every decoder layer (Li and Liang, 2021).

    peft deals what it allocates out four tensors a layer and drops the two meant for cross-attention. With an even
    number of layers `L`, layers `l` and `l + L / 2` get the same prefix and half of the parameters are never read.
    """

    method = "prefix"
    default_learning_rate = 1e-1
    remark = "peft's prefixes reach only the decoder; half of the parameters are never read"

    def configuration(self):
        return PrefixTuningConfig(task_type=TaskType.SEQ_2_SEQ_LM, num_virtual_tokens=10)


class PromptTuning(PeftMethod):
    """Trained vectors in front of the input (Lester et al., 2021), started from embeddings of real tokens."""

    method = "prompt"
    default_learning_rate = 1e-1

    def configuration(self):
        # One submodule: with the default of two, peft allocates rows for the decoder that are never trained.
        return PromptTuningConfig(task_type=TaskType.SEQ_2_SEQ_LM, num_virtual_tokens=25, num_transformer_submodules=1)
