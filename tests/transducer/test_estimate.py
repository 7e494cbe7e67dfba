"""The memory estimate of a dry run, and what is said where memory was short."""
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.transducer import tiny
from tests.transducer.tiny_families import write_family
from transducer import compare, train
from transducer.backbone import load_backbone
from transducer.commands import command_line
from transducer.config import TrainSettings, TransducerSettings
from transducer.cost import Stepper, tensor_bytes
from transducer.estimate import LiveBytes, estimate_memory
from transducer.methods import build_method
from transducer.quantization import quantized_bytes
from transducer.trainer import AdapterTrainer

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def settings(model_folder: Path) -> TrainSettings:
    return TrainSettings(model=str(model_folder), precision="float32", max_source_tokens=24, max_target_tokens=8,
                         batch_size=2).for_task(tiny.TASK)


@pytest.mark.parametrize("method", ["transducer", "lora", "full", "prefix"])
def test_weights_gradients_and_optimiser_are_counted_exactly(method: str, settings: TrainSettings, model_folder: Path) -> None:
    estimate = estimate_memory(method, settings, CPU)
    model = build_method(method, load_backbone(str(model_folder), "float32", device="cpu"), TransducerSettings())
    trained = sum(parameter.numel() for parameter in model.trainable().values())
    assert estimate.trained_parameters == trained and estimate.gradient_bytes == 4 * trained
    assert estimate.weight_bytes == tensor_bytes(model.parameters())
    if trained:
        stepper = Stepper(model, 1e-3)
        stepper(tiny.prepared(model.backbone, tiny.examples(2)))
        assert estimate.optimizer_bytes == stepper.optimizer_bytes
    assert estimate.training_peak_bytes >= estimate.library_bytes + estimate.weight_bytes + 3 * estimate.gradient_bytes


@pytest.mark.parametrize("model_type", ["t5", "llama", "mamba"])
def test_activations_are_those_of_a_real_step(model_type: str, settings: TrainSettings, tmp_path: Path) -> None:
    """The same count over real tensors, made by a real step on inputs of the same length."""
    folder = write_family(tmp_path / "model", model_type)
    settings = replace(settings, model=str(folder))
    estimate = estimate_memory("lora", settings, CPU)
    torch.manual_seed(0)
    model = build_method("lora", load_backbone(str(folder), "float32", device="cpu"), TransducerSettings()).train()
    ids = torch.randint(5, 50, (2, 24))
    with LiveBytes() as live:
        model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids[:, :8].contiguous()).loss.backward()
    assert estimate.activation_bytes == pytest.approx(live.peak - estimate.gradient_bytes, rel=0.1)


def test_live_bytes_follow_what_is_made_and_gone() -> None:
    with LiveBytes() as live:
        first = torch.zeros(1000)
        view = first[:10]
        second = torch.zeros(500)
        del second
        third = torch.zeros(400)
    assert live.peak == 4 * 1500 and view.shape == (10,) and third.shape == (400,)


def test_settings_that_save_memory_show(settings: TrainSettings, tmp_path: Path) -> None:
    settings = replace(settings, model=str(write_family(tmp_path / "model", "llama")), max_source_tokens=64, batch_size=8)
    plain = estimate_memory("transducer", settings, CPU)
    twice = estimate_memory("transducer", replace(settings, gradient_checkpointing=True), CPU)
    assert twice.activation_bytes < plain.activation_bytes and twice.frozen_bytes == plain.frozen_bytes
    bits = estimate_memory("transducer", replace(settings, quantize="4bit", precision="bfloat16"), CPU)
    # Of two layers, each 32 x 32, 16 x 32 twice, 32 x 32, and three of 64 x 32.
    assert bits.frozen_bytes["4bit"] == 2 * (2 * quantized_bytes((32, 32), "4bit") + 2 * quantized_bytes((16, 32), "4bit")
                                             + 3 * quantized_bytes((64, 32), "4bit"))
    narrow = estimate_memory("transducer", replace(settings, precision="bfloat16"), CPU)
    assert sum(narrow.frozen_bytes.values()) < sum(plain.frozen_bytes.values())
    longer = estimate_memory("transducer", replace(settings, max_target_tokens=16), CPU)
    # Keys and values of one head of 16 in two layers, 32 examples of 2 beams, 8 tokens more.
    assert longer.cache_bytes - plain.cache_bytes == 4 * 2 * 2 * 16 * 32 * settings.beams * 8


