"""The work behind `pretrain_causal`: windows with gaps, model, optimizers, the loop of training, the folder of the model."""
from __future__ import annotations

import json
import shutil
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from tokenizers import processors
from torch.nn import functional
from transformers import MambaConfig, MambaForCausalLM, PreTrainedTokenizerFast

from .errors import PretrainingError
from .files import write_whole
from .objectives import Vocabulary, random_spans, statement_spans
from .pretraining import descend, load_checkpoint, rate_factor, save_checkpoint, set_rates, trained
from .selective_scan import logits_of
from .streams import Streams
from .tokenizer import BOS, EOS, PAD

if TYPE_CHECKING:
    from .pretrain_causal import Recipe

MIDDLE_MARKS = ("<fim_prefix>", "<fim_suffix>", "<fim_middle>")
GAP_SHARE = 0.5


def with_marks(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """The tokenizer of the streams with the marks of a gap at the end of its vocabulary, and nothing put around a text."""
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        extra_special_tokens=list(MIDDLE_MARKS), clean_up_tokenization_spaces=False)
    fast.backend_tokenizer.post_processor = processors.TemplateProcessing(single="$A", pair="$A $B", special_tokens=[])
    return fast


def build_model(recipe: Recipe, vocabulary_size: int) -> MambaForCausalLM:
    torch.manual_seed(recipe.seed)
    return MambaForCausalLM(MambaConfig(
        vocab_size=vocabulary_size, hidden_size=recipe.width, num_hidden_layers=recipe.layers, state_size=recipe.states,
        pad_token_id=PAD, bos_token_id=BOS, eos_token_id=EOS, rescale_prenorm_residual=True))


