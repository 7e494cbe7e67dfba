"""Method `prefix-encoder`: trained keys and values in front of every self-attention, of the encoder too (Li and Liang, 2021).

::

    attention(q, [P_k; K], [P_v; V])                         P_k, P_v [heads, n, width of a head], of each layer its own
    scores = q [P_k; K]^T + [0; bias]

The relative position bias is that of the real tokens alone: a prefix has no position, so it gets none, and the bias between
tokens is what it is without a prefix. With `reparametrisation=w` the prefixes are made by a network,

::

    P = W tanh(V S + b)                                      S [n, D], V [w, D], W [layers * 2 * inner width, w]

which is trained and saved in their place. peft's prefixes reach only the decoder, and half of them are never read.

Started from the keys and values that the layer itself makes of random words, which have the layer's own scale.
Cost: `2 n D` parameters a layer; attention over `n` more positions. Where the prefixes are joined is the attention function of
transformers, which is registered under a name of its own; models of the T5 family look it up at every call.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask
from transformers.models.t5.modeling_t5 import eager_attention_forward

from ..adapted_model import DirectModel, growing
from ..config import option
from ..errors import BackboneError, UnknownNameError
from ..model import sampled_embeddings
from .saving import OwnTensors, Switch

PARTS = ("encoder", "decoder")


@dataclass(frozen=True)
class PrefixSettings:
    """Where prefixes stand and how many."""

    tokens: int = option(10, "positions in front of an attention; the paper: 10 for prefix tuning", minimum=1)
    parts: str = option("encoder+decoder", "whose self-attention gets prefixes, joined by +: encoder, decoder")
    reparametrisation: int = option(0, "hidden width of a network that makes the prefixes; 0: they are trained themselves",
                                    minimum=0)


class PrefixEncoder(OwnTensors, Switch, DirectModel):
    """Trained keys and values for the self-attentions of encoder and decoder; see the module.

    Raises:
        BackboneError: the backbone is not of the T5 family.
    """

    method = "prefix-encoder"
    settings_type = PrefixSettings
    sizes = growing("tokens", 1, 2, 3, 4, 6, 8, 10, 15, 20, 30, 40, 60, 80, 100)
    default_learning_rate = 1e-1
    search_space = {"tokens": (5, 10, 20, 40)}

    def __init__(self, backbone, settings, engine="auto"):
        super().__init__(backbone, settings, engine)
        layers = self._layers()
        words = sampled_embeddings(backbone, settings.tokens)  # [n, D]
        start = torch.stack([_own_keys_and_values(layer, words) for layer in layers])  # [layers, 2, n, inner width]
        if settings.reparametrisation:
            self.network = PrefixNetwork(words / backbone.embedding_scale, settings.reparametrisation, start)
        else:
            self.prefixes = nn.Parameter(start)
        self._made: Tensor | None = None
        for place, layer in enumerate(layers):
            layer.SelfAttention.prefix = partial(self._prefix, place)
        _look_up_prefixes(backbone.model)

    def _layers(self) -> list[nn.Module]:
        """The layers with a self-attention that gets a prefix, in the order of the model."""
        model = self.backbone.model
        if model.config.model_type != "t5":
            raise BackboneError(f"method {self.method!r} knows the attention of the T5 family, got a backbone of the family "
                                f"{model.config.model_type!r}; leave the method out")
        chosen = self.settings.parts.split("+")
        for part in chosen:
            if part not in PARTS:
                raise UnknownNameError.among("part", part, PARTS)
        return [block.layer[0] for part in PARTS if part in chosen for block in getattr(model, part).block]

    def _prefix(self, place: int) -> Tensor | None:
        """Keys and values [2, n, inner width] for one attention; None while the model is the frozen backbone."""
        if not self._enabled:
            return None
        return (self._all_prefixes() if self._made is None else self._made)[place]

    def _all_prefixes(self) -> Tensor:
        return self.network() if self.settings.reparametrisation else self.prefixes

    @contextmanager
    def _prefixes_made_once(self) -> Iterator[None]:
        self._made = self._all_prefixes()
        try:
            yield
        finally:
            self._made = None

    def forward(self, input_ids, attention_mask, labels=None, **graph):
        with self._prefixes_made_once():
            return super().forward(input_ids, attention_mask, labels)

    @torch.no_grad()
    def generate(self, batch, *, beams, max_new_tokens):
        with self._prefixes_made_once():
            return super().generate(batch, beams=beams, max_new_tokens=max_new_tokens)


class PrefixNetwork(nn.Module):
    """The prefixes of all layers from `n` vectors; see the module.

    Args:
        words: [n, D] start of the vectors.
        width: of the hidden layer.
        scale_of: [layers, 2, n, inner width] prefixes whose scale, by layer, those that are made have at the start.
    """

    def __init__(self, words: Tensor, width: int, scale_of: Tensor):
        super().__init__()
        layers, _, _, inner = scale_of.shape
        self.words = nn.Parameter(words.clone())
        self.down = nn.Parameter(torch.randn(width, words.shape[1]) * words.shape[1] ** -0.5)
        self.bias = nn.Parameter(torch.zeros(width))
        scale = scale_of.square().mean((2, 3)).sqrt()[..., None, None]  # [layers, 2, 1, 1]
        self.up = nn.Parameter(scale * torch.randn(layers, 2, inner, width) * width ** -0.5)

    def forward(self) -> Tensor:
        hidden = torch.tanh(functional.linear(self.words, self.down, self.bias))  # [n, w]
        return torch.einsum("nw,lpiw->lpni", hidden, self.up)  # [layers, 2, n, inner width]


@torch.no_grad()
def _own_keys_and_values(layer: nn.Module, words: Tensor) -> Tensor:
    """[2, n, inner width]: what the layer's attention makes of words."""
    attention = layer.SelfAttention
    normed = layer.layer_norm(words)
    if attention.k.weight.is_floating_point():  # a quantised projection takes its input as it is
        normed = normed.to(attention.k.weight.dtype)
    return torch.stack((attention.k(normed), attention.v(normed))).float()


def attend(inner: Callable, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None,
           position_bias: Tensor | None = None, **options) -> tuple[Tensor, Tensor | None]:
    """`inner`, an attention function of transformers, over the module's prefix and the positions it is given.

    Tensors: query [B, heads, Q, d], key and value [B, heads, K, d], mask and bias [1 or B, 1 or heads, Q, K].
    """
    prefix = module.prefix() if hasattr(module, "prefix") else None
    if prefix is not None:
        front = prefix.unflatten(-1, (key.shape[1], -1)).transpose(1, 2).to(key.dtype)  # [2, heads, n, d]
        key, value = (torch.cat((part.expand(len(key), -1, -1, -1), real), dim=2) for part, real in zip(front, (key, value)))
        # Zero is no bias, and in an additive mask it is "attend".
        position_bias, attention_mask = (None if added is None else functional.pad(added, (front.shape[2], 0))
                                         for added in (position_bias, attention_mask))
    return inner(module, query, key, value, attention_mask, position_bias=position_bias, **options)


def _look_up_prefixes(model) -> None:
    """Has a model's attentions go through `attend`, on top of the function that they use now."""
    used = model.config._attn_implementation
    if used.startswith("prefixed-"):
        return
    inner = eager_attention_forward if used == "eager" else AttentionInterface()[used]
    AttentionInterface.register(f"prefixed-{used}", partial(attend, inner))
    # The additive mask: others leave causality to a kernel that knows nothing of a prefix.
    AttentionMaskInterface.register(f"prefixed-{used}", eager_mask)
    model.set_attn_implementation(f"prefixed-{used}")
