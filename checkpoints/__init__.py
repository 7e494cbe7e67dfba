"""The embedded base model and the files it consists of.

`path("codet5-tiny")` is a folder that `transformers` loads like any other model. How it was made:
`python -m checkpoints.pretrain`.
"""
from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

EMBEDDED_MODELS = ("codet5-tiny",)


def path(name: str) -> Path:
    """The folder of an embedded model; an unknown name is a KeyError that lists the table."""
    if name not in EMBEDDED_MODELS:
        near = get_close_matches(name, EMBEDDED_MODELS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise KeyError(f"unknown embedded model {name!r}, expected one of {', '.join(EMBEDDED_MODELS)}{hint}")
    return Path(__file__).parent / name
