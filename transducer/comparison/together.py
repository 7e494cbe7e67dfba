"""Jobs that the processes of a launcher do together, each with its part of every batch.

The main process says which job is next and keeps the folder, as it does for processes of its own (`processes`); the others
follow. Peaks of memory are those of one process for all runs, and a run that breaks one process ends all of them.
"""
from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from ..processes import process_count
from ..run_data import RunData
from .processes import Ended
from .settings import CompareSettings
from .worker import Job, execute


class Together:
    """One job at a time, by all processes. The interface is that of `Processes`."""

    def __init__(self, settings: CompareSettings, data: RunData):
        self._settings, self._data = settings, data
        self._job: Job | None = None
        self._folder = Path()

    @property
    def free(self) -> bool:
        return self._job is None

    @property
    def busy(self) -> bool:
        return self._job is not None

    def start(self, job: Job) -> None:
        self._job, self._folder = job, job.runs / f".{job.name}.{os.getpid()}"
        self._folder.mkdir(parents=True)
        _tell((job, self._folder))

    def events(self) -> Iterator[tuple[Job, dict] | Ended]:
        row = execute(self._job, self._settings, self._data, self._folder, lambda entry: None)
        job, self._job = self._job, None
        yield Ended(job, row.to_dict(), self._folder)

    def stop(self) -> None:
        """Sends the others home; what they are in the middle of is not ended."""
        if self._job is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        if sys.exc_info()[0] is None:
            _tell(None)


def follow(settings: CompareSettings, data: RunData) -> None:
    """What a process does that is not the main one: its part of every job."""
    while (told := _told()) is not None:
        job, folder = told
        execute(job, settings, data, folder, lambda entry: None)


def launch(processes: int, arguments: list[str]) -> None:
    """Replaces this process by a launcher that runs the command in several; does not return."""
    import torch

    launcher = (["accelerate.commands.launch", "--multi_gpu", "--num_processes", str(processes)] if torch.cuda.is_available()
                else ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)])
    command = [sys.executable, "-m", *launcher, "-m", "transducer.compare", *arguments]
    sys.stdout.flush()
    os.execv(sys.executable, command)


def launched_together() -> bool:
    """Whether a launcher has started several processes."""
    return process_count() > 1


def _tell(what: tuple[Job, Path] | None) -> None:
    _shared([what])


def _told() -> tuple[Job, Path] | None:
    return _shared([None])[0]


def _shared(content: list) -> list:
    """The main process's content, on every process."""
    import torch
    from accelerate import PartialState

    # As `transformers.Trainer` asks for it: the first to ask makes the group.
    PartialState(cpu=not torch.cuda.is_available())
    torch.distributed.broadcast_object_list(content, src=0)
    return content
