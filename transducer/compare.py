"""Compares methods on one task: every method with several seeds, measured alike, with intervals and tests.

    python -m transducer.compare --task assert --methods transducer lora prefix --seeds 3
    python -m transducer.compare --task assert --methods transducer lora lora:params=17757 --tune 8 --jobs 2 --output runs/tuned

Killed at any moment, the same command goes on: what has ended is kept. The parts stand in `comparison`, the folder that it
leaves in `comparison.folder`, the statistics in `statistics`, the page that it ends with in `comparison_report`.
"""
from __future__ import annotations

import json
import shlex
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .commands import DONE, FAILED, CommandParser, command_line
from .comparison.settings import CompareSettings
from .config import add_options, resolve
from .errors import ConfigurationError
from .processes import is_main_process, process_count

if TYPE_CHECKING:
    from rich.console import Console

    from tasks import Task

    from .backbone import Backbone
    from .comparison.folder import ComparisonFolder
    from .comparison.plan import PlannedMethod
    from .data import Data
    from .measure import ResultRow
    from .run_data import SharedData


def main(arguments: list[str] | None = None) -> int:
    parser = CommandParser(prog="python -m transducer.compare", usage="%(prog)s [OPTION ...]", description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, metavar="FILE", help="recipe: a YAML file of the settings below")
    add_options(parser, CompareSettings)
    arguments = sys.argv[1:] if arguments is None else arguments
    given = vars(parser.parse_args(arguments))
    settings = resolve(CompareSettings, given, given.pop("config", None))
    return run(settings, arguments)


def run(settings: CompareSettings, arguments: list[str]) -> int:
    """Runs what is left of a comparison and concludes; the exit code tells whether no run has failed.

    Args:
        arguments: of the command, of which `settings` were made.
    """
    from tasks import get_task

    task = get_task(settings.task)
    settings = settings.for_task(task)
    settings.parameter_budget()
    if process_count() > 1:
        settings = replace(settings, accelerate=process_count())
    if settings.dry_run:
        from .comparison.plan import plan_methods
        from .estimate import shaped_backbone
        from .memory import dry_run

        planned = plan_methods(settings, shaped_backbone(settings))
        dry_run(settings, [method.specification if not method.reason else method.base for method in planned])
        return DONE
    if settings.accelerate > 1 and settings.jobs > 1:
        raise ConfigurationError("--jobs runs side by side what --accelerate does together; give one of them")
    from .comparison.folder import ComparisonFolder
    from .report import print_settings, wide_console

    folder = ComparisonFolder(settings)
    saved = folder.check()
    if settings.accelerate > process_count():
        from .comparison.together import launch

        launch(settings.accelerate, arguments)
    console = wide_console(quiet=settings.quiet or settings.json or not is_main_process())
    # Bad data is told before torch, which takes seconds, is loaded.
    from .data import load_data

    data = load_data(settings, task)
    from .backbone import backbone_for
    from .comparison.plan import plan_methods
    from .comparison.tuning import require_tuner
    from .run_data import SharedData

    if settings.tune:
        require_tuner()
    # Every run computes in one precision, also those of an earlier call.
    precision = saved["model"]["precision"] if saved and settings.precision == "auto" else settings.precision
    from .memory import told_of_shortage

    with told_of_shortage(f"loading model {settings.model!r}", "none", settings):
        backbone = backbone_for(settings, precision)
    backbone.require_positions(settings.max_source_tokens, settings.max_target_tokens)
    # What is left to do with it here needs no accelerator, whose memory is for the runs.
    if not backbone.stays:
        backbone.model.to("cpu")
    planned = plan_methods(settings, backbone)
    print_settings(console, settings)
    shared = SharedData(settings, task, data, backbone, console)
    if not is_main_process():
        from .comparison.together import follow

        follow(replace(settings, precision=backbone.precision), shared.prepared)
        return DONE
    command = shlex.join(["python", "-m", "transducer.compare", *arguments])
    with folder.locked():
        try:
            rows = _rows(settings, command, task, shared, backbone, planned, folder, saved, console)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"interrupted; the same command goes on with what is left in {folder.path}") from None
        _conclude(settings, task, planned, rows, folder)
    return FAILED if any(row.status == "failed" for row in rows) else DONE


