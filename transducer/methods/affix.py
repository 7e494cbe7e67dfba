"""Method `affix`: trained positions inside every Mamba layer, in front of the tokens (MambaPEFT, Yoshimura et al., ICLR 2025).

::

    x, z = in_proj(h)                       x, z [B, T, d_inner]
    y = scan(conv([P; x]))                  P [n, d_inner], of each layer its own
    out = out_proj(y[n:] * silu(z))         what comes out at the n positions is dropped

The convolution and the state have read `P` when the first token comes, so it takes part once, at the start of a text;
decoding goes on from the state.

The n positions run through the whole model, between the padding and the tokens of each row, and in every layer their `x` is
put there anew: what the layer before made of them is never read. So a row does not depend on its batch, and there is no
gradient through them but to `P`.

Deviation: the published tokens are `2 d_inner` wide. Their second half would be the gate `z` of positions whose output is
dropped; it changes nothing and gets no gradient, so there is none here, and the parameters are half as many.

Started from what a layer itself makes of random words. Cost: `n d_inner` parameters a layer, n more positions.
"""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..adapted_model import growing
from ..config import option
from ..model import sampled_embeddings
from .mixers import MixerModel, as_stored


@dataclass(frozen=True)
class AffixSettings:
    """How many positions."""

    tokens: int = option(3, "trained positions in front of the tokens in every layer; MambaPEFT: 3 for language models", minimum=1)


class Affix(MixerModel):
    """Trained positions inside every layer of Mamba; see the module."""

    reads_weights = True
    method = "affix"
    model_types = ("mamba",)
    settings_type = AffixSettings
    sizes = growing("tokens", 1, 2, 3, 4, 6, 8, 10, 15, 20, 30, 40, 60, 80, 100)
    default_learning_rate = 1e-4
    search_space = {"tokens": (1, 3, 6, 12)}
    remark = "the published tokens hold gates too, which nothing reads; they are left out"

    def __init__(self, backbone, settings, engine="auto"):
        super().__init__(backbone, settings, engine)
        words = sampled_embeddings(backbone, settings.tokens)  # [n, D]
        self.affixes = nn.ParameterList()  # [n, d_inner] each
        self._places: Tensor | None = None  # [B, n], where the positions stand in the rows that the model computes
        self._inside = False
        for name, mixer in self.mixers().items():
            layer = backbone.model.get_submodule(name.rpartition(".")[0])
            affix = nn.Parameter(_own_projection(layer, words))
            self.affixes.append(affix)
            mixer.in_proj.register_forward_hook(self._hook(affix))
        backbone.model.backbone.register_forward_pre_hook(self._find_places, with_kwargs=True)

    @classmethod
    def learning_rates(cls, epochs=1.0):
        """Up to far above the published rate, which was chosen for longer training of larger models."""
        return cls.default_learning_rate / 10, 1e-1

    def fused(self, input_ids, attention_mask, **graph):
        embeddings, mask = super().fused(input_ids, attention_mask)
        if not self._enabled:
            return embeddings, mask
        count, tokens = len(input_ids), self.settings.tokens
        return (torch.cat((embeddings.new_zeros(count, tokens, embeddings.shape[-1]), embeddings), dim=1),
                torch.cat((mask.new_ones(count, tokens), mask), dim=1))

    def forward(self, input_ids, attention_mask, labels=None, **graph):
        with self._with_positions():
            return super().forward(input_ids, attention_mask, labels)

    def generate(self, batch, *, beams, max_new_tokens):
        with self._with_positions():
            return super().generate(batch, beams=beams, max_new_tokens=max_new_tokens)

    @contextmanager
    def _with_positions(self) -> Iterator[None]:
        """The inputs of the model begin with the positions; elsewhere it is called without them."""
        self._inside = self._enabled
        try:
            yield
        finally:
            self._inside = False

    def _find_places(self, module, inputs, named):
        cache, mask = named.get("cache_params"), named.get("attention_mask")
        if not self._inside or cache is not None and cache.has_previous_state():
            self._places = None
            return
        rows = named["inputs_embeds"]
        # Behind the padding; the library leaves a mask out that masks nothing.
        first = 0 if mask is None else mask.to(torch.int).argmax(1, keepdim=True)  # [B, 1]
        self._places = first + torch.arange(self.settings.tokens, device=rows.device).expand(len(rows), -1)

    def _hook(self, affix: nn.Parameter):
        def changed(module, inputs, output):
            if self._places is None:
                return None
            output = output.clone()  # [B, T, 2 d_inner]
            rows = torch.arange(len(output), device=output.device)[:, None]
            output[rows, self._places, :affix.shape[1]] = as_stored(affix, output)
            return output
        return changed


@torch.no_grad()
def _own_projection(layer: nn.Module, words: Tensor) -> Tensor:
    """[n, d_inner]: the `x` that the layer's mixer makes of words."""
    projection = layer.mixer.in_proj
    projected = projection(layer.norm(words.to(layer.norm.weight.dtype)).to(projection.weight.dtype))
    return projected[:, :layer.mixer.intermediate_size].float().clone()
