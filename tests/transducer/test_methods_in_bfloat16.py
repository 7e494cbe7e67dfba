"""Methods on models that compute in bfloat16: nothing is rounded twice, and models that are stored so can be adapted."""
from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSeq2SeqLM

from tests.transducer.tables import METHODS_OF_EVERY_FAMILY
from transducer.backbone import Backbone, load_backbone, weight_fingerprint
from transducer.config import TransducerSettings
from transducer.methods import build_method


@pytest.fixture(scope="module")
def stored_in_bfloat16(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stored") / "bfloat16"
    shutil.copytree(model_folder, folder)
    AutoModelForSeq2SeqLM.from_pretrained(model_folder, dtype=torch.bfloat16).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("method", METHODS_OF_EVERY_FAMILY)
def test_weights_kept_in_bfloat16_change_no_bit(
        method: str, model_folder: Path, held_out: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch) -> None:
    """Loss, gradients and text, against autocast rounding the weights in float32 at every use."""
    def computed() -> tuple[list[torch.Tensor], torch.Tensor, set[torch.dtype]]:
        torch.manual_seed(0)
        backbone = load_backbone(str(model_folder), "bfloat16", device="cpu")
        model = build_method(method, backbone, TransducerSettings()).train()
        torch.manual_seed(1)  # dropout
        loss = model(**held_out).loss
        if model.trainable():
            loss.backward()
        text = model.eval().generate(held_out, beams=2, max_new_tokens=8)
        types = {parameter.dtype for parameter in backbone.model.parameters() if not parameter.requires_grad}
        return [loss.detach(), *(parameter.grad for parameter in model.trainable().values())], text, types

    found, text, types = computed()
    monkeypatch.setattr(Backbone, "narrow_weights", lambda backbone: None)
    expected, expected_text, wide = computed()
    assert all(torch.equal(mine, other) for mine, other in zip(found, expected, strict=True))
    assert torch.equal(text, expected_text)
    assert torch.bfloat16 not in wide
    assert (torch.bfloat16 in types) == (method not in ("full", "dora"))


@pytest.mark.parametrize("method", METHODS_OF_EVERY_FAMILY)
def test_a_model_that_is_stored_in_bfloat16_can_be_adapted(method: str, stored_in_bfloat16: Path,
                                                           held_out: dict[str, torch.Tensor]) -> None:
    """Its matrix products keep the type from the moment of loading, before a method is built on them."""
    backbone = load_backbone(str(stored_in_bfloat16), "bfloat16", device="cpu")
    assert any(parameter.dtype == torch.bfloat16 for parameter in backbone.model.parameters())
    model = build_method(method, backbone, TransducerSettings()).train()
    loss = model(**held_out).loss
    assert loss.isfinite()
    if model.trainable():
        loss.backward()
        assert any(parameter.grad is not None and parameter.grad.any() for parameter in model.trainable().values())


def test_a_backbone_that_was_only_looked_at_keeps_its_weights(model_folder: Path) -> None:
    backbone = load_backbone(str(model_folder), "bfloat16", device="cpu")
    build_method("transducer", backbone, TransducerSettings())
    assert weight_fingerprint(backbone.model) == backbone.fingerprint