def _rows(settings: CompareSettings, command: str, task: Task, shared: SharedData, backbone: Backbone, planned: list[PlannedMethod],
          folder: ComparisonFolder, saved: dict | None, console: Console) -> list[ResultRow]:
    """The rows of all methods and seeds in the order of the table; what is there already is read."""
    from .comparison.folder import EXAMPLES_FILE
    from .comparison.matrix import Matrix
    from .comparison.processes import start_server
    from .comparison.progress import MatrixProgress
    from .comparison.tuning import read_trials
    from .storage import write_json_lines

    folder.open(saved, _config(settings, command, task, shared.examples, backbone, planned))
    _show(console, shared.examples, planned, settings)
    matrix = Matrix(replace(settings, precision=backbone.precision), folder, planned, backbone, shared.examples,
                    _kept_rows(settings, folder), read_trials(folder.tuning))
    if matrix.left or not (folder.path / EXAMPLES_FILE).exists() or process_count() > 1:
        if process_count() == 1:
            start_server()
        prepared = shared.prepared
        write_json_lines(folder.path / EXAMPLES_FILE, [
            {"id": example.id, "language": example.language, "near_duplicate": place in prepared.near_duplicates}
            for place, example in enumerate(prepared.examples.test)])
        matrix.run(prepared, MatrixProgress(console, settings.jobs))
    places = {method.method: place for place, method in enumerate(planned)}
    return sorted(matrix.rows, key=lambda row: (places[row.method], row.seed))


def _kept_rows(settings: CompareSettings, folder: ComparisonFolder) -> list[ResultRow]:
    """What an earlier call has finished; with `retry` without what failed, which then goes from the file."""
    from .results import read_rows
    from .storage import write_json_lines

    if not folder.results.exists():
        return []
    rows = read_rows(folder.results)
    if settings.retry:
        rows = [row for row in rows if row.status == "ok"]
        write_json_lines(folder.results, [row.to_dict() for row in rows])
    return rows


def _config(settings: CompareSettings, command: str, task: Task, examples: Data, backbone: Backbone,
            planned: list[PlannedMethod]) -> dict:
    from .measure import git_commit, hardware, package_versions

    return {
        "settings": asdict(settings),
        "data": {"name": examples.name, "content_hash": examples.content_hash} | examples.counts(),
        "model": {"name": backbone.name, "revision": backbone.revision, "fingerprint": backbone.fingerprint,
                  "precision": backbone.precision, "precision_reason": backbone.precision_reason, "width": backbone.width},
        "metrics": list(task.metrics), "methods": [method.to_dict() for method in planned],
        "command": command,
        "hardware": hardware(), "packages": package_versions(), "git_commit": git_commit()}


def _show(console: Console, examples: Data, planned: list[PlannedMethod], settings: CompareSettings) -> None:
    counts = ", ".join(f"{count:,} {split}" for split, count in examples.counts().items())
    console.print(f"[bold]Data[/bold] {examples.name}: {counts}", highlight=False)
    console.print("[bold]Methods[/bold]")
    for method in planned:
        sized = "" if method.specification == method.method else f" as {method.specification}"
        what = f"skipped: {method.reason}" if method.reason else f"{method.parameters:,} trainable parameters"
        budget = f" (budget {method.budget:,})" if method.budget and not method.reason else ""
        console.print(f"  {method.method}{sized}: {what}{budget}", highlight=False, markup=False, soft_wrap=True)


def _conclude(settings: CompareSettings, task: Task, planned: list[PlannedMethod], rows: list[ResultRow],
              folder: ComparisonFolder) -> None:
    from .comparison.conclusions import conclusions
    from .comparison.folder import STATISTICS_FILE
    from .comparison.table import comparison_tables, meanings
    from .comparison_report import PAGE_FILE, write_report
    from .report import wide_console
    from .storage import write_json

    found = conclusions(folder.path, rows, [method.method for method in planned], task.metrics, settings.reference)
    write_json(folder.path / STATISTICS_FILE, found)
    reported = any(row.status == "ok" for row in rows)
    if reported:
        write_report(folder.path)
    if settings.json:
        for row in rows:
            print(json.dumps(row.to_dict(), ensure_ascii=False))
        return
    console = wide_console()
    console.print()
    for table in comparison_tables(rows, found):
        console.print(table)
    for note in (*meanings(found), *found["notes"]):
        console.print(f"  {note}", highlight=False, markup=False, soft_wrap=True)
    if reported:
        console.print(f"The report: {folder.path / PAGE_FILE}", highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    raise SystemExit(command_line(main))
