"""Methods that prune themselves while they are trained: what importance is, what is dropped, what stays."""
from __future__ import annotations

import json
import warnings
from functools import lru_cache
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from checkpoints.errors import ArtefactContentError
from tests.transducer import tiny
from transducer.backbone import Backbone, load_backbone
from transducer.config import TrainSettings, TransducerSettings
from transducer.errors import ConfigurationError, TrainingError
from transducer.methods import build_method
from transducer.methods.adalora import AdaLoRA
from transducer.methods.xprompt import XPrompt, highest
from transducer.tensors import PreparedExample
from transducer.trainer import AdapterTrainer, fit

SETTINGS = TransducerSettings()


def build(specification: str, folder: Path, seed: int = 0):
    torch.manual_seed(seed)
    return build_method(specification, load_backbone(str(folder), "float32", device="cpu"), SETTINGS)


@lru_cache
def data(model_folder: str) -> tuple[list[PreparedExample], list[PreparedExample]]:
    backbone = load_backbone(model_folder, "float32", device="cpu")
    return tiny.prepared(backbone, tiny.examples(40)), tiny.prepared(backbone, tiny.examples(8, 48))


def trained(model, folder: Path, resume: bool = False) -> AdapterTrainer:
    """Two epochs of five steps."""
    torch.manual_seed(0)
    return fit(model, *data(model.backbone.name), TrainSettings(epochs=2, batch_size=8), 0, folder, lambda entry: None,
               progress=False, resume=resume)


