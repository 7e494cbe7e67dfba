"""The model card of a saved transducer: YAML front matter as the Hugging Face hub reads it, then Markdown.

It is made of the configuration and of nothing else, so that a card states what its folder holds, and the same folder
elsewhere has the same card. What a configuration does not state is said to be unknown, or left out.
"""
from __future__ import annotations

import math
import re
from collections.abc import Iterable

from . import EMBEDDED_MODELS

LIBRARY = "transducer"
PIPELINE_TAG = "text-generation"
"""The hub's name of the task of every model that writes text, encoder-decoders among them."""
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def transducer_card(config: dict) -> str:
    """The card of a transducer with the given configuration."""
    backbone, run = config["backbone"], config["run"]
    base = shown_name(backbone["name"])
    lines = [
        _front_matter(config),
        f"# Transducer for {config['task'] or 'an unspecified task'} on {base}",
        "",
        f"A transducer for the task `{config['task'] or 'unspecified'}`"
        + (f" in {', '.join(config['languages'])}" if config["languages"] else "")
        + f": {parameter_count(config):,} trained parameters in front of a frozen `{base}`. They turn a Code Property Graph of "
        "the source into changes of the model's input embeddings"
        + (", and of what keys, values and feed-forward blocks are multiplied by" if backbone["roles"] else "")
        + (", and of what narrow layers add behind its blocks" if backbone["blocks"] else "")
        + ". The model itself is not in this folder and is not changed.",
        "",
        *_use(backbone, base),
        "## Measured results",
        "",
        *_results(config),
        "",
        "## How it was made",
        "",
        *(_table(_training_facts(run)) if run else ["The run was not recorded.", ""]),
        "## Base model",
        "",
        *_table(_base_facts(backbone, base)),
        "## Settings",
        "",
        *_table((key.replace("_", " "), value) for key, value in {**config["settings"], **config["limits"]}.items()),
        "## Licence",
        "",
        f"`{config['license']}`, for what is in this folder; the base model has its own." if config["license"] else
        "None was stated. Ask the author before you use or pass on what is in this folder; the base model has its own licence.",
        "",
        "## Limits",
        "",
        "Answers can be wrong: read them before use. The figures above are of the test examples named there and say little "
        "about other code, other languages or another base model. Loading refuses a base model of another width, family or "
        "tokenizer, and other weights unless asked to take them.",
        "",
        f"Written with {', '.join(f'{name} {version}' for name, version in config['packages'].items())}.",
        "",
    ]
    return "\n".join(lines)


def shown_name(name: str) -> str:
    """The base model as a reader may know it: of a folder on the author's machine its last part alone."""
    return name if is_public(name) else re.split(r"[/\\]", name.rstrip("/\\"))[-1] or name


def is_public(name: str) -> bool:
    """Whether a name means the same model on every machine: embedded in this project, or of the form of a hub id."""
    return name in EMBEDDED_MODELS or bool(HUB_ID.fullmatch(name))


def parameter_count(config: dict) -> int:
    """Trained parameters of a transducer."""
    return sum(math.prod(shape) for shape in config["tensors"].values())


def _front_matter(config: dict) -> str:
    import yaml

    name = config["backbone"]["name"]
    fields = {
        "library_name": LIBRARY,
        **({"base_model": name, "base_model_relation": "adapter"} if is_public(name) else {}),
        **({"license": config["license"]} if config["license"] else {}),
        "pipeline_tag": PIPELINE_TAG,
        # The hub's `language` is for natural languages.
        "tags": [LIBRARY, "code", "code-property-graph", *([config["task"]] if config["task"] else []), *config["languages"]],
    }
    return f"---\n{yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)}---\n"


def _use(backbone: dict, base: str) -> list[str]:
    model = "" if is_public(backbone["name"]) else " --model MODEL"
    where = "" if is_public(backbone["name"]) else (
        f"The base model was a folder of the author's, `{base}`; give yours, which has to have the same weights.")
    return ["## Use", "", "```sh", f"python -m transducer.predict --transducer FOLDER_OR_ID{model} FILE", "```", "",
            *([where, ""] if where else [])]


