"""Methods of adaptation by name. Adding one is one file and one line in `METHODS`.

The table holds places, not classes, so that listing the methods in a `--help` does not load torch.
"""
from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ..errors import BackboneError, ConfigurationError, UnknownNameError

if TYPE_CHECKING:
    from ..adapted_model import AdaptedModel
    from ..backbone import Backbone
    from ..config import TransducerSettings

METHODS = {
    "transducer": "transducer:Transducer",
    "none": "none:FrozenModel",
    "copy": "copying:SourceItself",
    "retrieval": "retrieval:NearestNeighbour",
    "full": "full:FullFineTuning",
    "lora": "peft_methods:LoRA",
    "dora": "peft_methods:DoRA",
    "adalora": "adalora:AdaLoRA",
    "ia3": "peft_methods:IA3",
    "prefix": "peft_methods:PrefixTuning",
    "prefix-encoder": "prefix_encoder:PrefixEncoder",
    "prompt": "peft_methods:PromptTuning",
    "xprompt": "xprompt:XPrompt",
    "p-tuning": "peft_methods:PTuning",
    "linear": "linear:LinearAdapter",
    "adapter": "adapter:BottleneckAdapters",
    "prompt+adapter": "adapter:PromptAndAdapters",
    "affix": "affix:Affix",
    "additional-scan": "additional_scan:AdditionalScan",
    "lora-partial": "partial_lora:PartialLoRA",
    "no-graph": "no_graph:NoGraphTwin",
    "no-gve": "transducer:WithoutEngine",
    "no-abfl": "transducer:WithoutFusionLayer",
    "linear-gve": "transducer:LinearEngine",
    "input-only": "transducer:InputOnly",
    "no-scales": "transducer:WithoutScales",
    "no-bottlenecks": "transducer:WithoutBottlenecks",
    "no-edges": "transducer:WithoutEdges",
    "ast-only": "transducer:SyntaxOnly",
    "no-align": "transducer:WithoutAlignment",
    "no-residual": "transducer:WithoutResidual",
    "other-graph": "controls:OtherGraph",
    "mirrored-edges": "controls:MirroredEdges",
    "random-features": "controls:RandomFeatures",
    "published": "transducer:PublishedTransducer",
}
"""Module of this folder and class, by the method's name."""


def parse_specification(specification: str) -> tuple[str, dict[str, object]]:
    """(name, field -> value) of `NAME` or `NAME:FIELD=VALUE,...`; values as in YAML.

    Raises:
        ConfigurationError: a part without a `=`.
    """
    import yaml

    name, _, rest = specification.partition(":")
    given: dict[str, object] = {}
    for part in filter(None, rest.split(",")):
        field, equals, value = part.partition("=")
        if not equals or not field:
            raise ConfigurationError(f"method {specification!r}: {part!r} is no FIELD=VALUE; write {name}:rank=4,dropout=0")
        given[field] = yaml.safe_load(value) if value else ""
    return name, given


def with_fields(specification: str, added: dict[str, object]) -> str:
    """The specification with further fields; each must not be in it yet."""
    name, given = parse_specification(specification)
    parts = [f"{field}={value}" for field, value in added.items()]
    return f"{specification}{',' if given else ':'}{','.join(parts)}" if parts else specification


def without_budget(label: str) -> tuple[str, int | None]:
    """(specification, N) of a label with `params=N` among its settings; N is None where it has none.

    Raises:
        ConfigurationError: N is no number of parameters.
    """
    name, given = parse_specification(label)
    if "params" not in given:
        return label, None
    budget = given["params"]
    if not isinstance(budget, int) or isinstance(budget, bool) or budget < 1:
        raise ConfigurationError(f"method {label!r}: params is {budget!r}, expected a whole number of at least 1")
    parts = [part for part in label.partition(":")[2].split(",") if part.partition("=")[0] != "params"]
    return name + (":" if parts else "") + ",".join(parts), budget


def method_class(specification: str) -> type[AdaptedModel]:
    """The class of a method; an unknown name is an UnknownNameError with the table."""
    name, _ = parse_specification(specification)
    if name not in METHODS:
        raise UnknownNameError.among("method", name, METHODS)
    module, class_name = METHODS[name].split(":")
    return getattr(import_module(f".{module}", __name__), class_name)


def build_method(specification: str, backbone: Backbone, settings: TransducerSettings, engine: str = "auto") -> AdaptedModel:
    """A method on a backbone that it may change in place: load a backbone of its own for each.

    Args:
        specification: `NAME` or `NAME:FIELD=VALUE,...`.
        settings: of transducers; what the specification says goes before it.

    Raises:
        UnknownNameError, ConfigurationError: an unknown method or field, or a value out of range.
        BackboneError: the method cannot work on this backbone as it was loaded; the message says why.
    """
    kind = method_class(specification)
    _, given = parse_specification(specification)
    try:
        chosen = kind.make_settings(given, settings)
    except ConfigurationError as error:
        raise ConfigurationError(f"method {specification!r}: {error}") from error
    _require_usable(specification, kind, backbone)
    if kind.starts_wide or kind.changes_backbone or not kind.narrow_backbone:
        backbone.widen_weights()
    return kind(backbone, chosen, engine).on_device()


def _require_usable(specification: str, kind: type[AdaptedModel], backbone: Backbone) -> None:
    """Raises BackboneError where the backbone was loaded in a way that the method cannot work with."""
    numbers = kind.changes_backbone or kind.reads_weights
    if numbers and backbone.quantize != "none":
        raise BackboneError(f"method {specification!r} works on the backbone's weights themselves, which --quantize {backbone.quantize} "
                            "leaves none of; leave --quantize out, or take lora, adapter, prompt or transducer")
    if numbers and backbone.device_map:
        raise BackboneError(f"method {specification!r} works on the backbone's weights themselves, which --device-map keeps elsewhere; "
                            "leave --device-map out, or take adapter, prompt or transducer")
    if backbone.computes_twice and getattr(kind, "makes_cache", False):
        raise BackboneError(f"method {specification!r} puts keys and values into the cache, which a layer that is computed twice "
                            "cannot read; leave --gradient-checkpointing out")
