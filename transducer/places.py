"""Where the signals of a frozen model can be multiplied: its keys, its values and the inside of its feed-forward blocks.

Those of one kind in all layers are one *role*: `encoder.block.*.layer.*.SelfAttention.k`, say. Which projections they are is a
fact of the family (`families.Family.place`).
"""
from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from .errors import ShapeError
from .families import Family


class Role(NamedTuple):
    """The places of one kind: how many numbers a signal has there, and in how many layers there is one."""

    width: int
    count: int


class Shape(NamedTuple):
    """What the parts of a transducer must fit of a backbone."""

    width: int
    """Of its embeddings."""

    roles: Mapping[str, Role]
    """Where its signals can be multiplied."""

    blocks: Mapping[str, int]
    """Behind how many blocks of each role something can be added (`blocks`)."""


class Places:
    """The places of a model, and what its signals are multiplied by there at present.

    The model is hooked when it is multiplied for the first time, so that one that never is computes as it always did. What
    was set stays until it is set again: layers that are computed twice (`placement.checkpoint_layers`) need it in the
    backward pass.

    Args:
        model: the frozen model.
        family: its facts.
    """

    def __init__(self, model: nn.Module, family: Family):
        self._modules = modules_by_role(model, lambda name: family.place(name) is not None)
        self._inside = {role for role in self._modules if family.place(role) == "input"}
        self._scales: Mapping[str, Tensor] | None = None
        self._hooked = False

    @property
    def roles(self) -> dict[str, Role]:
        """What can be multiplied; empty for families that have nothing of the kind."""
        return {role: Role(_width(modules[0], role in self._inside), len(modules)) for role, modules in self._modules.items()}

    def multiply(self, scales: Mapping[str, Tensor] | None) -> None:
        """From now on, signals are multiplied by `scales`: role -> [B, count, width], None for nothing.

        Rows of a signal beyond `B` are beams: each row of `scales` holds for as many that follow each other.

        Raises:
            ShapeError: roles or shapes are not those of the model.
        """
        if scales is not None:
            found = {role: tuple(tensor.shape[1:]) for role, tensor in scales.items()}
            expected = {role: (count, width) for role, (width, count) in self.roles.items()}
            if found != expected:
                odd = sorted(role for role in found.keys() | expected.keys() if found.get(role) != expected.get(role))
                raise ShapeError(f"scales of {odd[0]} are {found.get(odd[0])}; expected {expected.get(odd[0])}, [places, width] "
                                 "of this model; make the fusion with its roles")
            self._hook()
        self._scales = scales

    def _hook(self) -> None:
        if self._hooked:
            return
        for role, modules in self._modules.items():
            for place, module in enumerate(modules):
                if role in self._inside:
                    module.register_forward_pre_hook(self._before(role, place))
                else:
                    module.register_forward_hook(self._behind(role, place))
        self._hooked = True

    def _before(self, role: str, place: int):
        def hook(module, inputs):
            return None if self._scales is None else (self._scaled(role, place, inputs[0]), *inputs[1:])
        return hook

    def _behind(self, role: str, place: int):
        def hook(module, inputs, output):
            return None if self._scales is None else self._scaled(role, place, output)
        return hook

    def _scaled(self, role: str, place: int, signal: Tensor) -> Tensor:
        """The signal [R, L, width] multiplied, `R` a multiple of `B`; a layer may lie on another device.

        In the type of the products around it, for there are many of them, however the weights are stored. What a factor
        differs from one by is added, since bfloat16 holds a small number to 8 bits, and one and a small number to 8 bits of one.
        """
        kind = signal.device.type
        signal = signal.to(torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else signal.dtype)
        difference = (self._scales[role][:, place] - 1).to(signal.device, signal.dtype)
        return torch.addcmul(signal, signal, difference.repeat_interleave(len(signal) // len(difference), 0).unsqueeze(1))


def modules_by_role(model: nn.Module, wanted: Callable[[str], bool]) -> dict[str, list[nn.Module]]:
    """The modules whose name is wanted, in the order of the model, by their name with a star for the number of a layer."""
    found: dict[str, list[nn.Module]] = {}
    for name, module in model.named_modules():
        if wanted(name):
            found.setdefault(re.sub(r"\.\d+(?=\.)", ".*", name), []).append(module)
    return found


def _width(module: nn.Module, inside: bool) -> int:
    if isinstance(module, Conv1D):
        return module.nx if inside else module.nf
    return module.in_features if inside else module.out_features
