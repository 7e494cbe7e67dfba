"""One job in a process of its own: a run, or a trial of tuning.

A process that has done nothing before gives each method its own peak of memory, and one that the system kills for want of
memory takes nothing with it. It ends with the command that started it, however that ends.
"""
from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import threading
import traceback
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path

import torch
from rich.console import Console

from tasks import get_task

from ..backbone import backbone_for
from ..measure import ResultRow
from ..processes import is_main_process
from ..run_data import RunData
from ..sampling import limited_places
from ..single_run import SingleRun, new_row
from ..storage import write_text
from .settings import CompareSettings


@dataclass(frozen=True)
class Job:
    """What one process does.

    Attributes:
        trial: its number among the trials of the method; None for a run, which is scored.
        method: as it was asked for; `specification`: what is built.
        learning_rate: 0: the default of the method.
        details: fields of the row that it is to have.
        runs: the folder of runs; `name`: of this one's folder.
    """

    trial: int | None
    method: str
    specification: str
    seed: int
    learning_rate: float
    runs: Path
    name: str
    train_limit: int = 0
    details: dict = field(default_factory=dict)


def work(connection: Connection, settings: CompareSettings, data: RunData, job: Job, threads: int) -> None:
    """Does a job; sends log entries as they come, then the row and the folder with the files: ("row", row, folder)."""
    # An interruption from the keyboard reaches every process of the terminal; the command ends its own.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if threads:
        torch.set_num_threads(threads)
    folder = job.runs / f".{job.name}.{os.getpid()}"
    folder.mkdir(parents=True)
    row = execute(job, settings, data, folder, lambda entry: connection.send(("log", entry)))
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    connection.send(("row", row.to_dict(), str(folder)))
    connection.close()


def execute(job: Job, settings: CompareSettings, data: RunData, folder: Path, on_log) -> ResultRow:
    """The row of a job; whatever goes wrong in it is its reason."""
    settings = replace(settings, learning_rate=job.learning_rate)
    backbone = backbone_for(settings)
    row = new_row(settings, data.examples, backbone, job.specification, job.seed)
    try:
        run = SingleRun(settings, get_task(settings.task), _part_of(data, job.train_limit), backbone, job.specification,
                        job.seed, folder, Console(quiet=True), on_log=on_log, keep_losses=True)
        row = run.row
        row.method = job.method
        run.execute() if job.trial is None else run.train_only()
        if job.trial is not None and row.valid_loss is None:
            row.status, row.reason = "failed", "no validation loss of its final size; more training examples are needed"
    except Exception as error:
        row.status, row.reason = "failed", f"{type(error).__name__}: {' '.join(str(error).split())}"
        if is_main_process():
            write_text(folder / "error.txt", traceback.format_exc())
        else:
            # The main process knows nothing of it but that this one is gone from their common step.
            traceback.print_exc()
    row.method = job.method
    for name, value in job.details.items():
        setattr(row, name, value)
    return row


def _part_of(data: RunData, train_limit: int) -> RunData:
    """The data with fewer training examples."""
    places = limited_places(data.examples.train, train_limit)
    examples = replace(data.examples, train=[data.examples.train[place] for place in places])
    return replace(data, examples=examples, train=[data.train[place] for place in places])


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
