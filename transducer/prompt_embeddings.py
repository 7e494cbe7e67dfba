"""Fused prompt embeddings as a file, for servers that take embeddings in place of a prompt.

::

    OUT.safetensors     one tensor a request: its id -> E' [sequence, hidden], float32
                        metadata "prompt_embeddings": what made it, as JSON

`E'` is what the frozen model reads: graph-made prompts first, then the fused embeddings of the tokens, without padding. That
is the form of vLLM's `prompt_embeds` (https://docs.vllm.ai/en/latest/features/prompt_embeds): a floating-point tensor of
shape (sequence length, hidden size), passed as `{"prompt_embeds": tensor}` to `LLM.generate` of a model that was started with
`enable_prompt_embeds`, or in a request to its server, there as the base64 form of a saved torch tensor. The server casts it to
the model's own type.

Decoder-only models alone can be served so. The embeddings of an encoder-decoder go into its encoder, and vLLM has no
text encoder-decoders any more (its pull request 24907).
"""
from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import BackboneError, DataError

if TYPE_CHECKING:
    from torch import Tensor

    from tasks import Task

    from .adapted_model import InputModel
    from .backbone import Backbone
    from .prepare import Preparer

METADATA = "prompt_embeddings"
SCHEMA = 1
TYPES = ("torch.float32", "torch.bfloat16", "torch.float16")
"""What servers take."""
RESERVED = "__metadata__"


@dataclass(frozen=True)
class Request:
    """One prompt: a source and its language, by an id."""

    id: str
    source: str
    language: str


def read_requests(path: Path, task: Task, language: str = "") -> list[Request]:
    """The requests of a file of JSON lines with `source` and, optionally, `id` (else the line's number) and `language`.

    Args:
        language: of rows without one.

    Raises:
        DataError: the file or a line cannot be used; the message names the line.
    """
    from .results import complete_lines

    requests: dict[str, Request] = {}
    remedy = 'give a file of JSON lines such as {"id": "1", "source": "...", "language": "java"}'
    for number, row in complete_lines(path, "request", remedy):
        place = f"{path}, line {number}"
        source, name, spoken = row.get("source"), str(row.get("id", number)), row.get("language") or language
        if not isinstance(source, str) or not source:
            found = "empty" if source == "" else type(source).__name__
            raise DataError(f'{place}: "source" is {found}, expected text; give the code there')
        if not spoken:
            raise DataError(f'{place} states no "language"; put one there, or give --language, one of: {", ".join(task.languages)}')
        if name in requests or name in ("", RESERVED):
            raise DataError(f"{place}: the id {name!r} {'stands on an earlier line too' if name in requests else 'cannot be used'}; "
                            "give each request an id of its own")
        task.check_language(spoken)
        requests[name] = Request(name, source, spoken)
    if not requests:
        raise DataError(f"{path} holds no requests; give JSON lines, each with its line end")
    return list(requests.values())


def check_servable(backbone: Backbone) -> None:
    """Raises BackboneError where no server takes prompt embeddings for a model."""
    if backbone.encoder_decoder:
        family = backbone.model.config.model_type
        raise BackboneError(
            f"prompt embeddings cannot be served for {backbone.name}: it is an encoder-decoder ({family}), whose embeddings go "
            "into its encoder, and servers take them for decoder-only models alone; answer with transducer.predict, or export a "
            "transducer of a decoder-only model")


def check_carries_all(model: InputModel) -> None:
    """Raises BackboneError for a transducer of which prompt embeddings are only a part."""
    from .fusion import INPUT_FUSION

    inside = ((model.fusion.scales, "multiplies signals inside the model"), (model.fusion.beyond, "gives it keys and values"),
              (model.fusion.bottlenecks, "adds to the outputs of its blocks"))
    for found, what in inside:
        if found is not None:
            raise BackboneError(f"the fusion {model.settings.fusion!r} also {what}, which no prompt embeddings can carry; train with "
                                f"--fusion {INPUT_FUSION} for such servers")


def fused_prompts(model: InputModel, preparer: Preparer, requests: Sequence[Request], progress: bool = False) -> dict[str, Tensor]:
    """Id -> fused embeddings [sequence, hidden] of each request, made alone, on the CPU.

    All are held in memory: 4 bytes times the tokens and prompts times the hidden size.
    """
    import torch

    from .prepare import PreparationReport
    from .progress import progress_bar
    from .tensors import Collator

    collate, report, found = Collator(0), PreparationReport(), {}
    model.eval()
    for request in progress_bar(requests, shown=progress, desc="embeddings", unit="request"):
        prepared = preparer.model_input(request.source, request.language, report)[1]
        batch = {name: tensor.to(model.backbone.device) for name, tensor in collate([prepared]).items()}
        with torch.no_grad():
            embeddings, mask, *_ = model.fused(**batch)
        found[request.id] = embeddings[0][mask[0].bool()].float().cpu().contiguous()
    return found


def write_prompt_embeddings(path: Path, embeddings: Mapping[str, Tensor], facts: Mapping[str, object]) -> None:
    """Writes the file whole or not at all, after it was read back and checked.

    Args:
        facts: what made the embeddings; stands in the file's metadata.
    """
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        save_file(dict(embeddings), temporary, metadata={METADATA: json.dumps({"schema": SCHEMA, **facts}, sort_keys=True)})
        read_prompt_embeddings(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_prompt_embeddings(path: Path, width: int | None = None) -> tuple[dict[str, Tensor], dict]:
    """(id -> embeddings, what made them) of a file, checked as a server should: one that is sent another shape may crash.

    Args:
        width: hidden size of the model that is to read them; None: only that all have the same.

    Raises:
        DataError: no such file, of another kind or damaged, or a tensor that is not floating-point, not [sequence, hidden], of
            another hidden size, or not finite everywhere.
    """
    from safetensors import SafetensorError, safe_open

    again = "write the file again with transducer.export --embeddings"
    if not path.is_file():
        raise DataError(f"no file {path}; give one that transducer.export --embeddings wrote")
    try:
        with safe_open(path, framework="pt") as stored:
            facts = json.loads((stored.metadata() or {}).get(METADATA, "null"))
            embeddings = {name: stored.get_tensor(name) for name in stored.keys()}
    except (SafetensorError, ValueError) as error:
        raise DataError(f"{path} is truncated or no safetensors file ({' '.join(str(error).split())}); {again}") from error
    if not isinstance(facts, dict) or not embeddings:
        raise DataError(f"{path} holds no prompt embeddings (no {METADATA} in its metadata, or no tensors); {again}")
    if facts.get("schema") != SCHEMA:
        raise DataError(f"{path} is of schema {facts.get('schema')!r}, this release reads {SCHEMA}; {again}")
    for name, tensor in embeddings.items():
        place = f"{path}, request {name!r}"
        if str(tensor.dtype) not in TYPES:
            raise DataError(f"{place} is of type {tensor.dtype}, expected one of {', '.join(TYPES)}; {again}")
        if tensor.dim() != 2 or not len(tensor):
            raise DataError(f"{place} has the shape {tuple(tensor.shape)}, expected (sequence, hidden) with at least one place; {again}")
        wanted = width or next(iter(embeddings.values())).shape[-1]
        if tensor.shape[1] != wanted:
            raise DataError(f"{place} has the hidden size {tensor.shape[1]}, expected {wanted}"
                            + (" as the model's; export for that model" if width else f" as the others; {again}"))
        if not bool(tensor.isfinite().all()):
            raise DataError(f"{place} has numbers that are not finite; check the transducer with python -m transducer verify")
    return embeddings, facts
