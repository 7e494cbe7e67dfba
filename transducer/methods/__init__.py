"""Methods of adaptation by name. Adding one is one file and one line in `METHODS`."""
from __future__ import annotations

from ..backbone import Backbone
from ..config import TransducerSettings
from ..errors import UnknownNameError
from .base import AdaptedModel
from .none import FrozenModel
from .peft_methods import LoRA, PrefixTuning, PromptTuning
from .transducer import PublishedTransducer, Transducer

METHODS: dict[str, type[AdaptedModel]] = {
    "transducer": Transducer,
    "none": FrozenModel,
    "lora": LoRA,
    "prefix": PrefixTuning,
    "prompt": PromptTuning,
    "published": PublishedTransducer,
}


def method_class(name: str) -> type[AdaptedModel]:
    """The class of a method; an unknown name is an UnknownNameError with the table."""
    if name not in METHODS:
        raise UnknownNameError.among("method", name, METHODS)
    return METHODS[name]


def build_method(name: str, backbone: Backbone, settings: TransducerSettings, engine: str = "auto") -> AdaptedModel:
    """A method on a backbone that it may change in place: load a backbone of its own for each."""
    return method_class(name)(backbone, settings, engine).to(backbone.device)
