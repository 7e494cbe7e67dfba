"""The runs of one command: each is one method with one seed, trained and scored on the data that all of them share.

A run ends as a `ResultRow`: one that failed for a reason of its own (a loss that is not finite, memory) says why.
"""
from __future__ import annotations

import json
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from rich.console import Console
from transformers import set_seed

from checkpoints.artefact import folder_bytes
from tasks import Example, Task
from tasks.datasets import SPLITS
from tasks.decontaminate import duplicated
from tasks.metrics import Scores

from .adapted_model import AdaptedModel
from .backbone import Backbone, load_backbone
from .config import TrainSettings
from .errors import DataError, TrainingError
from .evaluate import predict, score_predictions
from .measure import ResultRow, git_commit, hardware, package_versions, peak_memory
from .methods import build_method, method_class
from .model import TransducerModel
from .overlong import within_limits
from .prepare import PreparationReport, Preparer
from .processes import is_main_process
from .storage import write_json_lines
from .tensors import PreparedExample
from .trainer import evaluation_loss, fit


@dataclass(frozen=True)
class Data:
    """The examples that every run is given."""

    train: list[Example]
    valid: list[Example]
    test: list[Example]
    name: str
    content_hash: str


@dataclass(frozen=True)
class PreparedData:
    """The examples as a model takes them, and what preparing them did."""

    train: list[PreparedExample]
    valid: list[PreparedExample]
    test: list[PreparedExample]
    report: PreparationReport


