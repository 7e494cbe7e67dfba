"""Writes the folder of a pre-trained model: bfloat16 weights, tokenizer, configuration and model card."""
from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import torch
from transformers import T5ForConditionalGeneration

from .objectives import DECODER_LENGTH, ENCODER_LENGTH, FIRST_SHARES, FIRST_STEPS, OBJECTIVES, SHARES, WINDOW
from .streams import STREAM_SHARES, Streams

CURVE_POINTS = 12


def write_model_folder(folder: Path, work: Path, model: T5ForConditionalGeneration, streams: Streams) -> None:
    """Writes `folder` whole or not at all; an older model in its place is replaced."""
    log = [json.loads(line) for line in (work / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    recipe = json.loads((work / "recipe.json").read_text(encoding="utf-8"))
    folder = Path(folder).resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    temporary.chmod(0o755)
    try:
        model.to(torch.bfloat16).save_pretrained(temporary)
        streams.tokenizer.save_pretrained(temporary)
        card = model_card(folder.name, model, recipe, streams.report, log)
        (temporary / "README.md").write_text(card, encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def model_card(name: str, model: T5ForConditionalGeneration, recipe: dict, report: dict, log: list[dict]) -> str:
    config, final = model.config, log[-1]
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return "\n".join([
        f"# {name}",
        "",
        f"A CodeT5-style encoder-decoder of {parameters / 1e6:.1f} million parameters for Python and Java (a little C#), "
        "made to be adapted by the rest of this project where nothing can be downloaded. It completes statements and "
        "continues code; it is far too small to be useful as an assistant.",
        "",
        f"- Shape: width {config.d_model}, {config.num_layers} encoder and {config.num_decoder_layers} decoder layers, "
        f"{config.num_heads} heads, feed-forward {config.d_ff} (ReLU), tied embeddings, {config.vocab_size:,} tokens of "
        "byte-level BPE trained on the corpus, `<extra_id_0..99>` sentinels. Stored in bfloat16.",
        f"- Training: {final['step']:,} steps of {recipe['batch']} windows of {WINDOW} tokens "
        f"({final['windows'] * WINDOW / 1e6:.1f} million tokens), {final['seconds'] / 60:.0f} minutes on 2 CPU cores that "
        "were shared with other work, bfloat16 autocast, seed " + str(recipe["seed"]) + ".",
        f"- Optimiser: Muon at {recipe['muon_rate']:g} for the matrices of the layers ({recipe['query_rate']:g} for queries), "
        f"AdamW at {recipe['adam_rate']:g} for embeddings, norms and position biases; linear to zero over the last 40 %.",
        "- Objectives: " + ", ".join(f"{objective} {share:.0%}" for objective, share in zip(OBJECTIVES, SHARES))
        + f" (in the first {FIRST_STEPS} steps " + ", ".join(f"{share:.0%}" for share in FIRST_SHARES)
        + f"); encoder {ENCODER_LENGTH}, decoder {DECODER_LENGTH} tokens (`checkpoints/objectives.py`).",
        *(f"- After {entry['step']:,} steps, at {entry['seconds'] / 60:.0f} minutes: {entry['change']}"
          for entry in log if "change" in entry),
        "- Made by `python -m checkpoints.pretrain`; not reproducible bit for bit, since the schedule follows the clock.",
        "",
        "## Data",
        "",
        "Python sources of the packages installed beside the project (without `networkx` and `numpy`, which the embedded "
        "task is mined from) and, of the project's data folder, the method corpus and the *source* sides of the train "
        "splits. Every document was checked against every validation and test row and every function of the two "
        f"packages ({report['forbidden texts']:,} texts, `checkpoints/corpus.py`); the counts of what was dropped stand "
        "below. Methods keep their projects' licences.",
        "",
        "| stream | share of windows | documents | tokens | characters per token | dropped |",
        "|---|---|---|---|---|---|",
        *(_stream_row(stream, share, report) for stream, share in STREAM_SHARES.items() if f"{stream}: documents" in report),
        "",
        "## Held-out loss",
        "",
        "Nats per target token on documents that were held out (one in 200, chosen by hash), by objective.",
        "",
        "| stream | " + " | ".join(OBJECTIVES) + " |",
        "|---|" + "---:|" * len(OBJECTIVES),
        *(f"| {stream} | " + " | ".join(f"{final['heldout'][f'{stream}/{objective}']:.2f}" for objective in OBJECTIVES) + " |"
          for stream in STREAM_SHARES if f"{stream}/spans" in final["heldout"]),
        "",
        "## Training loss",
        "",
        "| million tokens | minutes | loss, all objectives |",
        "|---:|---:|---:|",
        *(f"| {entry['windows'] * WINDOW / 1e6:.1f} | {entry['seconds'] / 60:.0f} | {entry['loss']:.2f} |"
          for entry in _thinned([entry for entry in log if "loss" in entry])),
        "",
    ])


def _stream_row(stream: str, share: float, report: dict) -> str:
    dropped = report.get(f"{stream}: documents dropped as forbidden", 0)
    removed = (f"{report.get('python: forbidden functions removed', 0)} functions, its tests' among them" if stream == "python"
               else "see python" if stream == "python_tests" else f"{dropped} documents")
    return (f"| {stream} | {share:.1%} | {report[f'{stream}: documents']:,} | {report[f'{stream}: train tokens']:,} | "
            f"{report[f'{stream}: characters per token, times 1000'] / 1000:.2f} | {removed} |")


def _thinned(entries: list[dict]) -> list[dict]:
    step = max(1, (len(entries) - 1) // (CURVE_POINTS - 1))
    return entries[::step] + ([entries[-1]] if (len(entries) - 1) % step else [])
