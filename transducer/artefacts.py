"""Looks at saved transducers: all in a folder, one in full, and whether one can be relied on.

    python -m transducer list runs
    python -m transducer info runs/assert/transducer
    python -m transducer verify my-transducer --model codet5-tiny

`list` and `info` read the configuration alone, without torch; `verify` reads every byte.
"""
from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from checkpoints.artefact import CARD_FILE, CONFIG_FILE, TENSOR_FILE, folder_bytes, read_artefact, read_configuration
from checkpoints.artefact_card import parameter_count, shown_name, transducer_card
from checkpoints.errors import CheckpointError
from cpg.errors import CpgError

from .commands import DONE, FAILED, CommandParser
from .errors import ConfigurationError, TransducerError

if TYPE_CHECKING:
    from checkpoints.artefact import Artefact

NO_SCORES = ("seed", "valid loss", "test loss")
"""Figures among the results that the table has elsewhere or leaves out."""


# list


def list_main(arguments: list[str] | None = None) -> int:
    parser = CommandParser(prog="python -m transducer list", description="Lists all saved transducers in folders.")
    parser.add_argument("folder", nargs="+", type=Path, metavar="FOLDER", help="searched with everything in it; what is hidden and "
                        "the checkpoints of trainings are left out")
    parser.add_argument("--json", action="store_true", help="one JSON object a line for each transducer")
    options = parser.parse_args(arguments)
    for folder in options.folder:
        if not folder.is_dir():
            raise ConfigurationError(f"no folder {folder}; give folders that hold transducers, such as runs")
    rows = [_listed(folder) for folder in found(options.folder)]
    if options.json:
        for row in rows:
            print(json.dumps(row, ensure_ascii=False))
    elif rows:
        _print_table(rows)
    else:
        print(f"no transducers in {', '.join(map(str, options.folder))}")
    return FAILED if any("error" in row for row in rows) else DONE


def found(folders: list[Path]) -> Iterator[Path]:
    """The transducer folders within folders, each once, in the order of their names."""
    seen = set()
    for folder in folders:
        for path in sorted(folder.rglob(CONFIG_FILE)):
            inside = path.parent.relative_to(folder).parts
            hidden = any(part.startswith((".", "checkpoint-")) for part in inside)
            if not hidden and path.resolve() not in seen:
                seen.add(path.resolve())
                yield path.parent


def _listed(folder: Path) -> dict:
    """One transducer; `error` says why where it cannot be read."""
    try:
        config = read_configuration(folder)
    except CheckpointError as error:
        return {"folder": str(folder), "error": str(error)}
    backbone = config["backbone"]
    return {"folder": str(folder), "task": config["task"], "languages": config["languages"], "base": backbone["name"],
            "base_fingerprint": backbone["fingerprint"], "parameters": parameter_count(config), "bytes": folder_bytes(folder),
            "license": config["license"], "results": config["results"]}


