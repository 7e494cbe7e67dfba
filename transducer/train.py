"""The main command: adapts a frozen code model to a task, and compares with other methods on request.

    python -m transducer.train --task assert
    python -m transducer.train --task assert --baselines none lora prefix --seeds 3

The way of the data: `tasks.load_source` -> `prepare` (text, `cpg` graph, tensors) -> `methods` on a `backbone` ->
`trainer` -> `evaluate` -> a run folder (`runs`) and a table (`report`).
"""
from __future__ import annotations

import json
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .commands import DONE, FAILED, CommandParser, command_line
from .config import TrainSettings, add_options, resolve

if TYPE_CHECKING:
    from rich.console import Console

    from tasks import Example, Task

    from .adapted_model import AdaptedModel
    from .backbone import Backbone
    from .measure import ResultRow


@dataclass(frozen=True)
class Data:
    """The examples that every method of a run is given."""

    train: list[Example]
    valid: list[Example]
    test: list[Example]
    name: str
    content_hash: str


def main(arguments: list[str] | None = None) -> int:
    parser = CommandParser(prog="python -m transducer.train", description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, metavar="FILE", help="recipe: a YAML file of the settings below")
    add_options(parser, TrainSettings)
    given = vars(parser.parse_args(arguments))
    settings = resolve(TrainSettings, given, given.pop("config", None))
    return run(settings)


def run(settings: TrainSettings) -> int:
    """Trains and evaluates every method and seed of the settings; the exit code tells whether all came through."""
    from tasks import get_task

    task = get_task(settings.task)
    from .report import print_settings, wide_console
    from .runs import check_output, open_run

    if _is_main_process():
        check_output(settings)
    console = wide_console(quiet=settings.quiet or settings.json or not _is_main_process())
    data = _load(settings, task)
    backbone = _checked_backbone(settings)
    folder = open_run(settings) if _is_main_process() else Path(settings.output)
    print_settings(console, settings)
    console.print(f"[bold]Data[/bold] {data.name}: {len(data.train):,} train, {len(data.valid):,} valid, "
                  f"{len(data.test):,} test", highlight=False)
    try:
        rows = _rows(settings, task, data, backbone, folder, console)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted; the same command with --resume goes on from the last checkpoint in {folder}") from None
    _finish(settings, task, rows, folder)
    return DONE if all(row.status == "ok" for row in rows) else FAILED


def _checked_backbone(settings: TrainSettings) -> Backbone:
    """The backbone of the first run; what would end every run is found with it before a folder is made."""
    from .backbone import load_backbone
    from .methods import build_method

    backbone = load_backbone(settings.model, settings.precision, settings.revision or None)
    build_method("transducer", backbone, settings.transducer_settings(), settings.engine)
    return backbone


def _rows(settings: TrainSettings, task: Task, data: Data, backbone: Backbone | None, folder: Path,
          console: Console) -> list[ResultRow]:
    """One row for each method and seed. The first run takes `backbone`, the others load theirs: methods change it."""
    from .measure import ResultRow
    from .runs import METRICS_FILE, RESULTS_FILE, member_folder
    from .storage import write_json, write_json_lines

    rows: list[ResultRow] = []
    for method in settings.methods():
        # Without anything trained there is nothing that a seed could change.
        for seed in range(settings.seed, settings.seed + (1 if method == "none" else settings.seeds)):
            member = member_folder(folder, settings, method, seed)
            finished = member / METRICS_FILE
            if settings.resume and finished.exists():
                rows.append(ResultRow(**json.loads(finished.read_text(encoding="utf-8"))))
                continue
            row = _attempt(settings, task, data, method, seed, member, console, backbone)
            backbone = None
            rows.append(row)
            if _is_main_process():
                if row.status == "ok":
                    write_json(finished, row.to_dict())
                write_json_lines(folder / RESULTS_FILE, [row.to_dict() for row in rows])
    return rows


