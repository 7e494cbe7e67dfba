"""Families of language models: the facts that loading, feeding and adapting them need. Adding a family is one entry.

The key is the `model_type` of a model's `config.json`.
"""
from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import BackboneError

ENCODER_DECODER, DECODER_ONLY, STATE_SPACE = KINDS = ("encoder-decoder", "decoder-only", "state-space")


@dataclass(frozen=True)
class Family:
    """Facts of one family.

    Attributes:
        kind: one of `KINDS`: how embeddings go in and text comes out (`feeding`).
        blocks: regular expression of the names of the blocks whose output, or its first part, is added to the residual
            stream [B, T, D]: attention, feed-forward, mixers.
        writers: that of those behind which a transducer's part `bottlenecks` adds something; None: all blocks.
        updated: names of the projections that low-rank updates change unless others are asked for.
        scaled: names of the projections that IA3 multiplies: keys, values, feed-forward blocks, what goes into a state space;
            and
        scaled_inside: those of them whose input is multiplied, the inside of feed-forward blocks.
        places: regular expressions of the names of the projections whose output, and of those whose input, a transducer's
            part `scales` multiplies; None: those of IA3.
        read_uncalled: names of the projections that the model, or a fused kernel of it, reads without calling them, so that
            an update beside them is not seen.
        kept: names of further projections that are never quantised.
        learned_positions: whether each place of an input has a trained vector, so that there are only as many places as
            `max_position_embeddings` of the model's configuration says.
        reads_apart: whether all layers attend to single tokens, so that some of those that it has read can be handed to it
            later; False where a layer keeps one state of them all.
    """

    kind: str
    blocks: str
    updated: tuple[str, ...]
    scaled: tuple[str, ...] = ()
    scaled_inside: tuple[str, ...] = ()
    places: tuple[str, str] | None = None
    writers: str | None = None
    read_uncalled: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    learned_positions: bool = False
    reads_apart: bool = True

    def place(self, name: str) -> str | None:
        """Whether a transducer multiplies the "output" or the "input" of the projection `name`; None: neither."""
        output, inside = self.places or (_ending_in(self.scaled), _ending_in(self.scaled_inside))
        return "input" if re.search(inside, name) else "output" if re.search(output, name) else None

    def writes(self, name: str) -> bool:
        """Whether a transducer may add something behind the module `name`."""
        return re.search(self.writers or self.blocks, name) is not None


def _ending_in(names: tuple[str, ...]) -> str:
    """Regular expression of names whose last parts are one of `names`, of nothing where there are none."""
    return rf"(^|\.)({'|'.join(map(re.escape, names))})$" if names else r"(?!)"


# An encoder-decoder's attention to the source is multiplied at its queries and at what goes into its output projection. By
# algebra that is the same as at keys and values, and there are fewer tokens of the target than of the source. The encoder's
# feed-forward blocks, its widest signals, are left out: with them a step on the embedded model takes 1.37 times as long, and
# the loss on validation is level (one seed, sizes within the same budget: 1.350 with them, 1.360 without).
_T5_PLACES = (r"\.SelfAttention\.[kv]$|\.EncDecAttention\.q$", r"\.EncDecAttention\.o$|decoder\..*\.wo$")
_BART_PLACES = (r"\.self_attn\.[kv]_proj$|\.encoder_attn\.q_proj$", r"\.encoder_attn\.out_proj$|decoder\..*\.fc2$")

# Behind the decoder's attention to the source they bring nothing beside its own attention and feed-forward blocks.
_T5_WRITERS = r"decoder\..*\.(SelfAttention|DenseReluDense)$"
_BART_WRITERS = r"decoder\..*\.(self_attn|fc2)$"

_LLAMA = Family(DECODER_ONLY, r"\.(self_attn|mlp)$", ("q_proj", "v_proj"), ("k_proj", "v_proj", "down_proj"), ("down_proj",))
_GPT2 = Family(DECODER_ONLY, r"\.(attn|mlp)$", ("c_attn",), ("c_attn", "mlp.c_proj"), ("mlp.c_proj",),
               learned_positions=True)
_BART = Family(ENCODER_DECODER, r"\.(self_attn|encoder_attn|fc2)$", ("q_proj", "v_proj"), ("k_proj", "v_proj", "fc2"), ("fc2",),
               places=_BART_PLACES, writers=_BART_WRITERS, learned_positions=True)
# Mamba multiplies with dt_proj's weight itself; peft refuses out_proj, which its fused kernels in training mode read.
_MAMBA = Family(STATE_SPACE, r"\.mixer$", ("in_proj", "x_proj"), ("in_proj",), read_uncalled=("dt_proj", "out_proj"), reads_apart=False)
_MAMBA2 = Family(STATE_SPACE, r"\.mixer$", ("in_proj",), ("in_proj",), read_uncalled=("out_proj",), reads_apart=False)

FAMILIES = {
    # The inputs of wo overflow in the float16 that 8-bit products go through.
    "t5": Family(ENCODER_DECODER, r"\.(SelfAttention|EncDecAttention|DenseReluDense)$", ("q", "v"), ("k", "v", "wo"), ("wo",),
                 places=_T5_PLACES, writers=_T5_WRITERS, kept=("wo",)),
    "bart": _BART,
    "plbart": _BART,
    "llama": _LLAMA,  # CodeLlama, DeepSeek-Coder, SmolLM2, Yi-Coder, granite-code
    "mistral": _LLAMA,
    "qwen2": _LLAMA,  # Qwen2.5-Coder
    "qwen3": _LLAMA,
    "gemma": _LLAMA,  # CodeGemma
    "gemma2": _LLAMA,
    "gemma3_text": _LLAMA,
    "granite": _LLAMA,
    "phi3": Family(DECODER_ONLY, r"\.(self_attn|mlp)$", ("qkv_proj",), ("qkv_proj", "down_proj"), ("down_proj",)),
    "starcoder2": Family(DECODER_ONLY, r"\.(self_attn|mlp)$", ("q_proj", "v_proj"), ("k_proj", "v_proj", "c_proj"), ("c_proj",)),
    "phi": Family(DECODER_ONLY, r"\.(self_attn|mlp)$", ("q_proj", "v_proj"), ("k_proj", "v_proj", "fc2"), ("fc2",)),
    "gpt2": _GPT2,
    "gpt_bigcode": _GPT2,  # StarCoder, SantaCoder
    "mamba": _MAMBA,
    "mamba2": _MAMBA2,
    "falcon_mamba": _MAMBA,
    # Hybrids of attention and Mamba. Bamba, Falcon-H1 and Zamba are none of them: transformers cannot generate from
    # embeddings with these.
    "jamba": Family(DECODER_ONLY, r"\.(mamba|self_attn|feed_forward)$", ("q_proj", "v_proj", "in_proj"), ("k_proj", "v_proj", "in_proj"),
                    reads_apart=False),
    "granitemoehybrid": Family(DECODER_ONLY, r"\.(mamba|self_attn|shared_mlp)$", ("q_proj", "v_proj", "in_proj"),
                              ("k_proj", "v_proj", "in_proj"), reads_apart=False),
}


def family_of(model_type: str, name: str) -> Family:
    """The facts for a `model_type`.

    Raises:
        BackboneError: there are none; which ones are needed, and where they go.
    """
    if model_type not in FAMILIES:
        raise BackboneError(f"model {name!r} is of the family {model_type!r}, which is not supported; expected one of: "
                            f"{', '.join(FAMILIES)}. To add it, add an entry to transducer.families.FAMILIES: its kind, the "
                            "names of its blocks, and the projections that LoRA and IA3 change")
    return FAMILIES[model_type]