def test_quantised_bytes() -> None:
    assert quantized_bytes(torch.Size((64, 128)), "8bit") == 64 * 128 + 4 * 64
    assert quantized_bytes(torch.Size((64, 128)), "4bit") == 64 * 128 // 2 + 4 * 64 * 128 // 64


def flags(model_folder: Path) -> list[str]:
    return ["--model", str(model_folder), "--precision", "float32", "--max-source-tokens", "24", "--max-target-tokens", "8",
            "--batch-size", "2"]


def test_a_dry_run_prints_a_table_and_makes_nothing(
        model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transducer.backbone.load_backbone", None)  # no weights are loaded
    arguments = [*flags(model_folder), "--dry-run", "--output", str(tmp_path / "run")]
    assert command_line(train.main, [*arguments, "--baselines", "lora"]) == 0
    shown = capsys.readouterr().out
    assert "transducer on" in shown and "lora on" in shown
    assert all(part in shown for part in ("frozen weights, float32", "activations", "generation cache", "training peak"))
    assert command_line(compare.main, [*arguments, "--methods", "lora:params=3000", "--json"]) == 0
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert row["specification"].startswith("lora:rank=") and 0 < row["trained_parameters"] <= 3000
    assert row["training_peak_bytes"] > row["frozen_bytes"]["float32"] > 0
    assert command_line(train.main, [*arguments, "--method", "lora:params=3000", "--json"]) == 0
    trained = json.loads(capsys.readouterr().out)
    assert all(trained[name] == row[name] for name in ("specification", "trained_parameters", "frozen_bytes"))
    assert not (tmp_path / "run").exists()


def test_a_dry_run_of_an_unknown_model_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line(train.main, ["--model", "./absent", "--dry-run"]) == 1
    assert "no model './absent'" in capsys.readouterr().err


def test_too_little_memory_while_loading_is_one_line(
        model_folder: Path, data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def short(*arguments: object, **named: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr("transducer.backbone.weight_fingerprint", short)
    assert command_line(train.main, [*flags(model_folder), "--data", f"file:{data_folder}", "--output", str(tmp_path / "run")]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "out of memory while loading model" in error
    assert "training at its peak" in error and "--gradient-checkpointing" in error and "--quantize" in error


@pytest.mark.parametrize("kind", [MemoryError, torch.OutOfMemoryError])
def test_too_little_memory_while_training_keeps_the_checkpoint(
        kind: type[Exception], model_folder: Path, data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch) -> None:
    def evaluated(trainer: AdapterTrainer, *arguments: object, **named: object) -> dict:
        raise kind("too much")

    evaluate = AdapterTrainer.evaluate
    monkeypatch.setattr(AdapterTrainer, "evaluate", lambda trainer, *a, **n: (
        evaluate if trainer.state.global_step < 10 else evaluated)(trainer, *a, **n))
    output = tmp_path / "run"
    arguments = [*flags(model_folder), "--data", f"file:{data_folder}", "--output", str(output), "--method", "prompt",
                 "--validations", "3", "--quiet"]
    assert command_line(train.main, arguments) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "prompt, seed 0: out of memory while training or scoring" in error
    assert "expected to take" in error and "--resume --gradient-checkpointing" in error
    (kept,) = (output / "checkpoints").glob("checkpoint-*")
    assert str(kept) in error
    monkeypatch.undo()
    assert command_line(train.main, [*arguments, "--resume", "--gradient-checkpointing"]) == 0


def test_what_lies_beyond_the_window_is_counted(settings: TrainSettings) -> None:
    """More than without it, and less than the same tokens within the window, which layers keep for the backward pass."""
    far = replace(settings, fusion="attention+aligned+residual+prompts+scales+beyond", reach=200)
    found = [estimate_memory("transducer", chosen, CPU).activation_bytes
             for chosen in (settings, replace(far, beyond=20), far, replace(settings, max_source_tokens=224))]
    assert found == sorted(found) and len(set(found)) == 4
