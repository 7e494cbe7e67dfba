"""Adapts a frozen code language model to a software task through a Code Property Graph and a few trained parameters.

    from transducer import TransducerModel, load_backbone

Commands: `python -m transducer --help` lists them.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .backbone import Backbone, load_backbone
    from .config import TrainSettings, TransducerSettings
    from .model import TransducerModel

__version__ = "0.1.0"

_HOMES = {"Backbone": "backbone", "load_backbone": "backbone", "TransducerModel": "model",
          "TrainSettings": "config", "TransducerSettings": "config"}

__all__ = ["Backbone", "TrainSettings", "TransducerModel", "TransducerSettings", "load_backbone"]


def __getattr__(name: str):
    """Loads a public name when it is first used, so that `--help` does not wait for torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has: {', '.join(__all__)}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
