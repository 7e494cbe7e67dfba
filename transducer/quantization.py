"""Frozen weights in 8 or 4 bits, by bitsandbytes.

::

    8bit     W ~ scale * int8, a scale a row; products in 8 bits, with large inputs apart (LLM.int8)
    4bit     W ~ scale * NF4, a scale for 64 numbers; unpacked for each product (QLoRA)

The projections are quantised one after the other, from the weights as stored, whose fingerprint is taken before. Input
embeddings, heads, norms and what a family names in `kept` stay as they are.
"""
from __future__ import annotations

import logging
import math

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from .errors import BackboneError, DependencyError
from .families import Family

NUMBERS_A_SCALE = 64
"""Of NF4."""
BYTES = {"8bit": 1.0, "4bit": 0.5 + 4 / NUMBERS_A_SCALE}
"""Of a quantised number, with the scales of 4 bits; in 8 bits a row has 4 more."""


def require_library() -> None:
    """Raises DependencyError where bitsandbytes is absent or cannot be imported."""
    try:
        import bitsandbytes  # noqa: F401
    except Exception as error:  # its native library may fail in any way
        raise DependencyError(f"--quantize needs the library bitsandbytes, which cannot be used here ({' '.join(str(error).split())}); "
                              "install it with pip install 'transducer[quantized]', or leave --quantize out") from error


def quantized_names(model: nn.Module, family: Family) -> list[str]:
    """Names of the projections that are quantised: all but heads, tied ones and those that the family keeps."""
    embedding, head = model.get_input_embeddings().weight, model.get_output_embeddings()
    return [name for name, module in model.named_modules()
            if isinstance(module, (nn.Linear, Conv1D)) and module is not head and module.weight is not embedding
            and name.rsplit(".", 1)[-1] not in (*family.kept, *family.read_uncalled)]


def quantize(model: nn.Module, family: Family, bits: str, computed_in: torch.dtype, device: torch.device) -> None:
    """Replaces the projections of a frozen model, which ends up on `device`.

    Args:
        bits: `8bit` or `4bit`.
        computed_in: type of the products of 4-bit weights; those of 8 bits are integers.

    Raises:
        DependencyError: the library is absent, or has no kernels for the device.
        BackboneError: there is nothing to quantise.
    """
    require_library()
    names = quantized_names(model, family)
    if not names:
        raise BackboneError("the model has no projections that can be quantised; leave --quantize out")
    # It tells of every cast to float16, which is how it works.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    try:
        for name in names:
            parent, _, last = name.rpartition(".")
            module = model.get_submodule(name)
            setattr(model.get_submodule(parent), last, _quantized(module, bits, computed_in, device))
        model.to(device)
    except (RuntimeError, NotImplementedError, AttributeError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise DependencyError(f"bitsandbytes cannot quantise to {bits} on {device} ({' '.join(str(error).split())}); install a "
                              "release with kernels for it, or leave --quantize out") from error
    # Under these names transformers and peft look for it.
    setattr(model, f"is_loaded_in_{bits}", True)


def _quantized(module: nn.Module, bits: str, computed_in: torch.dtype, device: torch.device) -> nn.Module:
    import bitsandbytes

    weight = module.weight.data.T if isinstance(module, Conv1D) else module.weight.data
    weight = weight.contiguous()
    rows, columns = weight.shape
    with torch.device("meta"):
        if bits == "8bit":
            made = bitsandbytes.nn.Linear8bitLt(columns, rows, bias=module.bias is not None, has_fp16_weights=False)
        else:
            made = bitsandbytes.nn.Linear4bit(columns, rows, bias=module.bias is not None, compute_dtype=computed_in,
                                              quant_type="nf4", compress_statistics=False)
            # A pass without gradient would pack the weights for good into a form that has no backward pass, and that only
            # widths of whole blocks fit into.
            made.support_avx512bf16_for_cpu = False
    if bits == "8bit":
        made.weight = bitsandbytes.nn.Int8Params(weight.to(torch.float16), requires_grad=False, has_fp16_weights=False)
    else:
        made.weight = bitsandbytes.nn.Params4bit(weight.float(), requires_grad=False, quant_type="nf4", module=made,
                                                 blocksize=NUMBERS_A_SCALE, compress_statistics=False)
    if module.bias is not None:
        made.bias = nn.Parameter(module.bias.data.float(), requires_grad=False)
    return made.to(device).eval()


def quantized_bytes(shape: torch.Size, bits: str) -> int:
    """What a weight [out, in] takes when quantised."""
    scales = 4 * shape[0] if bits == "8bit" else 0
    return math.ceil(math.prod(shape) * BYTES[bits]) + scales
