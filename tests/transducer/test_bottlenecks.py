"""The fusion part `bottlenecks`, and the blocks of a frozen model behind which it adds something."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from tests.transducer import served, tiny
from tests.transducer.graphs import random_batch
from tests.transducer.tiny_families import write_family
from transducer.backbone import Backbone, load_backbone
from transducer.config import TransducerSettings
from transducer.errors import BackboneError, ConfigurationError, ShapeError
from transducer.families import FAMILIES
from transducer.fusion import INPUT_FUSION, Bottleneck, build_fusion
from transducer.fusion.base import GraphView
from transducer.fusion.bottlenecks import LayerBottlenecks, StaticBottlenecks
from transducer.methods import build_method
from transducer.model import TransducerModel
from transducer.prompt_embeddings import check_carries_all
from transducer.serving import generation

BLOCKS = {"layers.*.attention": 3, "layers.*.feed": 2}
WIDTH, RANK, UNITS = 6, 4, 5
FUSION = f"{INPUT_FUSION}+scales+bottlenecks"


@pytest.fixture()
def backbone(model_folder: Path) -> Backbone:
    return load_backbone(str(model_folder), "float32", device="cpu")


def moved(module: torch.nn.Module, deviation: float = 1.0) -> torch.nn.Module:
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.requires_grad:
                parameter.add_(deviation * torch.randn_like(parameter))
    return module


def view(counts: tuple[int, ...] = (3, 0, 5)) -> GraphView:
    torch.manual_seed(2)
    batch = random_batch(counts, feature_width=RANK, token_count=4, dtype=torch.float32)
    return GraphView(torch.randn(sum(counts), RANK), batch)


def units_of(backbone: Backbone, rows: int, units: int = UNITS, seed: int = 3) -> dict[str, Bottleneck]:
    """Of one transducer, with shares of each row's own."""
    made = moved(StaticBottlenecks(backbone.writers.roles, backbone.width, units), 0.3)(rows)
    torch.manual_seed(seed)
    return {role: own._replace(shares=torch.randn_like(own.shares)) for role, own in made.items()}


def row_of(units: dict[str, Bottleneck], row: int) -> dict[str, Bottleneck]:
    return {role: own._replace(shares=own.shares[row:row + 1], owner=own.owner[row:row + 1]) for role, own in units.items()}


def logits(backbone: Backbone, units: dict[str, Bottleneck] | None, rows: int = 2) -> torch.Tensor:
    torch.manual_seed(0)
    embeddings, mask = torch.randn(rows, 5, backbone.width), torch.ones(rows, 5, dtype=torch.long)
    labels = torch.ones(rows, 3, dtype=torch.long)
    return backbone.forward(embeddings, mask, labels, bottlenecks=units).logits.detach()


# What is added


def test_the_shares_are_those_of_the_equation() -> None:
    part, seen = moved(LayerBottlenecks(BLOCKS, WIDTH, RANK, UNITS)), view()
    found = part(seen)["layers.*.attention"]
    share, gate = part.shares["layers_attention"], part.gates["layers_attention"]
    for row, nodes in enumerate(torch.split(seen.node_vectors, (3, 0, 5))):
        mean = nodes.mean(0) if len(nodes) else torch.zeros(RANK)
        for place in range(3):
            for unit in range(UNITS):
                torch.testing.assert_close(found.shares[row, place, unit], share[place, unit] + gate[UNITS * place + unit] @ mean)
    assert found.owner.tolist() == [0, 0, 0]
    assert torch.equal(found.down[0], part.down["layers_attention"]) and torch.equal(found.up[0], part.up["layers_attention"])


def test_without_a_graph_they_are_the_static_ones() -> None:
    part = moved(LayerBottlenecks(BLOCKS, WIDTH, RANK, UNITS))
    static = StaticBottlenecks(BLOCKS, WIDTH, UNITS)
    static.load_state_dict({name: value for name, value in part.state_dict().items() if not name.startswith("gates")})
    alone = part(view((0, 0)))
    for role, own in static(2).items():
        for found, wanted in zip(alone[role], own):
            torch.testing.assert_close(found, wanted)


