"""What a person sees while a comparison is at work: a line for each run that has ended, a bar with the time left."""
from __future__ import annotations

import statistics
import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ..measure import ResultRow
from ..single_run import scores_text
from .worker import Job


class MatrixProgress:
    """Counts jobs and estimates the time that is left from the seconds of those that have ended."""

    def __init__(self, console: Console, jobs: int):
        self._console, self._jobs = console, jobs
        self._begun: dict[str, float] = {}
        self._steps: dict[str, int] = {}
        self._seconds: list[float] = []
        self._total = self._done = 0
        self._bar = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                             TextColumn("{task.fields[left]}"), console=console, transient=True,
                             disable=console.quiet or not console.is_terminal)
        self._task = self._bar.add_task("runs", total=None, left="")

    def begin(self, total: int) -> None:
        self._total = total
        self._bar.start()
        self._show()

    def end(self) -> None:
        self._bar.stop()

    def started(self, job: Job) -> None:
        self._begun[job.name] = time.monotonic()
        self._show()

    def log(self, job: Job, entry: dict) -> None:
        self._steps[job.name] = entry.get("step", 0)
        self._show()

    def ended(self, job: Job, row: ResultRow) -> float:
        """Notes the end of a job, prints its line, and gives the seconds it took."""
        seconds = time.monotonic() - self._begun.pop(job.name)
        self._steps.pop(job.name, None)
        self._seconds.append(seconds)
        self._done += 1
        self._console.print(f"[{self._done}/{self._total}] {_title(job)}: {_outcome(job, row)} ({_time(seconds)}"
                            f"{self._left_text(', about {} left')})", highlight=False, markup=False, soft_wrap=True)
        if row.status != "ok" and self._console.quiet:
            # Whatever was asked to be quiet.
            print(f"{_title(job)}: {row.reason}", file=sys.stderr)
        self._show()
        return seconds

    def remaining_seconds(self) -> float | None:
        """Seconds until the end at the pace so far, None before the first end."""
        if not self._seconds:
            return None
        now, mean = time.monotonic(), statistics.fmean(self._seconds)
        at_work = sum(min(now - begun, mean) for begun in self._begun.values())
        return max(0.0, mean * (self._total - self._done) - at_work) / self._jobs

    def _left_text(self, form: str) -> str:
        seconds = self.remaining_seconds()
        return form.format(_time(seconds)) if seconds is not None and self._done < self._total else ""

    def _show(self) -> None:
        working = ", ".join(f"{name} step {self._steps.get(name, 0):,}" for name in self._begun)
        self._bar.update(self._task, description=working or "runs", total=self._total, completed=self._done,
                         left=self._left_text("about {} left"))


def _title(job: Job) -> str:
    return f"{job.method}, seed {job.seed}" if job.trial is None else f"{job.method}, trial {job.trial}"


def _outcome(job: Job, row: ResultRow) -> str:
    if row.status != "ok":
        return f"{row.status}: {row.reason}"
    if job.trial is not None:
        return f"valid loss {row.valid_loss:.4f}"
    return scores_text(row)


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
