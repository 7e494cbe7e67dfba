"""The work behind `pretrain`: model, optimizers, steps, checkpoints and the loop over them."""
from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from .errors import PretrainingError
from .files import write_whole
from .initialisation import start_with_copying
from .model_card import STAGES_FILE, write_model_folder
from .objectives import IGNORED_LABEL, OBJECTIVES, Vocabulary, layout_of, make_example, objective_shares, step_objectives
from .streams import Streams
from .tokenizer import EOS, PAD

if TYPE_CHECKING:
    from .pretrain import Recipe

WARMUP_SHARE = 0.02
DECAY_SHARE = 0.4


def take_over(model_folder: Path, work: Path) -> int:
    """Tokenizer and history of the model that a further stage starts from, copied to its work folder; number of stages.

    Raises:
        PretrainingError: the folder holds no model that `pretrain` has exported.
    """
    missing = [name for name in ("config.json", "model.safetensors", "tokenizer.json", STAGES_FILE) if not (model_folder / name).is_file()]
    if missing:
        raise PretrainingError(f"{model_folder} is no model to start from: it has no {missing[0]}; give --start a folder that "
                               "python -m checkpoints.pretrain --export has written")
    if not (work / STAGES_FILE).exists():
        work.mkdir(parents=True, exist_ok=True)
        PreTrainedTokenizerFast.from_pretrained(model_folder).save_pretrained(work / "tokenizer")
        shutil.copy(model_folder / STAGES_FILE, work / STAGES_FILE)
    return len(json.loads((work / STAGES_FILE).read_text(encoding="utf-8")))


def build_model(recipe: Recipe, vocabulary_size: int) -> T5ForConditionalGeneration:
    torch.manual_seed(recipe.seed)
    model = T5ForConditionalGeneration(T5Config(
        vocab_size=vocabulary_size, d_model=recipe.width, d_kv=recipe.width // recipe.heads, d_ff=recipe.feed_forward,
        num_layers=recipe.encoder_layers, num_decoder_layers=recipe.decoder_layers, num_heads=recipe.heads,
        feed_forward_proj="relu", dropout_rate=0.0, decoder_start_token_id=PAD, pad_token_id=PAD, eos_token_id=EOS,
        tie_word_embeddings=True,
    ))
    start_with_copying(model)
    return model


