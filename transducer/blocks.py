"""Behind which blocks of a frozen model narrow layers can add something, and where: those that write the answer, where they do.

To the tokens that a decoder-only model reads nothing is added, no more than to those that an encoder does: only from the last
one on, which the first token of the answer is predicted at. There are many of them and few of the answer's, so it costs little.

Blocks of one kind in all layers are one *role*: `decoder.block.*.layer.*.DenseReluDense`, say. Which they are is a fact of the
family (`families.Family.writes`).
"""
from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from .errors import ShapeError
from .families import Family
from .fusion.base import Bottleneck
from .places import modules_by_role


class Blocks:
    """The blocks of a model that write its answer, and what is added to their outputs at present.

    The model is hooked when something is added for the first time, so that one with nothing computes as it always did. What
    was set stays until it is set again: layers that are computed twice (`placement.checkpoint_layers`) need it in the
    backward pass.

    Args:
        model: the frozen model.
        family: its facts.
    """

    def __init__(self, model: nn.Module, family: Family):
        self._modules = modules_by_role(model, family.writes)
        self._bottlenecks: Mapping[str, Bottleneck] | None = None
        self._written = 0
        self._hooked = False

    @property
    def roles(self) -> dict[str, int]:
        """How many blocks there are of each role."""
        return {role: len(modules) for role, modules in self._modules.items()}

    def add(self, bottlenecks: Mapping[str, Bottleneck] | None, written: int = 0) -> None:
        """From now on, outputs of blocks have added to them what the `bottlenecks` of their roles make of them; None: nothing.

        Only the last `written` places of an output have, which is how many tokens are predicted at a time. Rows of an output
        beyond `B` are beams: each row of the shares holds for as many that follow each other.

        Raises:
            ShapeError: roles, or numbers of blocks, are not those of the model; bottlenecks, and nothing is written.
        """
        if bottlenecks is not None:
            if written < 1:
                raise ShapeError(f"bottlenecks at the last {written} places; expected how many tokens are predicted at a time")
            found = {role: own.shares.shape[1] for role, own in bottlenecks.items()}
            if found != self.roles:
                odd = sorted(role for role in found.keys() | self.roles.keys() if found.get(role) != self.roles.get(role))
                raise ShapeError(f"bottlenecks behind {odd[0]} are for {found.get(odd[0])} blocks; expected {self.roles.get(odd[0])}, "
                                 "those of this model; make the fusion with its blocks")
            self._hook()
        self._bottlenecks, self._written = bottlenecks, written

    def _hook(self) -> None:
        if self._hooked:
            return
        for role, modules in self._modules.items():
            for place, module in enumerate(modules):
                module.register_forward_hook(self._behind(role, place))
        self._hooked = True

    def _behind(self, role: str, place: int):
        def hook(module, inputs, output):
            if self._bottlenecks is None:
                return None
            if isinstance(output, tuple):
                return (self._added(role, place, output[0]), *output[1:])
            return self._added(role, place, output)
        return hook

    def _added(self, role: str, place: int, output: Tensor) -> Tensor:
        """The output [R, L, D] of a block with what is added, `R` a multiple of `B`; a layer may lie on another device."""
        read = output.shape[1] - self._written
        if read <= 0:
            return self._added_everywhere(role, place, output)
        # A copy: what the backward pass needs of it would else keep the whole output in memory.
        written = output[:, read:].clone()
        return torch.cat((output[:, :read], self._added_everywhere(role, place, written)), dim=1)

    def _added_everywhere(self, role: str, place: int, output: Tensor) -> Tensor:
        kind = output.device.type
        computed_in = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else output.dtype
        down, up, shares, owner = self._bottlenecks[role]
        down, up, shares = (tensor.to(output.device, computed_in) for tensor in (down, up, shares[:, place].unsqueeze(1)))
        beams = len(output) // len(shares)
        shares = shares if beams == 1 else shares.repeat_interleave(beams, 0)  # [R, 1, b]
        signal = output.to(computed_in)
        if len(down) == 1:
            units = functional.silu(functional.linear(signal, down[0])) * shares  # [R, L, b]
            return output + functional.linear(units, up[0]).to(output.dtype)
        owner = owner.to(output.device).repeat_interleave(beams, 0)  # [R]
        units = functional.silu(signal @ down[owner].transpose(1, 2)) * shares
        return output + (units @ up[owner].transpose(1, 2)).to(output.dtype)
