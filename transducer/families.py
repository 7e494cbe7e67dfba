"""Families of language models: the facts that loading, feeding and adapting them need. Adding a family is one entry.

The key is the `model_type` of a model's `config.json`.
"""
from __future__ import annotations

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
        updated: names of the projections that low-rank updates change unless others are asked for.
        scaled: names of the projections that IA3 and a transducer's part `scales` multiply: keys, values, feed-forward
            blocks, what goes into a state space; and
        scaled_inside: those of them whose input is multiplied, the inside of feed-forward blocks.
        read_uncalled: names of the projections that the model, or a fused kernel of it, reads without calling them, so that
            an update beside them is not seen.
        kept: names of further projections that are never quantised.
    """

    kind: str
    blocks: str
    updated: tuple[str, ...]
    scaled: tuple[str, ...] = ()
    scaled_inside: tuple[str, ...] = ()
    read_uncalled: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


_LLAMA = Family(DECODER_ONLY, r"\.(self_attn|mlp)$", ("q_proj", "v_proj"), ("k_proj", "v_proj", "down_proj"), ("down_proj",))
_GPT2 = Family(DECODER_ONLY, r"\.(attn|mlp)$", ("c_attn",), ("c_attn", "mlp.c_proj"), ("mlp.c_proj",))
_BART = Family(ENCODER_DECODER, r"\.(self_attn|encoder_attn|fc2)$", ("q_proj", "v_proj"), ("k_proj", "v_proj", "fc2"), ("fc2",))
# Mamba multiplies with dt_proj's weight itself; peft refuses out_proj, which its fused kernels in training mode read.
_MAMBA = Family(STATE_SPACE, r"\.mixer$", ("in_proj", "x_proj"), ("in_proj",), read_uncalled=("dt_proj", "out_proj"))
_MAMBA2 = Family(STATE_SPACE, r"\.mixer$", ("in_proj",), ("in_proj",), read_uncalled=("out_proj",))

FAMILIES = {
    # The inputs of wo overflow in the float16 that 8-bit products go through.
    "t5": Family(ENCODER_DECODER, r"\.(SelfAttention|EncDecAttention|DenseReluDense)$", ("q", "v"), ("k", "v", "wo"), ("wo",),
                 kept=("wo",)),
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
    "jamba": Family(DECODER_ONLY, r"\.(mamba|self_attn|feed_forward)$", ("q_proj", "v_proj", "in_proj"), ("k_proj", "v_proj", "in_proj")),
    "granitemoehybrid": Family(DECODER_ONLY, r"\.(mamba|self_attn|shared_mlp)$", ("q_proj", "v_proj", "in_proj"),
                              ("k_proj", "v_proj", "in_proj")),
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
