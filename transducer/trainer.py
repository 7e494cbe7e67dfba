"""Training with `transformers.Trainer` underneath, so that `accelerate launch` works unchanged.

What is ours: checkpoints that hold only what is trained (`checkpointing`), an order of examples that depends on seed
and epoch alone, and a validation loss per target token.
"""
from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler
from tqdm import tqdm
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from .checkpointing import CheckpointHooks, last_checkpoint
from .config import RunSettings
from .errors import TrainingError
from .adapted_model import AdaptedModel
from .progress import progress_bar
from .tensors import IGNORED_LABEL, Collator, PreparedExample


GRADIENT_FLOOR = 1e-7
"""Share of a step's largest gradient below which one is float32 rounding: what no gradient can reach shows below 1e-8."""


class Examples(Dataset):
    """A list of prepared examples."""

    def __init__(self, examples: list[PreparedExample]):
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> PreparedExample:
        return self.examples[index]


class LengthBuckets(Sampler):
    """A random order in which neighbours have similar lengths, so that little is padded.

    The order is a function of seed and epoch, so every method sees the same and a resumed run goes on where it was.
    Examples are shuffled, cut into pools of 32 batches, sorted by length within a pool, and the batches are shuffled.
    """

    def __init__(self, examples: list[PreparedExample], batch_size: int, seed: int):
        self._lengths = np.array([len(example.input_ids) for example in examples])
        self._batch_size, self._seed, self._epoch = batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng([self._seed, self._epoch])
        order = random.permutation(len(self._lengths))
        pool = 32 * self._batch_size
        ordered = np.concatenate([part[np.argsort(self._lengths[part], kind="stable")]
                                  for part in np.split(order, range(pool, len(order), pool))])
        batches = np.split(ordered, range(self._batch_size, len(ordered), self._batch_size))
        # The incomplete batch stays last, or batches after it would be cut differently.
        whole = batches[:-1] if len(batches[-1]) < self._batch_size else batches
        for index in random.permutation(len(whole)):
            yield from whole[index].tolist()
        if len(whole) < len(batches):
            yield from batches[-1].tolist()


ExampleLoss = tuple[float, int]
"""Nats and target tokens of one example."""


def token_losses(model: AdaptedModel, batches, each: list[ExampleLoss] | None = None) -> tuple[float, int]:
    """(sum of nats, target tokens) over batches, in evaluation mode; those of the single examples are added to `each`."""
    model.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for batch in batches:
            tokens = int((batch["labels"] != IGNORED_LABEL).sum())
            output = model(**batch)
            total += float(output.loss) * tokens
            count += tokens
            if each is not None:
                each += [_example_loss(logits, labels) for logits, labels in zip(output.logits, batch["labels"])]
    return total, count


def _example_loss(logits: torch.Tensor, labels: torch.Tensor) -> ExampleLoss:
    """Of logits [L, V] and labels [L]."""
    nats = torch.nn.functional.cross_entropy(logits.float(), labels, ignore_index=IGNORED_LABEL, reduction="sum")
    return float(nats), int((labels != IGNORED_LABEL).sum())


