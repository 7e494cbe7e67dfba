"""The models that have a short name: the embedded one, and those that a command fetches.

`path("codet5-tiny")` and `path("smollm2-135m")` are folders that `transformers` loads like any other model. How they
are made: `python -m checkpoints.pretrain` and `python -m checkpoints.fetch`.
"""
from __future__ import annotations

from pathlib import Path

from .errors import MissingModelError, UnknownModelError
from .fetchable import FETCHABLE, RECORD_FILE, fetched_folder

EMBEDDED_MODELS = ("codet5-tiny",)


def names() -> tuple[str, ...]:
    """Every name that `path` knows: embedded models first, then the fetchable ones."""
    return (*EMBEDDED_MODELS, *FETCHABLE)


def path(name: str) -> Path:
    """The folder of a model that has a short name.

    Raises:
        UnknownModelError: (a KeyError) no such name; lists the table.
        MissingModelError: (a FileNotFoundError) a fetchable model that is not in the cache folder; names the command.
    """
    if name in EMBEDDED_MODELS:
        return Path(__file__).parent / name
    if name not in FETCHABLE:
        raise UnknownModelError(unknown_model("model", name, names()))
    folder = fetched_folder(name)
    if not (folder / RECORD_FILE).is_file():
        raise MissingModelError(f"model {name!r} has not been fetched: {folder} does not hold it; "
                                f"run: python -m checkpoints.fetch {name}")
    return folder


def unknown_model(kind: str, name: str, known: tuple[str, ...]) -> str:
    """One line that names what is unknown, the table and the nearest entry of it."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown {kind} {name!r}, expected one of {', '.join(known)}{hint}"
