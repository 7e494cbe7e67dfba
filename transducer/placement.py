"""How a model larger than the memory of one device runs: spread over devices, with layers that are computed twice.

Spreading is accelerate's: a layer that lies elsewhere is brought to where it is computed, and leaves again behind it.
"""
from __future__ import annotations

import json
from functools import wraps
from pathlib import Path

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from .errors import BackboneError, ConfigurationError

AUTOMATIC_MAPS = ("auto", "balanced", "balanced_low_0", "sequential")
CACHE_ARGUMENTS = {"past_key_values": None, "layer_past": None, "use_cache": False}
"""What a layer is told in place of these when it is computed twice: it must not write into a cache twice."""


def checkpoint_layers(model: nn.Module) -> int:
    """Keeps, for the backward pass, the inputs of each layer alone and computes the rest again there; how many layers.

    Not by the model's own switch: it works in training mode only, which would turn the dropout of the frozen model on.
    Gradients are the same; the forward pass is paid twice.

    Raises:
        BackboneError: the model has no such layers.
    """
    layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    if not layers:
        raise BackboneError(f"{type(model).__name__} has no layers that could be computed twice; leave --gradient-checkpointing out")
    for layer in layers:
        layer.forward = _computed_twice(layer.forward)
    return len(layers)


def _computed_twice(forward):
    @wraps(forward)
    def wrapped(*arguments, **named):
        if not torch.is_grad_enabled():
            return forward(*arguments, **named)
        named = {name: CACHE_ARGUMENTS.get(name, value) for name, value in named.items()}
        # Not the re-entrant kind, which gives no gradient to a layer's own parameters where its inputs need none. Nothing
        # in a frozen layer is drawn at random but a method's own dropout, whose state is kept.
        return checkpoint(forward, *arguments, use_reentrant=False, **named)
    return wrapped


def require_map(device_map: str) -> None:
    """Raises ConfigurationError for what is neither the name of an automatic map nor a file."""
    if device_map and device_map not in AUTOMATIC_MAPS and not Path(device_map).is_file():
        raise ConfigurationError(f"--device-map is {device_map!r}, expected one of {', '.join(AUTOMATIC_MAPS)}, or a JSON file of "
                                 "module: device lines")


def spread(model: nn.Module, device_map: str, offload_folder: Path) -> torch.device:
    """Spreads a frozen model over devices; where its input embeddings are, which is where inputs go.

    Args:
        device_map: a name of `AUTOMATIC_MAPS`, or a JSON file, {module: device}: `cpu`, `disk`, or the number of a GPU.
        offload_folder: takes what goes to the disk.

    Raises:
        ConfigurationError: the map is none, leaves modules out, or puts the input embeddings on the disk or, beside a GPU,
            on the CPU: the graph side reads them at each step.
    """
    from accelerate import dispatch_model, infer_auto_device_map
    from accelerate.utils import check_device_map, get_balanced_memory

    require_map(device_map)
    model.tie_weights()
    if device_map in AUTOMATIC_MAPS:
        whole = sorted({type(module).__name__ for module in model.modules() if isinstance(module, GradientCheckpointingLayer)})
        memory = None
        if device_map != "sequential":
            memory = get_balanced_memory(model, no_split_module_classes=whole, low_zero=device_map == "balanced_low_0")
        places = infer_auto_device_map(model, max_memory=memory, no_split_module_classes=whole)
    else:
        places = _read_map(Path(device_map))
    try:
        check_device_map(model, places)
    except ValueError as error:
        raise ConfigurationError(f"--device-map {device_map}: {' '.join(str(error).split())}") from error
    if set(places.values()) <= {"cpu"}:
        return torch.device("cpu")  # where it is already
    main = next((place for place in places.values() if place not in ("cpu", "disk")), "cpu")
    embeddings = model.get_input_embeddings()
    for name, module in model.named_modules(remove_duplicate=False):
        place = _place(places, name)
        if module is embeddings and place != main:
            raise ConfigurationError(f"--device-map {device_map} puts the input embeddings {name!r} on {place!r}; they are read at "
                                     f"each step: put them on {main!r}")
    dispatch_model(model, places, main_device=main, offload_dir=offload_folder, force_hooks=True)
    return torch.device(main)


def _place(places: dict, name: str) -> object:
    """The device of a module, that of the nearest module above it in the map."""
    while name and name not in places:
        name = name.rpartition(".")[0]
    return places.get(name)


def _read_map(path: Path) -> dict[str, object]:
    try:
        places = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"--device-map {path} cannot be read ({error}); expected JSON, {{module: device}}") from error
    if not isinstance(places, dict) or not all(place in ("cpu", "disk") or isinstance(place, int) for place in places.values()):
        raise ConfigurationError(f"--device-map {path} is no map; expected JSON, {{module: device}}, with devices cpu, disk or the "
                                 "number of a GPU")
    return places