def _results(config: dict) -> list[str]:
    run, results = config["run"], config["results"]
    rows = run.get("rows", [])
    if not rows and not results:
        return ["None recorded."]
    lines = _rows_table(rows) if rows else _table(results.items())[:-1]
    return [*lines, *_result_notes(config, rows)]


def _rows_table(rows: list[dict]) -> list[str]:
    """One line per method and seed of the run, what this folder holds in bold."""
    metrics = list(dict.fromkeys(name for row in rows for name in row["scores"]))
    names = ["method", "seed", "trained weights", "valid loss", "test loss", *(metric.replace("_", " ") for metric in metrics)]
    lines = ["| " + " | ".join(names) + " |", "|---|" + "---:|" * (len(names) - 1)]
    for row in rows:
        cells = [row["method"], row["seed"], f"{row['trainable_parameters']:,}"]
        if row["status"] == "ok":
            cells += [_figure(row["valid_loss"], 3), _figure(row["test_loss"], 3)]
            cells += [_figure(row["scores"].get(metric), 2) for metric in metrics]
        else:
            cells += [row["status"], *[""] * (len(names) - 4)]
        mark = "**" if row["here"] else ""
        lines.append("| " + " | ".join(f"{mark}{_cell(cell)}{mark}" if str(cell) else "" for cell in cells) + " |")
    return lines


def _figure(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _result_notes(config: dict, rows: list[dict]) -> list[str]:
    run, backbone = config["run"], config["backbone"]
    notes = []
    if rows:
        notes.append("In bold: what is in this folder; the other lines are the other methods and seeds of the same run, on the "
                     "same data. Losses are in nats per target token.")
    if run.get("model_fingerprint", backbone["fingerprint"]) != backbone["fingerprint"]:
        notes.append(f"**Measured on other weights than those of the base model below:** on `{shown_name(run['model'])}`, weights "
                     f"SHA-256 `{run['model_fingerprint']}`. What it does on this base model was not measured.")
    if run.get("near_duplicate_percent"):
        clean = ", ".join(f"{name} {value:,.2f}" for name, value in run["clean_scores"].items())
        notes.append(f"{run['near_duplicate_percent']:.1f} % of the test examples have a near duplicate among the training "
                     f"examples; without them: {clean or 'none is left'}.")
    notes += [f"{row['method']}, seed {row['seed']}, {row['status']}: {row['reason']}" for row in rows if row["status"] != "ok"]
    notes += [run["remark"]] if run.get("remark") else []
    notes += [f"{name}: `{signature}`" for name, signature in run.get("signatures", {}).items()]
    return ["", *(f"- {note}" for note in notes)] if notes else []


def _training_facts(run: dict) -> Iterable[tuple[str, object]]:
    for name, value in run.items():
        if name in ("rows", "signatures", "clean_scores", "near_duplicate_percent", "remark", "model", "model_fingerprint"):
            continue
        if isinstance(value, dict):
            value = ", ".join(f"{key} {part}" for key, part in value.items())
        if value not in ("", None):
            yield name.replace("_", " "), f"`{value}`" if name in ("command", "data_sha256") else value


def _base_facts(backbone: dict, base: str) -> Iterable[tuple[str, object]]:
    yield "name", f"`{base}`" + ("" if is_public(backbone["name"]) else " (a folder)")
    if backbone["revision"]:
        yield "revision", f"`{backbone['revision']}`"
    if backbone["family"]:
        yield "family", backbone["family"]
    yield "width", backbone["width"]
    if backbone["parameters"]:
        yield "parameters", f"{backbone['parameters']:,}"
    yield "weights SHA-256", f"`{backbone['fingerprint']}`"
    if backbone["tokenizer"]:
        yield "tokenizer SHA-256", f"`{backbone['tokenizer']}`"
    yield "arithmetic", backbone["precision"]
    if backbone["quantize"] != "none":
        yield "frozen weights", f"quantised to {backbone['quantize'].removesuffix('bit')} bits"


def _table(facts: Iterable[tuple[str, object]]) -> list[str]:
    return ["| | |", "|---|---|", *(f"| {_cell(name)} | {_cell(value)} |" for name, value in facts), ""]


def _cell(value: object) -> str:
    return " ".join(str(value).replace("|", "\\|").split())
