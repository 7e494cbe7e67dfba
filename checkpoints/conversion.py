"""A GGUF file as a model folder: bfloat16 weights in safetensors, a fast tokenizer, the configuration.

`transformers` reads the file (its 4-bit blocks become floats) and the result is copied into a model of the same
configuration that does not count as quantised, since a quantised one cannot be saved. bfloat16 rounds each weight to 8
bits of mantissa; what the blocks of the file lost against the original stays lost.

Its tokenizers follow the vocabulary and merges of the file, but split text before merging in one way for most families.
`SPLITS` names the way of each splitter that a file may ask for.
"""
from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .errors import FetchDependencyError, FetchError


def _digits_apart() -> Any:
    """Every digit is a token of its own, also after a space; the rest is split as GPT-2 does."""
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

    return Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)])


SPLITS: dict[str, Callable[[], Any] | None] = {"default": None, "gpt-2": None, "smollm": _digits_apart}
"""`tokenizer.ggml.pre` of a file -> what makes its splitter; None where the one that `transformers` builds is right."""


def require_reader() -> None:
    """Raises FetchDependencyError unless GGUF files can be read."""
    if find_spec("gguf") is None:
        raise FetchDependencyError("converting needs the package gguf, which is not installed; "
                                   "run: pip install 'transducer[fetch]' (or: pip install gguf)")


def convert(source: Path, folder: Path) -> dict[str, int | str]:
    """Writes the model in the GGUF file `source` into the empty `folder`; a few facts about it.

    Takes about 6 bytes of memory a parameter.

    Raises:
        FetchError: the file lacks a tensor, or its tokenizer cannot be rebuilt.
    """
    require_reader()
    model = load_model(source)
    tokenizer = build_tokenizer(source, model.config.max_position_embeddings)
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise FetchError(f"the tokenizer of {source.name} has {len(tokenizer):,} entries, its embeddings have {rows:,} rows; "
                         "the file cannot be used")
    plain = unquantised(model)
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    # The writer of weights lets nobody but their owner read them.
    shutil.copymode(folder / "config.json", folder / "model.safetensors")
    return {"parameters": plain.num_parameters(), "layers": plain.config.num_hidden_layers, "width": plain.config.hidden_size,
            "vocabulary": rows, "positions": plain.config.max_position_embeddings,
            "tied": str(bool(plain.config.tie_word_embeddings)).lower()}


def load_model(source: Path) -> Any:
    """The model of a GGUF file in float32, as `transformers` reads it. It cannot be saved."""
    import torch
    from transformers import AutoModelForCausalLM

    model, found = AutoModelForCausalLM.from_pretrained(source.parent, gguf_file=source.name, dtype=torch.float32,
                                                        local_files_only=True, output_loading_info=True)
    if found["missing_keys"]:
        raise FetchError(f"{source.name} lacks {len(found['missing_keys'])} tensors of its architecture, the first is "
                         f"{min(found['missing_keys'])}; the file cannot be used")
    return model


def unquantised(model: Any) -> Any:
    """The same weights in bfloat16, in a model that can be saved."""
    import torch
    from transformers import AutoModelForCausalLM

    config = copy.deepcopy(model.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    plain.load_state_dict(model.state_dict())
    plain.generation_config = model.generation_config
    return plain


def build_tokenizer(source: Path, longest: int) -> Any:
    """The tokenizer of a GGUF file, with its own split of the text, as one that can be saved.

    Raises:
        FetchError: the file asks for a splitter that is not in `SPLITS`.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    wanted = splitter_name(source)
    if wanted not in SPLITS:
        raise FetchError(f"the tokenizer of {source.name} splits text in the way {wanted!r}, expected one of "
                         f"{', '.join(SPLITS)}; add an entry to checkpoints.conversion.SPLITS")
    read = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name, local_files_only=True)
    backend = read.backend_tokenizer
    if SPLITS[wanted]:
        backend.pre_tokenizer = SPLITS[wanted]()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token=read.bos_token, eos_token=read.eos_token, unk_token=read.unk_token,
        pad_token=read.pad_token or read.eos_token, chat_template=read.chat_template, model_max_length=longest,
        clean_up_tokenization_spaces=False)


def splitter_name(source: Path) -> str:
    """`tokenizer.ggml.pre`, "default" where the file does not say."""
    from gguf import GGUFReader

    field = GGUFReader(source).get_field("tokenizer.ggml.pre")
    return str(field.contents()) if field else "default"
