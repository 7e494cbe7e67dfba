"""What methods of our own save: one file of tensors, one of JSON, written whole or not at all, loaded strictly."""
from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from checkpoints.errors import ArtefactContentError, MissingArtefactError

TENSOR_FILE = "adapter.safetensors"
CONFIG_FILE = "method_config.json"


def save_tensors(folder: Path, method: str, settings: dict, tensors: dict[str, Tensor], **facts) -> None:
    """Writes a new folder; one that is there is an error of the caller. `facts` are what else a load must know."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary / TENSOR_FILE,
                  metadata={"format": "pt"})
        (temporary / CONFIG_FILE).write_text(json.dumps({"method": method, "settings": settings} | facts, indent=2) + "\n")
        temporary.chmod(0o755)
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def load_tensors(folder: Path, method: str, expected: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a folder, which have exactly the names and shapes of `expected`.

    Raises:
        MissingArtefactError: no tensors there.
        ArtefactContentError: truncated, no safetensors, or of another method or size.
    """
    path = Path(folder) / TENSOR_FILE
    if not path.exists():
        raise MissingArtefactError(f"no {path.name} in {folder}; expected a folder saved by method {method!r}")
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise ArtefactContentError(f"{path} is truncated or no safetensors file ({error}); copy it again from where it was "
                                   "saved") from error
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    wanted = {name: tensor.shape for name, tensor in expected.items()}
    if shapes != wanted:
        odd = sorted(name for name in shapes.keys() | wanted.keys() if shapes.get(name) != wanted.get(name))[:3]
        raise ArtefactContentError(f"{path} does not fit method {method!r}: missing, surplus or misshapen tensors {odd}; "
                                   "load it with the settings it was saved with")
    return tensors


def load_fact(folder: Path, method: str, name: str):
    """One of the facts that `save_tensors` wrote.

    Raises:
        MissingArtefactError: no such file there.
        ArtefactContentError: it is not JSON, or has no such fact.
    """
    path = Path(folder) / CONFIG_FILE
    if not path.exists():
        raise MissingArtefactError(f"no {CONFIG_FILE} and {TENSOR_FILE} in {folder}; expected a folder saved by method {method!r}")
    try:
        return json.loads(path.read_text(encoding="utf-8"))[name]
    except (ValueError, KeyError, TypeError) as error:
        raise ArtefactContentError(f"{path} does not fit method {method!r}: {name!r} cannot be read from it ({error}); copy it "
                                   "again from where it was saved") from error


class OwnTensors:
    """Mixin for an `AdaptedModel`: saves and loads what is trained."""

    def save(self, folder: Path) -> None:
        save_tensors(Path(folder), self.method, vars(self.settings), self.trainable())

    def load(self, folder: Path) -> None:
        import torch

        trainable = self.trainable()
        tensors = load_tensors(Path(folder), self.method, trainable)
        with torch.no_grad():
            for name, parameter in trainable.items():
                parameter.copy_(tensors[name])


class Switch:
    """Mixin for an `AdaptedModel`: `self._enabled` is false while it is the frozen backbone."""

    _enabled = True

    def disabled(self):
        from contextlib import contextmanager

        @contextmanager
        def off():
            self._enabled = False
            try:
                yield
            finally:
                self._enabled = True

        return off()