def build_optimizers(model: T5ForConditionalGeneration, recipe: Recipe) -> dict[str, torch.optim.Optimizer]:
    queries, matrices, others = [], [], []
    for name, parameter in model.named_parameters():
        inside_layer = parameter.ndim == 2 and "block" in name and "relative_attention_bias" not in name
        (others if not inside_layer else queries if name.endswith(".q.weight") else matrices).append(parameter)
    # T5 does not divide attention scores by the square root of the head's width: it starts queries that much smaller,
    # and their rate has to be smaller in proportion, or attention saturates within a few hundred steps.
    return {
        "muon": torch.optim.Muon([{"params": matrices, "lr": recipe.rates * recipe.muon_rate},
                                  {"params": queries, "lr": recipe.rates * recipe.query_rate}],
                                 weight_decay=recipe.weight_decay, momentum=0.95, adjust_lr_fn="match_rms_adamw"),
        "adam": torch.optim.AdamW(others, lr=recipe.rates * recipe.adam_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    }


def rate_factor(progress: float) -> float:
    """Multiplier of the learning rates after a share `progress` of the time: warm-up, constant, linear to zero."""
    return max(0.0, min(1.0, progress / WARMUP_SHARE + 0.02, (1.0 - progress) / DECAY_SHARE))


def set_rates(optimizers: dict[str, torch.optim.Optimizer], base_rates: dict[str, list[float]], factor: float) -> None:
    for kind, optimizer in optimizers.items():
        for group, rate in zip(optimizer.param_groups, base_rates[kind]):
            group["lr"] = rate * factor


def descend(model: torch.nn.Module, optimizers: dict[str, torch.optim.Optimizer], loss: torch.Tensor) -> float:
    """One step down the loss, gradients clipped at norm 1; the loss."""
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimizer in optimizers.values():
        optimizer.step()
        optimizer.zero_grad()
    return loss.item()


def training_batch(streams: Streams, vocabulary: Vocabulary, recipe: Recipe, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(encoder input, labels) of a step: a function of seed and step alone, so a resumed run sees the same."""
    random = np.random.default_rng([recipe.seed, step])
    shares = objective_shares(step, trained=bool(recipe.start))
    return _stacked([
        make_example(streams.window(layout_of(objective).window, random), objective, vocabulary, random)
        for objective in step_objectives(recipe.batch, shares, random)
    ])


def _stacked(examples: list[tuple[np.ndarray, np.ndarray]]) -> tuple[torch.Tensor, torch.Tensor]:
    return tuple(torch.from_numpy(np.stack(side)) for side in zip(*examples))


def loss_of(model, source: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return model(input_ids=source, attention_mask=(source != PAD).long(), labels=labels).loss


@torch.no_grad()
def heldout_losses(model, streams: Streams, vocabulary: Vocabulary, windows: int = 16, make=make_example) -> dict[str, float]:
    """Nats per target token on held-out documents, per stream and objective, with the same corruption every time, by `make`."""
    losses = {}
    for name in streams.names:
        for objective in OBJECTIVES:
            kept = streams.heldout_windows(name, layout_of(objective).window, windows)
            random = np.random.default_rng([1, len(losses)])
            total = count = 0.0
            for first in range(0, len(kept), 32):
                examples = [make(window, objective, vocabulary, random) for window in kept[first:first + 32]]
                source, labels = _stacked(examples)
                tokens = int((labels != -100).sum())
                total += float(loss_of(model, source, labels)) * tokens
                count += tokens
            if count:
                losses[f"{name}/{objective}"] = total / count
    return losses


def save_checkpoint(path: Path, model, optimizers: dict, state: dict) -> None:
    """Weights, optimiser state and counters in one safetensors file, written whole or not at all."""
    tensors = {f"model.{name}": tensor for name, tensor in model.named_parameters()}
    for kind, optimizer in optimizers.items():
        for index, entry in optimizer.state_dict()["state"].items():
            tensors |= {f"{kind}.{index}.{key}": value for key, value in entry.items()}
    temporary = path.with_suffix(".tmp")
    save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, temporary,
              metadata={"state": json.dumps(state)})
    temporary.replace(path)


def load_checkpoint(path: Path, model, optimizers: dict) -> dict:
    """Restores what `save_checkpoint` wrote; counters at zero where there is no checkpoint."""
    if not path.exists():
        return {"step": 0, "seconds": 0.0, "tokens": 0}
    from safetensors import safe_open

    tensors = load_file(path)
    with safe_open(path, "pt") as file:
        state = json.loads(file.metadata()["state"])
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(tensors[f"model.{name}"])
    for kind, optimizer in optimizers.items():
        entries: dict[int, dict] = {}
        for name, tensor in tensors.items():
            owner, *rest = name.split(".")
            if owner == kind:
                entries.setdefault(int(rest[0]), {})[rest[1]] = tensor
        optimizer.load_state_dict({"state": entries, "param_groups": optimizer.state_dict()["param_groups"]})
    return state


def train(work: Path, minutes: float, recipe: Recipe, compile_model: bool, change: str = "",
          save_every: float = 600.0) -> None:
    streams = Streams(work)
    vocabulary = Vocabulary.of(streams.tokenizer)
    model = build_model(recipe, len(streams.tokenizer))
    if recipe.start:
        model.load_state_dict(T5ForConditionalGeneration.from_pretrained(recipe.start, dtype=torch.float32).state_dict())
    optimizers = build_optimizers(model, recipe)
    base_rates = {kind: [group["lr"] for group in optimizer.param_groups] for kind, optimizer in optimizers.items()}
    checkpoint = work / "checkpoint.safetensors"
    state = load_checkpoint(checkpoint, model, optimizers)
    # Each layout of the objectives is compiled for its own lengths.
    forward = torch.compile(model, dynamic=False) if compile_model else model
    budget = minutes * 60
    last_log = last_save = clock = time.monotonic()
    recent: list[float] = []
    write_whole(work / "recipe.json", json.dumps(asdict(recipe) | {"minutes": minutes}, indent=1) + "\n")
    with (work / "log.jsonl").open("a", encoding="utf-8") as log:
        if change:
            log.write(json.dumps(state | {"change": change}) + "\n")
        while state["seconds"] < budget:
            progress = state["seconds"] / budget
            if progress >= 1.0 - DECAY_SHARE and not (work / "constant.safetensors").exists():
                save_checkpoint(work / "constant.safetensors", model, optimizers, state)
            set_rates(optimizers, base_rates, rate_factor(progress))
            source, labels = training_batch(streams, vocabulary, recipe, state["step"])
            recent.append(descend(model, optimizers, loss_of(forward, source, labels)))
            now = time.monotonic()
            state = {"step": state["step"] + 1, "seconds": state["seconds"] + now - clock,
                     "tokens": state["tokens"] + int((source != PAD).sum() + (labels != IGNORED_LABEL).sum())}
            clock = now
            if now - last_log > 60:
                entry = state | {"loss": float(np.mean(recent))}
                if now - last_save > save_every:
                    save_checkpoint(checkpoint, model, optimizers, state)
                    entry["heldout"] = heldout_losses(model, streams, vocabulary)
                    last_save = time.monotonic()
                print(json.dumps(entry), flush=True)
                log.write(json.dumps(entry) + "\n")
                log.flush()
                recent, last_log = [], time.monotonic()
        save_checkpoint(checkpoint, model, optimizers, state)
        entry = state | {"final": True, "heldout": heldout_losses(model, streams, vocabulary, windows=128)}
        log.write(json.dumps(entry) + "\n")


def export(folder: Path, work: Path, recipe: Recipe) -> None:
    """Writes the model that a work folder holds, with its card; an older model in its place is replaced.

    Raises:
        PretrainingError: nothing has been trained there yet.
    """
    checkpoint = trained(work / "checkpoint.safetensors")
    streams = Streams(work)
    model = build_model(recipe, len(streams.tokenizer))
    load_checkpoint(checkpoint, model, build_optimizers(model, recipe))
    write_model_folder(folder, work, model, streams)


def trained(checkpoint: Path) -> Path:
    """The checkpoint, where there is one; else raises PretrainingError."""
    if not checkpoint.is_file():
        raise PretrainingError(f"{checkpoint.parent} holds no trained model (no {checkpoint.name}); give --work the folder of a "
                               "training, or train there first, by the same command without --export")
    return checkpoint
