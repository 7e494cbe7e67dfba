"""The runs of one command: each is one method with one seed, on the data that all of them share."""
from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from tasks import Task

from .backbone import Backbone, backbone_for
from .budget import SizedMethod
from .config import RunSettings
from .data import Data
from .measure import ResultRow
from .run_data import SharedData
from .single_run import SingleRun


class Experiment:
    """The settings and data that runs share.

    Args:
        backbone: taken by the first run; methods change the backbone they are built on, so the others load their own.
        resume: runs go on from their last checkpoints.
    """

    def __init__(self, settings: RunSettings, task: Task, data: Data, backbone: Backbone, console: Console, resume: bool = False):
        self._settings, self._task, self._console, self._resume = settings, task, console, resume
        self._unused_backbone: Backbone | None = backbone
        self._shared = SharedData(settings, task, data, backbone, console)

    def run(self, method: SizedMethod, seed: int, folder: Path) -> ResultRow:
        """Trains and scores one method with one seed; its files go to `folder`."""
        backbone = self._unused_backbone or backbone_for(self._settings)
        self._unused_backbone = None
        run = SingleRun(self._settings, self._task, self._shared.prepared, backbone, method.specification, seed, folder,
                        self._console, self._resume)
        run.row.method, run.row.parameter_budget = method.method, method.budget
        row = run.execute()
        if row.status != "ok":
            # Whatever was asked to be quiet, and on whichever process it happened.
            print(f"{method.method}, seed {seed}: {row.reason}", file=sys.stderr)
        return row
