"""A tiny random model of every family, with a tokenizer of the kind that the family comes with."""
from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, PreTrainedTokenizerFast

from checkpoints.tokenizer import train_tokenizer
from tests.transducer import tiny
from transducer.families import ENCODER_DECODER, FAMILIES

WIDTH = 32
_LLAMA = {"hidden_size": WIDTH, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
          "num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 512}
_GPT2 = {"n_embd": WIDTH, "n_inner": 64, "n_layer": 2, "n_head": 2, "n_positions": 512}
_BART = {"d_model": WIDTH, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
         "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_position_embeddings": 512, "forced_eos_token_id": None}
_MAMBA = {"hidden_size": WIDTH, "num_hidden_layers": 2, "state_size": 8}
SHAPES = {
    "t5": {"d_model": WIDTH, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 2},
    "bart": _BART, "plbart": _BART,
    "gpt2": _GPT2, "gpt_bigcode": _GPT2,
    "mamba": _MAMBA, "mamba2": _MAMBA | {"expand": 2, "head_dim": 16, "num_heads": 4, "n_groups": 1, "chunk_size": 16},
    "falcon_mamba": _MAMBA,
    "jamba": _LLAMA | {"attn_layer_period": 2, "attn_layer_offset": 1, "num_experts": 1, "mamba_d_state": 8,
                       "mamba_dt_rank": 4, "use_mamba_kernels": False},
    "granitemoehybrid": _LLAMA | {"layer_types": ["mamba", "attention"], "mamba_n_heads": 4, "mamba_d_head": 16,
                                  "mamba_d_state": 8, "mamba_chunk_size": 16, "shared_intermediate_size": 64,
                                  "num_local_experts": 0},
}
"""Sizes by model type; those of Llama for all others."""

MIDDLE_MARKS = ("<fim_prefix>", "<fim_suffix>", "<fim_middle>")


def causal_tokenizer(marks: tuple[str, ...] = ()) -> PreTrainedTokenizerFast:
    """Byte-level BPE without padding and without anything around a text, as GPT-2's and StarCoder's."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    texts = [text for example in tiny.examples(48) for text in (example.source, example.target)]
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=560, special_tokens=["<|endoftext|>", *marks], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>", bos_token="<|endoftext|>",
                                   unk_token="<|endoftext|>", clean_up_tokenization_spaces=False)


def write_family(folder: Path, model_type: str, marks: tuple[str, ...] = (), seed: int = 0) -> Path:
    """A folder with a random model of a family and its tokenizer; its weights are large enough to tell inputs apart."""
    encoder_decoder = FAMILIES[model_type].kind == ENCODER_DECODER
    if encoder_decoder:
        texts = [text for example in tiny.examples(48) for text in (example.source, example.target)]
        tokenizer = train_tokenizer(texts, 600)
    else:
        tokenizer = causal_tokenizer(marks)
    torch.manual_seed(seed)
    end = tokenizer.eos_token_id
    ids = {"eos_token_id": end, "bos_token_id": tokenizer.bos_token_id,
           "pad_token_id": tokenizer.pad_token_id if encoder_decoder else None}
    if encoder_decoder:
        ids["decoder_start_token_id"] = tokenizer.pad_token_id if model_type == "t5" else end
    config = AutoConfig.for_model(model_type, vocab_size=len(tokenizer), **SHAPES.get(model_type, _LLAMA), **ids)
    loader = AutoModelForSeq2SeqLM if encoder_decoder else AutoModelForCausalLM
    model = loader.from_config(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 2 and "conv" not in name:
                parameter.mul_(4.0)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
