"""The tokenizer of the embedded base model: byte-level BPE trained on code, in the manner of CodeT5's.

Ids 0-4 are `<pad> <s> </s> <unk> <mask>` as in CodeT5 and the last hundred are the sentinels `<extra_id_0..99>`.
Two choices of our own: digits stand alone, so that a number can be copied and changed digit by digit, and an
encoded text ends in `</s>` without a `<s>` in front, as in T5.
"""
from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

SPECIAL_TOKENS = ("<pad>", "<s>", "</s>", "<unk>", "<mask>")
PAD, BOS, EOS, UNK, MASK = range(5)
SENTINEL_COUNT = 100


def sentinel(number: int) -> str:
    return f"<extra_id_{number}>"


def train_tokenizer(texts: Iterable[str], vocabulary_size: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE with `vocabulary_size` entries in all, special tokens and sentinels included."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    ])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size - SENTINEL_COUNT,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=24,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    sentinels = [sentinel(number) for number in range(SENTINEL_COUNT)]
    tokenizer.add_special_tokens(sentinels)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", EOS)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        mask_token="<mask>", extra_special_tokens=sentinels, clean_up_tokenization_spaces=False,
    )
