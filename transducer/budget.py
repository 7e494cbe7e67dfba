"""Sizes of methods: parameters counted without weights, and the largest size within a budget.

A method is built on a backbone of shapes alone (`torch.device("meta")`), so counting costs no memory and is exact: no
formula can drift away from the code.
"""
from __future__ import annotations

import copy
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import torch

from .backbone import LOADERS, Backbone
from .config import TransducerSettings
from .errors import BudgetError
from .methods import build_method, method_class, parse_specification, with_fields, without_budget


class ShapesOnly(Backbone):
    """A backbone without weights; good for building methods and counting, not for computing."""

    embedding_scale = 1.0

    def __init__(self, backbone: Backbone):
        # Its own: a method may change it, and the backbone is to stay as it is.
        config = copy.deepcopy(backbone.model.config)
        with torch.device("meta"):
            model = LOADERS[backbone.family.kind].from_config(config)
        super().__init__(model, backbone.tokenizer, backbone.name, backbone.revision, backbone.fingerprint)
        self.quantize, self.device_map, self.computes_twice = backbone.quantize, backbone.device_map, backbone.computes_twice


class SizedMethod(NamedTuple):
    """A method that can be built on a backbone."""

    method: str
    """As it was asked for, with `params=N` among its settings where its size is chosen."""
    specification: str
    """What is built."""
    budget: int | None
    """The `N`."""


def sized_method(method: str, backbone: Backbone, settings: TransducerSettings) -> SizedMethod:
    """What is built for a method as it was asked for.

    Raises:
        UnknownNameError, ConfigurationError, BackboneError: as `build_method` does.
        BudgetError: even its smallest size has more than `N` parameters.
    """
    base, budget = without_budget(method)
    return SizedMethod(method, sized(base, budget, backbone, settings)[0], budget)


def sized(specification: str, budget: int | None, backbone: Backbone, settings: TransducerSettings) -> tuple[str, int]:
    """(specification within the budget, its trainable parameters)."""
    chosen = within_budget(specification, budget, backbone, settings) if budget else specification
    return chosen, parameter_count(chosen, backbone, settings)


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
    ladders = split_ladders([size for place, size in enumerate(sizes) if size not in sizes[:place]] or [{}])

    @cache
    def count(sized: str) -> int:
        return parameter_count(sized, backbone, settings)

    best = None
    for ladder in ladders:
        sized = [with_fields(specification, size) for size in ladder]
        fitting = bisect_right(sized, budget, key=count)
        if fitting and (best is None or count(sized[fitting - 1]) >= count(best)):
            best = sized[fitting - 1]
    if best is not None:
        return best
    smallest, fields = min(((count(with_fields(specification, ladder[0])), ladder[0]) for ladder in ladders), key=lambda pair: pair[0])
    if not fields:
        raise BudgetError(f"method {specification!r} has {smallest:,} trainable parameters, more than the budget of {budget:,}, and "
                          f"no size to choose; raise the budget or leave the method out", smallest)
    named = ", ".join(f"{field}={value}" for field, value in fields.items())
    raise BudgetError(f"method {specification!r} has {smallest:,} trainable parameters at its smallest ({named}), more than the "
                      f"budget of {budget:,}; raise the budget to that", smallest)


def split_ladders(sizes: Sequence[dict[str, int]]) -> list[list[dict[str, int]]]:
    """Runs of sizes in which a single field grows, and with it the number of parameters."""
    ladders: list[list[dict[str, int]]] = []
    for size in sizes:
        last = ladders[-1][-1] if ladders else {}
        changed = [field for field in size if size[field] != last.get(field)]
        if size.keys() == last.keys() and len(changed) == 1 and size[changed[0]] > last[changed[0]]:
            ladders[-1].append(size)
        else:
            ladders.append([size])
    return ladders
