"""One run: one method with one seed, trained and scored on data that is ready.

It ends as a `ResultRow`: one that failed for a reason of its own (a loss that is not finite, memory) says why.
"""
from __future__ import annotations

import json
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from transformers import set_seed

from checkpoints.artefact import LIMITS, folder_bytes
from tasks import Task
from tasks.metrics import Scores

from .adapted_model import AdaptedModel
from .backbone import Backbone
from .checkpointing import last_checkpoint
from .config import RunSettings
from .data import Data
from .errors import TrainingError
from .evaluate import predict, score_predictions
from .measure import ResultRow, git_commit, hardware, package_versions, peak_memory
from .memory import is_memory_error, shortage
from .methods import build_method, method_class
from .model import TransducerModel
from .prepare import Preparer
from .processes import is_main_process
from .provenance import card_results
from .run_data import RunData
from .storage import write_json_lines
from .trainer import AdapterTrainer, ExampleLoss, evaluation_loss, fit


class SingleRun:
    """Builds a method on a backbone of its own, trains and scores it; its files go to `folder`.

    `row` is what is known of the run, at any time.

    Args:
        specification: of the method, see `methods.build_method`.
        backbone: changed by the run.
        resume: goes on from the last checkpoint in the folder.
        on_log: is given every log entry of the training.
        keep_losses: writes the loss of every test example to `losses.jsonl`.
    """

    def __init__(self, settings: RunSettings, task: Task, data: RunData, backbone: Backbone, specification: str, seed: int,
                 folder: Path, console: Console, resume: bool = False, on_log: Callable[[dict], None] | None = None,
                 keep_losses: bool = False):
        self._settings, self._task, self._data, self._backbone = settings, task, data, backbone
        self._folder, self._console, self._resume, self._on_log = folder, console, resume, on_log
        self._keep_losses = keep_losses
        self.row = new_row(settings, data.examples, backbone, specification, seed)

    def execute(self) -> ResultRow:
        """Trains and scores."""
        try:
            self._train_and_score()
        except TrainingError as error:
            self.row.status, self.row.reason = "failed", " ".join(str(error).split())
        except Exception as error:
            if not is_memory_error(error):
                raise
            self.row.status = "failed"
        else:
            return self.row
        if not self.row.reason:
            # Out of the handler, where the error's frames no longer hold what filled the memory.
            kept = last_checkpoint(self._folder / "checkpoints")
            self.row.reason = shortage("training or scoring", self.row.specification, self._settings) + (
                f"; {kept} is kept: with --resume --gradient-checkpointing the same command goes on from it" if kept else "")
        return self.row

    def train_only(self) -> ResultRow:
        """Trains, for the validation loss; errors are the caller's."""
        model = self._built()
        self._train(model)
        return self.row

    def _built(self) -> AdaptedModel:
        row = self.row
        row.preparation = self._data.report.to_dict()
        set_seed(row.seed)
        model = build_method(row.specification, self._backbone, self._settings.transducer_settings(), self._settings.engine)
        model.require_positions(self._settings.max_source_tokens, self._settings.max_target_tokens)
        row.trainable_parameters = model.trainable_count()
        model.remember(self._data.train)
        return model

    def _train_and_score(self) -> None:
        row, backbone = self.row, self._backbone
        model = self._built()
        self._console.print(f"\n[bold]{row.method}[/bold], seed {row.seed}: {row.trainable_parameters:,} trainable parameters, "
                            f"{backbone.name} in {backbone.precision} ({backbone.precision_reason})", highlight=False)
        if row.trainable_parameters:
            with peak_memory(backbone.device) as peak:
                self._train(model)
            row.train_peak_bytes = peak.bytes
            row.trainable_parameters = model.trainable_count()  # a method may have pruned itself
        if not is_main_process():
            return
        # Saved before it is scored as well: what was learned outlives a failure there.
        self._save(model)
        row.artefact_bytes = folder_bytes(self._folder / model.artefact)
        self._score(model)
        self._save(model)
        self._console.print(f"  {scores_text(row)}", highlight=False)

    def _train(self, model: AdaptedModel) -> None:
        row = self.row
        begin = time.perf_counter()
        trainer: AdapterTrainer = fit(model, self._data.train, self._data.valid, self._settings, row.seed,
                                      self._folder / "checkpoints", self._log, not self._console.quiet, self._resume)
        row.train_seconds = time.perf_counter() - begin
        # The first steps pay for allocation and warm-up.
        steps = trainer.step_seconds[3:] or trainer.step_seconds
        row.median_step_seconds = statistics.median(steps) if steps else None
        row.valid_loss = trainer.state.best_metric
        row.parameters_with_gradient = trainer.parameters_with_gradient

    def _log(self, entry: dict) -> None:
        # Called by the main process alone: another one must not make the folder before the main one has looked at it.
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")
        if "eval_loss" in entry:
            self._console.print(f"  step {entry['step']:>5}: valid loss {entry['eval_loss']:.4f}", highlight=False)
        if self._on_log:
            self._on_log(entry)

    def _score(self, model: AdaptedModel) -> None:
        """Loss, where the method has one, answers and scores on the test examples."""
        row, settings, data = self.row, self._settings, self._data
        examples, batch_size = data.examples.test, 4 * settings.batch_size
        preparer = Preparer(self._backbone, self._task, settings.max_source_tokens, settings.max_target_tokens, settings.reach)
        if model.has_loss:
            losses: list[ExampleLoss] = []
            row.test_loss = evaluation_loss(model, data.test, batch_size, losses if self._keep_losses else None)
            if self._keep_losses:
                write_json_lines(self._folder / "losses.jsonl", [
                    {"id": example.id, "nats": nats, "tokens": tokens} for example, (nats, tokens) in zip(examples, losses)])
        begin = time.perf_counter()
        with peak_memory(model.backbone.device) as peak:
            # From the sources alone: prediction is given nothing that was prepared beside a target.
            answers = predict(model, preparer, [(example.source, example.language) for example in examples],
                              beams=settings.beams, batch_size=batch_size, progress=not self._console.quiet)
        row.generate_peak_bytes, row.generate_seconds = peak.bytes, time.perf_counter() - begin
        scores = self._scores(answers, range(len(examples)))
        row.scores, row.signatures, row.score_details = scores.values, scores.signatures, scores.details
        clean = data.clean_places()
        row.near_duplicate_percent = 100 * len(data.near_duplicates) / len(examples)
        if clean:
            row.clean_scores = self._scores(answers, clean).values if data.near_duplicates else dict(scores.values)
        write_json_lines(self._folder / "predictions.jsonl", [
            {"id": example.id, "source": example.source, "target": example.target, "prediction": answer,
             "scores": {name: values[index] for name, values in scores.per_example.items()}}
            for index, (example, answer) in enumerate(zip(examples, answers))])

    def _scores(self, answers: list[str], places: Sequence[int]) -> Scores:
        """Scores over the test examples at `places`."""
        examples = [self._data.examples.test[place] for place in places]
        return score_predictions(self._task, [answers[place] for place in places], [example.target for example in examples],
                                 [self._task.language_of_answers(example.language) for example in examples])

    def _save(self, model: AdaptedModel) -> None:
        """The artefact; a transducer's model card states what has been measured so far."""
        target = self._folder / model.artefact
        if isinstance(model, TransducerModel):
            languages = tuple(sorted({example.language for example in self._data.examples.train}))
            limits = {name: getattr(self._settings, name) for name in LIMITS}
            model.save_pretrained(target, task=self._task.name, languages=languages, limits=limits, results=card_results(self.row))
            return
        if target.exists():
            shutil.rmtree(target)
        model.save(target)


def scores_text(row: ResultRow) -> str:
    """What a finished run has reached, in a line."""
    loss = [] if row.test_loss is None else [f"test loss {row.test_loss:.3f}"]
    return ", ".join([*loss, *(f"{name} {value:.1f}" for name, value in row.scores.items())])


def new_row(settings: RunSettings, examples: Data, backbone: Backbone, specification: str, seed: int) -> ResultRow:
    """The row of a run that has not begun."""
    kind = method_class(specification)
    counts = {f"{split}_examples": count for split, count in examples.counts().items()}
    return ResultRow(
        method=specification, specification=specification, seed=seed, task=settings.task, data=examples.name,
        data_hash=examples.content_hash, **counts, model=backbone.name, model_fingerprint=backbone.fingerprint,
        precision=backbone.precision, remark=kind.remark, learning_rate=settings.learning_rate or kind.learning_rate_for(settings.epochs),
        epochs=settings.epochs, hardware=hardware(), packages=package_versions(), git_commit=git_commit())
