"""Pre-training end to end on a corpus of a few functions, and the embedded model that it made."""
from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

import checkpoints
from checkpoints import pretrain, pretraining, streams
from checkpoints.pretrain import Recipe
from checkpoints.pretraining import build_model, build_optimizers, load_checkpoint, rate_factor, save_checkpoint
from tests.checkpoints.tiny_corpus import prepare_tiny_corpus

@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_tiny_corpus(tmp_path_factory.mktemp("pretraining"))


SMALL = Recipe(width=32, feed_forward=64, heads=2, encoder_layers=1, decoder_layers=1, batch=2)


def test_training_lowers_the_loss_resumes_and_exports(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 40
    prepared = streams.Streams(work)
    vocabulary = pretraining.Vocabulary.of(prepared.tokenizer)

    def trained(model, optimizers, first: int, last: int) -> list[float]:
        losses = []
        for step in range(first, last):
            loss = pretraining.loss_of(model, *pretraining.training_batch(prepared, vocabulary, SMALL, step))
            loss.backward()
            for optimizer in optimizers.values():
                optimizer.step()
                optimizer.zero_grad()
            losses.append(loss.item())
        return losses

    model = build_model(SMALL, len(prepared.tokenizer))
    optimizers = build_optimizers(model, SMALL)
    losses = trained(model, optimizers, 0, steps // 2)
    save_checkpoint(tmp_path / "half.safetensors", model, optimizers, {"step": steps // 2, "seconds": 1.0, "tokens": 5})
    losses += trained(model, optimizers, steps // 2, steps)
    assert np.mean(losses[-8:]) < np.mean(losses[:8]) - 0.5

    resumed = build_model(SMALL, len(prepared.tokenizer))
    resumed_optimizers = build_optimizers(resumed, SMALL)
    state = load_checkpoint(tmp_path / "half.safetensors", resumed, resumed_optimizers)
    assert state == {"step": steps // 2, "seconds": 1.0, "tokens": 5}
    trained(resumed, resumed_optimizers, steps // 2, steps)
    for (name, expected), (_, actual) in zip(model.named_parameters(), resumed.named_parameters()):
        assert torch.equal(expected, actual), name


def test_the_command_trains_in_stages_and_writes_loadable_folders(work: Path, tmp_path: Path) -> None:
    (work / "recipe.json").write_text(json.dumps(asdict(SMALL)), encoding="utf-8")
    assert pretrain.main(["--work", str(work), "--minutes", "0.02", "--change", "A trial."]) == 0
    assert pretrain.main(["--work", str(work), "--export", str(tmp_path / "model")]) == 0
    model = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "model", dtype="auto")
    assert model.dtype == torch.bfloat16
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    last = json.loads((work / "log.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert f"{last['step']:,} steps" in card and "| python |" in card
    assert "- After 0 steps, at 0 minutes: A trial." in card

    further = tmp_path / "further"
    further.mkdir()
    for name in ("streams.safetensors", "report.json", "recipe.json"):
        shutil.copy(work / name, further / name)
    assert pretrain.main(["--work", str(further), "--start", str(tmp_path / "model"), "--rates", "0", "--minutes", "0.02"]) == 0
    # A second call needs not say again what the folder was begun with; the model is replaced where it lies.
    assert pretrain.main(["--work", str(further), "--export", str(tmp_path / "model")]) == 0
    stages = json.loads((tmp_path / "model" / "training.json").read_text(encoding="utf-8"))
    assert [stage["recipe"]["rates"] for stage in stages] == [1.0, 0.0] and stages[0]["tokens"] == last["tokens"]
    assert "## Stage 2" in (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    continued = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "model", dtype="auto")
    for (name, expected), (_, actual) in zip(model.named_parameters(), continued.named_parameters()):
        assert torch.equal(expected, actual), f"{name}: a stage without rates leaves the weights that it started from"


def test_every_trained_parameter_has_an_optimizer() -> None:
    model = build_model(SMALL, 700)
    optimized = [parameter for optimizer in build_optimizers(model, SMALL).values()
                 for group in optimizer.param_groups for parameter in group["params"]]
    assert {id(parameter) for parameter in optimized} == {id(parameter) for parameter in model.parameters()}
    assert len(optimized) == len(list(model.parameters()))


def test_the_rate_rises_stays_and_falls_to_zero() -> None:
    assert rate_factor(0.0) == pytest.approx(0.02)
    assert rate_factor(0.2) == 1.0
    assert rate_factor(1.0) == 0.0
    assert rate_factor(0.8) == pytest.approx(0.5)  # half way through the last 40 %


def test_unknown_embedded_model_names_the_nearest() -> None:
    with pytest.raises(KeyError, match="did you mean 'codet5-tiny'"):
        checkpoints.path("codet5-tny")


@pytest.fixture(scope="module")
def embedded():
    folder = checkpoints.path("codet5-tiny")
    model = AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32).eval()
    return AutoTokenizer.from_pretrained(folder), model


def completed(embedded, text: str, tokens: int = 24) -> str:
    tokenizer, model = embedded
    ids = model.generate(**{key: value for key, value in tokenizer(text, return_tensors="pt").items() if key != "token_type_ids"},
                         max_new_tokens=tokens, num_beams=2)
    return tokenizer.decode(ids[0], skip_special_tokens=True).strip()


def test_the_embedded_model_keeps_its_limits(embedded) -> None:
    folder = checkpoints.path("codet5-tiny")
    assert (folder / "model.safetensors").stat().st_size < 25e6
    assert 8e6 <= sum(parameter.numel() for parameter in embedded[1].parameters()) <= 15e6
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
        "training.json"]


@pytest.mark.parametrize(("text", "expected"), [
    # What the language or its custom demands at the place.
    ("def test_sum():\n    expected = 3\n    result = add(1, 2)\n    assert<extra_id_0>\n", "result == expected"),
    ("import numpy as<extra_id_0>\n\nx = np.zeros(3)\n", "np"),
    ("for ( int i = 0 ; i < items . length ;<extra_id_0> ) { total += items [ i ] ; }", "i ++"),
    ("public int getVolume ( ) { return volume ; } public void setVolume ( int volume ) {<extra_id_0> }", "volume"),
])
def test_the_embedded_model_continues_code_sensibly(embedded, text: str, expected: str) -> None:
    assert expected in completed(embedded, text)


def test_the_embedded_model_prefers_code_to_shuffled_code(embedded) -> None:
    """Loss on a statement in its place is far below that on the same statement's tokens in random order."""
    tokenizer, model = embedded
    source = tokenizer("def count(items):\n    total = 0\n    for item in items:\n       <extra_id_0>\n    return total\n", return_tensors="pt").input_ids
    answer = tokenizer("<extra_id_0> total += item.size()", return_tensors="pt").input_ids
    shuffled = answer.clone()
    shuffled[0, 1:-1] = answer[0, 1:-1][torch.randperm(answer.shape[1] - 2, generator=torch.Generator().manual_seed(0))]
    with torch.no_grad():
        assert model(input_ids=source, labels=answer).loss + 1.0 < model(input_ids=source, labels=shuffled).loss
