"""The selective scan of Mamba (Gu and Dao, 2023) on a CPU, with a backward pass of its own.

::

    h_t = exp(dt_t A) h_{t-1} + (dt_t x_t) B_t          h [B, N, C]: N states of each of C channels
    y_t = C_t h_t + D x_t

One step after another, forwards and backwards, over states that stay in the processor's cache. Automatic differentiation of the
same loop keeps five tensors of [B, T, N, C] for every layer and walks through memory for each; this keeps the states alone, and
makes the decay anew. Channels come last, where a vector instruction takes several.

Cost: two passes of `T` steps over `B N C` numbers, six operations a step forwards and eleven backwards; `T B N C` numbers of memory.
"""
from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def _passed(step: Tensor, driven: Tensor, into: Tensor, out: Tensor, rate: Tensor, states: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """C_t h_t [T, B, C] and the last state [B, N, C]; every state goes into `states` [T, B, N, C] where there are such."""
    steps, batch, channels = step.shape
    state = step.new_zeros(batch, rate.shape[0], channels)
    result, decay = torch.empty_like(step), torch.empty_like(state)
    for place in range(steps):
        torch.mul(step[place].unsqueeze(1), rate, out=decay).exp_()
        state = torch.mul(decay, state, out=state if states is None else states[place])
        state.addcmul_(driven[place].unsqueeze(1), into[place].unsqueeze(2))
        torch.bmm(out[place].unsqueeze(1), state, out=result[place].unsqueeze(1))
    return result, state


class _Scan(torch.autograd.Function):
    """(step, driven, into, out, decay) -> y; shapes as in `selective_scan`, steps first, all in one type."""

    @staticmethod
    def forward(ctx, step, driven, into, out, rate):
        steps, batch, channels = step.shape
        states = step.new_empty(steps, batch, rate.shape[0], channels)
        result, _ = _passed(step, driven, into, out, rate, states)
        ctx.save_for_backward(step, driven, into, out, rate, states)
        return result

    @staticmethod
    def backward(ctx, gradient):
        step, driven, into, out, rate, states = ctx.saved_tensors
        gradient = gradient.contiguous()
        steps = len(step)
        of_state, decay, product = (torch.zeros_like(states[0]) for _ in range(3))
        of_step, of_driven, of_into = torch.empty_like(step), torch.empty_like(driven), torch.empty_like(into)
        of_rate = torch.zeros_like(states[0])  # by row of the batch
        for place in reversed(range(steps)):
            of_state.addcmul_(out[place].unsqueeze(2), gradient[place].unsqueeze(1))
            torch.bmm(of_state, driven[place].unsqueeze(2), out=of_into[place].unsqueeze(2))
            torch.bmm(into[place].unsqueeze(1), of_state, out=of_driven[place].unsqueeze(1))
            torch.mul(step[place].unsqueeze(1), rate, out=decay).exp_()
            of_state.mul_(decay)
            if place == 0:  # the state before it is zero
                of_step[place] = 0.0
                break
            torch.mul(of_state, states[place - 1], out=product)
            of_rate.addcmul_(product, step[place].unsqueeze(1))
            torch.sum(product.mul_(rate), dim=1, out=of_step[place])
        of_out = torch.matmul(states, gradient.unsqueeze(3)).squeeze(3)
        return of_step, of_driven, of_into, of_out, of_rate.sum(0)


def recurrence(step: Tensor, x: Tensor, into: Tensor, out: Tensor, rate: Tensor) -> tuple[Tensor, Tensor | None]:
    """C_t h_t [B, T, C], in the type of `rate`, and without gradients the last state [B, C, N]; no other is kept then.

    Args:
        step: dt [B, T, C], positive.
        x: what is scanned [B, T, C].
        into, out: B and C of the recurrence [B, T, N].
        rate: A [C, N], negative.
    """
    step, x, into, out = (tensor.to(rate.dtype).transpose(0, 1).contiguous() for tensor in (step, x, into, out))  # [T, B, *]
    rate = rate.T.contiguous()
    if torch.is_grad_enabled():
        return _Scan.apply(step, step * x, into, out, rate).transpose(0, 1), None
    result, state = _passed(step, step * x, into, out, rate)
    return result.transpose(0, 1), state.transpose(1, 2)


def selective_scan(step: Tensor, x: Tensor, into: Tensor, out: Tensor, a_log: Tensor, skip: Tensor) -> Tensor:
    """y [B, T, C].

    Args:
        step: dt [B, T, C], positive.
        x: what is scanned [B, T, C].
        into, out: B and C of the recurrence [B, T, N].
        a_log: [C, N], with A = -exp(a_log).
        skip: D [C].
    """
    result, _ = recurrence(step, x, into, out, -a_log.exp().to(skip.dtype))
    return result + skip * x.to(skip.dtype)


def mixed(mixer, hidden: Tensor) -> Tensor:
    """What a Mamba mixer of transformers makes of whole texts [B, T, D], by `selective_scan`."""
    x, gate = mixer.in_proj(hidden).chunk(2, dim=-1)  # [B, T, C]
    length = x.shape[1]
    x = functional.silu(mixer.conv1d(x.transpose(1, 2))[..., :length].transpose(1, 2))
    states = mixer.ssm_state_size
    step, into, out = mixer.x_proj(x).split((mixer.time_step_rank, states, states), dim=-1)
    scanned = selective_scan(functional.softplus(mixer.dt_proj(step).float()).to(mixer.D.dtype), x, into, out, mixer.A_log, mixer.D)
    return mixer.out_proj((scanned * functional.silu(gate)).to(hidden.dtype))


def logits_of(model, ids: Tensor) -> Tensor:
    """Logits [B, T, V] of a `MambaForCausalLM`, as its own but by `selective_scan`; for training on whole texts."""
    base = model.backbone
    hidden = base.embeddings(ids)
    for layer in base.layers:
        hidden = hidden + mixed(layer.mixer, layer.norm(hidden))
    return model.lm_head(base.norm_f(hidden))