def _load(settings: TrainSettings, task: Task) -> Data:
    from tasks import load_source

    from .sampling import limited

    splits = load_source(settings.data, task, language=settings.language or None, progress=not settings.quiet and not settings.json)
    return Data(limited(splits.train, settings.train_limit), limited(splits.valid, settings.valid_limit),
                limited(splits.test, settings.test_limit), settings.data, splits.content_hash)


def _attempt(settings: TrainSettings, task: Task, data: Data, method: str, seed: int, folder: Path,
             console: Console, backbone: Backbone | None) -> ResultRow:
    """One run as a row; a failure that concerns this method alone is a row too."""
    import torch

    from .backbone import load_backbone
    from .errors import TrainingError

    backbone = backbone or load_backbone(settings.model, settings.precision, settings.revision or None)
    row = _new_row(settings, data, method, seed, backbone)
    try:
        _train_and_score(settings, task, data, row, backbone, folder, console)
    except (TrainingError, torch.OutOfMemoryError) as error:
        row.status, row.reason = "failed", " ".join(str(error).split())
        # Whatever was asked to be quiet, and on whichever process it happened.
        print(f"{method}, seed {seed}: {row.reason}", file=sys.stderr)
    return row


def _new_row(settings: TrainSettings, data: Data, method: str, seed: int, backbone: Backbone) -> ResultRow:
    from .measure import ResultRow, git_commit, hardware, package_versions
    from .methods import method_class

    kind = method_class(method)
    return ResultRow(
        method=method, seed=seed, task=settings.task, data=data.name, data_hash=data.content_hash,
        train_examples=len(data.train), valid_examples=len(data.valid), test_examples=len(data.test),
        model=backbone.name, model_fingerprint=backbone.fingerprint, precision=backbone.precision, remark=kind.remark,
        learning_rate=settings.learning_rate or kind.default_learning_rate, epochs=settings.epochs,
        hardware=hardware(), packages=package_versions(), git_commit=git_commit())


def _train_and_score(settings: TrainSettings, task: Task, data: Data, row: ResultRow, backbone: Backbone,
                     folder: Path, console: Console) -> None:
    from transformers import set_seed

    from checkpoints.artefact import folder_bytes

    from .measure import peak_memory
    from .methods import build_method
    from .prepare import PreparationReport, Preparer
    from .storage import write_json_lines
    from .trainer import evaluation_loss

    set_seed(row.seed)
    model = build_method(row.method, backbone, settings.transducer_settings(), settings.engine)
    row.trainable_parameters = model.trainable_count()
    console.print(f"\n[bold]{row.method}[/bold], seed {row.seed}: {row.trainable_parameters:,} trainable parameters, "
                  f"{backbone.name} in {backbone.precision} ({backbone.precision_reason})", highlight=False)
    preparer = Preparer(backbone, task, settings.max_source_tokens, settings.max_target_tokens)
    report = PreparationReport()
    progress = not console.quiet
    train, valid, test = (preparer.with_labels(split, report, progress) for split in (data.train, data.valid, data.test))
    row.preparation = report.to_dict()
    if report.truncated:
        console.print(f"  {report.truncated:,} of {report.examples:,} sources are longer than {settings.max_source_tokens} "
                      "tokens and were cut to a window around the placeholder", highlight=False)
    if row.trainable_parameters:
        with peak_memory(backbone.device) as peak:
            _train(settings, model, train, valid, row, folder, console, progress)
        row.train_peak_bytes = peak.bytes
    if not _is_main_process():
        return
    _save(model, task, data, row, folder)
    row.artefact_bytes = folder_bytes(folder / model.artefact)
    row.test_loss = evaluation_loss(model, test, 4 * settings.batch_size)
    begin = time.perf_counter()
    with peak_memory(backbone.device) as peak:
        predictions = _predictions(settings, task, data, model, preparer, row, progress)
    row.generate_peak_bytes, row.generate_seconds = peak.bytes, time.perf_counter() - begin
    write_json_lines(folder / "predictions.jsonl", predictions)
    _save(model, task, data, row, folder)
    console.print(f"  test loss {row.test_loss:.3f}, " + ", ".join(f"{name} {value:.1f}" for name, value in row.scores.items()),
                  highlight=False)


