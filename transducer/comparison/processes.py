"""Jobs in fresh processes, several side by side."""
from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from pathlib import Path

from ..run_data import RunData
from .settings import CompareSettings
from .worker import Job, work

PRELOADED = ("transducer.comparison.worker", "transducer.methods.peft_methods", "transducer.model", "tasks.metrics")
"""What the server of processes imports once, so that a job starts at once. Imports alone: it computes nothing, and what it
forks is as fresh as a new interpreter."""


@dataclass
class Running:
    """A job at work, and what it has sent at its end: its row and the folder of its files."""

    job: Job
    process: multiprocessing.Process
    connection: Connection
    result: tuple[dict, str] | None = None


@dataclass(frozen=True)
class Ended:
    """A job that has ended: its row, or None and the reason where its process ended without one."""

    job: Job
    row: dict | None
    folder: Path | None
    reason: str = ""


class Processes:
    """Up to `settings.jobs` jobs at once.

    Args:
        settings: with the precision that all runs are to have.
    """

    def __init__(self, settings: CompareSettings, data: RunData):
        self._settings, self._data = settings, data
        self._context = multiprocessing.get_context("forkserver")
        self._running: list[Running] = []
        # Processes that share cores slow each other down far more than by their number when each takes all.
        self._threads = max(1, len(os.sched_getaffinity(0)) // settings.jobs) if settings.jobs > 1 else 0

    @property
    def free(self) -> bool:
        return len(self._running) < self._settings.jobs

    @property
    def busy(self) -> bool:
        return bool(self._running)

    def start(self, job: Job) -> None:
        receiver, sender = self._context.Pipe(duplex=False)
        process = self._context.Process(target=work, args=(sender, self._settings, self._data, job, self._threads))
        process.start()
        sender.close()
        self._running.append(Running(job, process, receiver))

    def events(self) -> Iterator[tuple[Job, dict] | Ended]:
        """Waits until something happens; gives log entries with their jobs, and jobs that have ended."""
        ready = wait([running.connection for running in self._running])
        for running in [running for running in self._running if running.connection in ready]:
            try:
                kind, *content = running.connection.recv()
            except EOFError:
                yield self._ended(running)
                continue
            if kind == "log":
                yield running.job, content[0]
            else:
                running.result = (content[0], content[1])

    def _ended(self, running: Running) -> Ended:
        running.process.join()
        running.connection.close()
        self._running.remove(running)
        if running.result:
            row, folder = running.result
            return Ended(running.job, row, Path(folder))
        left = running.job.runs / f".{running.job.name}.{running.process.pid}"
        return Ended(running.job, None, left if left.exists() else None, _how(running.process.exitcode))

    def stop(self) -> None:
        """Ends what is at work, and removes what it has written."""
        for running in self._running:
            running.process.kill()
            running.process.join()
            running.connection.close()
            shutil.rmtree(running.job.runs / f".{running.job.name}.{running.process.pid}", ignore_errors=True)
        self._running.clear()


def start_server() -> None:
    """Starts what jobs are forked from, which imports in its own time; the first job does it otherwise."""
    multiprocessing.get_context("forkserver").set_forkserver_preload(list(PRELOADED))
    forkserver.ensure_running()


def _how(exit_code: int | None) -> str:
    """How a process ended that has sent no row."""
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        hint = ", as the system does when memory runs out" if -exit_code == signal.SIGKILL else ""
        return f"its process was ended by {name}{hint}"
    return f"its process ended with code {exit_code} and no result"
