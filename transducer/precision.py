"""Which number format a frozen model computes in faster on this machine: measured once and remembered."""
from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from .measure import hardware
from .storage import cache_folder, write_text

if TYPE_CHECKING:
    from .backbone import Backbone


def choose_precision(backbone: Backbone) -> tuple[str, str]:
    """("float32" | "bfloat16", why): the faster of the two for one training step on this machine.

    bfloat16 is taken where it is at least 1.15 times faster; a tie keeps float32. The finding is kept in the cache
    folder, so that every run of a model on a machine computes in the same precision.
    """
    # Machines of several kinds may share the cache folder.
    key = f"{backbone.fingerprint[:16]} {backbone.device.type} {hardware()} {torch.get_num_threads()} {torch.__version__}"
    cache = cache_folder() / "precision.json"
    known = _known_ratios(cache)
    if key not in known and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        # Processes that train one model together must not come to different findings.
        return "float32", "not measured on this machine yet, and not in a run of several processes"
    if key not in known:
        backbone.widen_weights()
        seconds = {}
        for precision in ("float32", "bfloat16"):
            backbone.precision = precision
            seconds[precision] = step_seconds(backbone)
        known[key] = seconds["float32"] / seconds["bfloat16"]
        write_text(cache, json.dumps(known, indent=1) + "\n")
    ratio = known[key]
    return ("bfloat16" if ratio >= 1.15 else "float32"), f"measured: bfloat16 is {ratio:.2f} times as fast as float32"


def _known_ratios(cache: Path) -> dict[str, float]:
    """What was measured before; nothing where the file is absent or damaged."""
    try:
        known = json.loads(cache.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def step_seconds(backbone: Backbone, batch: int = 8, source: int = 192, target: int = 24, repeats: int = 3,
                 patience: float = 3.0) -> float:
    """Fastest of a few steps that carry gradient to the input embeddings, as every input-side method needs.

    A batch of a model above fifty million parameters is smaller in proportion, and where the steps are slow only one is
    taken after the first: the ratio of two precisions is no finer than that.
    """
    parameters = sum(parameter.numel() for parameter in backbone.model.parameters())
    batch = max(1, min(batch, int(batch * 5e7 / parameters)))
    embeddings = torch.zeros(batch, source, backbone.width, device=backbone.device, requires_grad=True)
    mask = torch.ones(batch, source, dtype=torch.long, device=backbone.device)
    labels = torch.ones(batch, target, dtype=torch.long, device=backbone.device)
    times = []
    for _ in range(repeats + 1):
        begin = time.perf_counter()
        backbone.forward(embeddings, mask, labels).loss.backward()
        if backbone.device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
        if len(times) > 1 and sum(times) > patience:
            break
    return min(times[1:])
