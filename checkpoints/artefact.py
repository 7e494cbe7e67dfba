"""The folder of a saved transducer: schema, writing, strict reading.

    transducer_config.json    schema, settings, backbone, task, languages, licence, library versions, the tensors' shapes
                              and hash, what was measured, and the run that it is from
    transducer.safetensors    the trained tensors and nothing else
    README.md                 model card, made of the configuration alone

The same tensors and facts give the same bytes, wherever the folder lies and whatever it is called.

Never `adapter_config.json`, which loaders of other libraries would misread.
"""
from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from .artefact_card import transducer_card
from .errors import ArtefactContentError, ArtefactError, ArtefactVersionError, MissingArtefactError

SCHEMA = 6
CONFIG_FILE = "transducer_config.json"
TENSOR_FILE = "transducer.safetensors"
CARD_FILE = "README.md"
RECORDED_PACKAGES = ("torch", "transformers", "safetensors")
REQUIRED_FIELDS = {"schema": int, "settings": dict, "backbone": dict, "task": str, "languages": list, "license": str,
                   "limits": dict, "packages": dict, "tensors": dict, "sha256": str, "results": dict, "run": dict}
"""Fields of the configuration and what they hold. `limits` are in tokens, those of `LIMITS`, or none where they are not known;
`results` are figures by name, `run` is what made them."""
LIMITS = ("max_source_tokens", "max_target_tokens")
"""How much of a source and a target it was trained with, in tokens of the backbone."""
BACKBONE_FIELDS = {"name", "revision", "fingerprint", "width", "precision", "quantize", "tokenizer", "family", "parameters", "roles",
                   "blocks"}
"""Facts about the backbone. `roles` (role -> [width, count]) are those of its signals that the transducer multiplies, `blocks`
(role -> count) those that it adds something behind. Where an older schema did not state them, `tokenizer` (a fingerprint),
`family`, `roles` and `blocks` are empty, `parameters` is 0 and `quantize` is "none"."""


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
                   languages: Sequence[str], results: dict, run: dict | None = None, license: str = "",
                   limits: dict[str, int] | None = None) -> None:
    """Writes a transducer folder whole or not at all; an older one in its place is replaced.

    Args:
        results: figures by name, such as {"test loss": 1.5}; what is no number is a remark.
        run: what made them, as `transducer.provenance` states it.
        license: identifier as the Hugging Face hub knows it, or "".
        limits: tokens by the names in `LIMITS`.

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
            "license": license,
            "settings": settings,
            "limits": limits or {},
            "backbone": backbone,
            "packages": {name: version(name) for name in RECORDED_PACKAGES},
            "tensors": {name: list(tensor.shape) for name, tensor in sorted(tensors.items())},
            "sha256": _sha256(temporary / TENSOR_FILE),
            "results": results,
            "run": run or {},
        }
        (temporary / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        (temporary / CARD_FILE).write_text(transducer_card(config), encoding="utf-8")
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
    config = read_configuration(folder)
    try:
        tensors = load_file(folder / TENSOR_FILE)
    except SafetensorError as error:
        raise _content_error(folder / TENSOR_FILE, f"truncated or no safetensors file ({error})") from error
    if _sha256(folder / TENSOR_FILE) != config["sha256"]:
        raise _content_error(folder / TENSOR_FILE, f"its SHA-256 is not the one that {CONFIG_FILE} states")
    return Artefact(folder, config, tensors)


def read_configuration(folder: Path) -> dict:
    """The configuration of a transducer folder in the present schema; the tensors are not looked at.

    Raises:
        MissingArtefactError, ArtefactVersionError, ArtefactContentError: as `read_artefact`.
    """
    folder = Path(folder)
    for name in (CONFIG_FILE, TENSOR_FILE):
        if not (folder / name).is_file():
            raise MissingArtefactError(f"no {name} in {folder}; expected a transducer folder as written by "
                                       "transducer.train or transducer.export")
    try:
        config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise _content_error(folder / CONFIG_FILE, f"not JSON ({error})") from error
    if isinstance(config, dict) and config.get("schema") in MIGRATIONS and type(config["schema"]) is int:
        config = MIGRATIONS[config["schema"]](config)
    _check_configuration(folder / CONFIG_FILE, config)
    return config


def _from_schema_1(config: dict) -> dict:
    """Schema 1 states neither licence nor run, and less of the backbone."""
    backbone = config.get("backbone")
    if isinstance(backbone, dict):
        backbone = {"tokenizer": "", "family": "", "parameters": 0} | backbone
    changed = {} if backbone is None else {"backbone": backbone}
    return _from_schema_2({"license": "", "run": {}} | config | changed)


def _from_schema_2(config: dict) -> dict:
    """Schema 2 does not state whether the backbone was quantised."""
    backbone = config.get("backbone")
    return _from_schema_3(config | {"backbone": {"quantize": "none"} | backbone} if isinstance(backbone, dict) else config)


def _from_schema_3(config: dict) -> dict:
    """Transducers of schema 3 change the input alone."""
    backbone = config.get("backbone")
    return _from_schema_4(config | {"backbone": {"roles": {}} | backbone} if isinstance(backbone, dict) else config)


def _from_schema_4(config: dict) -> dict:
    """Schema 4 does not state how long sources and targets were in training."""
    return _from_schema_5({"limits": {}} | config)


def _from_schema_5(config: dict) -> dict:
    """Transducers of schema 5 add nothing behind blocks."""
    backbone = config.get("backbone")
    return config | {"backbone": {"blocks": {}} | backbone} if isinstance(backbone, dict) else config


MIGRATIONS = {1: _from_schema_1, 2: _from_schema_2, 3: _from_schema_3, 4: _from_schema_4, 5: _from_schema_5}
"""Older schema -> what makes the present one of its configuration. `schema` stays what the file states."""


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
    wrong += ["backbone"] if "backbone" not in wrong and not _are_roles(config["backbone"]["roles"]) else []
    wrong += ["backbone"] if "backbone" not in wrong and not _are_blocks(config["backbone"]["blocks"]) else []
    wrong += ["tensors"] if "tensors" not in wrong and not all(map(_is_shape, config["tensors"].values())) else []
    wrong += ["languages"] if "languages" not in wrong and not all(isinstance(name, str) for name in config["languages"]) else []
    wrong += ["limits"] if "limits" not in wrong and not _are_limits(config["limits"]) else []
    if wrong:
        raise _content_error(path, f"fields missing or of another kind than expected: {wrong}")


def _is_shape(sides: object) -> bool:
    return isinstance(sides, list) and all(type(side) is int and side >= 0 for side in sides)


def _are_roles(roles: object) -> bool:
    return isinstance(roles, dict) and all(_is_shape(pair) and len(pair) == 2 for pair in roles.values())


def _are_blocks(blocks: object) -> bool:
    return isinstance(blocks, dict) and all(type(count) is int and count > 0 for count in blocks.values())


def _are_limits(limits: dict) -> bool:
    return not limits or limits.keys() == set(LIMITS) and all(type(count) is int and count > 0 for count in limits.values())


def folder_bytes(folder: Path) -> int:
    """Bytes of the tensor files in a folder: what it takes to ship what was trained."""
    return sum(path.stat().st_size for path in Path(folder).rglob("*.safetensors"))


def _content_error(path: Path, reason: str) -> ArtefactContentError:
    return ArtefactContentError(f"{path} cannot be used: {reason}; copy the folder again from where it was saved")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