def _print_table(rows: list[dict]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from .report import wide_console

    table = Table()
    for name in ("folder", "task", "languages", "base", "parameters", "bytes", "test loss", "scores"):
        table.add_column(name, justify="right" if name in ("parameters", "bytes", "test loss") else "left", overflow="fold")
    for row in rows:
        if "error" in row:
            table.add_row(escape(row["folder"]), "[red]cannot be read[/red]")
            continue
        results = row["results"]
        scores = ", ".join(f"{name} {value:.1f}" for name, value in results.items() if _is_number(value) and name not in NO_SCORES)
        loss = results.get("test loss")
        table.add_row(*map(escape, (row["folder"], row["task"], " ".join(row["languages"]), shown_name(row["base"]),
                                    f"{row['parameters']:,}", f"{row['bytes']:,}", f"{loss:.3f}" if _is_number(loss) else "", scores)))
    console = wide_console()
    console.print(table)
    for row in rows:
        if "error" in row:
            console.print(f"  {row['error']}", highlight=False, markup=False, soft_wrap=True)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


# info


def info_main(arguments: list[str] | None = None) -> int:
    parser = CommandParser(prog="python -m transducer info", description="Prints everything that a saved transducer states.")
    _add_place(parser)
    options = parser.parse_args(arguments)
    folder = _place(options)
    config = read_configuration(folder)
    facts = {"folder": str(folder), "files": {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.is_file()},
             "parameters": parameter_count(config), **config}
    if options.json:
        print(json.dumps(facts, ensure_ascii=False, indent=2))
    else:
        print("\n".join(_lines(facts)))
    return DONE


def _lines(facts: dict, indent: str = "") -> Iterator[str]:
    """`name: value` lines, what is within a value indented."""
    for name, value in facts.items():
        if isinstance(value, dict) and value:
            yield f"{indent}{name}:"
            yield from _lines(value, indent + "  ")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield f"{indent}{name}:"
            for each in value:
                yield f"{indent}  - {', '.join(f'{key} {part}' for key, part in each.items() if part not in ('', None))}"
        elif isinstance(value, list):
            yield f"{indent}{name}: {(' x ' if all(isinstance(part, int) for part in value) else ', ').join(map(str, value))}"
        else:
            yield f"{indent}{name}: {f'{value:,}' if isinstance(value, int) else value if value not in ('', None, {}) else '-'}"


# verify


def verify_main(arguments: list[str] | None = None) -> int:
    parser = CommandParser(prog="python -m transducer verify", description="Checks a saved transducer; the exit code is 1 where it "
                           "cannot be relied on.")
    _add_place(parser, ", or a file of prompt embeddings")
    parser.add_argument("--model", help="a model to check it against: embedded name, folder or hub id")
    options = parser.parse_args(arguments)
    folder = _place(options)
    checks = []
    for check in (EmbeddingsVerification if folder.is_file() else Verification)(folder, options.model).checks():
        checks.append(check)
        if not options.json:
            print(f"{'ok    ' if check['ok'] else 'FAILED'}  {check['name']}: {check['detail']}")
    passed = all(check["ok"] for check in checks)
    if options.json:
        print(json.dumps({"folder": str(folder), "ok": passed, "checks": checks}, ensure_ascii=False, indent=2))
    return DONE if passed else FAILED


class Verification:
    """The checks of a transducer folder, in order; what comes after a failed one rests on it and is not tried.

    Args:
        folder: what is checked.
        model: a model that it must be for, or None.
    """

    def __init__(self, folder: Path, model: str | None):
        self._folder, self._model = folder, model

    def checks(self) -> Iterator[dict]:
        """{"name", "ok", "detail"} of each."""
        for name, check in self._all():
            try:
                yield {"name": name, "ok": True, "detail": check()}
            except (CheckpointError, TransducerError, CpgError) as error:
                yield {"name": name, "ok": False, "detail": " ".join(str(error).split())}
                return

    def _all(self) -> Iterator[tuple[str, Callable[[], str]]]:
        yield "configuration", self._configuration
        yield "tensors", self._tensors
        yield "settings", self._settings
        yield "numbers", self._numbers
        yield "card", self._card
        if self._model:
            yield "model", self._backbone

    def _configuration(self) -> str:
        config = read_configuration(self._folder)
        return f"schema {config['schema']}, all fields of the expected kind"

    def _tensors(self) -> str:
        self._artefact: Artefact = read_artefact(self._folder)
        config = self._artefact.config
        self._artefact.check({name: tuple(shape) for name, shape in config["tensors"].items()})
        return f"{TENSOR_FILE} read strictly, SHA-256 as stated, {len(config['tensors'])} tensors of the stated shapes"

    def _settings(self) -> str:
        from .config import TransducerSettings
        from .model import trained_shapes
        from .places import Role, Shape

        config = self._artefact.config
        settings = TransducerSettings.from_dict(config["settings"])
        made_for = config["backbone"]
        roles = {role: Role(*shape) for role, shape in made_for["roles"].items()}
        self._artefact.check(trained_shapes(settings, Shape(made_for["width"], roles, made_for["blocks"])))
        return f"the tensors are those of the settings at width {config['backbone']['width']}, {parameter_count(config):,} parameters"

    def _numbers(self) -> str:
        from checkpoints.errors import ArtefactContentError

        tensors = self._artefact.tensors
        wrong = sorted(name for name, tensor in tensors.items() if not tensor.is_floating_point() or not bool(tensor.isfinite().all()))
        if wrong:
            raise ArtefactContentError(f"{self._folder / TENSOR_FILE}: not all finite floating-point numbers in {', '.join(wrong)}; the "
                                       "training that wrote them went wrong: train again")
        return "all finite, " + ", ".join(sorted({str(tensor.dtype).removeprefix("torch.") for tensor in tensors.values()}))

    def _card(self) -> str:
        path = self._folder / CARD_FILE
        if not path.is_file():
            return f"no {CARD_FILE}; it is not needed to load, and transducer.export writes it again"
        same = path.read_bytes() == transducer_card(self._artefact.config).encode()
        return f"{CARD_FILE} is the one that the configuration gives" if same else f"{CARD_FILE} was edited or is of another release"

    def _backbone(self) -> str:
        from .backbone import load_backbone
        from .compatibility import check_backbone

        made_for = self._artefact.config["backbone"]
        check_backbone(str(self._folder), made_for, load_backbone(self._model, "float32"))
        tokenizer = "tokenizer" if made_for["tokenizer"] else "(tokenizer not recorded)"
        return f"width, family, {tokenizer} and weights of {self._model} are those it was made for"


class EmbeddingsVerification(Verification):
    """The checks of a file of prompt embeddings."""

    def _all(self) -> Iterator[tuple[str, Callable[[], str]]]:
        yield "embeddings", self._embeddings
        if self._model:
            yield "model", self._backbone

    def _embeddings(self) -> str:
        from .prompt_embeddings import read_prompt_embeddings

        embeddings, self._facts = read_prompt_embeddings(self._folder)
        sample = next(iter(embeddings.values()))
        return f"{len(embeddings):,} requests, [sequence, {sample.shape[1]}] {str(sample.dtype).removeprefix('torch.')}, all finite"

    def _backbone(self) -> str:
        from .backbone import load_backbone
        from .errors import BackboneMismatchError
        from .prompt_embeddings import read_prompt_embeddings

        backbone = load_backbone(self._model, "float32")
        read_prompt_embeddings(self._folder, backbone.width)
        if backbone.fingerprint != self._facts.get("model_fingerprint"):
            raise BackboneMismatchError(f"{self._folder} was made for {self._facts.get('model')} (weights "
                                        f"{str(self._facts.get('model_fingerprint'))[:12]}), got {backbone.name} (weights "
                                        f"{backbone.fingerprint[:12]}); export for that model")
        return f"hidden size and weights of {self._model} are those they were made for"


def _add_place(parser: argparse.ArgumentParser, others: str = "") -> None:
    parser.add_argument("folder", metavar="FOLDER_OR_ID", help=f"folder of a saved transducer, or its id on the hub (user/name){others}")
    parser.add_argument("--revision", default="", metavar="TEXT", help="branch, tag or commit of a transducer on the hub")
    parser.add_argument("--json", action="store_true", help="JSON on standard output, nothing else")


def _place(options: argparse.Namespace) -> Path:
    from .hub import located

    return located(options.folder, options.revision or None)
