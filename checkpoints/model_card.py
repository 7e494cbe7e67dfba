"""Writes the folder of a pre-trained model: bfloat16 weights, tokenizer, configuration and model card."""
from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path

import torch
from transformers import T5ForConditionalGeneration

from .errors import PretrainingError
from .objectives import CONTINUATION, INFILLING, OBJECTIVES, objective_shares
from .streams import STREAM_SHARES, Streams

CURVE_POINTS = 12
STAGES_FILE = "training.json"
"""How a model was trained, stage by stage; a further stage takes it over and adds itself."""


def write_model_folder(folder: Path, work: Path, model: T5ForConditionalGeneration, streams: Streams) -> None:
    """Writes `folder` whole or not at all; an older model in its place is replaced.

    Raises:
        PretrainingError: something else than a model of `pretrain` is in its place.
    """
    if folder.exists() and not all((folder / name).is_file() for name in ("config.json", STAGES_FILE)):
        raise PretrainingError(f"{folder} exists and is no model made by python -m checkpoints.pretrain, so it is not replaced; give "
                               "--export a new folder, or one of such a model")
    log = [json.loads(line) for line in (work / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    recipe = json.loads((work / "recipe.json").read_text(encoding="utf-8"))
    earlier = work / STAGES_FILE
    stages = (json.loads(earlier.read_text(encoding="utf-8")) if earlier.exists() else []) + [stage_of(recipe, log)]
    folder = Path(folder).resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    temporary.chmod(0o755)
    try:
        model.to(torch.bfloat16).save_pretrained(temporary)
        streams.tokenizer.save_pretrained(temporary)
        card = model_card(folder.name, model, streams.report, stages, log[-1]["heldout"])
        (temporary / STAGES_FILE).write_text(json.dumps(stages, indent=1) + "\n", encoding="utf-8")
        (temporary / "README.md").write_text(card, encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def stage_of(recipe: dict, log: list[dict]) -> dict:
    """One stage of the training: its recipe, its length, what was changed on the way and its curve."""
    final = log[-1]
    return {
        "recipe": recipe,
        "objectives": dict(zip(OBJECTIVES, objective_shares(final["step"], trained=bool(recipe["start"])))),
        "layouts": {"infilling": asdict(INFILLING), "continuation": asdict(CONTINUATION)},
        "steps": final["step"], "tokens": final["tokens"], "minutes": final["seconds"] / 60,
        "changes": [{"step": entry["step"], "minutes": entry["seconds"] / 60, "change": entry["change"]}
                    for entry in log if "change" in entry],
        "curve": [{"tokens": entry["tokens"], "minutes": entry["seconds"] / 60, "loss": entry["loss"]}
                  for entry in _thinned([entry for entry in log if "loss" in entry])],
    }


def model_card(name: str, model: T5ForConditionalGeneration, report: dict, stages: list[dict], heldout: dict) -> str:
    config = model.config
    parameters = sum(parameter.numel() for parameter in model.parameters())
    tokens, minutes = (sum(stage[key] for stage in stages) for key in ("tokens", "minutes"))
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
        f"- Training: {tokens / 1e6:.1f} million tokens in {minutes:.0f} minutes on 2 CPU cores that were shared with other "
        f"work, bfloat16 autocast{', in stages as below' if len(stages) > 1 else ''} (`{STAGES_FILE}`).",
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
        *(f"| {stream} | " + " | ".join(f"{heldout[f'{stream}/{objective}']:.2f}" for objective in OBJECTIVES) + " |"
          for stream in STREAM_SHARES if f"{stream}/spans" in heldout),
        "",
        *(line for number, stage in enumerate(stages, 1) for line in _stage_lines(number, stage)),
    ])


def _stage_lines(number: int, stage: dict) -> list[str]:
    recipe = stage["recipe"]
    rates = recipe["rates"]
    layouts = "; ".join(f"{name}: encoder {layout['encoder']}, decoder {layout['decoder']} tokens"
                        for name, layout in stage["layouts"].items())
    return [
        f"## Stage {number}",
        "",
        f"- {stage['steps']:,} steps of {recipe['batch']} windows ({stage['tokens'] / 1e6:.1f} million tokens), "
        f"{stage['minutes']:.0f} minutes, seed {recipe['seed']}"
        + (", from the weights of the stage before." if recipe["start"] else "."),
        f"- Optimiser: Muon at {rates * recipe['muon_rate']:g} for the matrices of the layers "
        f"({rates * recipe['query_rate']:g} for queries), AdamW at {rates * recipe['adam_rate']:g} for embeddings, norms and "
        "position biases; linear to zero over the last 40 %.",
        "- Objectives: " + ", ".join(f"{objective} {share:.0%}" for objective, share in stage["objectives"].items())
        + f" ({layouts}; `checkpoints/objectives.py`).",
        *(f"- After {change['step']:,} steps, at {change['minutes']:.0f} minutes: {change['change']}"
          for change in stage["changes"]),
        "",
        "| million tokens | minutes | loss, all objectives |",
        "|---:|---:|---:|",
        *(f"| {point['tokens'] / 1e6:.1f} | {point['minutes']:.0f} | {point['loss']:.2f} |" for point in stage["curve"]),
        "",
    ]


def _stream_row(stream: str, share: float, report: dict) -> str:
    dropped = report.get(f"{stream}: documents dropped as forbidden", 0)
    removed = (f"{report.get('python: forbidden functions removed', 0)} functions, its tests' among them" if stream == "python"
               else "see python" if stream == "python_tests" else f"{dropped} documents")
    return (f"| {stream} | {share:.1%} | {report[f'{stream}: documents']:,} | {report[f'{stream}: train tokens']:,} | "
            f"{report[f'{stream}: characters per token, times 1000'] / 1000:.2f} | {removed} |")


def _thinned(entries: list[dict]) -> list[dict]:
    step = max(1, (len(entries) - 1) // (CURVE_POINTS - 1))
    return entries[::step] + ([entries[-1]] if (len(entries) - 1) % step else [])
