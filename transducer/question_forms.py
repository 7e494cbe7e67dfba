"""How a model is asked: the marks around a source that say where the answer belongs, in the form the model was pre-trained on.

::

    gap filling by sentinel     before <extra_id_0> after </s>                           -> <extra_id_0> answer </s>
    gap filling by mask         before <mask> after </s>                                 -> answer </s>
    gap filling in the middle   <fim_prefix> before <fim_suffix> after <fim_middle>      -> answer </s>
    continuation                source, placeholder and all, and a line that asks        -> answer </s>

The first is that of T5 (Raffel et al., 2020), the second of BART, the third of decoder-only code models (Bavarian et al.,
2022); a decoder-only model without such marks continues. Which one holds is told by the marks in the tokenizer.
"""
from __future__ import annotations

from dataclasses import dataclass

from .errors import BackboneError

SENTINEL = "<extra_id_0>"
MIDDLE_MARKS = (
    ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),    # Qwen2.5-Coder, CodeGemma
    ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),          # StarCoder, StarCoder2
    ("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),          # SantaCoder
    ("▁<PRE>", "▁<SUF>", "▁<MID>"),                            # CodeLlama
    ("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),      # DeepSeek-Coder
)
"""Marks of decoder-only code models: in front of the text before the gap, at the gap, at the end."""


@dataclass(frozen=True)
class QuestionForm:
    """Marks around a source as token ids.

    Attributes:
        opening: in front of everything.
        gap: where the answer belongs; None: the placeholder stays as text, and a line behind the source asks.
        closing: behind everything.
        gap_in_target: whether the target begins with the gap's mark.
        ends: ids at which an answer ends, whether or not it was pre-trained to end there.
    """

    opening: tuple[int, ...]
    gap: int | None
    closing: tuple[int, ...]
    gap_in_target: bool
    ends: frozenset[int]


def question_form(tokenizer, encoder_decoder: bool, asks: bool) -> QuestionForm:
    """The form for a tokenizer and a kind of model.

    Args:
        asks: whether the task has a place where the answer belongs; without one, an encoder-decoder needs no mark.

    Raises:
        BackboneError: the tokenizer lacks what the kind of model needs.
    """
    if tokenizer.eos_token_id is None:
        raise BackboneError("the tokenizer has no end mark (eos_token), by which an answer ends; use a model folder whose "
                            "tokenizer_config.json names one")
    return _encoder_decoder(tokenizer, asks) if encoder_decoder else _decoder_only(tokenizer)


def _encoder_decoder(tokenizer, asks: bool) -> QuestionForm:
    around = tokenizer("")["input_ids"]
    if not around or around[-1] != tokenizer.eos_token_id:
        raise BackboneError(f"the tokenizer ends a text with ids {around[-1:]}, expected its end mark "
                            f"{tokenizer.eos_token!r} ({tokenizer.eos_token_id}) as tokenizers of encoder-decoders do")
    opening, closing = tuple(around[:-1]), tuple(around[-1:])
    sentinels = [_id(tokenizer, f"<extra_id_{number}>") for number in range(100)]
    if sentinels[0] is not None:
        return QuestionForm(opening, sentinels[0], closing, True, frozenset(sentinels) - {None})
    if asks and tokenizer.mask_token_id is None:
        raise BackboneError(f"the tokenizer has neither {SENTINEL} nor a mask, one of which stands where the answer belongs; "
                            "use a model pre-trained to fill gaps (T5, CodeT5, CodeT5+, BART, PLBART)")
    return QuestionForm(opening, tokenizer.mask_token_id, closing, False, frozenset())


def _decoder_only(tokenizer) -> QuestionForm:
    around = tuple(tokenizer("")["input_ids"])
    opening = around[:-1] if around[-1:] == (tokenizer.eos_token_id,) and tokenizer.bos_token_id != tokenizer.eos_token_id else around
    for marks in MIDDLE_MARKS:
        before, gap, end = (_id(tokenizer, mark) for mark in marks)
        if None not in (before, gap, end):
            return QuestionForm((*opening, before), gap, (end,), False, frozenset((before, gap, end)))
    return QuestionForm(opening, None, (), False, frozenset())


def _id(tokenizer, token: str) -> int | None:
    number = tokenizer.convert_tokens_to_ids(token)
    return None if number == tokenizer.unk_token_id else number
