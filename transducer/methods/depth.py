"""Which layers a method changes: all of a model's, or the last of each of its stacks."""
from __future__ import annotations

import re
from collections.abc import Iterable

from ..adapted_model import growing
from ..config import option

_LAYER = re.compile(r"^(.*?)\.(\d+)\.")
"""A module's stack and the number of its layer there; what follows may hold further numbers."""

FEWER_LAYERS = growing("layers", 1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64, rank=1)
"""Sizes below rank 1 in every layer. From the depth of a model on they are equal."""


def layers_option() -> int:
    """The field of settings."""
    return option(0, "how many of the last layers are changed, of an encoder and a decoder each; all where there are fewer; 0: all",
                  minimum=0)


def in_last_layers(names: Iterable[str], count: int) -> list[str]:
    """Those names of modules that lie in the last `count` layers of their stack; all names for 0."""
    if not count:
        return list(names)
    places = {name: (match[1], int(match[2])) for name in names if (match := _LAYER.match(name))}
    depth: dict[str, int] = {}
    for stack, layer in places.values():
        depth[stack] = max(depth.get(stack, 0), layer + 1)
    return [name for name, (stack, layer) in places.items() if layer >= depth[stack] - count]
