"""Prefixes for encoder and decoder: what they do to attention, to positions and to generation."""
from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.transducer import tiny
from transducer.backbone import load_backbone
from transducer.config import TransducerSettings
from transducer.errors import BackboneError, UnknownNameError
from transducer.methods import build_method
from transducer.methods.prefix_encoder import PrefixEncoder


def build(folder: Path, fields: str = "", attention: str = "eager") -> PrefixEncoder:
    torch.manual_seed(0)
    backbone = load_backbone(str(folder), "float32", device="cpu")
    backbone.model.set_attn_implementation(attention)
    return build_method(f"prefix-encoder:{fields}", backbone, TransducerSettings())


def logits(model: PrefixEncoder, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(**batch).logits


@pytest.fixture
def batch(model_folder: Path) -> dict[str, torch.Tensor]:
    return tiny.batch_of(load_backbone(str(model_folder), "float32", device="cpu"), tiny.examples(4, 60))


def test_attention_is_that_of_its_definition(model_folder: Path) -> None:
    """One encoder attention, worked out from its matrices: softmax over the prefix without bias and the tokens with it."""
    model = build(model_folder, "tokens=3")
    attention = model.backbone.model.encoder.block[0].layer[0].SelfAttention
    hidden = torch.randn(2, 5, tiny.WIDTH)
    with torch.no_grad():
        found, bias, _ = attention(hidden)
        heads = (tiny.HEADS, tiny.HEAD_WIDTH)
        query, key, value = (getattr(attention, name)(hidden).unflatten(-1, heads) for name in "qkv")
        front = model.prefixes[0].unflatten(-1, heads)  # [2, n, heads, d]
        tokens = torch.einsum("bqhd,bkhd->bhqk", query, key) + attention.compute_bias(5, 5)
        scores = torch.cat((torch.einsum("bqhd,nhd->bhqn", query, front[0]), tokens), dim=-1).softmax(-1)
        read = torch.einsum("bhqn,nhd->bqhd", scores[..., :3], front[1]) + torch.einsum("bhqk,bkhd->bqhd", scores[..., 3:], value)
        expected = attention.o(read.flatten(2))
    torch.testing.assert_close(found, expected)
    assert bias.shape == (1, tiny.HEADS, 5, 5), "later layers share the bias of the tokens alone"


def test_generation_with_a_cache_is_that_of_whole_passes(model_folder: Path, batch: dict[str, torch.Tensor]) -> None:
    """Greedy, one token more each time through the whole decoder, where no cache can shift a position."""
    model = build(model_folder).eval()
    with torch.no_grad():
        model.prefixes.mul_(2.0)
        ids = torch.zeros(len(batch["input_ids"]), 1, dtype=torch.long)  # the start token
        for _ in range(8):
            scores = model.backbone.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"],
                                          decoder_input_ids=ids, use_cache=False).logits[:, -1]
            ids = torch.cat((ids, scores.argmax(-1, keepdim=True)), dim=1)
    generated = model.generate(batch, beams=1, max_new_tokens=8)
    with model.disabled():
        without = model.generate(batch, beams=1, max_new_tokens=8)
    assert generated.shape[1] == 9 and torch.equal(generated, ids)
    assert not torch.equal(generated, without)


def test_both_attention_functions_give_the_same(model_folder: Path, batch: dict[str, torch.Tensor]) -> None:
    """The fused function leaves causality to its kernel where it may, which would hide the first tokens behind a prefix."""
    plain, fused = build(model_folder), build(model_folder, attention="sdpa")
    assert plain.backbone.model.config._attn_implementation == "prefixed-eager"
    assert fused.backbone.model.config._attn_implementation == "prefixed-sdpa"
    torch.testing.assert_close(logits(fused, batch), logits(plain, batch), rtol=1e-4, atol=1e-5)


def test_the_parts_that_get_prefixes(model_folder: Path) -> None:
    each = 10 * 2 * tiny.HEADS * tiny.HEAD_WIDTH  # a key and a value for 10 positions
    for parts, layers in (("encoder", 2), ("decoder", 2), ("encoder+decoder", 4)):
        model = build(model_folder, f"parts={parts}")
        assert model.trainable_count() == layers * each
        stacks = [getattr(model.backbone.model, name).block for name in ("encoder", "decoder")]
        has = [hasattr(block.layer[0].SelfAttention, "prefix") for blocks in stacks for block in blocks]
        assert has == ["encoder" in parts] * 2 + ["decoder" in parts] * 2
    with pytest.raises(UnknownNameError, match="unknown part 'encodr'; expected one of: encoder, decoder. Did you mean 'encoder'"):
        build(model_folder, "parts=encodr")


def test_it_starts_at_the_scale_of_the_layers_own_keys(model_folder: Path, batch: dict[str, torch.Tensor]) -> None:
    for fields in ("", "reparametrisation=64"):
        model = build(model_folder, fields)
        layer = model.backbone.model.encoder.block[1].layer[0]
        with torch.no_grad():
            hidden = layer.layer_norm(torch.randn(500, tiny.WIDTH))
            own = torch.stack((layer.SelfAttention.k(hidden), layer.SelfAttention.v(hidden)))
            made = model._all_prefixes()[1]
        ratio = made.square().mean((1, 2)).sqrt() / own.square().mean((1, 2)).sqrt()
        assert (0.4 < ratio).all() and (ratio < 1.6).all(), ratio


def test_a_network_can_make_the_prefixes(model_folder: Path, batch: dict[str, torch.Tensor], tmp_path: Path) -> None:
    model = build(model_folder, "tokens=4,reparametrisation=6").train()
    inner = tiny.HEADS * tiny.HEAD_WIDTH
    assert model.trainable_count() == 4 * tiny.WIDTH + 6 * tiny.WIDTH + 6 + 4 * 2 * inner * 6
    model(**batch).loss.backward()
    assert all((parameter.grad.abs() > 0).any() for parameter in model.trainable().values())
    model.save(tmp_path / "saved")
    other = build(model_folder, "tokens=4,reparametrisation=6")
    with torch.no_grad():
        for parameter in other.trainable().values():
            parameter.add_(1.0)
    other.load(tmp_path / "saved")
    assert torch.equal(logits(other, batch), logits(model, batch))


def test_another_family_is_refused(model_folder: Path) -> None:
    backbone = load_backbone(str(model_folder), "float32", device="cpu")
    backbone.model.config.model_type = "mamba"
    with pytest.raises(BackboneError, match="method 'prefix-encoder' knows the attention of the T5 family, got .* 'mamba'"):
        PrefixEncoder(backbone, PrefixEncoder.make_settings({}, TransducerSettings()))
