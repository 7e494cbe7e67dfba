"""The main command: adapts a frozen code model to a task, and compares with other methods on request.

    python -m transducer.train --task assert
    python -m transducer.train --task assert --baselines none lora prefix --seeds 3

The way of the data: `tasks.load_source` -> `prepare` (text, `cpg` graph, tensors) -> `methods` on a `backbone` ->
`trainer` -> `evaluate` (the four of them for one method and seed: `experiment`) -> a run folder (`runs`) and a table
(`report`).
"""
from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from .commands import DONE, FAILED, CommandParser, command_line
from .config import TrainSettings, add_options, resolve
from .processes import is_main_process

if TYPE_CHECKING:
    from tasks import Task

    from .backbone import Backbone
    from .budget import SizedMethod
    from .experiment import Experiment
    from .measure import ResultRow


def main(arguments: list[str] | None = None) -> int:
    parser = CommandParser(prog="python -m transducer.train", usage="%(prog)s [OPTION ...]", description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, metavar="FILE", help="recipe: a YAML file of the settings below")
    add_options(parser, TrainSettings)
    given = vars(parser.parse_args(arguments))
    settings = resolve(TrainSettings, given, given.pop("config", None))
    return run(settings)


def run(settings: TrainSettings) -> int:
    """Trains and evaluates every method and seed of the settings; the exit code tells whether all came through."""
    from tasks import get_task

    task = get_task(settings.task)
    settings = settings.for_task(task)
    from .report import print_settings, wide_console
    from .runs import check_output, open_run

    if settings.dry_run:
        from .memory import dry_run

        dry_run(settings, settings.methods())
        return DONE
    if is_main_process():
        check_output(settings)
    console = wide_console(quiet=settings.quiet or settings.json or not is_main_process())
    # Bad data is told before torch, which takes seconds, is loaded.
    from .data import load_data

    data = load_data(settings, task)
    from .memory import told_of_shortage

    with told_of_shortage(f"loading model {settings.model!r}", settings.method, settings):
        backbone, methods = _backbone_and_methods(settings)
    from .experiment import Experiment

    folder = open_run(settings) if is_main_process() else Path(settings.output)
    print_settings(console, settings)
    console.print(f"[bold]Data[/bold] {data.name}: {len(data.train):,} train, {len(data.valid):,} valid, "
                  f"{len(data.test):,} test", highlight=False)
    try:
        rows = _rows(settings, methods, Experiment(settings, task, data, backbone, console, settings.resume), folder)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted; the same command with --resume goes on from the last checkpoint in {folder}") from None
    if is_main_process():
        _finish(settings, task, rows, folder)
    return DONE if all(row.status == "ok" for row in rows) else FAILED


def _backbone_and_methods(settings: TrainSettings) -> tuple[Backbone, list[SizedMethod]]:
    """The backbone of the first run, and the methods in their sizes; one that cannot be built is told before a folder is made."""
    from .backbone import backbone_for
    from .budget import sized_method
    from .gve.engine import check_engine

    check_engine(settings.engine)
    backbone = backbone_for(settings)
    backbone.require_positions(settings.max_source_tokens, settings.max_target_tokens)
    return backbone, [sized_method(method, backbone, settings.transducer_settings()) for method in settings.methods()]


def _rows(settings: TrainSettings, methods: list[SizedMethod], experiment: Experiment, folder: Path) -> list[ResultRow]:
    """One row for each method and seed; a row that an earlier call finished is read."""
    from .measure import ResultRow
    from .methods import method_class
    from .runs import METRICS_FILE, RESULTS_FILE, member_folder
    from .storage import write_json, write_json_lines

    rows: list[ResultRow] = []
    for sized in methods:
        method = sized.method
        # Without anything trained there is nothing that a seed could change.
        for seed in range(settings.seed, settings.seed + (settings.seeds if method_class(method).default_learning_rate else 1)):
            member = member_folder(folder, settings, method, seed)
            finished = member / METRICS_FILE
            if settings.resume and finished.exists():
                rows.append(ResultRow(**json.loads(finished.read_text(encoding="utf-8"))))
                continue
            rows.append(row := experiment.run(sized, seed, member))
            if is_main_process():
                if row.status == "ok":
                    write_json(finished, row.to_dict())
                write_json_lines(folder / RESULTS_FILE, [row.to_dict() for row in rows])
    return rows


def _finish(settings: TrainSettings, task: Task, rows: list[ResultRow], folder: Path) -> None:
    from .methods import method_class
    from .report import footnotes, markdown_table, results_table, wide_console
    from .storage import write_text

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
        saved = folder / method_class(rows[0].method).artefact
        use = f" Try: python -m transducer.predict --transducer {saved} FILE" if saved.name == "transducer" else ""
        console.print(f"Saved in {saved}.{use}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    raise SystemExit(command_line(main))
