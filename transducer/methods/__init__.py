"""Methods of adaptation by name. Adding one is one file and one line in `METHODS`.

The table holds places, not classes, so that listing the methods in a `--help` does not load torch.
"""
from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ..errors import UnknownNameError

if TYPE_CHECKING:
    from ..adapted_model import AdaptedModel
    from ..backbone import Backbone
    from ..config import TransducerSettings

METHODS = {
    "transducer": "transducer:Transducer",
    "none": "none:FrozenModel",
    "lora": "peft_methods:LoRA",
    "prefix": "peft_methods:PrefixTuning",
    "prompt": "peft_methods:PromptTuning",
    "published": "transducer:PublishedTransducer",
}
"""Module of this folder and class, by the method's name."""


def method_class(name: str) -> type[AdaptedModel]:
    """The class of a method; an unknown name is an UnknownNameError with the table."""
    if name not in METHODS:
        raise UnknownNameError.among("method", name, METHODS)
    module, class_name = METHODS[name].split(":")
    return getattr(import_module(f".{module}", __name__), class_name)


def build_method(name: str, backbone: Backbone, settings: TransducerSettings, engine: str = "auto") -> AdaptedModel:
    """A method on a backbone that it may change in place: load a backbone of its own for each."""
    return method_class(name)(backbone, settings, engine).to(backbone.device)
