"""Methods that change the last layers alone."""
from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from tests.transducer import tiny
from tests.transducer.tiny_families import write_family
from transducer.backbone import load_backbone
from transducer.config import TransducerSettings
from transducer.methods import build_method
from transducer.methods.depth import in_last_layers

SETTINGS = TransducerSettings()
NAMES = [f"encoder.block.{layer}.layer.{part}" for layer in range(3) for part in range(2)] + [
    f"decoder.block.{layer}.layer.{part}" for layer in range(2) for part in range(3)]
FAMILIES = ("bart", "llama", "gpt2", "mamba")


def layers_of(model) -> set[str]:
    """Stack and layer of everything that is trained; adapters have names without dots."""
    found = (re.search(r"(encoder|decoder|layers|h)[._](?:block[._]|layers[._])?(\d+)[._]", name) for name in model.trainable() if name != "prompts")
    return {f"{match[1]} {match[2]}" for match in found}


def test_the_last_layers_of_each_stack() -> None:
    assert in_last_layers(NAMES, 0) == NAMES
    assert in_last_layers(NAMES, 1) == [*NAMES[4:6], *NAMES[9:]]
    assert in_last_layers(NAMES, 2) == [*NAMES[2:6], *NAMES[6:]]
    assert in_last_layers(NAMES, 9) == NAMES
    assert in_last_layers(["shared", *NAMES], 9) == NAMES


@pytest.mark.parametrize("method", ["lora", "dora", "adalora", "adapter", "prompt+adapter"])
def test_only_they_are_changed_and_come_back(method: str, model_folder: Path, tmp_path: Path) -> None:
    def built():
        return build_method(f"{method}:rank=2,layers=1", load_backbone(str(model_folder), "float32", device="cpu"), SETTINGS).eval()

    model, everywhere = built(), build_method(f"{method}:rank=2", load_backbone(str(model_folder), "float32", device="cpu"), SETTINGS)
    last, both = (layers_of(one) for one in (model, everywhere))
    assert last == {"encoder 1", "decoder 1"} and both == {"encoder 0", "encoder 1", "decoder 0", "decoder 1"}
    prompts = sum(parameter.numel() for name, parameter in model.trainable().items() if name == "prompts")
    assert 2 * (model.trainable_count() - prompts) == everywhere.trainable_count() - prompts
    with torch.no_grad():
        for parameter in model.trainable().values():
            parameter.add_(0.1 * torch.randn_like(parameter))
    model.save(tmp_path)
    again = built()
    again.load(tmp_path)
    batch = tiny.batch_of(model.backbone, tiny.examples(3))
    with torch.no_grad():
        assert torch.equal(again(**batch).logits, model(**batch).logits)
        assert not torch.equal(model(**batch).logits, everywhere.eval()(**batch).logits)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", ["lora", "adapter"])
def test_in_every_way_that_layers_are_named(method: str, family: str, tmp_path: Path) -> None:
    folder = write_family(tmp_path / family, family)
    one, all_layers = (build_method(f"{method}:rank=1,layers={count}", load_backbone(str(folder), "float32", device="cpu"), SETTINGS)
                       for count in (1, 64))
    assert {place.split()[1] for place in layers_of(one)} == {"1"}
    assert 2 * one.trainable_count() == all_layers.trainable_count()