class Experiment:
    """The settings and data that runs share.

    Args:
        backbone: taken by the first run; methods change the backbone they are built on, so the others load their own.
    """

    def __init__(self, settings: TrainSettings, task: Task, data: Data, backbone: Backbone, console: Console):
        self._settings, self._task, self._console = settings, task, console
        self._unused_backbone: Backbone | None = backbone
        self._preparer = Preparer(backbone, task, settings.max_source_tokens, settings.max_target_tokens)
        self._data, self._skipped = self._within_limits(data)
        if settings.decontaminate:
            self._data = self._decontaminated(self._data)

    def _within_limits(self, data: Data) -> tuple[Data, int]:
        """The examples that `--overlong` lets in, and how many it does not."""
        kept = {split: within_limits(getattr(data, split), split, self._settings.overlong, self._task, self._preparer.text)
                for split in SPLITS}
        skipped = sum(len(getattr(data, split)) - len(examples) for split, examples in kept.items())
        if skipped:
            self._console.print(f"{skipped:,} examples longer than the limits are left out: "
                                + ", ".join(f"{len(kept[split]):,} {split}" for split in SPLITS) + " remain", highlight=False)
        return replace(data, **kept), skipped

    def _decontaminated(self, data: Data) -> Data:
        """Without the training and validation examples that give a test example away."""
        kept = {}
        for split in ("train", "valid"):
            examples = getattr(data, split)
            near = duplicated(examples, data.test, self._task.compared, self._settings.decontaminate, self._progress)
            kept[split] = [example for place, example in enumerate(examples) if place not in near]
            if not kept[split]:
                raise DataError(f"every {split} example is a near duplicate of a test example at --decontaminate "
                                f"{self._settings.decontaminate}; raise it, or give other data")
        self._console.print(", ".join(f"{len(getattr(data, split)) - len(examples):,} {split}" for split, examples in kept.items())
                            + " examples are near duplicates of test examples and were removed", highlight=False)
        return replace(data, **kept)

    @cached_property
    def _near_duplicates(self) -> set[int]:
        """Places of the test examples with a near duplicate among the training examples."""
        return duplicated(self._data.test, self._data.train, self._task.compared, progress=self._progress)

    @cached_property
    def _prepared(self) -> PreparedData:
        """Made at the first use, for all runs: text and graph depend on the tokenizer, not on method or seed."""
        report = PreparationReport(skipped=self._skipped)
        train, valid, test = (self._preparer.with_labels(split, report, self._progress)
                              for split in (self._data.train, self._data.valid, self._data.test))
        if report.truncated:
            what = "a window around the placeholder" if self._task.placeholder else "their beginning"
            self._console.print(f"{report.truncated:,} of {report.examples:,} sources are longer than "
                                f"{self._settings.max_source_tokens} tokens and were cut to {what}", highlight=False)
        if report.targets_truncated:
            self._console.print(f"{report.targets_truncated:,} of {report.examples:,} targets are longer than "
                                f"{self._settings.max_target_tokens} tokens and were cut for the loss", highlight=False)
        return PreparedData(train, valid, test, report)

    @property
    def _progress(self) -> bool:
        return not self._console.quiet

    def run(self, method: str, seed: int, folder: Path) -> ResultRow:
        """Trains and scores one method with one seed; its files go to `folder`."""
        backbone = self._unused_backbone or load_backbone(
            self._settings.model, self._settings.precision, self._settings.revision or None)
        self._unused_backbone = None
        row = self._new_row(method, seed, backbone)
        try:
            self._train_and_score(row, backbone, folder)
        except (TrainingError, torch.OutOfMemoryError) as error:
            row.status, row.reason = "failed", " ".join(str(error).split())
            # Whatever was asked to be quiet, and on whichever process it happened.
            print(f"{method}, seed {seed}: {row.reason}", file=sys.stderr)
        return row

    def _new_row(self, method: str, seed: int, backbone: Backbone) -> ResultRow:
        settings, data, kind = self._settings, self._data, method_class(method)
        return ResultRow(
            method=method, seed=seed, task=settings.task, data=data.name, data_hash=data.content_hash,
            train_examples=len(data.train), valid_examples=len(data.valid), test_examples=len(data.test),
            model=backbone.name, model_fingerprint=backbone.fingerprint, precision=backbone.precision, remark=kind.remark,
            learning_rate=settings.learning_rate or kind.default_learning_rate, epochs=settings.epochs,
            hardware=hardware(), packages=package_versions(), git_commit=git_commit())

    def _train_and_score(self, row: ResultRow, backbone: Backbone, folder: Path) -> None:
        prepared = self._prepared
        row.preparation = prepared.report.to_dict()
        set_seed(row.seed)
        model = build_method(row.method, backbone, self._settings.transducer_settings(), self._settings.engine)
        row.trainable_parameters = model.trainable_count()
        self._console.print(f"\n[bold]{row.method}[/bold], seed {row.seed}: {row.trainable_parameters:,} trainable parameters, "
                            f"{backbone.name} in {backbone.precision} ({backbone.precision_reason})", highlight=False)
        if row.trainable_parameters:
            with peak_memory(backbone.device) as peak:
                self._train(model, row, folder)
            row.train_peak_bytes = peak.bytes
            row.trainable_parameters = model.trainable_count()  # a method may have pruned itself
        if not is_main_process():
            return
        # Saved before it is scored as well: what was learned outlives a failure there.
        self._save(model, row, folder)
        row.artefact_bytes = folder_bytes(folder / model.artefact)
        self._score(model, row, folder)
        self._save(model, row, folder)
        self._console.print(f"  test loss {row.test_loss:.3f}, "
                            + ", ".join(f"{name} {value:.1f}" for name, value in row.scores.items()), highlight=False)

    def _train(self, model: AdaptedModel, row: ResultRow, folder: Path) -> None:
        def report(entry: dict) -> None:
            # Called by the main process alone: another one must not make the folder before the main one has looked at it.
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
                log.write(json.dumps(entry) + "\n")
            if "eval_loss" in entry:
                self._console.print(f"  step {entry['step']:>5}: valid loss {entry['eval_loss']:.4f}", highlight=False)

        begin = time.perf_counter()
        trainer = fit(model, self._prepared.train, self._prepared.valid, self._settings, row.seed, folder / "checkpoints",
                      report, self._progress)
        row.train_seconds = time.perf_counter() - begin
        # The first steps pay for allocation and warm-up.
        steps = trainer.step_seconds[3:] or trainer.step_seconds
        row.median_step_seconds = statistics.median(steps) if steps else None
        row.valid_loss = trainer.state.best_metric
        row.parameters_with_gradient = trainer.parameters_with_gradient

    def _score(self, model: AdaptedModel, row: ResultRow, folder: Path) -> None:
        """Loss, answers and scores on the test examples."""
        examples, batch_size = self._data.test, 4 * self._settings.batch_size
        row.test_loss = evaluation_loss(model, self._prepared.test, batch_size)
        begin = time.perf_counter()
        with peak_memory(model.backbone.device) as peak:
            # From the sources alone: prediction is given nothing that was prepared beside a target.
            answers = predict(model, self._preparer, [(example.source, example.language) for example in examples],
                              beams=self._settings.beams, batch_size=batch_size, progress=self._progress)
        row.generate_peak_bytes, row.generate_seconds = peak.bytes, time.perf_counter() - begin
        scores = self._scores(answers, range(len(examples)))
        row.scores, row.signatures, row.score_details = scores.values, scores.signatures, scores.details
        clean = [place for place in range(len(examples)) if place not in self._near_duplicates]
        row.near_duplicate_percent = 100 * len(self._near_duplicates) / len(examples)
        if clean:
            row.clean_scores = self._scores(answers, clean).values if self._near_duplicates else dict(scores.values)
        write_json_lines(folder / "predictions.jsonl", [
            {"id": example.id, "source": example.source, "target": example.target, "prediction": answer,
             "scores": {name: values[index] for name, values in scores.per_example.items()}}
            for index, (example, answer) in enumerate(zip(examples, answers))])

    def _scores(self, answers: list[str], places: Sequence[int]) -> Scores:
        """Scores over the test examples at `places`."""
        examples = [self._data.test[place] for place in places]
        return score_predictions(self._task, [answers[place] for place in places], [example.target for example in examples],
                                 [self._task.language_of_answers(example.language) for example in examples])

    def _save(self, model: AdaptedModel, row: ResultRow, folder: Path) -> None:
        """The artefact; a transducer's model card states what has been measured so far."""
        target = folder / model.artefact
        if isinstance(model, TransducerModel):
            languages = tuple(sorted({example.language for example in self._data.train}))
            model.save_pretrained(target, task=self._task.name, languages=languages, results=_card_results(row))
            return
        if target.exists():
            shutil.rmtree(target)
        model.save(target)


def _card_results(row: ResultRow) -> dict:
    facts = {"data": f"{row.data} ({row.train_examples:,} train, {row.test_examples:,} test examples)", "seed": row.seed,
             "valid loss": row.valid_loss, "test loss": row.test_loss, **row.scores}
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in facts.items() if value is not None}
