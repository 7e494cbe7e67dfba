"""How input embeddings go into a frozen model and an answer comes out, by kind of model.

::

    encoder-decoder     encoder: E'                               decoder: target, shifted right
    decoder-only        E' then the embeddings of the target      loss at the target's places alone
    read apart          encoder-decoder: further states behind the encoder's own; decoder-only: keys and values in front of E'

`E'` [B, T, D] comes with a mask [B, T] and padding behind. A decoder-only model reads on where the input ends, so its inputs
are moved to the end of their row and the padding to the front; positions count what is no padding. A row's answer then does
not depend on what it is batched with.

Generation never receives a label: an encoder-decoder starts from its start token, a decoder-only model from the input.
"""
from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import pad
from transformers import GenerationConfig
from transformers.cache_utils import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput, CausalLMOutput

from .families import DECODER_ONLY, ENCODER_DECODER, STATE_SPACE
from .fusion.base import ReadApart
from .tensors import IGNORED_LABEL

PIECE = 512
"""Tokens that an encoder reads at a time of a text that is read apart: as many as code models were made for."""


class Feeding(ABC):
    """Runs a language model, which may be `base` or a wrapper around it, on embeddings or on tokens.

    Args:
        base: the model whose input embeddings are meant.
    """

    def __init__(self, base: nn.Module):
        self.base = base

    @abstractmethod
    def forward(self, embeddings: Tensor, mask: Tensor, labels: Tensor, apart: ReadApart | None):
        """`loss` (nats, mean over target tokens) and `logits` [B, L, V] of labels [B, L]."""

    @abstractmethod
    def generate(self, embeddings: Tensor, mask: Tensor, settings: GenerationConfig, apart: ReadApart | None) -> Tensor:
        """Generated ids [B, <= max_new_tokens + 1]."""

    @abstractmethod
    def read_apart(self, input_ids: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """What tokens [B, T] with padding behind are to a model that attends to them later: `ReadApart.parts`, each [B, H, T, d]."""

    @abstractmethod
    def forward_tokens(self, model: nn.Module, input_ids: Tensor, mask: Tensor, labels: Tensor):
        """As `forward`, by a model that takes token ids."""

    @abstractmethod
    def generate_tokens(self, model: nn.Module, input_ids: Tensor, mask: Tensor, settings: GenerationConfig,
                        makes_cache: bool) -> Tensor:
        """As `generate`, by a model that takes token ids; `makes_cache` where there is something in its cache from the start."""


class EncoderDecoderFeeding(Feeding):
    """T5, BART and their relatives."""

    def encode(self, embeddings: Tensor, mask: Tensor) -> BaseModelOutput:
        """Encoder states [B, T, D]."""
        return self.base.get_encoder()(inputs_embeds=embeddings, attention_mask=mask)

    def forward(self, embeddings, mask, labels, apart):
        if apart is None:
            return self.base(inputs_embeds=embeddings, attention_mask=mask, labels=labels)
        states, mask = self.encode_with(apart, embeddings, mask)
        return self.base(encoder_outputs=states, attention_mask=mask, labels=labels)

    def generate(self, embeddings, mask, settings, apart):
        states, mask = self.encode_with(apart, embeddings, mask)
        return self.base.generate(encoder_outputs=states, attention_mask=mask, past_key_values=decoding_cache(self.base),
                                  generation_config=settings)

    def encode_with(self, apart: ReadApart | None, embeddings: Tensor, mask: Tensor) -> tuple[BaseModelOutput, Tensor]:
        """What the decoder attends to, behind the encoder's states those that were made apart, and its mask."""
        encoded = self.encode(embeddings, mask)
        if apart is None:
            return encoded, mask
        (further,) = apart.parts
        states = torch.cat((encoded.last_hidden_state, further.squeeze(1).to(encoded.last_hidden_state.dtype)), dim=1)
        return BaseModelOutput(last_hidden_state=states), torch.cat((mask, apart.mask.to(mask.dtype)), dim=1)

    def read_apart(self, input_ids, mask):
        """The encoder's states of each piece of a row by itself."""
        rows, length = input_ids.shape
        pieces = -(-length // min(PIECE, getattr(self.base.config, "max_position_embeddings", PIECE)))
        size = -(-length // max(1, pieces))
        around = (0, pieces * size - length)
        ids = pad(input_ids, around).reshape(rows * pieces, size)
        mask = pad(mask, around).reshape(rows * pieces, size)
        some = mask.any(dim=1)  # a piece of nothing but padding has no attention to compute
        embedding = self.base.get_input_embeddings()
        states = embedding.weight.new_zeros(rows * pieces, size, embedding.weight.shape[1])
        if some.any():
            found = self.encode(embedding(ids[some]), mask[some]).last_hidden_state
            states = states.to(found.dtype)
            states[some] = found
        return (states.reshape(rows, 1, pieces * size, embedding.weight.shape[1])[:, :, :length],)

    def forward_tokens(self, model, input_ids, mask, labels):
        return model(input_ids=input_ids, attention_mask=mask, labels=labels)

    def generate_tokens(self, model, input_ids, mask, settings, makes_cache):
        cache = {} if makes_cache else {"past_key_values": decoding_cache(self.base)}
        return model.generate(**cache, input_ids=input_ids, attention_mask=mask, generation_config=settings)


class DecoderOnlyFeeding(Feeding):
    """Llama, Qwen, StarCoder, GPT-2 and their relatives."""

    def forward(self, embeddings, mask, labels, apart):
        return self._forward(self.base, embeddings, mask, labels, apart)

    def generate(self, embeddings, mask, settings, apart):
        return self._generate(self.base, embeddings, mask, settings, apart)

    def read_apart(self, input_ids, mask):
        """Keys and values of each layer in turn, all in the positions from 0 on."""
        length, cache = input_ids.shape[1], DynamicCache()
        if not length:  # keys and values of no token have a shape all the same
            input_ids, mask = input_ids.new_zeros(len(input_ids), 1), mask.new_ones(len(mask), 1)
        self.base(input_ids=input_ids, attention_mask=mask, past_key_values=cache, use_cache=True, logits_to_keep=1,
                  **self._positions(mask))
        return tuple(tensor[:, :, :length] for layer in cache.layers for tensor in (layer.keys, layer.values))

    def forward_tokens(self, model, input_ids, mask, labels):
        return self._forward(model, self.base.get_input_embeddings()(input_ids), mask, labels)

    def generate_tokens(self, model, input_ids, mask, settings, makes_cache):
        return self._generate(model, self.base.get_input_embeddings()(input_ids), mask, settings)

    def _forward(self, model: nn.Module, embeddings: Tensor, mask: Tensor, labels: Tensor,
                 apart: ReadApart | None = None) -> CausalLMOutput:
        embeddings, mask = moved_to_the_end(embeddings, mask)
        written = labels[:, :-1]  # the last token is never read
        target = self.base.get_input_embeddings()(written.clamp(min=0)).to(embeddings.dtype)
        mask = torch.cat((mask, (written != IGNORED_LABEL).to(mask.dtype)), dim=1)
        # The place before the target's first token predicts it, so as many places count as there are labels.
        logits = model(inputs_embeds=torch.cat((embeddings, target), dim=1), use_cache=False, logits_to_keep=labels.shape[1],
                       **self._behind(apart, mask)).logits
        loss = functional.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORED_LABEL)
        return CausalLMOutput(loss=loss, logits=logits)

    def _generate(self, model: nn.Module, embeddings: Tensor, mask: Tensor, settings: GenerationConfig,
                  apart: ReadApart | None = None) -> Tensor:
        embeddings, mask = moved_to_the_end(embeddings, mask)
        if apart is None or not apart.mask.shape[1]:
            return model.generate(inputs_embeds=embeddings, attention_mask=mask, generation_config=settings)
        named = self._behind(apart, mask)
        # `generate` takes the whole sequence, cuts off as many places in front as the cache holds, and repeats all but the cache
        # for its beams.
        named["past_key_values"].batch_repeat_interleave(settings.num_beams)
        count = apart.mask.shape[1]
        named["position_ids"] = pad(named["position_ids"], (count, 0))
        return model.generate(inputs_embeds=pad(embeddings, (0, 0, count, 0)), generation_config=settings, **named)

    def _behind(self, apart: ReadApart | None, mask: Tensor) -> dict[str, object]:
        """Mask, positions and cache of an input with this mask, behind what was read apart."""
        positions = self._positions(mask)
        if apart is None:
            return {"attention_mask": mask} | positions
        cache = DynamicCache()
        for layer in range(len(apart.parts) // 2):
            cache.update(apart.parts[2 * layer], apart.parts[2 * layer + 1], layer)
        return {"attention_mask": torch.cat((apart.mask.to(mask.dtype), mask), dim=1), "past_key_values": cache,
                "position_ids": positions["position_ids"] + apart.lengths.unsqueeze(1)}

    def _positions(self, mask: Tensor) -> dict[str, Tensor]:
        return {"position_ids": (mask.cumsum(-1) - 1).clamp(min=0)}


class StateSpaceFeeding(DecoderOnlyFeeding):
    """Mamba and its relatives: no positions; padding in front leaves the state at zero."""

    def _positions(self, mask):
        return {}


FEEDINGS = {ENCODER_DECODER: EncoderDecoderFeeding, DECODER_ONLY: DecoderOnlyFeeding, STATE_SPACE: StateSpaceFeeding}


def moved_to_the_end(embeddings: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Embeddings [B, T, D] and mask [B, T] with the padding, which stands behind, moved to the front and set to zero."""
    length = mask.shape[1]
    places = torch.arange(length, device=mask.device) - (length - mask.sum(1, keepdim=True))  # [B, T]
    moved = embeddings.gather(1, places.clamp(min=0)[..., None].expand_as(embeddings))
    present = places >= 0
    return moved * present[..., None].to(moved.dtype), present.to(mask.dtype)


class SharedByBeams(DynamicCache):
    """Keys and values that all beams of an example have in common, those of the encoder's states: when beams change
    places there is nothing to move, which otherwise takes a third of the time of generation on a CPU."""

    def reorder_cache(self, beam_idx: torch.LongTensor) -> None:
        """Leaves all where it is."""


def decoding_cache(model: nn.Module) -> EncoderDecoderCache:
    """An empty cache for `generate` of an encoder-decoder, of one call."""
    return EncoderDecoderCache(DynamicCache(config=model.config), SharedByBeams(config=model.config))