class AdapterTrainer(CheckpointHooks, Trainer):
    """`Trainer` for an `AdaptedModel`; see the module."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.model_accepts_loss_kwargs = False
        self.step_seconds: list[float] = []
        self._received: dict[str, torch.Tensor] = {}

    def _get_train_sampler(self, train_dataset=None):
        return LengthBuckets(self.train_dataset.examples, self.args.per_device_train_batch_size, self.args.seed)

    def training_step(self, model, inputs, num_items_in_batch=None):
        begin = time.perf_counter()
        loss = super().training_step(model, inputs, num_items_in_batch)
        self.step_seconds.append(time.perf_counter() - begin)
        self._note_gradients(self.accelerator.unwrap_model(model).trainable())
        self._check_finite("loss", float(loss), self.state.global_step + 1)
        return loss

    def _check_finite(self, name: str, loss: float, step: int) -> None:
        if not math.isfinite(loss):
            raise TrainingError(f"the {name} is {loss} at step {step}; the learning rate {self.args.learning_rate} is "
                                "likely too high: lower --learning-rate")

    def _note_gradients(self, trainable: dict[str, torch.nn.Parameter]) -> None:
        """Marks every number that a gradient above rounding has reached."""
        gradients = {name: parameter.grad for name, parameter in trainable.items() if parameter.grad is not None}
        # One tensor at a time: sizes of all gradients at once would be a second copy of them, the peak of memory of `full`.
        largest = [torch.linalg.vector_norm(gradient, torch.inf) for gradient in gradients.values()]
        floor = GRADIENT_FLOOR * torch.stack(largest).max() if largest else 0.0
        for name, gradient in gradients.items():
            self._received[name] = self._received.get(name, False) | (gradient.abs() > floor)

    @property
    def parameters_with_gradient(self) -> int:
        """Trainable numbers that some step of this call gave a gradient above rounding, and that are trained still."""
        off = self.accelerator.unwrap_model(self.model).switched_off()
        return sum(int((reached & ~off[name]).sum() if name in off else reached.sum())
                   for name, reached in self._received.items())

    def _determine_best_metric(self, metrics, trial) -> bool:
        return self.accelerator.unwrap_model(self.model).settled and super()._determine_best_metric(metrics, trial)

    def evaluate(self, eval_dataset=None, ignore_keys=None, metric_key_prefix="eval"):
        """Loss in nats per target token over the validation examples, summed over all processes.

        Under a name of its own while a method has not found its final size: it is then no candidate for the best model,
        and no reason to stop early.
        """
        model = self.accelerator.unwrap_model(self.model)
        loader = self.get_eval_dataloader(eval_dataset)
        total, count = token_losses(model, (self._prepare_inputs(batch) for batch in loader))
        sums = self.accelerator.reduce(torch.tensor([total, count], dtype=torch.float64), "sum")
        loss = float(sums[0] / sums[1])
        self._check_finite("validation loss", loss, self.state.global_step)
        metrics = {f"{metric_key_prefix}_loss" + ("" if model.settled else "_before_pruning"): loss}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class MethodSteps(TrainerCallback):
    """Tells a method how long training is and when a step was taken."""

    def on_train_begin(self, args, state, control, model, **_):
        model.plan(state.max_steps)

    def on_optimizer_step(self, args, state, control, model, optimizer, **_):
        model.after_step(state.global_step + 1, optimizer)


class Progress(TrainerCallback):
    """A progress bar on a terminal, and every log entry to a function."""

    def __init__(self, report: Callable[[dict], None], progress: bool):
        self._report, self._progress = report, progress
        self._bar: tqdm | None = None

    def on_train_begin(self, args, state, control, **_):
        self._bar = progress_bar(total=state.max_steps, initial=state.global_step, desc="training", unit="step",
                                 shown=self._progress and state.is_world_process_zero)

    def on_step_end(self, args, state, control, **_):
        self._bar.update(state.global_step - self._bar.n)

    def on_train_end(self, args, state, control, **_):
        self._bar.close()

    def on_log(self, args, state, control, logs=None, **_):
        if logs and state.is_world_process_zero:
            self._report({"step": state.global_step} | logs)


class Validations(TrainerCallback):
    """The rule of early stopping, the same for every method: `count` validations beside those at the ends of epochs,
    and an end after `patience` validations without a lower loss (0: never)."""

    def __init__(self, count: int, patience: int):
        self._count, self._patience = count, patience

    def on_step_end(self, args, state, control, **_):
        places = {round(part * state.max_steps / (self._count + 1)) for part in range(1, self._count + 1)}
        if state.global_step in places:
            control.should_evaluate = control.should_save = True

    def on_evaluate(self, args, state, control, **_):
        # From the log, which a checkpoint restores: a resumed run stops where an uninterrupted one does.
        losses = [entry["eval_loss"] for entry in state.log_history if "eval_loss" in entry]
        if self._patience and losses and len(losses) - 1 - losses.index(min(losses)) >= self._patience:
            control.should_training_stop = True

    def on_epoch_end(self, args, state, control, **_):
        if any(entry["step"] == state.global_step and name.startswith("eval_loss")
               for entry in state.log_history for name in entry):
            control.should_evaluate = control.should_save = False


def fit(model: AdaptedModel, train: list[PreparedExample], valid: list[PreparedExample], settings: RunSettings,
        seed: int, folder: Path, report: Callable[[dict], None], progress: bool, resume: bool = False) -> AdapterTrainer:
    """Trains, keeps the weights with the lowest validation loss, and returns the trainer with its measurements.

    Checkpoints go to `folder`; with `resume` the newest complete one is continued.
    """
    arguments = TrainingArguments(
        output_dir=str(folder), num_train_epochs=settings.epochs, seed=seed, data_seed=seed,
        per_device_train_batch_size=settings.batch_size, per_device_eval_batch_size=4 * settings.batch_size,
        learning_rate=settings.learning_rate or model.learning_rate_for(settings.epochs), lr_scheduler_type="linear",
        warmup_steps=settings.warmup_ratio, weight_decay=settings.weight_decay, max_grad_norm=settings.max_grad_norm,
        eval_strategy="epoch", save_strategy="epoch", save_total_limit=2, load_best_model_at_end=True,
        metric_for_best_model="eval_loss", greater_is_better=False, logging_strategy="steps", logging_steps=25,
        remove_unused_columns=False, report_to="none", disable_tqdm=True, use_cpu=model.backbone.device.type == "cpu",
        dataloader_num_workers=0, optim="adamw_torch_fused",
        ddp_find_unused_parameters=False,
    )
    trainer = AdapterTrainer(
        model=model, args=arguments, train_dataset=Examples(model.seen(train)), eval_dataset=Examples(model.seen(valid)),
        data_collator=Collator(model.backbone.pad_token_id),
        callbacks=[Progress(report, progress), Validations(settings.validations, settings.patience),
                   MethodSteps()])
    trainer.remove_callback(PrinterCallback)
    checkpoint = last_checkpoint(folder) if resume else None
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    return trainer


def evaluation_loss(model: AdaptedModel, examples: list[PreparedExample], batch_size: int,
                    each: list[ExampleLoss] | None = None) -> float:
    """Nats per target token; those of the single examples are added to `each`, in their order."""
    loader = DataLoader(Examples(model.seen(examples)), batch_size=batch_size, collate_fn=Collator(model.backbone.pad_token_id))
    device = model.backbone.device
    batches = ({name: tensor.to(device) for name, tensor in batch.items()} for batch in loader)
    total, count = token_losses(model, batches, each)
    return total / count