def _train(settings: TrainSettings, model: AdaptedModel, train: list, valid: list, row: ResultRow, folder: Path,
           console: Console, progress: bool) -> None:
    from .trainer import fit

    def report(entry: dict) -> None:
        # Called by the main process alone: another one must not make the folder before the main one has looked at it.
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")
        if "eval_loss" in entry:
            console.print(f"  step {entry['step']:>5}: valid loss {entry['eval_loss']:.4f}", highlight=False)

    begin = time.perf_counter()
    trainer = fit(model, train, valid, settings, row.seed, folder / "checkpoints", report, progress)
    row.train_seconds = time.perf_counter() - begin
    # The first steps pay for allocation and warm-up.
    steps = trainer.step_seconds[3:] or trainer.step_seconds
    row.median_step_seconds = statistics.median(steps) if steps else None
    row.valid_loss = trainer.state.best_metric
    row.parameters_with_gradient = trainer.parameters_with_gradient


def _predictions(settings: TrainSettings, task: Task, data: Data, model: AdaptedModel, preparer, row: ResultRow,
                 progress: bool) -> list[dict]:
    """Answers to the test examples with their scores; fills in the row's scores."""
    from .evaluate import predict, score_predictions

    answers = predict(model, preparer, [(example.source, example.language) for example in data.test],
                      beams=settings.beams, batch_size=4 * settings.batch_size, progress=progress)
    scores = score_predictions(task, answers, [example.target for example in data.test],
                               [example.language for example in data.test])
    row.scores, row.signatures = scores.values, scores.signatures
    return [{"id": example.id, "source": example.source, "target": example.target, "prediction": answer,
             "scores": {name: values[index] for name, values in scores.per_example.items()}}
            for index, (example, answer) in enumerate(zip(data.test, answers))]


def _save(model: AdaptedModel, task: Task, data: Data, row: ResultRow, folder: Path) -> None:
    """The artefact; a transducer's model card states what has been measured so far."""
    import shutil

    from .model import TransducerModel

    target = folder / model.artefact
    if isinstance(model, TransducerModel):
        languages = tuple(sorted({example.language for example in data.train}))
        model.save_pretrained(target, task=task.name, languages=languages, results=_card_results(row))
        return
    if target.exists():
        shutil.rmtree(target)
    model.save(target)


def _card_results(row: ResultRow) -> dict:
    facts = {"data": f"{row.data} ({row.train_examples:,} train, {row.test_examples:,} test examples)", "seed": row.seed,
             "valid loss": row.valid_loss, "test loss": row.test_loss, **row.scores}
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in facts.items() if value is not None}


def _finish(settings: TrainSettings, task: Task, rows: list, folder: Path) -> None:
    from .report import footnotes, markdown_table, results_table, wide_console
    from .storage import write_text

    if not _is_main_process():
        return
    notes = footnotes(rows)
    write_text(folder / "table.md", markdown_table(rows, task.metrics) + "\n" + "".join(f"- {note}\n" for note in notes))
    if settings.json:
        for row in rows:
            print(json.dumps(row.to_dict(), ensure_ascii=False))
        return
    console = wide_console()
    console.print()
    console.print(results_table(rows, task.metrics))
    for note in notes:
        console.print(f"  {note}", highlight=False, soft_wrap=True)
    if rows[0].status == "ok" and rows[0].trainable_parameters:
        console.print(f"Saved in {folder}. Try: python -m transducer.predict --transducer {folder / 'transducer'} FILE",
                      highlight=False, soft_wrap=True)


def _is_main_process() -> bool:
    import os

    return int(os.environ.get("RANK", "0")) == 0


if __name__ == "__main__":
    raise SystemExit(command_line(main))