def test_a_row_has_shares_of_its_own_graph_alone() -> None:
    part, seen = moved(LayerBottlenecks(BLOCKS, WIDTH, RANK, UNITS)), view()
    other = replace(seen, node_vectors=torch.cat((seen.node_vectors[:3], torch.randn(5, RANK))))
    for role, own in part(seen).items():
        changed = part(other)[role].shares
        assert torch.equal(own.shares[:2], changed[:2]) and not torch.allclose(own.shares[2], changed[2])


@pytest.mark.parametrize("count", [1, 2, 4])
def test_no_unit_starts_where_it_can_learn_nothing(count: int) -> None:
    shares = StaticBottlenecks({"role": count}, WIDTH, 9).shares["role"]
    assert shares.shape == (count, 9) and (shares.abs().sum(0) > 0.5).all() and (shares[:, 0] == 1).all()


def test_the_count_by_hand() -> None:
    part = LayerBottlenecks(BLOCKS, WIDTH, RANK, UNITS)
    assert sum(parameter.numel() for parameter in part.parameters()) == 2 * 2 * WIDTH * UNITS + (3 + 2) * UNITS * (1 + RANK)


# The blocks


def test_the_blocks_of_a_t5_are_the_decoders_own_attention_and_feed_forward_blocks(backbone: Backbone) -> None:
    layers = backbone.model.config.num_decoder_layers
    assert backbone.writers.roles == {f"decoder.block.*.layer.*.{kind}": layers for kind in ("SelfAttention", "DenseReluDense")}


@pytest.mark.parametrize("model_type", sorted(FAMILIES))
def test_every_family_has_blocks_that_change_its_answers(model_type: str, tmp_path: Path) -> None:
    backbone = load_backbone(str(write_family(tmp_path / "model", model_type)), "float32", device="cpu")
    assert backbone.writers.roles
    plain = logits(backbone, None)
    for role in backbone.writers.roles:
        units = {name: own if name == role else own._replace(shares=torch.zeros_like(own.shares))
                 for name, own in units_of(backbone, 2).items()}
        assert not torch.allclose(logits(backbone, units), plain, atol=1e-3), role
    torch.testing.assert_close(logits(backbone, None), plain, rtol=0, atol=0)


def test_what_is_added_is_that_of_the_equation(backbone: Backbone) -> None:
    units = units_of(backbone, 2)
    backbone.writers.add(units, 7)
    torch.manual_seed(5)
    signal = torch.randn(2, 7, backbone.width)
    role = "decoder.block.*.layer.*.DenseReluDense"
    own = units[role]
    for place, block in enumerate(backbone.model.decoder.block):
        module = block.layer[2].DenseReluDense
        found = module(signal)
        backbone.writers.add(None)
        plain = module(signal)
        backbone.writers.add(units, 7)
        for row in range(2):
            inner = own.shares[row, place] * functional.silu(plain[row] @ own.down[0].T)
            torch.testing.assert_close(found[row], plain[row] + inner @ own.up[0].T)


@pytest.mark.parametrize("model_type", ["llama", "gpt2", "mamba", "t5"])
def test_an_answer_is_written_as_it_was_trained(model_type: str, tmp_path: Path) -> None:
    """A token at a time gives what all at once do, and what is only read stays as it is."""
    backbone = load_backbone(str(write_family(tmp_path / "model", model_type)), "float32", device="cpu")
    torch.manual_seed(3)
    embeddings = 3 * backbone.embedding_scale * torch.randn(2, 6, backbone.width)
    mask = torch.tensor([[1] * 6, [1] * 4 + [0] * 2])
    units = units_of(backbone, 2)
    written = backbone.generate(embeddings, mask, bottlenecks=units, beams=1, max_new_tokens=8)
    answer = written[:, backbone.encoder_decoder:].contiguous()  # without the token that a decoder starts from
    found = backbone.forward(embeddings, mask, answer, bottlenecks=units).logits.argmax(-1)
    plain = backbone.forward(embeddings, mask, answer).logits.argmax(-1)
    end = backbone.generation_config(1, 8).eos_token_id
    for row in range(2):
        told = answer[row].tolist()
        told = told[:told.index(end) + 1] if end in told else told
        assert len(told) > 1 and found[row, :len(told)].tolist() == told
    assert not torch.equal(found, plain)


