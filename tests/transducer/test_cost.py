"""What a method costs: figures from fresh processes, and the parts that memory is told apart into."""
from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import torch

from tests.transducer import tiny
from transducer import cost
from transducer.backbone import Backbone, load_backbone
from transducer.commands import command_line
from transducer.config import TrainSettings, TransducerSettings
from transducer.cost import Cost, Stepper, measure_cost, step_figures, tensor_bytes
from transducer.errors import TrainingError
from transducer.methods import build_method


@pytest.fixture(scope="module")
def settings(model_folder: Path) -> TrainSettings:
    return TrainSettings(model=str(model_folder), precision="float32", max_target_tokens=8, batch_size=4).for_task(tiny.TASK)


@pytest.fixture(scope="module")
def lora(settings: TrainSettings) -> Cost:
    return measure_cost("lora", settings, tiny.examples(12), steps=4)


def test_every_figure_is_there(lora: Cost, settings: TrainSettings) -> None:
    nothing = {name for name, value in vars(lora).items() if value is None}
    on_cpu = {"train_reserved_bytes", "generate_reserved_bytes"}
    assert nothing == {"graph_seconds_per_example", "graph_bytes_per_example"} | (set() if torch.cuda.is_available() else on_cpu)
    assert 0 < lora.step_seconds_low <= lora.step_seconds <= lora.step_seconds_high
    assert lora.examples_per_second == settings.batch_size / lora.step_seconds
    assert lora.first_token_seconds > 0 and lora.tokens_per_second > 0
    assert lora.train_peak_bytes > lora.start_bytes > lora.weight_bytes and lora.generate_peak_bytes > lora.weight_bytes


def test_the_parts_of_memory_are_those_of_the_tensors(lora: Cost, model_folder: Path) -> None:
    """Numbers of four bytes: weights of backbone and adapter, a gradient and two averages for each that is trained."""
    model = build_method("lora", load_backbone(str(model_folder), "float32", device="cpu"), TransducerSettings())
    assert lora.trainable_parameters == model.trainable_count()
    assert lora.weight_bytes == 4 * sum(parameter.numel() for parameter in model.parameters())
    assert lora.gradient_bytes == 4 * lora.trainable_parameters
    steps_of_adam = 4 * len(model.trainable())
    assert lora.optimizer_bytes == 8 * lora.trainable_parameters + steps_of_adam
    parts = lora.start_bytes + lora.gradient_bytes + lora.optimizer_bytes + lora.activation_bytes
    assert parts == lora.train_peak_bytes or lora.activation_bytes == 0


def in_this_process(request: dict) -> dict:
    """A fresh process's side without the process."""
    written = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(written):
        patch.setattr("sys.stdin", io.StringIO(json.dumps(request)))
        assert cost.main(["--worker"]) == 0
    return json.loads(written.getvalue())


def test_a_transducer_pays_for_graphs_and_the_frozen_model_for_nothing(
        settings: TrainSettings, capsys: pytest.CaptureFixture[str], data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "_fresh_process", in_this_process)
    flags = ["--methods", "transducer", "none", "--steps", "2", "--model", settings.model, "--data", f"file:{data_folder}",
             "--precision", "float32", "--max-target-tokens", "8", "--batch-size", "4"]
    assert command_line(cost.main, flags) == 0
    transducer, frozen = (Cost(**json.loads(line)) for line in capsys.readouterr().out.splitlines())
    assert transducer.graph_seconds_per_example > 0 and transducer.graph_bytes_per_example > 1000
    assert transducer.artefact_bytes > 4 * transducer.trainable_parameters
    assert frozen.step_seconds is None and frozen.gradient_bytes == 0 == frozen.trainable_parameters
    assert frozen.tokens_per_second > 0


def test_a_process_that_fails_says_why(settings: TrainSettings) -> None:
    with pytest.raises(TrainingError, match="the cost of 'lorra' could not be measured: .*Did you mean 'lora'"):
        measure_cost("lorra", settings, tiny.examples(2))


def test_a_step_is_one_of_training(backbone: Backbone) -> None:
    """The same numbers as written out by hand."""
    examples = tiny.prepared(backbone, tiny.examples(4))
    torch.manual_seed(0)
    model = build_method("linear", backbone, TransducerSettings())
    Stepper(model, 0.01)(examples)
    stepped = model.weight.detach().clone()
    with torch.no_grad():
        model.weight.zero_()
    optimizer = torch.optim.AdamW([model.weight], lr=0.01, weight_decay=0.0, fused=True)
    model(**tiny.batch_of(backbone, tiny.examples(4))).loss.backward()
    torch.nn.utils.clip_grad_norm_([model.weight], 1.0)
    optimizer.step()
    assert torch.equal(model.weight, stepped) and stepped.any()


def test_bytes_of_storages_are_counted_once() -> None:
    table = torch.zeros(5, 4)
    assert tensor_bytes([table, table.T, table[1:], torch.zeros(3, dtype=torch.float64)]) == 80 + 24


def test_quartiles_of_steps() -> None:
    figures = step_figures([4.0, 1.0, 2.0, 3.0, 100.0], 8)
    assert figures["step_seconds"] == 3.0 and figures["examples_per_second"] == 8 / 3
    assert figures["step_seconds_low"] == 1.5 and figures["step_seconds_high"] == 52.0  # statistics.quantiles, exclusive
    assert set(step_figures([2.0], 8).values()) == {2.0, 4.0}


def test_tokens_of_answers_end_with_the_end_mark(backbone: Backbone) -> None:
    end, pad = backbone.tokenizer.eos_token_id, backbone.tokenizer.pad_token_id
    ids = torch.tensor([[pad, 7, 8, end, pad, pad], [pad, 7, 8, 9, 7, 8]])
    assert cost._answer_tokens(ids, backbone.tokenizer) == 3 + 5