def logits(model, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(**batch).logits


# xprompt


def test_importance_is_the_gradient_with_respect_to_a_mask(model_folder: Path) -> None:
    """Against masks that are there: one for each prompt, one for each piece, the gradient of each example on its own."""
    model = build("xprompt:tokens=3,pieces=4", model_folder).train()
    examples = tiny.examples(4)
    model.plan(10)
    model._step = model._first_cut - 1  # the next step is one that is measured
    batch = tiny.batch_of(model.backbone, examples)
    model(**batch).loss.backward()
    tokens = int((batch["labels"] != -100).sum())
    by_token, by_piece = torch.zeros(3), torch.zeros(3, 4)
    for example in examples:
        alone = tiny.batch_of(model.backbone, [example])
        share = int((alone["labels"] != -100).sum()) / tokens
        token_mask, piece_mask = torch.ones(3, 1, requires_grad=True), torch.ones(3, 4, requires_grad=True)
        front = model.unit * model.prompts.detach() * token_mask * piece_mask.repeat_interleave(tiny.WIDTH // 4, dim=1)
        embeddings = torch.cat((front[None], model.backbone.model.get_input_embeddings()(alone["input_ids"])), dim=1)
        mask = torch.ones(embeddings.shape[:2], dtype=torch.long)
        (share * model.backbone.forward(embeddings, mask, alone["labels"]).loss).backward()
        by_token += token_mask.grad[:, 0].abs()
        by_piece += piece_mask.grad.abs()
    torch.testing.assert_close(model.token_importance, by_token, rtol=1e-3, atol=1e-7)
    torch.testing.assert_close(model.piece_importance, by_piece, rtol=1e-3, atol=1e-7)


def test_the_least_important_go() -> None:
    importance = torch.tensor([3.0, 1.0, 2.0, 9.0, 0.5])
    candidates = torch.tensor([True, True, True, False, True])
    assert highest(importance, candidates, 0.5).tolist() == [True, False, True, False, False]
    assert highest(importance, candidates, 0.0).tolist() == candidates.tolist()
    assert highest(importance, candidates, 0.99).tolist() == [True, False, False, False, False]  # one is always left
    assert highest(torch.ones(2, 2), torch.ones(2, 2, dtype=torch.bool), 0.5).tolist() == [[True, True], [False, False]]


def test_the_stages_of_a_run(model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten steps: cuts after the fourth and the fifth, then the values after the fourth are trained on."""
    model = build("xprompt:tokens=10,pieces=16", model_folder)
    seen: dict[int, tuple[int, torch.Tensor]] = {}
    after = XPrompt.after_step

    def noted(self, step, optimizer):
        before = self.prompts.detach().clone()
        after(self, step, optimizer)
        seen[step] = (int(self.kept.sum()), before, self.prompts.detach().clone(),
                      float(optimizer.state[self.prompts]["exp_avg"].abs().sum()))

    monkeypatch.setattr(XPrompt, "after_step", noted)
    trainer = trained(model, tmp_path)
    left = round(0.6 * 10) * 16
    assert [seen[step][0] for step in range(1, 11)] == [160] * 3 + [left] + [round(0.6 * left)] * 6
    off = ~model._kept_numbers()
    assert torch.equal(seen[5][2][~off], seen[4][1][~off]), "survivors go back to where prompt tuning ended"
    assert seen[5][3] == 0 < seen[6][3], "the optimiser forgets"
    assert not any(seen[step][2][off].any() for step in range(5, 11)), "what is dropped is zero and stays so"
    assert (seen[10][2][~off] != seen[5][2][~off]).all()
    assert model.trainable_count() == round(0.6 * left) * 2 == trainer.parameters_with_gradient
    # The first epoch ends with step 5 and is measured, but at step 5 the prompts were only just cut.
    assert trainer.state.best_model_checkpoint.endswith(("checkpoint-5", "checkpoint-10"))


def test_no_checkpoint_from_before_the_cuts_is_the_best(model_folder: Path, tmp_path: Path) -> None:
    model = build("xprompt:tuning=0.6,measuring=0.2", model_folder)
    trainer = trained(model, tmp_path)
    losses = {name: entry[name] for entry in trainer.state.log_history for name in entry if name.startswith("eval_loss")}
    assert losses.keys() == {"eval_loss_before_pruning", "eval_loss"}
    assert trainer.state.best_model_checkpoint.endswith("checkpoint-10") and trainer.state.best_metric == losses["eval_loss"]
    assert not model.kept.all()


def test_rewinding_to_the_start(model_folder: Path, tmp_path: Path) -> None:
    model = build("xprompt:rewind=0", model_folder)
    start = model.prompts.detach().clone()
    trained(model, tmp_path)
    assert torch.equal(model.early, start)
    assert (model.prompts != start).all()


def test_what_is_dropped_leaves_the_input(model_folder: Path, held_out: dict[str, torch.Tensor]) -> None:
    model = build("xprompt:tokens=4,pieces=2", model_folder)
    model.kept.copy_(torch.tensor([[True, True], [False, False], [True, False], [False, True]]))
    embeddings, mask = model.fused(held_out["input_ids"], held_out["attention_mask"])
    assert embeddings.shape[1] == held_out["input_ids"].shape[1] + 3 == mask.shape[1]
    half = tiny.WIDTH // 2
    assert not embeddings[:, 1, half:].any() and embeddings[:, 1, :half].all()
    assert not embeddings[:, 2, :half].any() and embeddings[:, 2, half:].all()
    assert model.trainable_count() == 4 * half


def test_a_pruned_prompt_is_saved_with_its_mask(model_folder: Path, held_out: dict[str, torch.Tensor], tmp_path: Path) -> None:
    model = build("xprompt", model_folder)
    trained(model, tmp_path / "run")
    model.save(tmp_path / "saved")
    (numbers,) = load_file(tmp_path / "saved" / "adapter.safetensors").values()
    assert numbers.numel() == model.trainable_count() < 20 * tiny.WIDTH // 2
    other = build("xprompt", model_folder, seed=5)
    other.load(tmp_path / "saved")
    assert torch.equal(other.kept, model.kept) and torch.equal(logits(other, held_out), logits(model, held_out))
    facts = tmp_path / "saved" / "method_config.json"
    content = json.loads(facts.read_text())
    for kept in (content["kept"][:-1], [row[:-1] for row in content["kept"]], ["x" * 16] * 20, None):
        facts.write_text(json.dumps(content | {"kept": kept}))
        with pytest.raises(ArtefactContentError, match="its mask is not one of 20 prompts of 16 pieces"):
            other.load(tmp_path / "saved")
    facts.write_text(json.dumps(content | {"kept": ["1" * 16] * 20}))
    with pytest.raises(ArtefactContentError, match="missing, surplus or misshapen tensors"):
        other.load(tmp_path / "saved")
    facts.write_text("{")
    with pytest.raises(ArtefactContentError, match="method_config.json"):
        other.load(tmp_path / "saved")


def test_settings_that_cannot_be(model_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--pieces is 5, expected a divisor of the backbone's width 32"):
        build("xprompt:pieces=5", model_folder)
    with pytest.raises(ConfigurationError, match="--tuning and --measuring are 0.7 and 0.3, expected less than 1 in sum"):
        build("xprompt:tuning=0.7,measuring=0.3", model_folder)
    with pytest.raises(TrainingError, match="got 2 steps, expected at least 3"):
        build("xprompt", model_folder).plan(2)


# adalora


def test_the_ranks_fall_to_the_budget(model_folder: Path, tmp_path: Path) -> None:
    model = build("adalora:rank=2,initial_rank=4", model_folder)
    start = model.trainable_count()
    trainer = trained(model, tmp_path)
    assert (model._config.total_step, model._config.tinit, model._config.tfinal) == (10, 1, 3)
    kept = model._kept()
    updates = 3 * tiny.LAYERS * 2  # q and v of one encoder and two decoder attentions a layer
    assert len(kept) == updates and sum(int(mask.sum()) for mask in kept.values()) == 2 * updates
    assert len({int(mask.sum()) for mask in kept.values()}) > 1, "dealt out by importance, not evenly"
    assert model.trainable_count() == start // 2 == trainer.parameters_with_gradient
    for name, off in model.switched_off().items():
        if ".lora_E" in name:
            assert not model.trainable()[name][off].any()


def test_a_loss_on_validation_is_the_tasks_alone(model_folder: Path, held_out: dict[str, torch.Tensor]) -> None:
    """In training mode the distance from orthogonality is on top: worked out here from the matrices."""
    model = build("adalora:dropout=0,regularisation=0.25", model_folder)
    distances = []
    for name, parameter in model.trainable().items():
        if ".lora_E" not in name:
            square = parameter @ parameter.T if ".lora_A" in name else parameter.T @ parameter
            distances.append((square - torch.eye(len(square))).norm())
    task = model.eval()(**held_out).loss
    with model.disabled():
        torch.testing.assert_close(model(**held_out).loss, task)  # the updates are zero at the start
    torch.testing.assert_close(model.train()(**held_out).loss, task + 0.25 * torch.stack(distances).mean())


def test_it_is_saved_as_peft_saves_it(model_folder: Path, held_out: dict[str, torch.Tensor], tmp_path: Path) -> None:
    """With its rank pattern, and the ranks that are left alone; peft itself reads it, and so does a new model of ours."""
    model = build("adalora:rank=1,initial_rank=3", model_folder)
    trained(model, tmp_path / "run")
    assert any(not mask.any() for mask in model._kept().values()), "an update without any rank is part of this test"
    model.save(tmp_path / "saved")
    stored = load_file(tmp_path / "saved" / "adapter_model.safetensors")
    assert sum(tensor.numel() for tensor in stored.values()) == model.trainable_count()
    expected = logits(model, held_out)
    other = build("adalora:rank=1,initial_rank=3", model_folder, seed=7)
    other.load(tmp_path / "saved")
    assert torch.equal(logits(other, held_out), expected) and other.trainable_count() == model.trainable_count()
    plain = load_backbone(str(model_folder), "float32", device="cpu").model
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = PeftModel.from_pretrained(plain, tmp_path / "saved").eval()
    inputs = {name: held_out[name] for name in ("input_ids", "attention_mask", "labels")}
    with torch.no_grad():
        torch.testing.assert_close(theirs.base_model.model(**inputs).logits, expected, rtol=1e-4, atol=1e-5)


def test_an_adalora_of_other_ranks_is_an_error(model_folder: Path, tmp_path: Path) -> None:
    model = build("adalora:rank=2,initial_rank=4", model_folder)
    trained(model, tmp_path / "run")
    model.save(tmp_path / "saved")
    with pytest.raises(ArtefactContentError, match="ranks|misshapen"):
        build("adalora:rank=2,initial_rank=5", model_folder).load(tmp_path / "saved")
    (tmp_path / "saved" / "adapter_config.json").write_text("{}")
    with pytest.raises(ArtefactContentError, match="adapter_config.json cannot be read"):
        model.load(tmp_path / "saved")


def test_ranks_that_cannot_be(backbone: Backbone) -> None:
    with pytest.raises(ConfigurationError, match="--initial-rank is 8, expected more than the rank 8"):
        build_method("adalora:initial_rank=8", backbone, SETTINGS)
    with pytest.raises(ConfigurationError, match="expected less than 1 in sum"):
        build_method("adalora:warm_share=0.5,final_share=0.5", backbone, SETTINGS)
    assert AdaLoRA(backbone, AdaLoRA.make_settings({}, SETTINGS)).trainable_count() > 0


@pytest.mark.parametrize("method", ["adalora", "xprompt"])
@pytest.mark.parametrize("interrupted_at", [3, 4, 8])
def test_an_interruption_in_any_stage_changes_nothing(
        method: str, interrupted_at: int, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten steps with a checkpoint after each; the run is killed in the step after one of them."""
    from transformers import TrainingArguments

    import transducer.trainer as module

    def every_step(**named):
        return TrainingArguments(**named | {"save_strategy": "steps", "save_steps": 1, "eval_strategy": "steps", "eval_steps": 1})

    monkeypatch.setattr(module, "TrainingArguments", every_step)
    whole = build(method, model_folder)
    trained(whole, tmp_path / "whole")
    step = AdapterTrainer.training_step

    def interrupted(self, *arguments, **named):
        if self.state.global_step == interrupted_at:
            raise KeyboardInterrupt
        return step(self, *arguments, **named)

    monkeypatch.setattr(AdapterTrainer, "training_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trained(build(method, model_folder), tmp_path / "parts")
    monkeypatch.setattr(AdapterTrainer, "training_step", step)
    resumed = build(method, model_folder, seed=9)
    trained(resumed, tmp_path / "parts", resume=True)
    for mine, other in zip((whole, resumed), (resumed, whole)):
        mine.save(tmp_path / f"saved-{id(mine)}")
        assert mine.trainable_count() == other.trainable_count()
    (first,), (second,) = ((tmp_path / f"saved-{id(model)}").glob("*.safetensors") for model in (whole, resumed))
    assert first.read_bytes() == second.read_bytes()