@pytest.mark.parametrize("model_type", ["llama", "gpt2", "mamba"])
def test_nothing_is_added_to_what_is_only_read(model_type: str, tmp_path: Path) -> None:
    backbone = load_backbone(str(write_family(tmp_path / "model", model_type)), "float32", device="cpu")
    torch.manual_seed(3)
    hidden = torch.randn(1, 9, backbone.width)
    backbone.writers.add(units_of(backbone, 1), 3)
    for role, blocks in backbone.writers.roles.items():
        for place in range(blocks):
            output = backbone.writers._added(role, place, hidden)
            assert torch.equal(output[:, :6], hidden[:, :6]) and not torch.allclose(output[:, 6:], hidden[:, 6:])


@pytest.mark.parametrize("beams", [1, 3])
def test_beams_share_what_is_added_to_their_row(backbone: Backbone, beams: int) -> None:
    torch.manual_seed(4)
    embeddings, mask = 3 * torch.randn(3, 6, backbone.width), torch.ones(3, 6, dtype=torch.long)
    units = units_of(backbone, 3)
    together = backbone.generate(embeddings, mask, bottlenecks=units, beams=beams, max_new_tokens=8)
    for row in range(3):
        alone = backbone.generate(embeddings[row:row + 1], mask[row:row + 1], bottlenecks=row_of(units, row), beams=beams,
                                  max_new_tokens=8)[0]
        assert together[row, :len(alone)].tolist() == alone.tolist()


def test_rows_of_several_transducers_have_units_of_their_own(backbone: Backbone) -> None:
    """Of different numbers, and one row without any."""
    first, second = units_of(backbone, 2, 2), units_of(backbone, 1, 7, seed=8)
    rows = [row_of(second, 0), None, row_of(first, 1), row_of(first, 0)]
    together = generation.joined([generation.FusedRow(torch.zeros(5, backbone.width), None, None, row) for row in rows]).bottlenecks
    assert {len(own.down) for own in together.values()} == {2} and {own.down.shape[1] for own in together.values()} == {7}
    found = logits(backbone, together, 4)
    for number, row in enumerate(rows):
        alone = None if row is None else {role: own._replace(shares=own.shares.expand(4, -1, -1), owner=own.owner.expand(4))
                                          for role, own in row.items()}
        torch.testing.assert_close(found[number], logits(backbone, alone, 4)[number], rtol=1e-4, atol=1e-5)
    assert generation.joined([generation.FusedRow(torch.zeros(5, backbone.width), None, None, None)]).bottlenecks is None


def test_units_for_another_model_are_refused(backbone: Backbone) -> None:
    units = units_of(backbone, 2)
    role = next(iter(units))
    with pytest.raises(ShapeError, match=r"are for 1 blocks; expected \d+"):
        backbone.writers.add(units | {role: units[role]._replace(shares=units[role].shares[:, :1])}, 1)
    with pytest.raises(ShapeError, match="behind other are for"):
        backbone.writers.add(units | {"other": units[role]}, 1)
    with pytest.raises(ShapeError, match="at the last 0 places"):
        backbone.writers.add(units)


def test_hooks_stand_only_on_models_that_something_is_added_to(model_folder: Path) -> None:
    backbone = load_backbone(str(model_folder), "float32", device="cpu")
    build_method("input-only", backbone, TransducerSettings())
    logits(backbone, None)
    assert not any(module._forward_hooks for module in backbone.model.modules())
    logits(backbone, units_of(backbone, 2))
    assert sum(len(module._forward_hooks) for module in backbone.model.modules()) == sum(backbone.writers.roles.values())


