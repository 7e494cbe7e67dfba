"""Writes the transducer of a run as a folder of its own, checked against the model that it is for; pushes it to the hub.

    python -m transducer.export --run runs/assert --model codet5-tiny --to my-transducer --license apache-2.0
    python -m transducer.export --run runs/assert --model Salesforce/codet5-base --push user/assert-java
    python -m transducer.export --run runs/assert --model DECODER --embeddings requests.jsonl --to-embeddings requests.safetensors

What is exported is whole: the tensors, what they are for, the run that made them and what it measured, and a model card
made of these. Exported again from anywhere, it is the same bytes. The third form writes what the model reads for each
request, for servers that take prompt embeddings (`prompt_embeddings`).
"""
from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from .commands import DONE, CommandParser, command_line
from .config import TrainSettings, add_options, resolve
from .errors import ConfigurationError, OutputExistsError

if TYPE_CHECKING:
    from .model import TransducerModel

LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]*")


def main(arguments: list[str] | None = None) -> int:
    parser = CommandParser(prog="python -m transducer.export", description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, metavar="FOLDER",
                        help="a run folder written by transducer.train or transducer.compare, or a transducer folder")
    parser.add_argument("--model", required=True, help="the model it is for: embedded name, folder or hub id")
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="the folder to write")
    parser.add_argument("--overwrite", action="store_true", help="replace a transducer in that folder, or the file of --to-embeddings")
    parser.add_argument("--license", metavar="ID", help="the licence of what is exported, as the hub names it: apache-2.0, mit, ...")
    parser.add_argument("--base-model", default="", metavar="ID", help="the name under which others find the model, where --model is a "
                        "folder: its hub id")
    parser.add_argument("--allow-mismatch", action="store_true", help="take a model with other weights than the transducer was trained "
                        "on, of the same width, family and tokenizer; the card says so")
    parser.add_argument("--push", default="", metavar="ID", help="commit it to this repository of the hub (user/name); its card "
                        "states the command of the run with the paths in it")
    parser.add_argument("--push-revision", default="", metavar="BRANCH", help="the branch to commit to (default: main)")
    parser.add_argument("--private", action="store_true", default=None, help="make the repository private where it is not there")
    parser.add_argument("--embeddings", type=Path, metavar="FILE", help="requests to embed for servers that take prompt embeddings: JSON "
                        "lines with source and, optionally, id and language")
    parser.add_argument("--to-embeddings", type=Path, metavar="FILE", help="the safetensors file to write them to")
    parser.add_argument("--language", default="", help="language of requests without one")
    add_options(parser, TrainSettings, ("max_source_tokens",))
    options = parser.parse_args(arguments)
    _check(options)
    source, facts = _source(options.run)

    from .backbone import load_backbone
    from .model import TransducerModel

    backbone = load_backbone(options.model, "float32")
    model = TransducerModel.from_pretrained(source, backbone, allow_mismatch=options.allow_mismatch)
    model.backbone.name = options.model
    model.recorded |= facts
    if options.license:
        model.recorded["license"] = options.license
    if options.embeddings:
        _write_embeddings(model, options)
    if options.to:
        _write(model, options)
    if options.push:
        url = model.push_to_hub(options.push, revision=options.push_revision or None, private=options.private,
                                base_model=options.base_model, message=f"Transducer for {model.task or 'an unspecified task'}")
        print(f"pushed to {url}")
    return DONE


def _check(options: argparse.Namespace) -> None:
    """What can be told before anything is loaded."""
    from checkpoints.artefact import CONFIG_FILE

    if not (options.to or options.push or options.embeddings):
        raise ConfigurationError("nothing to write to: give --to FOLDER, --push user/name, or both")
    if bool(options.embeddings) != bool(options.to_embeddings):
        raise ConfigurationError("--embeddings FILE (requests) and --to-embeddings FILE (what is written) go together; give both")
    if options.to_embeddings and options.to_embeddings.exists() and not options.overwrite:
        raise OutputExistsError(f"--to-embeddings {options.to_embeddings} exists; give --overwrite to replace it, or another file")
    if not options.push and (options.push_revision or options.private):
        raise ConfigurationError("--push-revision and --private say how to push; give --push user/name too")
    if options.license and not LICENSE.fullmatch(options.license):
        raise ConfigurationError(f"--license {options.license!r} is no identifier, expected one such as apache-2.0, mit or other")
    if options.to and options.to.exists() and not (options.overwrite and (options.to / CONFIG_FILE).exists()):
        remedy = "give --overwrite to replace it" if (options.to / CONFIG_FILE).exists() else "it holds no transducer; give another"
        raise OutputExistsError(f"--to {options.to} exists; {remedy}")


def _source(run: Path) -> tuple[Path, dict]:
    """The transducer folder to export, and what its run says about it beyond what it states itself."""
    from checkpoints.artefact import CONFIG_FILE
    from checkpoints.errors import MissingArtefactError

    if (run / CONFIG_FILE).exists():
        return run, {}
    from .provenance import run_facts

    results, facts = run_facts(run)
    source = run / "transducer"
    if not (source / CONFIG_FILE).exists():
        others = sorted(str(path.parent.parent) for path in run.glob(f"runs/*/transducer/{CONFIG_FILE}"))
        remedy = f"give one of: {', '.join(others)}" if others else "give a run whose method is a transducer and that has begun to save"
        raise MissingArtefactError(f"no {CONFIG_FILE} in {source}: the run's own method left no transducer; {remedy}")
    return source, {"run": facts} | ({"results": results} if results else {})


def _write_embeddings(model: TransducerModel, options: argparse.Namespace) -> None:
    from tasks import get_task

    from .prepare import Preparer
    from .prompt_embeddings import check_carries_all, check_servable, fused_prompts, read_requests, write_prompt_embeddings

    check_servable(model.backbone)
    check_carries_all(model)
    given = {name: value for name, value in vars(options).items() if name == "max_source_tokens"}
    task = get_task(model.task or TrainSettings.task)
    settings = resolve(TrainSettings, given)
    requests = read_requests(options.embeddings, task, options.language)
    preparer = Preparer.for_model(model, task, settings.max_source_tokens)
    found = fused_prompts(model, preparer, requests, progress=True)
    write_prompt_embeddings(options.to_embeddings, found, {
        "model": options.base_model or model.backbone.name, "model_fingerprint": model.backbone.fingerprint, "hidden": model.backbone.width,
        "task": task.name, "requests": len(found)})
    places = sum(map(len, found.values()))
    print(f"{options.to_embeddings}: {len(found):,} requests, {places:,} places of width {model.backbone.width}, for {options.model}")


def _write(model: TransducerModel, options: argparse.Namespace) -> None:
    from checkpoints.artefact import folder_bytes

    model.save_pretrained(options.to, base_model=options.base_model)
    print(f"{options.to}: {model.trainable_count():,} parameters, {folder_bytes(options.to):,} bytes, for {options.model}")


if __name__ == "__main__":
    raise SystemExit(command_line(main))
