"""Ways into the mixers of Mamba for methods that change them, with the mixers' own weights left as they are.

A mixer calls some of its projections, whose outputs a hook can change, and reads other tensors without calling anything
(`A_log`, the weight of `dt_proj`). For those, others stand in while the mixer computes (`stand_in`).

The fused kernel that reads all weights at once is of training mode; a backbone stays in evaluation mode (`AdaptedModel.train`).
"""
from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from ..adapted_model import InputModel
from .saving import OwnTensors, Switch

_ABSENT = object()


def stand_in(mixer: nn.Module, values: Callable[[], list[tuple[nn.Module, str, object]]]) -> None:
    """Has other values stand in for attributes of a mixer and of its parts while the mixer computes.

    Args:
        values: made anew at every call of the mixer: (module, name of the attribute, value).
    """
    before: list[tuple[nn.Module, str, object]] = []

    def put(module, inputs):
        for owner, name, value in values():
            # What lies in the instance itself is found before the module's parameters, which are not touched.
            before.append((owner, name, vars(owner).get(name, _ABSENT)))
            vars(owner)[name] = value

    def take_away(module, inputs, output):
        while before:
            owner, name, value = before.pop()
            if value is _ABSENT:
                del vars(owner)[name]
            else:
                vars(owner)[name] = value

    mixer.register_forward_pre_hook(put)
    mixer.register_forward_hook(take_away, always_call=True)


class MixerModel(OwnTensors, Switch, InputModel):
    """A method that changes mixers; the input embeddings stay as they are."""

    def fused(self, input_ids, attention_mask, **graph):
        return self.backbone.model.get_input_embeddings()(input_ids), attention_mask

    def mixers(self) -> dict[str, nn.Module]:
        """The mixers by name, in the order of the model."""
        return self.backbone.blocks()


def module_key(name: str) -> str:
    """The name of a part of the backbone as one of a `ModuleDict`."""
    return name.replace(".", "_")


def as_stored(tensor: Tensor, output: Tensor) -> Tensor:
    """A trained tensor in the type that the mixer computes in."""
    return tensor.to(output.dtype)