# Transducers with them


def test_a_transducer_with_them_starts_as_the_one_without(backbone: Backbone) -> None:
    batch = tiny.batch_of(backbone, tiny.examples(2))
    losses = []
    for fusion in (INPUT_FUSION, f"{INPUT_FUSION}+bottlenecks"):
        torch.manual_seed(6)
        losses.append(build_method(f"transducer:fusion={fusion},rank=4", backbone, TransducerSettings())(**batch).loss.item())
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)


@pytest.mark.parametrize("fusion", ["bottlenecks", FUSION])
def test_everything_learns(backbone: Backbone, fusion: str) -> None:
    model = build_method(f"transducer:fusion={fusion}", backbone, TransducerSettings())
    assert (model.fusion.up is None) == (fusion == "bottlenecks")
    moved(model, 0.1).train()
    model(**tiny.batch_of(backbone, tiny.examples(2))).loss.backward()
    assert all(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in model.trainable().values())


def test_layers_that_are_computed_twice_give_the_same_gradients(model_folder: Path) -> None:
    found = []
    for twice in (False, True):
        torch.manual_seed(5)
        backbone = load_backbone(str(model_folder), "float32", device="cpu", computed_twice=twice)
        model = moved(build_method(f"transducer:fusion={FUSION}", backbone, TransducerSettings()), 0.1).train()
        model(**tiny.batch_of(backbone, tiny.examples(2))).loss.backward()
        found.append({name: parameter.grad.clone() for name, parameter in model.trainable().items()})
    assert any("bottlenecks" in name for name in found[0])
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=1e-4, atol=1e-7)


def test_one_that_was_saved_answers_as_before(backbone: Backbone, tmp_path: Path) -> None:
    model = moved(build_method(f"transducer:fusion={FUSION},bottleneck=3", backbone, TransducerSettings()), 0.3).eval()
    model.save_pretrained(tmp_path / "saved", task="assert")
    again = TransducerModel.from_pretrained(tmp_path / "saved", backbone)
    batch = tiny.batch_of(backbone, tiny.examples(2))
    assert again.sized.bottleneck == 3 and torch.equal(model(**batch).logits, again(**batch).logits)
    assert "narrow layers add behind its blocks" in (tmp_path / "saved" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("model_type", ["t5", "llama", "mamba"])
def test_requests_for_several_answer_alike_alone_and_in_a_mixed_batch(model_type: str, tmp_path: Path) -> None:
    names = {"assert": "attention+aligned+prompts+bottlenecks", "summarize": "aligned", "repair": "scales+bottlenecks"}
    model = write_family(tmp_path / "model", model_type)
    transducers = served.table(model, served.saved(model, tmp_path, names))
    for beams in (1, 2):
        plans = [(name, number, beams, 8) for number in (1, 5, 14) for name in names]
        jobs = [served.job(transducers, *plan) for plan in plans]
        together = served.answers(transducers, jobs)
        assert together == [served.answers(transducers, [served.job(transducers, *plan)])[0] for plan in plans]
        assert len(set(together)) > 4


def test_fusions_that_cannot_be_built_say_why(backbone: Backbone) -> None:
    with pytest.raises(ConfigurationError, match="none were given"):
        build_fusion("aligned+bottlenecks", embedding_width=8, rank=2)
    with pytest.raises(ConfigurationError, match="bottleneck is 0"):
        build_fusion("aligned+bottlenecks", embedding_width=8, rank=2, blocks=BLOCKS, bottleneck=0)
    with pytest.raises(BackboneError, match="adds to the outputs of its blocks"):
        check_carries_all(build_method("transducer:fusion=aligned+bottlenecks", backbone, TransducerSettings()))
    check_carries_all(build_method("published", backbone, TransducerSettings()))
