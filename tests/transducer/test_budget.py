"""Counting without weights, and the largest size within a budget."""
from __future__ import annotations

import pytest

from tests.transducer.tables import METHODS_OF_EVERY_FAMILY
from transducer.backbone import Backbone, load_backbone
from transducer.budget import parameter_count, split_ladders, within_budget
from transducer.config import TransducerSettings
from transducer.errors import ConfigurationError
from transducer.methods import build_method, method_class, with_fields

SETTINGS = TransducerSettings()


@pytest.mark.parametrize("method", METHODS_OF_EVERY_FAMILY)
def test_the_count_is_that_of_the_built_method_and_the_backbone_stays(method: str, model_folder) -> None:
    backbone = load_backbone(str(model_folder), "float32", device="cpu")
    names, attention = list(backbone.model.state_dict()), backbone.model.config._attn_implementation
    count = parameter_count(method, backbone, SETTINGS)
    assert list(backbone.model.state_dict()) == names and backbone.model.config._attn_implementation == attention
    assert not any(parameter.requires_grad for parameter in backbone.model.parameters())
    assert count == build_method(method, backbone, SETTINGS).trainable_count()


@pytest.mark.parametrize("method", [name for name in METHODS_OF_EVERY_FAMILY if method_class(name).sizes])
def test_the_largest_size_within_a_budget(method: str, backbone: Backbone) -> None:
    smaller, larger = (with_fields(method, size) for size in method_class(method).sizes[-2:])
    budget = parameter_count(larger, backbone, SETTINGS)
    assert within_budget(method, budget, backbone, SETTINGS) == larger
    assert within_budget(method, budget - 1, backbone, SETTINGS) == smaller


@pytest.mark.parametrize("method", [name for name in METHODS_OF_EVERY_FAMILY if method_class(name).sizes])
def test_no_size_of_a_ladder_is_smaller_than_the_one_before(method: str, backbone: Backbone) -> None:
    """What the search in `within_budget` rests on. Looked at are the beginning and the end of each."""
    for ladder in split_ladders(method_class(method).sizes):
        counts = [parameter_count(with_fields(method, size), backbone, SETTINGS) for size in (*ladder[:4], ladder[-1])]
        assert counts == sorted(counts), ladder


def test_ladders_of_sizes() -> None:
    one, two = ({"layers": count, "rank": 1} for count in (1, 2))
    assert split_ladders([one, two, {"rank": 1}, {"rank": 2}]) == [[one, two], [{"rank": 1}, {"rank": 2}]]
    assert split_ladders([two, one, {"layers": 2, "rank": 3}]) == [[two], [one], [{"layers": 2, "rank": 3}]]
    assert split_ladders([{}]) == [[{}]]


def test_every_size_of_a_transducer_is_larger_than_the_one_before() -> None:
    backbone = load_backbone("codet5-tiny", "float32", device="cpu")
    sizes = method_class("transducer").sizes
    counts = [parameter_count(with_fields("transducer", size), backbone, SETTINGS) for size in sizes]
    assert counts == sorted(counts) and len(set(counts)) == len(counts)
    assert parameter_count("transducer", backbone, SETTINGS) in counts
    assert within_budget("transducer:rank=8", counts[-1], backbone, SETTINGS) == "transducer:rank=8,directions=4,bottleneck=128"


def test_settings_that_are_given_stay(backbone: Backbone) -> None:
    count = parameter_count("lora:rank=3,targets=q", backbone, SETTINGS)
    assert within_budget("lora:targets=q", count, backbone, SETTINGS) == "lora:targets=q,rank=3"
    assert within_budget("lora:rank=1", count, backbone, SETTINGS) == "lora:rank=1"
    assert within_budget("lora:rank=1,layers=1", count, backbone, SETTINGS) == "lora:rank=1,layers=1"
    assert within_budget("lora:layers=1", 2 * count, backbone, SETTINGS) == "lora:layers=1,rank=6"
    assert within_budget("none", 0, backbone, SETTINGS) == "none"


@pytest.mark.parametrize(("method", "message"), [
    ("lora", r"'lora' has \d+ trainable parameters at its smallest \(rank=1, layers=1\), more than the budget of 10; raise the budget"),
    ("full", r"'full' has [\d,]+ trainable parameters, more than the budget of 10, and no size to choose"),
    ("lora:rank=2", r"'lora:rank=2' has [\d,]+ trainable parameters at its smallest \(layers=1\), more"),
    ("lora:rank=2,layers=1", r"'lora:rank=2,layers=1' has [\d,]+ trainable parameters, more than the budget of 10"),
])
def test_a_budget_that_nothing_fits(method: str, message: str, backbone: Backbone) -> None:
    with pytest.raises(ConfigurationError, match=message):
        within_budget(method, 10, backbone, SETTINGS)


@pytest.mark.parametrize(("specification", "message"), [
    ("lora:rank", "'rank' is no FIELD=VALUE"), ("lora:rnk=2", "rnk"), ("lora:rank=0", "--rank is 0, expected at least 1"),
    ("lora:rank=two", "--rank is 'two', expected a whole number"), ("linear:rank=2", "rank")])
def test_wrong_specifications(specification: str, message: str, backbone: Backbone) -> None:
    with pytest.raises(ConfigurationError, match=message):
        build_method(specification, backbone, SETTINGS)


def test_a_specification_reaches_the_method(backbone: Backbone) -> None:
    model = build_method("lora:rank=2,dropout=0,targets=q+k+v", backbone, SETTINGS)
    assert (model.settings.rank, model.settings.dropout, model.settings.targets) == (2, 0.0, "q+k+v")
    assert model.settings.alpha == 32
