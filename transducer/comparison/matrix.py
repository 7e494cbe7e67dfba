"""The matrix of methods and seeds: what is left of it, in which order, and what becomes of what ends."""
from __future__ import annotations

import shutil
from dataclasses import asdict, replace

from ..backbone import Backbone
from ..data import Data
from ..errors import BudgetError
from ..measure import ResultRow
from ..results import append_row
from ..run_data import RunData
from ..single_run import new_row
from .folder import ComparisonFolder, run_name
from .plan import PlannedMethod
from .processes import Ended, Processes
from .progress import MatrixProgress
from .settings import CompareSettings
from .together import Together, launched_together
from .tuning import Proposal, Search, TrialRow
from .worker import Job


class MethodWork:
    """What is left to do for one method: its trials, one after another, then its seeds in any order."""

    def __init__(self, planned: PlannedMethod, settings: CompareSettings, search: Search, finished: set[int]):
        self.planned, self.search = planned, search
        self._settings = settings
        self._trial_at_work = False
        # Without anything trained there is nothing that a seed could change.
        seeds = settings.seeds if planned.parameters else 1
        self._seeds = [] if planned.reason else [seed for seed in range(settings.seed, settings.seed + seeds)
                                                 if seed not in finished]

    @property
    def left(self) -> int:
        """Jobs that have not been started."""
        trials = self.search.wanted - len(self.search.rows) - self._trial_at_work if self._seeds else 0
        return max(0, trials) + len(self._seeds)

    def next(self, folder: ComparisonFolder) -> Job | None:
        """The next job; None where none is left, or none can be started before a trial has ended."""
        if not self._seeds or self._trial_at_work:
            return None
        while not self.search.finished:
            try:
                proposal = self.search.propose()
            except BudgetError as error:
                self.record(folder, TrialRow(
                    self.planned.method, self.planned.base, len(self.search.rows), self._settings.seed, {}, None, 0, 0, 0.0,
                    "failed", str(error)))
                continue
            self._trial_at_work = True
            return self._trial(proposal, folder)
        return self._run(self._seeds.pop(0), folder)

    def record(self, folder: ComparisonFolder, row: TrialRow) -> None:
        append_row(folder.tuning, asdict(row))
        self.search.rows.append(row)
        self._trial_at_work = False

    def _trial(self, proposal: Proposal, folder: ComparisonFolder) -> Job:
        number = len(self.search.rows)
        return Job(number, self.planned.method, proposal.specification, self._settings.seed, proposal.learning_rate, folder.runs,
                   f"{run_name(self.planned.method, self._settings.seed)}-trial{number}", self._settings.tune_limit,
                   {"tuning": {"settings": proposal.settings}})

    def _run(self, seed: int, folder: ComparisonFolder) -> Job:
        details: dict = {"parameter_budget": self.planned.budget}
        specification, rate = self.planned.specification, self._settings.learning_rate
        best = self.search.best()
        if best:
            specification, rate = best.specification, best.settings.get("learning_rate", rate)
        if self.search.wanted:
            details["tuning"] = {"trials": self.search.wanted, "train_examples": best.train_examples if best else 0,
                                 "settings": best.settings if best else {}, "valid_loss": best.valid_loss if best else None}
        return Job(None, self.planned.method, specification, seed, rate, folder.runs, run_name(self.planned.method, seed),
                   details=details)


class Matrix:
    """Runs what is left of a comparison.

    Args:
        settings: with the precision that all runs are to have.
        rows: those that are there; the new ones are added to them.
    """

    def __init__(self, settings: CompareSettings, folder: ComparisonFolder, planned: list[PlannedMethod], backbone: Backbone,
                 examples: Data, rows: list[ResultRow], trials: list[TrialRow]):
        self.rows = rows
        self._settings, self._folder, self._backbone, self._examples = settings, folder, backbone, examples
        done = {(row.method, row.seed) for row in rows}
        self._work = {
            method.method: MethodWork(
                method, settings, Search(method, settings, backbone, [row for row in trials if row.method == method.method]),
                {seed for label, seed in done if label == method.method}) for method in planned}
        for method in planned:
            if method.reason and (method.method, settings.seed) not in done:
                self._add(self._blank(method, settings.seed, status="skipped", reason=method.reason))

    @property
    def left(self) -> int:
        return sum(work.left for work in self._work.values())

    def run(self, data: RunData, progress: MatrixProgress) -> None:
        """Runs everything that is left, and adds a row for each run as it ends."""
        processes = (Together if launched_together() else Processes)(self._settings, data)
        progress.begin(self.left)
        try:
            while self._start(processes, progress) or processes.busy:
                for event in processes.events():
                    if isinstance(event, Ended):
                        self._take(event, progress)
                    else:
                        progress.log(*event)
        finally:
            processes.stop()
            progress.end()

    def _start(self, processes: Processes, progress: MatrixProgress) -> bool:
        """Starts jobs while processes are free; whether it has started one."""
        started = False
        for work in self._work.values():
            while processes.free and (job := work.next(self._folder)) is not None:
                processes.start(job)
                progress.started(job)
                started = True
        return started

    def _take(self, ended: Ended, progress: MatrixProgress) -> None:
        job, work = ended.job, self._work[ended.job.method]
        if ended.row is None:
            row = self._blank(work.planned, job.seed, "failed", ended.reason, specification=job.specification, **job.details)
        else:
            row = ResultRow(**ended.row)
        seconds = progress.ended(job, row)
        if job.trial is not None:
            if ended.folder:
                shutil.rmtree(ended.folder)
            work.record(self._folder, TrialRow(
                job.method, job.specification, job.trial, job.seed, job.details["tuning"]["settings"],
                row.valid_loss if row.status == "ok" else None, row.trainable_parameters, row.train_examples,
                round(seconds, 3), row.status, row.reason))
            return
        if ended.folder:
            final = self._folder.runs / job.name
            if final.exists():
                shutil.rmtree(final)
            shutil.rmtree(ended.folder / "checkpoints", ignore_errors=True)
            ended.folder.rename(final)
            row.folder = f"{self._folder.runs.name}/{job.name}"
        self._add(row)

    def _add(self, row: ResultRow) -> None:
        append_row(self._folder.results, row.to_dict())
        self.rows.append(row)

    def _blank(self, planned: PlannedMethod, seed: int, status: str, reason: str, **fields) -> ResultRow:
        """The row of a run that gave none."""
        row = new_row(self._settings, self._examples, self._backbone, planned.base, seed)
        values = {"method": planned.method, "specification": planned.specification, "parameter_budget": planned.budget,
                  "trainable_parameters": planned.parameters or 0, "status": status, "reason": reason} | fields
        return replace(row, **values)
