"""The weights by which the parts of a fusion read the nodes: what `explain` says is what `forward` does."""
from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.transducer import tiny
from tests.transducer.graphs import random_batch
from tests.transducer.test_fusion import COMBINATIONS, EXACT, PROMPTS, TOKENS, Setup
from transducer.backbone import Backbone
from transducer.config import TransducerSettings
from transducer.fusion.base import GraphView
from transducer.fusion.build import PROMPT_READINGS, TOKEN_READINGS, fusion_parts
from transducer.gve.base import unit_rms
from transducer.model import TransducerModel
from transducer.prepare import PreparationReport
from transducer.tensors import Collator

VALUE_MAPS: dict[str, Callable[[nn.Module], Tensor]] = {
    "attention": lambda part: part.value_weight, "aligned": lambda part: part.weight, "pooled": lambda part: part.value}
"""The map that node vectors go through before they are summed; the equation of each part stands in its module."""


def explained(setup: Setup) -> dict[str, Tensor]:
    return setup.fusion.explain(setup.embeddings, setup.mask, setup.engine(setup.batch), setup.batch)


@pytest.mark.parametrize("name", COMBINATIONS)
def test_weights_are_shares_of_the_rows_own_nodes(name: str) -> None:
    setup = Setup(name)
    weights = explained(setup)
    assert set(weights) == set(fusion_parts(name))
    present = GraphView(setup.engine(setup.batch), setup.batch).padded.present
    for part, found in weights.items():
        assert found.shape == (4, PROMPTS if part in PROMPT_READINGS else TOKENS, 1 + present.shape[1])
        assert (found >= 0).all()
        torch.testing.assert_close(found.sum(-1), torch.ones_like(found[..., 0]), **EXACT)
        absent = ~present.unsqueeze(1).expand(-1, found.shape[1], -1)
        assert absent.any() and (found[..., 1:][absent] == 0).all()
        assert (found[1, :, 0] == 1).all(), "a row without nodes reads nothing"
        if part in TOKEN_READINGS:
            assert (found[setup.mask == 0][:, 0] == 1).all(), "padding reads nothing"


def test_a_residual_reads_no_node() -> None:
    with_residual, without = Setup("attention+residual+prompts"), Setup("attention+prompts")
    assert set(explained(with_residual)) == set(explained(without)) == {"attention", "prompts"}


def test_every_part_is_covered() -> None:
    assert set(VALUE_MAPS) == set(TOKEN_READINGS)


@pytest.mark.parametrize("part", TOKEN_READINGS)
def test_a_reading_is_the_weighted_sum_of_mapped_node_vectors(part: str) -> None:
    setup = Setup(part)
    view = GraphView(setup.engine(setup.batch), setup.batch)
    tokens, module = unit_rms(setup.embeddings), setup.fusion.readings[part]
    values = functional.linear(view.padded.vectors, VALUE_MAPS[part](module))
    torch.testing.assert_close(module.weights(tokens, view)[..., 1:] @ values, module(tokens, view), **EXACT)


def test_a_prompt_is_the_weighted_sum_of_node_vectors() -> None:
    setup = Setup("prompts")
    view = GraphView(setup.engine(setup.batch), setup.batch)
    found = setup.fusion.prompts.weights(view)[..., 1:] @ view.padded.vectors
    torch.testing.assert_close(found, setup.fusion.prompts(view), **EXACT)


@pytest.mark.parametrize("part", [*TOKEN_READINGS, *PROMPT_READINGS])
def test_no_nodes_at_all(part: str) -> None:
    setup = Setup(part)
    setup.batch = random_batch((0, 0, 0, 0), token_count=TOKENS)
    (found,) = explained(setup).values()
    assert found.shape[-1] == 1 and (found == 1).all()


def test_the_aligned_node_is_that_of_the_batch() -> None:
    setup = Setup("aligned")
    first = torch.tensor([0, 6, 6, 15])  # of the rows with 6, 0, 9 and 4 nodes
    column = explained(setup)["aligned"].argmax(-1)
    real = setup.mask.bool()
    covering = setup.batch.token_node
    assert torch.equal((column - 1 + first.unsqueeze(1))[real & (covering >= 0)], covering[real & (covering >= 0)])
    assert (column[real & (covering < 0)] == 0).all()


@pytest.mark.parametrize("fusion", ["attention+aligned+prompts", "published"])
def test_a_transducer_explains_a_batch_and_computes_as_before(backbone: Backbone, fusion: str) -> None:
    model = TransducerModel(backbone, TransducerSettings(fusion=fusion), "torch").eval()
    inputs = tiny.preparer(backbone).inputs([(example.source, example.language) for example in tiny.examples(3)], PreparationReport())
    batch = Collator(backbone.pad_token_id)(inputs)
    before = model.fused(**batch)[0]
    weights = model.explain(**batch)
    assert torch.equal(before, model.fused(**batch)[0])
    most = max(len(prepared.graph.bag_offsets) for prepared in inputs)
    assert {name: tuple(found.shape) for name, found in weights.items()} == ({} if fusion == "published" else {
        "attention": (3, batch["input_ids"].shape[1], 1 + most), "aligned": (3, batch["input_ids"].shape[1], 1 + most),
        "prompts": (3, 10, 1 + most)})
