"""Writes the transducer of a run as a folder of its own, checked against the model that it is for.

    python -m transducer.export --run runs/assert --model codet5-tiny --to my-transducer
"""
from __future__ import annotations

import json
from pathlib import Path

from .commands import CommandParser, command_line
from .errors import ConfigurationError, OutputExistsError


def main(arguments: list[str] | None = None) -> int:
    parser = CommandParser(prog="python -m transducer.export", description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="a run folder written by transducer.train")
    parser.add_argument("--model", required=True, help="the model it is for: embedded name, folder or hub id")
    parser.add_argument("--to", type=Path, required=True, help="the folder to write")
    parser.add_argument("--overwrite", action="store_true", help="replace a transducer in that folder")
    options = parser.parse_args(arguments)

    from checkpoints.artefact import CONFIG_FILE, folder_bytes

    if not (options.run / "config.json").exists():
        raise ConfigurationError(f"--run {options.run} is no run folder (it has no config.json); "
                                 "give the --output of a training")
    if options.to.exists() and not (options.overwrite and (options.to / CONFIG_FILE).exists()):
        remedy = "give --overwrite to replace it" if (options.to / CONFIG_FILE).exists() else "it holds no transducer; give another"
        raise OutputExistsError(f"--to {options.to} exists; {remedy}")

    from .backbone import load_backbone
    from .model import TransducerModel

    source = options.run / "transducer"
    model = TransducerModel.from_pretrained(source, load_backbone(options.model, "float32"))
    config = json.loads((source / CONFIG_FILE).read_text(encoding="utf-8"))
    model.backbone.name = options.model
    model.save_pretrained(options.to, task=config["task"], languages=tuple(config["languages"]), results=config["results"])
    print(f"{options.to}: {model.trainable_count():,} parameters, {folder_bytes(options.to):,} bytes, for {options.model}")
    return 0


if __name__ == "__main__":
    raise SystemExit(command_line(main))
