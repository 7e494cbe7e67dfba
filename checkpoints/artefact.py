"""The folder of a saved transducer: schema, writing, strict reading.

    transducer_config.json    schema, settings, backbone, task, languages, library versions, the tensors' shapes and hash
    transducer.safetensors    the trained tensors and nothing else
    README.md                 model card

Never `adapter_config.json`, which loaders of other libraries would misread.
"""
from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from .errors import ArtefactContentError, ArtefactError, ArtefactVersionError, MissingArtefactError

SCHEMA = 1
CONFIG_FILE = "transducer_config.json"
TENSOR_FILE = "transducer.safetensors"
CARD_FILE = "README.md"
RECORDED_PACKAGES = ("torch", "transformers", "safetensors")
REQUIRED_FIELDS = {"schema": int, "settings": dict, "backbone": dict, "task": str, "languages": list, "packages": dict,
                   "tensors": dict, "sha256": str, "results": dict}
"""Fields of the configuration and what they hold."""
BACKBONE_FIELDS = {"name", "revision", "fingerprint", "width", "precision"}


@dataclass(frozen=True)
class Artefact:
    """A folder as read: its configuration and its tensors by name."""

    folder: Path
    config: dict
    tensors: dict

    def check(self, shapes: dict[str, tuple[int, ...]]) -> None:
        """Raises ArtefactContentError unless the tensors are exactly those of `shapes`."""
        found = {name: tuple(tensor.shape) for name, tensor in self.tensors.items()}
        if found != shapes:
            missing, surplus = sorted(shapes.keys() - found.keys()), sorted(found.keys() - shapes.keys())
            changed = sorted(name for name in shapes.keys() & found.keys() if shapes[name] != found[name])
            raise _content_error(self.folder / TENSOR_FILE,
                                 f"tensors missing: {missing}, surplus: {surplus}, of another shape: {changed}")


def write_artefact(folder: Path, tensors: dict, *, settings: dict, backbone: dict, task: str,
                   languages: tuple[str, ...], results: dict) -> None:
    """Writes a transducer folder whole or not at all; an older one in its place is replaced.

    Raises:
        ArtefactError: the folder is there and holds something else; it is left alone.
    """
    from safetensors.torch import save_file

    if folder.exists() and not (folder / CONFIG_FILE).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise ArtefactError(f"{folder} holds no transducer that could be replaced; nothing was changed; give another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        save_file(tensors, temporary / TENSOR_FILE, metadata={"format": "pt"})
        config = {
            "schema": SCHEMA,
            "task": task,
            "languages": list(languages),
            "settings": settings,
            "backbone": backbone,
            "packages": {name: version(name) for name in RECORDED_PACKAGES},
            "tensors": {name: list(tensor.shape) for name, tensor in sorted(tensors.items())},
            "sha256": _sha256(temporary / TENSOR_FILE),
            "results": results,
        }
        (temporary / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        (temporary / CARD_FILE).write_text(_card(folder.name, config), encoding="utf-8")
        temporary.chmod(0o755)
        _put_in_place(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _put_in_place(temporary: Path, folder: Path) -> None:
    """Renames; what was in the place goes aside first and is removed last, so that it is never gone before its successor
    is there."""
    if not folder.exists():
        temporary.rename(folder)
        return
    aside = temporary.with_name(temporary.name + ".old")
    folder.rename(aside)
    try:
        temporary.rename(folder)
    except OSError:
        aside.rename(folder)
        raise
    shutil.rmtree(aside)


def read_artefact(folder: Path) -> Artefact:
    """The configuration and tensors of a transducer folder.

    Raises:
        MissingArtefactError: the folder or one of its files is not there.
        ArtefactVersionError: the schema is newer than this release.
        ArtefactContentError: a file is truncated, was altered, or lacks a field.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = Path(folder)
    for name in (CONFIG_FILE, TENSOR_FILE):
        if not (folder / name).is_file():
            raise MissingArtefactError(f"no {name} in {folder}; expected a transducer folder as written by "
                                       "transducer.train or transducer.export")
    try:
        config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise _content_error(folder / CONFIG_FILE, f"not JSON ({error})") from error
    _check_configuration(folder / CONFIG_FILE, config)
    try:
        tensors = load_file(folder / TENSOR_FILE)
    except SafetensorError as error:
        raise _content_error(folder / TENSOR_FILE, f"truncated or no safetensors file ({error})") from error
    if _sha256(folder / TENSOR_FILE) != config["sha256"]:
        raise _content_error(folder / TENSOR_FILE, f"its SHA-256 is not the one that {CONFIG_FILE} states")
    return Artefact(folder, config, tensors)


def _check_configuration(path: Path, config: object) -> None:
    if not isinstance(config, dict):
        raise _content_error(path, "not a JSON object")
    schema = config.get("schema")
    if type(schema) is int and schema > SCHEMA:
        raise ArtefactVersionError(f"{path} has schema {schema}, this release reads up to {SCHEMA}; install a newer "
                                   "release of transducer")
    wrong = [name for name, kind in REQUIRED_FIELDS.items() if type(config.get(name)) is not kind]
    wrong += ["schema"] if type(schema) is int and schema < 1 else []
    wrong += ["backbone"] if "backbone" not in wrong and not BACKBONE_FIELDS <= config["backbone"].keys() else []
    if wrong:
        raise _content_error(path, f"fields missing or of another kind than expected: {wrong}")


def folder_bytes(folder: Path) -> int:
    """Bytes of the tensor files in a folder: what it takes to ship what was trained."""
    return sum(path.stat().st_size for path in Path(folder).rglob("*.safetensors"))


def _content_error(path: Path, reason: str) -> ArtefactContentError:
    return ArtefactContentError(f"{path} cannot be used: {reason}; copy the folder again from where it was saved")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _card(name: str, config: dict) -> str:
    backbone, settings = config["backbone"], config["settings"]
    count = sum(_product(shape) for shape in config["tensors"].values())
    lines = [
        f"# {name}",
        "",
        f"A transducer for the task `{config['task'] or 'unspecified'}`"
        + (f" in {', '.join(config['languages'])}" if config["languages"] else "")
        + f": {count:,} trained parameters in front of a frozen `{backbone['name']}`.",
        "",
        "| | |",
        "|---|---|",
        f"| backbone | `{backbone['name']}`, width {backbone['width']}, weights SHA-256 `{backbone['fingerprint']}` |",
        *(f"| {key.replace('_', ' ')} | {value} |" for key, value in settings.items()),
        "",
        "## Measured results",
        "",
        *([f"- {key}: {value}" for key, value in config["results"].items()] or ["None recorded."]),
        "",
        "## Use",
        "",
        "```",
        "python -m transducer.predict --transducer FOLDER FILE",
        "```",
        "",
    ]
    return "\n".join(lines)


def _product(shape: list[int]) -> int:
    result = 1
    for side in shape:
        result *= side
    return result
