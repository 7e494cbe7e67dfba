"""Method `additional-scan`: more states in every Mamba layer (MambaPEFT, Yoshimura et al., ICLR 2025).

::

    N states -> N + N'          A_log [d_inner, N + N'],  x_proj [dt rank + 2 (N + N'), d_inner]

The new columns of `A_log` and the new rows of `x_proj`, for B and for C, are trained: `3 N' d_inner` parameters a layer.
The columns start as copies of the first pretrained state, the one that forgets most slowly.

What a state adds to the output is C h, where h grows by B x. With the rows of C zero the model is the frozen one at the start.
Those of B are not zero: with both zero, neither would ever get a gradient. They are random, at the scale of the layer's own
rows: with equal ones, all new states would stay equal for ever.

Deviation: the published start of the rows is none of these, and not the frozen model.
Cost: the scan is over `N + N'` states, and the cache of generation holds as many.
"""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..adapted_model import growing
from ..config import option
from .mixers import MixerModel, as_stored, module_key, stand_in


@dataclass(frozen=True)
class ScanSettings:
    """How many states."""

    states: int = option(6, "states added to those of every layer; MambaPEFT: 6", minimum=1)


class AdditionalStates(nn.Module):
    """The trained numbers of one layer: `A_log` [d_inner, N'], rows of B and C [N', d_inner]."""

    def __init__(self, mixer: nn.Module, states: int):
        super().__init__()
        own = mixer.x_proj.weight.detach()[mixer.time_step_rank:][:mixer.ssm_state_size].float()  # rows of B
        self.A_log = nn.Parameter(mixer.A_log.detach()[:, :1].float().repeat(1, states))
        self.B = nn.Parameter(own.square().mean().sqrt() * torch.randn(states, own.shape[1], device=own.device))
        self.C = nn.Parameter(torch.zeros(states, own.shape[1], device=own.device))


class AdditionalScan(MixerModel):
    """More states in every layer of Mamba; see the module."""

    reads_weights = True
    method = "additional-scan"
    model_types = ("mamba",)
    settings_type = ScanSettings
    sizes = growing("states", 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)
    default_learning_rate = 5e-3
    search_space = {"states": (2, 4, 6, 8)}

    def __init__(self, backbone, settings, engine="auto"):
        super().__init__(backbone, settings, engine)
        self.scans = nn.ModuleDict()
        for name, mixer in self.mixers().items():
            added = AdditionalStates(mixer, settings.states)
            self.scans[module_key(name)] = added
            stand_in(mixer, self._wider(mixer, added))
            mixer.x_proj.register_forward_hook(self._hook(mixer.time_step_rank, mixer.ssm_state_size, added))

    def _wider(self, mixer: nn.Module, added: AdditionalStates):
        def values():
            if not self._enabled:
                return []
            own = mixer._parameters["A_log"]
            return [(mixer, "A_log", torch.cat((own, as_stored(added.A_log, own)), dim=1)),
                    (mixer, "ssm_state_size", own.shape[1] + added.A_log.shape[1])]
        return values

    def _hook(self, rank: int, states: int, added: AdditionalStates):
        def changed(module, inputs, output):
            if not self._enabled:
                return None
            step, own_b, own_c = output.split((rank, states, states), dim=-1)  # [B, T, ...]
            more = functional.linear(inputs[0], as_stored(torch.cat((added.B, added.C)), output))
            more_b, more_c = more.chunk(2, dim=-1)
            return torch.cat((step, own_b, more_b, own_c, more_c), dim=-1)
        return changed
