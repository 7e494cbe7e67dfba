"""The fusion part `scales`, and the places of a frozen model that it multiplies."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.transducer import tiny
from tests.transducer.graphs import random_batch
from transducer.backbone import Backbone, load_backbone
from transducer.config import TransducerSettings
from transducer.errors import BackboneError, ConfigurationError, ShapeError
from transducer.fusion import INPUT_FUSION, build_fusion
from transducer.fusion.base import GraphView
from transducer.fusion.scales import SCALE_UNIT, LayerScales, StaticScales, cosines
from transducer.methods import build_method
from transducer.model import TransducerModel
from transducer.places import Places, Role
from transducer.prompt_embeddings import check_carries_all

ROLES = {"layers.*.k": Role(6, 3), "layers.*.wo": Role(10, 3)}
RANK = 4


@pytest.fixture()
def backbone(model_folder: Path) -> Backbone:
    return load_backbone(str(model_folder), "float32", device="cpu")


def scales_of(backbone: Backbone, rows: int, value: float) -> dict[str, torch.Tensor]:
    return {role: torch.full((rows, count, width), value) for role, (width, count) in backbone.places.roles.items()}


def logits(backbone: Backbone, scales: dict[str, torch.Tensor] | None, rows: int = 2) -> torch.Tensor:
    torch.manual_seed(0)
    embeddings, mask = torch.randn(rows, 5, backbone.width), torch.ones(rows, 5, dtype=torch.long)
    return backbone.forward(embeddings, mask, torch.ones(rows, 3, dtype=torch.long), scales).logits.detach()


# Factors


def moved(scales: torch.nn.Module) -> torch.nn.Module:
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in scales.parameters():
            parameter.add_(torch.randn_like(parameter))
    return scales


def view(counts: tuple[int, ...] = (3, 0, 5)) -> GraphView:
    torch.manual_seed(2)
    batch = random_batch(counts, feature_width=RANK, token_count=4, dtype=torch.float32)
    return GraphView(torch.randn(sum(counts), RANK), batch)


def test_nothing_is_multiplied_before_training() -> None:
    factors = LayerScales(ROLES, RANK, 2)(view())
    assert {role: tuple(tensor.shape) for role, tensor in factors.items()} == {
        role: (3, count, width) for role, (width, count) in ROLES.items()}
    assert all((tensor == 1).all() for tensor in factors.values())


def test_factors_are_those_of_the_equation() -> None:
    scales, seen = moved(LayerScales(ROLES, RANK, 2)), view()
    found = scales(seen)["layers.*.wo"]
    share, gate, directions = (table["layers_wo"] for table in (scales.shares, scales.gates, scales.directions))
    for row, nodes in enumerate(torch.split(seen.node_vectors, (3, 0, 5))):
        mean = nodes.mean(0) if len(nodes) else torch.zeros(RANK)
        for place in range(3):
            mixed = [share[place, one] + gate[2 * place + one] @ mean for one in range(2)]
            torch.testing.assert_close(found[row, place], 1 + SCALE_UNIT * (mixed[0] * directions[0] + mixed[1] * directions[1]))


def test_without_a_graph_they_are_the_static_ones() -> None:
    scales = moved(LayerScales(ROLES, RANK, 2))
    static = StaticScales(ROLES, 2)
    static.load_state_dict({name: value for name, value in scales.state_dict().items() if not name.startswith("gates")})
    alone = scales(view((0, 0)))
    for role, factors in static(2).items():
        torch.testing.assert_close(alone[role], factors)


def test_a_row_has_factors_of_its_own_graph_alone() -> None:
    scales = moved(LayerScales(ROLES, RANK, 3))
    seen = view()
    other = replace(seen, node_vectors=torch.cat((seen.node_vectors[:3], torch.randn(5, RANK))))
    for role, factors in scales(seen).items():
        changed = scales(other)[role]
        assert torch.equal(factors[:2], changed[:2])
        assert not torch.allclose(factors[2], changed[2])


def test_shares_start_as_cosines_over_the_depth() -> None:
    found = cosines(4, 3)
    assert (found[:, 0] == 1).all()
    torch.testing.assert_close(found.T @ found, torch.diag(torch.tensor([4.0, 2.0, 2.0])), rtol=0, atol=1e-6)


def test_a_role_has_no_more_directions_than_places() -> None:
    assert LayerScales({"a.*": Role(6, 2)}, RANK, 4).directions["a"].shape == (2, 6)


# Places


def test_the_places_of_a_t5_are_its_attention_and_the_feed_forward_blocks_of_its_decoder(backbone: Backbone) -> None:
    config = backbone.model.config
    width, inner = config.num_heads * config.d_kv, config.d_ff
    kinds = {"encoder": {"SelfAttention.k": width, "SelfAttention.v": width},
             "decoder": {"SelfAttention.k": width, "SelfAttention.v": width, "EncDecAttention.q": width, "EncDecAttention.o": width,
                         "DenseReluDense.wo": inner}}
    layers = {"encoder": config.num_layers, "decoder": config.num_decoder_layers}
    assert backbone.places.roles == {f"{side}.block.*.layer.*.{kind}": Role(size, layers[side])
                                     for side, sizes in kinds.items() for kind, size in sizes.items()}


def test_multiplying_by_one_changes_nothing_and_by_two_something(backbone: Backbone) -> None:
    plain = logits(backbone, None)
    assert torch.equal(logits(backbone, scales_of(backbone, 2, 1.0)), plain)
    assert not torch.allclose(logits(backbone, scales_of(backbone, 2, 2.0)), plain, atol=1e-3)
    assert torch.equal(logits(backbone, None), plain)


def test_multiplying_is_what_changed_weights_would_do(backbone: Backbone, model_folder: Path) -> None:
    """Of attention to the source, those of keys and values: multiplying queries and what is read is the same as that."""
    torch.manual_seed(3)
    scales = {role: 1 + 0.5 * torch.randn(1, count, width) for role, (width, count) in backbone.places.roles.items()}
    found = logits(backbone, {role: factors.expand(2, -1, -1) for role, factors in scales.items()})
    changed = load_backbone(str(model_folder), "float32", device="cpu")
    for role, (width, count) in changed.places.roles.items():
        for place in range(count):
            side, *_, block, kind = role.split(".")
            if block == "EncDecAttention":
                kind = {"q": "k", "o": "v"}[kind]
            module = changed.model.get_submodule(f"{side}.block.{place}")
            (weight,) = [one.weight for name, one in module.named_modules() if name.endswith(f".{block}.{kind}")]
            factors = scales[role][0, place]
            weight.data = weight * factors if role.endswith("wo") else weight * factors[:, None]
    torch.testing.assert_close(found, logits(changed, None), rtol=1e-4, atol=1e-5)


def test_each_row_is_multiplied_by_its_own(backbone: Backbone) -> None:
    ones, twos = scales_of(backbone, 1, 1.0), scales_of(backbone, 1, 2.0)
    mixed = logits(backbone, {role: torch.cat((ones[role], twos[role])) for role in ones})
    torch.testing.assert_close(mixed[0], logits(backbone, scales_of(backbone, 2, 1.0))[0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(mixed[1], logits(backbone, scales_of(backbone, 2, 2.0))[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("beams", [1, 3])
def test_beams_share_the_factors_of_their_row(backbone: Backbone, beams: int) -> None:
    torch.manual_seed(4)
    embeddings, mask = 3 * torch.randn(3, 6, backbone.width), torch.ones(3, 6, dtype=torch.long)
    scales = {role: 1 + torch.randn(3, count, width) for role, (width, count) in backbone.places.roles.items()}
    together = backbone.generate(embeddings, mask, scales, beams=beams, max_new_tokens=8)
    for row in range(3):
        alone = backbone.generate(embeddings[row:row + 1], mask[row:row + 1], {role: factors[row:row + 1] for role, factors in scales.items()},
                                  beams=beams, max_new_tokens=8)[0]
        assert together[row, :len(alone)].tolist() == alone.tolist()


def test_factors_of_another_model_are_refused(backbone: Backbone) -> None:
    scales = scales_of(backbone, 2, 1.0)
    role = next(iter(scales))
    with pytest.raises(ShapeError, match="expected"):
        backbone.places.multiply(scales | {role: scales[role][:, :, 1:]})
    with pytest.raises(ShapeError, match="other"):
        backbone.places.multiply(scales | {"other": scales[role]})


def test_layers_that_are_computed_twice_give_the_same_gradients(model_folder: Path) -> None:
    found = []
    for twice in (False, True):
        torch.manual_seed(5)
        backbone = load_backbone(str(model_folder), "float32", device="cpu", computed_twice=twice)
        model = moved_transducer(build_method("transducer", backbone, TransducerSettings()))
        batch = tiny.batch_of(backbone, tiny.examples(2))
        model(**batch).loss.backward()
        found.append({name: parameter.grad.clone() for name, parameter in model.trainable().items()})
    assert any("scales" in name for name in found[0])
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=1e-4, atol=1e-7)


def moved_transducer(model: TransducerModel) -> TransducerModel:
    with torch.no_grad():
        for parameter in model.trainable().values():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.train()


# The rest


def test_a_model_without_known_places_gets_a_clear_error() -> None:
    with pytest.raises(ConfigurationError, match=f"none that are known.*choose {INPUT_FUSION.replace('+', '.')}"):
        build_fusion("aligned+scales", embedding_width=8, rank=2, roles={})


@pytest.mark.parametrize("fusion", ["scales", "residual+scales"])
def test_only_the_scales_may_read_the_graph(backbone: Backbone, fusion: str) -> None:
    model = build_method(f"transducer:fusion={fusion}", backbone, TransducerSettings())
    assert (model.fusion.up is None) == (fusion == "scales") and model.fusion.added_positions == 0
    moved_transducer(model)
    batch = tiny.batch_of(backbone, tiny.examples(2))
    model(**batch).loss.backward()
    assert all(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in model.trainable().values())


def test_prompt_embeddings_are_refused_where_they_are_only_a_part(backbone: Backbone) -> None:
    with pytest.raises(BackboneError, match=f"train with --fusion {INPUT_FUSION.replace('+', '.')}"):
        check_carries_all(build_method("transducer", backbone, TransducerSettings()))
    check_carries_all(build_method("input-only", backbone, TransducerSettings()))


def test_hooks_stand_only_on_models_that_are_multiplied(model_folder: Path) -> None:
    backbone = load_backbone(str(model_folder), "float32", device="cpu")
    build_method("input-only", backbone, TransducerSettings())
    logits(backbone, None)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in backbone.model.modules())
    logits(backbone, scales_of(backbone, 2, 1.0))
    hooked = sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in backbone.model.modules())
    assert hooked == sum(role.count for role in backbone.places.roles.values())
    assert isinstance(backbone.places, Places)
