"""The scan of Mamba's layers on a CPU, in the place of the library's.

transformers goes through the tokens one by one under automatic differentiation, and the gradient of each step is a tensor of the
whole length: the backward pass is quadratic in the number of tokens. `checkpoints.selective_scan` has a backward pass of its
own, which is linear and gives the same numbers; without gradients, where an input is read, it keeps one state in place of all
(`benchmarks/state_space_step.py` has both side by side).

The modules of Mamba, FalconMamba and Jamba each have a function of this name, which their layers call for more than one token.
On a GPU it stays the library's.
"""
from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps

import torch
from torch import Tensor, nn
from torch.nn import functional

from checkpoints.selective_scan import recurrence

NAME = "mamba_selective_scan"


def install(model: nn.Module) -> None:
    """Has the layers of a model scan by `scan` where they can; nothing on models that have none. It is done once per module of
    the library, and for all models of it."""
    for module in {type(part).__module__ for part in model.modules()}:
        library = getattr(sys.modules.get(module), NAME, None)
        if library is not None and not hasattr(library, "of_the_library"):
            setattr(sys.modules[module], NAME, _chosen(library))


def _chosen(library: Callable[..., Tensor]) -> Callable[..., Tensor]:
    @wraps(library)
    def chosen(hidden_states: Tensor, *arguments, return_last_state: bool = False, **named):
        # A state that is handed on would need a gradient too.
        if hidden_states.device.type == "cpu" and not (return_last_state and torch.is_grad_enabled()):
            return scan(hidden_states, *arguments, return_last_state=return_last_state, **named)
        return library(hidden_states, *arguments, return_last_state=return_last_state, **named)

    chosen.of_the_library = library
    return chosen


def scan(hidden_states: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, D: Tensor | None = None, z: Tensor | None = None,
         delta_bias: Tensor | None = None, delta_softplus: bool = False, return_last_state: bool = False,
         **ways: object) -> Tensor | tuple[Tensor, Tensor]:
    """y [B, C, T], with the library's names; with `return_last_state` also the state [B, C, N], which only is without gradients.

    Args:
        hidden_states, dt, z: [B, C, T].
        A: [C, N], negative.
        B, C: [B, N, T].
        D, delta_bias: [C].
        ways: how the library is to scan.
    """
    if delta_bias is not None:
        dt = dt + delta_bias.to(dt.dtype)[..., None]
    if delta_softplus:
        dt = functional.softplus(dt)
    found, state = recurrence(*(tensor.transpose(1, 2) for tensor in (dt, hidden_states, B, C)), A)
    found = found.transpose(1, 2)
    if D is not None:
        found = found + hidden_states * D[None, :, None]
    if z is not None:
        found = found * functional.silu(z)
    return (found, state) if return_last_state else found
