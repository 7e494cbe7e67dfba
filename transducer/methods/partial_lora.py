"""Method `lora-partial`: low-rank updates of projections of Mamba, or of parts of them (MambaPEFT, Yoshimura et al., ICLR 2025).

::

    W[rows] + s B A                     A [r, in], B [rows, r], B = 0 at the start

A projection of a mixer makes several things at once; an update may be of the rows of one of them:

    in_proj.x  in_proj.z                what is scanned, and its gate
    x_proj.dt  x_proj.B  x_proj.C       step sizes, what is written to the state, what is read from it
    dt_proj  out_proj                   whole, as are in_proj and x_proj without a part

Mamba-2 has no x_proj and no dt_proj; its in_proj makes z, x, B, C and dt.

Every target gets gradient. Mamba multiplies with the weight of dt_proj without calling it, so there the updated weight itself
stands in; the others are called, and theirs is added to what they return.
Cost: `r (in + rows)` parameters a target and layer.
"""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..adapted_model import growing
from ..config import option
from ..errors import ConfigurationError, UnknownNameError
from .mixers import MixerModel, as_stored, module_key, stand_in


def _parts_of_mamba(mixer: nn.Module) -> dict[str, dict[str, int]]:
    inner, states = mixer.intermediate_size, mixer.ssm_state_size
    return {"in_proj": {"x": inner, "z": inner}, "x_proj": {"dt": mixer.time_step_rank, "B": states, "C": states},
            "dt_proj": {}, "out_proj": {}}


def _parts_of_mamba2(mixer: nn.Module) -> dict[str, dict[str, int]]:
    inner, states = mixer.intermediate_size, mixer.n_groups * mixer.ssm_state_size
    return {"in_proj": {"z": inner, "x": inner, "B": states, "C": states, "dt": mixer.num_heads}, "out_proj": {}}


PARTS = {"mamba": _parts_of_mamba, "mamba2": _parts_of_mamba2}
"""By model type: projection -> part -> rows, in the order of the rows."""

READ_UNCALLED = ("dt_proj",)
"""Projections whose weight a mixer reads without calling them."""


@dataclass(frozen=True)
class PartialSettings:
    """Size and place of the updates."""

    rank: int = option(8, "rank of an update; MambaPEFT: 64 for in_proj.x alone", minimum=1)
    scale: float = option(0.1, "factor of an update; MambaPEFT: 0.1", minimum=0.0)
    targets: str = option("in_proj.x", "what is updated, joined by +: in_proj, in_proj.x, in_proj.z, x_proj, x_proj.dt, x_proj.B, "
                                       "x_proj.C, dt_proj, out_proj; MambaPEFT's best: in_proj.x")


class Update(nn.Module):
    """`s B A` for rows `first` to `first + rows` of a projection that has `total`."""

    def __init__(self, width: int, first: int, rows: int, total: int, rank: int, scale: float):
        super().__init__()
        self.down = nn.Parameter(torch.randn(rank, width) * width ** -0.5)
        self.up = nn.Parameter(torch.zeros(rows, rank))
        self.scale, self.around = scale, (first, total - first - rows)

    def output(self, inputs: Tensor, output: Tensor) -> Tensor:
        """What is added to the projection's output [*, total]."""
        inside = functional.linear(inputs, as_stored(self.down, output))
        return functional.pad(self.scale * functional.linear(inside, as_stored(self.up, output)), self.around)

    def weight(self) -> Tensor:
        """What is added to the projection's weight [total, in]."""
        return functional.pad(self.scale * self.up @ self.down, (0, 0, *self.around))


class PartialLoRA(MixerModel):
    """Low-rank updates of parts of Mamba's projections; see the module.

    Raises:
        UnknownNameError: a target that the backbone has not.
        ConfigurationError: a target twice.
    """

    reads_weights = True
    method = "lora-partial"
    model_types = tuple(PARTS)
    settings_type = PartialSettings
    sizes = growing("rank", 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
    default_learning_rate = 1e-2
    search_space = {"rank": (4, 8, 16, 32), "scale": (0.1, 0.3, 1.0)}

    def __init__(self, backbone, settings, engine="auto"):
        super().__init__(backbone, settings, engine)
        chosen = settings.targets.split("+")
        if len(set(chosen)) < len(chosen):
            raise ConfigurationError(f"--targets is {settings.targets!r}, expected every target once")
        # A weight that is added to is no longer only multiplied with.
        self.narrow_backbone = not set(chosen) & set(READ_UNCALLED)
        self.updates = nn.ModuleDict()
        for name, mixer in self.mixers().items():
            for target in chosen:
                projection, rows = _rows(mixer, backbone.model.config.model_type, target)
                module = getattr(mixer, projection)
                total, width = module.weight.shape
                update = Update(width, *(rows or (0, total)), total, settings.rank, settings.scale)
                self.updates[module_key(f"{name}.{target}")] = update
                if projection in READ_UNCALLED:
                    stand_in(mixer, self._updated(module, update))
                else:
                    module.register_forward_hook(self._hook(update))

    def _updated(self, module: nn.Module, update: Update):
        def values():
            own = module._parameters["weight"]
            return [(module, "weight", own + as_stored(update.weight(), own))] if self._enabled else []
        return values

    def _hook(self, update: Update):
        def changed(module, inputs, output):
            return output + update.output(inputs[0], output) if self._enabled else None
        return changed


def _rows(mixer: nn.Module, model_type: str, target: str) -> tuple[str, tuple[int, int] | None]:
    """Projection of a target, and (first row, rows) where it is a part of it."""
    parts = PARTS[model_type](mixer)
    known = [*parts, *(f"{projection}.{part}" for projection, sizes in parts.items() for part in sizes)]
    if target not in known:
        raise UnknownNameError.among("target", target, known)
    projection, _, part = target.partition(".")
    if not part:
        return projection, None
    names = list(parts[projection])
    return projection, (sum(parts[projection][name] for name in names[:names.index(part)]), parts[projection][part])
