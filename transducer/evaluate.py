"""Predictions and scores of an adapted model, with nothing of the label in reach of the model.

    python -m transducer.evaluate --transducer runs/assert/transducer --data file:FOLDER
"""
from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .commands import CommandParser, command_line
from .config import GENERATION_FIELDS, TrainSettings, add_options, resolve
from .saved import add_saved_options, load_saved

EVALUATION_FIELDS = ("columns", "test_limit", *GENERATION_FIELDS)

if TYPE_CHECKING:
    from tasks import Task
    from tasks.metrics import Scores

    from .adapted_model import AdaptedModel
    from .prepare import PreparationReport, Preparer


def predict(model: AdaptedModel, preparer: Preparer, sources: Sequence[tuple[str, str]], *, beams: int,
            batch_size: int = 32, report: PreparationReport | None = None, progress: bool = False) -> list[str]:
    """Answers to (source, language) pairs. Targets are no argument: there is nothing to leak."""
    from .prepare import PreparationReport
    from .progress import progress_bar
    from .tensors import Collator

    written = model.written([source for source, _ in sources])
    if written is not None:
        return written
    inputs = model.seen(preparer.inputs(sources, report or PreparationReport()))
    collate = Collator(model.backbone.pad_token_id)
    # Longest first, so that a batch too large for the memory fails at once and padding is little.
    order = sorted(range(len(inputs)), key=lambda index: -len(inputs[index].input_ids))
    answers: list[str] = [""] * len(inputs)
    model.eval()
    for first in progress_bar(range(0, len(order), batch_size), shown=progress, desc="answers", unit="batch"):
        chosen = order[first:first + batch_size]
        batch = {name: tensor.to(model.backbone.device)
                 for name, tensor in collate([inputs[index] for index in chosen]).items()}
        generated = model.generate(batch, beams=beams, max_new_tokens=preparer.text.max_target_tokens)
        for index, ids in zip(chosen, generated):
            answers[index] = preparer.text.decode(ids)
    return answers


def score_predictions(task: Task, predictions: list[str], references: list[str], languages: list[str]) -> Scores:
    from tasks.metrics import score

    return score(task.metrics, predictions, references, languages)


def main(arguments: list[str] | None = None) -> int:
    parser = CommandParser(prog="python -m transducer.evaluate",
                           description="Scores a saved transducer on the test split of a data source.")
    add_saved_options(parser)
    parser.add_argument("--data", default="embedded", help="embedded, or file:FOLDER")
    parser.add_argument("--language", default="", help="language of rows without one")
    add_options(parser, TrainSettings, EVALUATION_FIELDS)
    parser.add_argument("--output", type=Path, help="file for the predictions (JSON lines)")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    options = parser.parse_args(arguments)
    settings = resolve(TrainSettings, {name: value for name, value in vars(options).items() if name in EVALUATION_FIELDS})

    from tasks import get_task, load_source

    from .prepare import PreparationReport, Preparer
    from .sampling import limited
    from .storage import write_json_lines
    from .trainer import evaluation_loss

    model = load_saved(options)
    task = get_task(model.task or settings.task)
    splits = load_source(options.data, task, language=options.language or None, columns=settings.column_names(),
                         progress=not options.quiet)
    examples = limited(splits.test, settings.test_limit)
    preparer = Preparer.for_model(model, task, settings.max_source_tokens, settings.max_target_tokens)
    predictions = predict(model, preparer, [(example.source, example.language) for example in examples],
                          beams=settings.beams or task.generation["num_beams"], progress=not options.quiet)
    scores = score_predictions(task, predictions, [example.target for example in examples],
                               [task.language_of_answers(example.language) for example in examples])
    loss = evaluation_loss(model, preparer.with_labels(examples, PreparationReport()), 32)
    if options.output:
        write_json_lines(options.output, [
            {"id": example.id, "prediction": prediction, "target": example.target}
            for example, prediction in zip(examples, predictions)])
    print(json.dumps({"examples": len(examples), "loss": loss, **scores.values, "signatures": scores.signatures}, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(command_line(main))
