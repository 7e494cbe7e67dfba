"""The scan of Mamba's layers that takes the place of the library's."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from tests.transducer.tiny_families import write_family
from transducer.backbone import Backbone, load_backbone
from transducer.scan import NAME, install, scan

FAMILIES = ("mamba", "falcon_mamba", "jamba")


@pytest.fixture(scope="module", params=FAMILIES)
def backbone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return load_backbone(str(write_family(tmp_path_factory.mktemp("model"), request.param)), "float32", device="cpu")


def module_of(backbone: Backbone):
    (found,) = {sys.modules[type(part).__module__] for part in backbone.model.modules()
                if hasattr(sys.modules[type(part).__module__], NAME)}
    return found


def logits_and_gradients(backbone: Backbone) -> list[torch.Tensor]:
    """Of inputs with padding in front, and of every weight."""
    torch.manual_seed(0)
    embeddings = torch.randn(3, 13, backbone.width, requires_grad=True)
    mask = torch.ones(3, 13, dtype=torch.long)
    mask[1, :4] = 0
    backbone.model.requires_grad_(True)
    try:
        logits = backbone.model(inputs_embeds=embeddings, attention_mask=mask, use_cache=False).logits
        wanted = {name: weight for name, weight in backbone.model.named_parameters()}
        return [logits.detach(), *torch.autograd.grad(logits.tanh().sum(), [embeddings, *wanted.values()], allow_unused=True)]
    finally:
        backbone.model.requires_grad_(False)


def test_values_and_all_gradients_are_those_of_the_library(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    place = module_of(backbone)
    calls: list[int] = []
    library = getattr(place, NAME).of_the_library

    def counted(*arguments, **named):
        calls.append(1)
        return library(*arguments, **named)

    found = logits_and_gradients(backbone)
    monkeypatch.setattr(place, NAME, counted)
    expected = logits_and_gradients(backbone)
    assert calls and len(found) == len(expected) > 10
    for mine, theirs in zip(found, expected, strict=True):
        assert (mine is None) == (theirs is None)
        if mine is not None:
            torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5 * float(theirs.abs().max()))


def test_without_gradients_answers_go_on_from_the_library_s_states(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logits of a whole input, then of tokens that read the states it has left."""
    place = module_of(backbone)
    ours = getattr(place, NAME)
    torch.manual_seed(0)
    inputs = torch.randn(2, 7, backbone.width)
    found = []
    for way in (ours, ours.of_the_library):
        monkeypatch.setattr(place, NAME, way)
        with torch.no_grad():
            first = backbone.model(inputs_embeds=inputs[:, :5], use_cache=True)
            cache = {name: first[name] for name in ("cache_params", "past_key_values") if name in first}
            later = [backbone.model(inputs_embeds=inputs[:, [5 + step]], use_cache=True, **cache).logits for step in range(2)]
        assert cache
        found.append(torch.cat((first.logits, *later), dim=1))
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)


def test_a_state_that_is_handed_on_with_gradients_is_the_library_s(backbone: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*arguments, **named):
        raise AssertionError("scanned here")

    monkeypatch.setattr("transducer.scan.recurrence", never)
    inputs = torch.randn(2, 5, backbone.width, requires_grad=True)
    backbone.model(inputs_embeds=inputs, use_cache=True)
    with pytest.raises(AssertionError, match="scanned here"):
        backbone.model(inputs_embeds=inputs, use_cache=False)


def test_it_is_put_in_place_once(backbone: Backbone) -> None:
    before = getattr(module_of(backbone), NAME)
    install(backbone.model)
    assert getattr(module_of(backbone), NAME) is before


def test_what_the_layers_leave_out_is_left_out() -> None:
    """No skip, gate, bias or softplus: the recurrence alone, one token after another."""
    torch.manual_seed(0)
    x, dt = torch.randn(2, 3, 6), torch.rand(2, 3, 6)
    rate, into, out = -torch.rand(3, 4), torch.randn(2, 4, 6), torch.randn(2, 4, 6)
    state, expected = torch.zeros(2, 3, 4), []
    for place in range(6):
        step = dt[:, :, place, None]
        state = torch.exp(step * rate) * state + step * x[:, :, place, None] * into[:, None, :, place]
        expected.append((state * out[:, None, :, place]).sum(2))
    torch.testing.assert_close(scan(x, dt, rate, into, out), torch.stack(expected, dim=2))