def build_optimizers(model: MambaForCausalLM, recipe: Recipe) -> dict[str, torch.optim.Optimizer]:
    matrices, others = [], []
    for name, parameter in model.named_parameters():
        (matrices if name.endswith(("in_proj.weight", "out_proj.weight")) else others).append(parameter)
    return {
        "muon": torch.optim.Muon(matrices, lr=recipe.muon_rate, weight_decay=recipe.weight_decay, momentum=0.95,
                                 adjust_lr_fn="match_rms_adamw"),
        "adam": torch.optim.AdamW(others, lr=recipe.adam_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    }


def with_gap(window: np.ndarray, vocabulary: Vocabulary, marks: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A window with one of its statements behind it: four tokens longer."""
    spans = statement_spans(window, vocabulary, random) or random_spans(len(window), random)
    start, end = spans[random.integers(len(spans))]
    return np.concatenate((marks[:1], window[:start], marks[1:2], window[end:], marks[2:], window[start:end], [EOS]))


def batch_of(windows: list[np.ndarray], gaps: list[bool], vocabulary: Vocabulary, marks: np.ndarray,
             random: np.random.Generator) -> torch.Tensor:
    """Token ids [B, window + 4] of windows that are four tokens longer than what a gap is made in."""
    return torch.from_numpy(np.stack([with_gap(window[:-4], vocabulary, marks, random) if gap else window
                                      for window, gap in zip(windows, gaps, strict=True)]))


def training_batch(streams: Streams, vocabulary: Vocabulary, marks: np.ndarray, recipe: Recipe, step: int) -> torch.Tensor:
    """The batch of a step: a function of seed and step alone, so a resumed run sees the same."""
    random = np.random.default_rng([recipe.seed, step])
    windows = [streams.window(recipe.window + 4, random) for _ in range(recipe.batch)]
    return batch_of(windows, [random.random() < GAP_SHARE for _ in windows], vocabulary, marks, random)


def loss_of(model: MambaForCausalLM, ids: torch.Tensor) -> torch.Tensor:
    """Mean over all tokens but the first, in nats."""
    ids = ids.to(model.device)
    with torch.autocast(model.device.type, torch.bfloat16):
        logits = logits_of(model, ids[:, :-1])
    return functional.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten())


@torch.no_grad()
def heldout_losses(model: MambaForCausalLM, streams: Streams, vocabulary: Vocabulary, marks: np.ndarray, recipe: Recipe,
                   windows: int = 32) -> dict[str, float]:
    """Nats per token on held-out documents, per stream, as text and with a gap; the gaps are the same every time."""
    losses = {}
    for name in streams.names:
        kept = streams.heldout_windows(name, recipe.window + 4, windows)
        for kind, gap in (("text", False), ("gap", True)):
            random = np.random.default_rng([1, len(losses)])
            parts = [kept[first:first + recipe.batch] for first in range(0, len(kept), recipe.batch)]
            found = [len(part) * float(loss_of(model, batch_of(part, [gap] * len(part), vocabulary, marks, random)))
                     for part in parts]
            if kept:
                losses[f"{name}/{kind}"] = sum(found) / len(kept)
    return losses


def train(work: Path, minutes: float, recipe: Recipe, device: str = "cpu", save_every: float = 300.0) -> None:
    """Trains until `minutes` are used up, in all.

    Raises:
        PretrainingError: the device is not there.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise PretrainingError("no CUDA device is to be had, as --device cuda asks; leave it out to train on the CPU")
    streams = Streams(work)
    tokenizer = with_marks(streams.tokenizer)
    vocabulary, marks = Vocabulary.of(streams.tokenizer), np.array(tokenizer.convert_tokens_to_ids(list(MIDDLE_MARKS)))
    model = build_model(recipe, len(tokenizer)).to(device)
    optimizers = build_optimizers(model, recipe)
    base_rates = {kind: [group["lr"] for group in optimizer.param_groups] for kind, optimizer in optimizers.items()}
    checkpoint = work / "causal.safetensors"
    state = load_checkpoint(checkpoint, model, optimizers)
    write_whole(work / "causal_recipe.json", json.dumps(asdict(recipe) | {"minutes": minutes}, indent=1) + "\n")
    recent: list[float] = []
    last_log = last_save = clock = time.monotonic()
    with (work / "causal_log.jsonl").open("a", encoding="utf-8") as log:
        def note(entry: dict) -> None:
            print(json.dumps(entry), flush=True)
            log.write(json.dumps(entry) + "\n")
            log.flush()

        while state["seconds"] < minutes * 60:
            set_rates(optimizers, base_rates, rate_factor(state["seconds"] / (minutes * 60)))
            ids = training_batch(streams, vocabulary, marks, recipe, state["step"])
            recent.append(descend(model, optimizers, loss_of(model, ids)))
            now = time.monotonic()
            state = {"step": state["step"] + 1, "seconds": state["seconds"] + now - clock, "tokens": state["tokens"] + ids.numel()}
            clock = now
            if now - last_log > 60:
                note(state | {"loss": float(np.mean(recent))})
                recent, last_log = [], now
            if now - last_save > save_every:
                save_checkpoint(checkpoint, model, optimizers, state)
                last_save = now
        save_checkpoint(checkpoint, model, optimizers, state)
        note(state | {"final": True, "heldout": heldout_losses(model, streams, vocabulary, marks, recipe)})


def write_model_folder(folder: Path, work: Path, recipe: Recipe) -> None:
    """Writes `folder` whole or not at all: bfloat16 weights, tokenizer, configuration and a short card.

    Raises:
        PretrainingError: there is such a folder already, or nothing has been trained yet.
    """
    checkpoint = trained(work / "causal.safetensors")
    folder = Path(folder).resolve()
    if folder.exists():
        raise PretrainingError(f"{folder} exists; give --export a new folder, or remove that one")
    tokenizer = with_marks(Streams(work).tokenizer)
    model = build_model(recipe, len(tokenizer))
    state = load_checkpoint(checkpoint, model, build_optimizers(model, recipe))
    last = json.loads((work / "causal_log.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    temporary.chmod(0o755)
    try:
        model.to(torch.bfloat16).save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
        (temporary / "README.md").write_text(_card(folder.name, model, recipe, state, last["heldout"]), encoding="utf-8")
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _card(name: str, model: MambaForCausalLM, recipe: Recipe, state: dict, heldout: dict[str, float]) -> str:
    parameters = sum(parameter.numel() for parameter in model.parameters())
    streams = dict.fromkeys(key.partition("/")[0] for key in heldout)
    return "\n".join([
        f"# {name}",
        "",
        f"A Mamba of {parameters / 1e6:.1f} million parameters for code, made to be adapted by the rest of this project. "
        "It is far too small to be useful as an assistant.",
        "",
        f"- Shape: width {recipe.width}, {recipe.layers} layers, {recipe.states} states, tied embeddings, "
        f"{model.config.vocab_size:,} tokens. Stored in bfloat16.",
        f"- Training: {state['tokens'] / 1e6:.1f} million tokens, {state['step']:,} steps of {recipe.batch} windows, "
        f"{state['seconds'] / 60:.0f} minutes; half of the windows with a gap (`{'`, `'.join(MIDDLE_MARKS)}`).",
        "- Made by `python -m checkpoints.pretrain_causal`; not reproducible bit for bit, since the schedule follows the clock.",
        "",
        "Held-out loss, nats per token:",
        "",
        "| stream | text | with a gap |",
        "|---|---:|---:|",
        *(f"| {stream} | {heldout[f'{stream}/text']:.2f} | {heldout[f'{stream}/gap']:.2f} |" for stream in streams),
        "",
    ])
