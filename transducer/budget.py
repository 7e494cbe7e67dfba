"""Sizes of methods: parameters counted without weights, and the largest size within a budget.

A method is built on a backbone of shapes alone (`torch.device("meta")`), so counting costs no memory and is exact: no
formula can drift away from the code.
"""
from __future__ import annotations

from bisect import bisect_right

import torch

from .backbone import LOADERS, Backbone
from .config import TransducerSettings
from .errors import BudgetError
from .methods import build_method, method_class, parse_specification, with_fields


class ShapesOnly(Backbone):
    """A backbone without weights; good for building methods and counting, not for computing."""

    embedding_scale = 1.0

    def __init__(self, backbone: Backbone):
        config = backbone.model.config
        with torch.device("meta"):
            model = LOADERS[backbone.family.kind].from_config(config)
        super().__init__(model, backbone.tokenizer, backbone.name, backbone.revision, backbone.fingerprint)
        self.quantize, self.device_map, self.computes_twice = backbone.quantize, backbone.device_map, backbone.computes_twice


def parameter_count(specification: str, backbone: Backbone, settings: TransducerSettings) -> int:
    """Trainable parameters of a method on a backbone, which is left as it is."""
    shapes = ShapesOnly(backbone)
    with torch.device("meta"):
        return build_method(specification, shapes, settings, engine="torch").trainable_count()


def within_budget(specification: str, budget: int, backbone: Backbone, settings: TransducerSettings) -> str:
    """The specification with the largest size that has at most `budget` trainable parameters.

    A method whose size cannot be chosen, or is given in the specification, stays as it is where it fits.

    Raises:
        BudgetError: even the smallest size is too large; the message names it.
    """
    name, given = parse_specification(specification)
    sizes = [{field: value for field, value in size.items() if field not in given} for size in method_class(name).sizes]
    sizes = [size for place, size in enumerate(sizes) if size not in sizes[:place]] or [{}]
    sized = [with_fields(specification, size) for size in sizes]
    fitting = bisect_right(sized, budget, key=lambda choice: parameter_count(choice, backbone, settings))
    if fitting:
        return sized[fitting - 1]
    count = parameter_count(sized[0], backbone, settings)
    if not sizes[0]:
        raise BudgetError(f"method {specification!r} has {count:,} trainable parameters, more than the budget of {budget:,}, and no "
                          f"size to choose; raise the budget or leave the method out", count)
    smallest = ", ".join(f"{field}={value}" for field, value in sizes[0].items())
    raise BudgetError(f"method {specification!r} has {count:,} trainable parameters at its smallest ({smallest}), more than the "
                      f"budget of {budget:,}; raise the budget to that", count)
