"""How input embeddings go into a frozen model and an answer comes out, by kind of model.

::

    encoder-decoder     encoder: E'                               decoder: target, shifted right
    decoder-only        E' then the embeddings of the target      loss at the target's places alone

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
from transformers import GenerationConfig
from transformers.cache_utils import DynamicCache, EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput, CausalLMOutput

from .errors import BackboneError
from .families import DECODER_ONLY, ENCODER_DECODER, STATE_SPACE
from .fusion.base import FurtherStates
from .tensors import IGNORED_LABEL


class Feeding(ABC):
    """Runs a language model, which may be `base` or a wrapper around it, on embeddings or on tokens.

    Args:
        base: the model whose input embeddings are meant.
    """

    def __init__(self, base: nn.Module):
        self.base = base

    @abstractmethod
    def forward(self, embeddings: Tensor, mask: Tensor, labels: Tensor, further: FurtherStates | None):
        """`loss` (nats, mean over target tokens) and `logits` [B, L, V] of labels [B, L]; `further` is for a decoder that reads
        an encoder's states."""

    @abstractmethod
    def generate(self, embeddings: Tensor, mask: Tensor, settings: GenerationConfig, further: FurtherStates | None) -> Tensor:
        """Generated ids [B, <= max_new_tokens + 1]."""

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

    def forward(self, embeddings, mask, labels, further):
        if further is None:
            return self.base(inputs_embeds=embeddings, attention_mask=mask, labels=labels)
        states, mask = self.encode_with(further, embeddings, mask)
        return self.base(encoder_outputs=states, attention_mask=mask, labels=labels)

    def generate(self, embeddings, mask, settings, further):
        states, mask = self.encode_with(further, embeddings, mask)
        return self.base.generate(encoder_outputs=states, attention_mask=mask, past_key_values=decoding_cache(self.base),
                                  generation_config=settings)

    def encode_with(self, further: FurtherStates | None, embeddings: Tensor, mask: Tensor) -> tuple[BaseModelOutput, Tensor]:
        """What the decoder attends to, behind the encoder's states those that are given beside them, and its mask."""
        encoded = self.encode(embeddings, mask)
        if further is None:
            return encoded, mask
        states = torch.cat((encoded.last_hidden_state, further.states.to(encoded.last_hidden_state.dtype)), dim=1)
        return BaseModelOutput(last_hidden_state=states), torch.cat((mask, further.mask.to(mask.dtype)), dim=1)

    def forward_tokens(self, model, input_ids, mask, labels):
        return model(input_ids=input_ids, attention_mask=mask, labels=labels)

    def generate_tokens(self, model, input_ids, mask, settings, makes_cache):
        cache = {} if makes_cache else {"past_key_values": decoding_cache(self.base)}
        return model.generate(**cache, input_ids=input_ids, attention_mask=mask, generation_config=settings)


class DecoderOnlyFeeding(Feeding):
    """Llama, Qwen, StarCoder, GPT-2 and their relatives."""

    def forward(self, embeddings, mask, labels, further):
        self._take_none(further)
        return self._forward(self.base, embeddings, mask, labels)

    def generate(self, embeddings, mask, settings, further):
        self._take_none(further)
        return self._generate(self.base, embeddings, mask, settings)

    def _take_none(self, further: FurtherStates | None) -> None:
        if further is not None:
            raise BackboneError("a model without an encoder has no place for further states; leave the part 'beyond' out of --fusion")

    def forward_tokens(self, model, input_ids, mask, labels):
        return self._forward(model, self.base.get_input_embeddings()(input_ids), mask, labels)

    def generate_tokens(self, model, input_ids, mask, settings, makes_cache):
        return self._generate(model, self.base.get_input_embeddings()(input_ids), mask, settings)

    def _forward(self, model: nn.Module, embeddings: Tensor, mask: Tensor, labels: Tensor) -> CausalLMOutput:
        embeddings, mask = moved_to_the_end(embeddings, mask)
        written = labels[:, :-1]  # the last token is never read
        target = self.base.get_input_embeddings()(written.clamp(min=0)).to(embeddings.dtype)
        mask = torch.cat((mask, (written != IGNORED_LABEL).to(mask.dtype)), dim=1)
        # The place before the target's first token predicts it, so as many places count as there are labels.
        logits = model(inputs_embeds=torch.cat((embeddings, target), dim=1), attention_mask=mask, use_cache=False,
                       logits_to_keep=labels.shape[1], **self._positions(mask)).logits
        loss = functional.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORED_LABEL)
        return CausalLMOutput(loss=loss, logits=logits)

    def _generate(self, model: nn.Module, embeddings: Tensor, mask: Tensor, settings: GenerationConfig) -> Tensor:
        embeddings, mask = moved_to_the_end(embeddings, mask)
        return model.generate(inputs_embeds=embeddings, attention_mask=mask, generation_config=settings)

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
