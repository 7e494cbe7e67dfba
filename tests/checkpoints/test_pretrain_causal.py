"""Pre-training of a tiny Mamba end to end on a corpus of a few functions, and the scan that it computes with."""
from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, MambaConfig, MambaForCausalLM

from checkpoints import pretrain_causal, pretraining_causal
from checkpoints.pretrain_causal import Recipe
from checkpoints.pretraining import load_checkpoint, save_checkpoint
from checkpoints.pretraining_causal import MIDDLE_MARKS, build_model, build_optimizers
from checkpoints.selective_scan import logits_of, selective_scan
from checkpoints.streams import Streams
from tests.checkpoints.tiny_corpus import prepare_tiny_corpus

SMALL = Recipe(width=32, layers=2, states=4, batch=4, window=60)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_tiny_corpus(tmp_path_factory.mktemp("pretraining"))


@pytest.fixture(scope="module")
def materials(work: Path):
    streams = Streams(work)
    tokenizer = pretraining_causal.with_marks(streams.tokenizer)
    marks = np.array(tokenizer.convert_tokens_to_ids(list(MIDDLE_MARKS)))
    return streams, tokenizer, pretraining_causal.Vocabulary.of(streams.tokenizer), marks


# The scan


def test_the_gradients_of_the_scan_are_those_of_its_differences() -> None:
    torch.manual_seed(0)
    batch, steps, channels, states = 2, 5, 3, 4
    sizes = [(batch, steps, channels), (batch, steps, channels), (batch, steps, states), (batch, steps, states), (channels, states),
             (channels,)]
    inputs = [torch.randn(size, dtype=torch.float64) for size in sizes]
    inputs[0] = inputs[0].exp()  # step sizes
    assert torch.autograd.gradcheck(selective_scan, [tensor.requires_grad_() for tensor in inputs])


def test_the_model_is_that_of_the_library(work: Path) -> None:
    """Logits and every gradient, in float64."""
    torch.manual_seed(0)
    model = MambaForCausalLM(MambaConfig(vocab_size=50, hidden_size=16, num_hidden_layers=2, state_size=4)).double().eval()
    ids = torch.randint(0, 50, (3, 11))
    found, expected = [], []
    for gradients, compute in ((found, logits_of), (expected, lambda model, ids: model(ids, use_cache=False).logits)):
        logits = compute(model, ids)
        logits.double().tanh().sum().backward()
        gradients += [logits.detach().double(), *(parameter.grad.clone() for parameter in model.parameters())]
        model.zero_grad()
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)  # the library scans in float32


# The objective


def test_a_gap_has_the_form_in_which_tasks_ask(materials) -> None:
    streams, tokenizer, vocabulary, marks = materials
    assert tokenizer("x = 1")["input_ids"] == streams.tokenizer("x = 1", add_special_tokens=False)["input_ids"]
    assert len(tokenizer) == len(streams.tokenizer) + 3 and (marks >= len(streams.tokenizer)).all()
    random = np.random.default_rng(0)
    for _ in range(20):
        window = streams.window(60, random)
        ids = pretraining_causal.with_gap(window, vocabulary, marks, random)
        assert len(ids) == 64 and ids[0] == marks[0] and ids[-1] == tokenizer.eos_token_id
        suffix, middle = (int(np.flatnonzero(ids == mark)[0]) for mark in marks[1:])
        answer = ids[middle + 1:-1]
        assert len(answer) and np.array_equal(np.concatenate((ids[1:suffix], answer, ids[suffix + 1:middle])), window)


# The recipe


def test_training_lowers_the_loss_and_resumes_bit_for_bit(materials, tmp_path: Path) -> None:
    streams, tokenizer, vocabulary, marks = materials

    def trained(model, optimizers, first: int, last: int) -> list[float]:
        losses = []
        for step in range(first, last):
            loss = pretraining_causal.loss_of(model, pretraining_causal.training_batch(streams, vocabulary, marks, SMALL, step))
            loss.backward()
            for optimizer in optimizers.values():
                optimizer.step()
                optimizer.zero_grad()
            losses.append(loss.item())
        return losses

    model = build_model(SMALL, len(tokenizer))
    optimizers = build_optimizers(model, SMALL)
    losses = trained(model, optimizers, 0, 12)
    save_checkpoint(tmp_path / "half.safetensors", model, optimizers, {"step": 12, "seconds": 1.0, "tokens": 5})
    losses += trained(model, optimizers, 12, 24)
    assert np.mean(losses[-4:]) < np.mean(losses[:4]) - 0.25
    resumed = build_model(SMALL, len(tokenizer))
    resumed_optimizers = build_optimizers(resumed, SMALL)
    assert load_checkpoint(tmp_path / "half.safetensors", resumed, resumed_optimizers)["step"] == 12
    trained(resumed, resumed_optimizers, 12, 24)
    for (name, expected), (_, found) in zip(model.named_parameters(), resumed.named_parameters()):
        assert torch.equal(expected, found), name


def test_every_trained_parameter_has_an_optimizer() -> None:
    model = build_model(SMALL, 700)
    optimized = [parameter for optimizer in build_optimizers(model, SMALL).values()
                 for group in optimizer.param_groups for parameter in group["params"]]
    assert len(optimized) == len(list(model.parameters()))
    assert {id(parameter) for parameter in optimized} == {id(parameter) for parameter in model.parameters()}


def test_the_model_has_the_size_that_is_stated() -> None:
    with torch.device("meta"):
        assert 5e6 < sum(parameter.numel() for parameter in build_model(Recipe(), 12_291).parameters()) < 8e6


def test_the_command_trains_and_writes_a_folder_that_is_a_backbone(work: Path, tmp_path: Path, capsys) -> None:
    (work / "causal_recipe.json").write_text(json.dumps(asdict(SMALL)), encoding="utf-8")
    for minutes in ("0.01", "0.02"):  # the second goes on
        assert pretrain_causal.main(["--work", str(work), "--minutes", minutes]) == 0
    entries = [json.loads(line) for line in (work / "causal_log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert entries[-1]["step"] > entries[0]["step"] > 0 and entries[-1]["heldout"].keys() == {"python/text", "python/gap"}
    assert pretrain_causal.main(["--work", str(work), "--export", str(tmp_path / "model")]) == 0
    capsys.readouterr()
    assert pretrain_causal.main(["--work", str(work), "--export", str(tmp_path / "model")]) == 1
    assert capsys.readouterr().err == f"error: {tmp_path / 'model'} exists; give --export a new folder, or remove that one\n"
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype="auto")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert model.dtype == torch.bfloat16 and model.get_input_embeddings().weight.shape[0] == len(tokenizer)
    assert f"{entries[-1]['step']:,} steps" in (tmp_path / "model" / "README.md").read_text(encoding="utf-8")

    from transducer.backbone import load_backbone
    from transducer.question_forms import question_form

    backbone = load_backbone(str(tmp_path / "model"), "float32", device="cpu")
    form = question_form(backbone.tokenizer, encoder_decoder=False, asks=True)
    assert [*form.opening, form.gap, *form.closing] == backbone.tokenizer.convert_tokens_to_ids(list(MIDDLE_MARKS))
