"""What made a transducer: the facts of its run, in the form in which an artefact and its model card state them.

A run folder is that of `transducer.train`, or a folder in its `runs`, or one in the `runs` of `transducer.compare`.
"""
from __future__ import annotations

import json
import shlex
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import ConfigurationError
from .runs import CONFIG_FILE, METRICS_FILE, RESULTS_FILE

if TYPE_CHECKING:
    from .measure import ResultRow

NOT_OF_THE_RESULT = ("output", "quiet", "json", "resume", "overwrite")
"""Settings that change no figure."""


def run_facts(run: Path) -> tuple[dict, dict]:
    """(results, run) of a run folder, as `checkpoints.artefact.write_artefact` takes them; results are empty where the run
    was not finished.

    Raises:
        ConfigurationError: no run folder.
        DataError: its rows cannot be read.
    """
    from .results import read_rows

    root, config = _configuration(run)
    rows = read_rows(root) if (root / RESULTS_FILE).exists() else []
    row = _own_row(run, root, rows)
    facts: dict = {"command": config.get("command") or train_command(config)}
    if row is None:
        return {}, facts | {"remark": "The run was not finished when this was exported; what it measured is not known."}
    return card_results(row), facts | {
        "method": row.specification or row.method, "seed": row.seed,
        "data": f"{row.data}: {row.train_examples:,} train, {row.valid_examples:,} validation, {row.test_examples:,} test examples",
        "data_sha256": row.data_hash, "epochs": row.epochs, "learning_rate": row.learning_rate,
        "model": row.model, "model_fingerprint": row.model_fingerprint, "precision": row.precision,
        "train_seconds": round(row.train_seconds, 1), "hardware": row.hardware, "packages": row.packages,
        "git_commit": row.git_commit or "", "remark": row.remark, "near_duplicate_percent": row.near_duplicate_percent,
        "clean_scores": row.clean_scores, "signatures": row.signatures, "tuning": _tuning(row),
        "rows": [_line(each, here=each is row) for each in rows]}


def card_results(row: ResultRow) -> dict:
    """The figures of a row by name, for the card of what it made."""
    facts = {"data": f"{row.data} ({row.train_examples:,} train, {row.test_examples:,} test examples)", "seed": row.seed,
             "valid loss": row.valid_loss, "test loss": row.test_loss, **row.scores}
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in facts.items() if value is not None}


def train_command(settings: dict) -> str:
    """The command with which `transducer.train` makes the same run again, from the settings that it saved."""
    from tasks import get_task

    from .config import TrainSettings

    defaults = TrainSettings(task=settings["task"]).for_task(get_task(settings["task"]))
    words = ["python", "-m", "transducer.train", "--task", settings["task"]]
    for entry in fields(TrainSettings):
        value, default = settings.get(entry.name), getattr(defaults, entry.name)
        default = list(default) if isinstance(default, tuple) else default
        if entry.name in ("task", *NOT_OF_THE_RESULT) or value is None or value == default:
            continue
        words.append("--" + entry.name.replace("_", "-"))
        words += [] if value is True else [str(part) for part in value] if isinstance(value, list) else [str(value)]
    return shlex.join(words)


def _configuration(run: Path) -> tuple[Path, dict]:
    """The folder that holds the settings and rows of a run, and the settings."""
    for root in (run, run.parent.parent):
        try:
            config = json.loads((root / CONFIG_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(config, dict) and {"task", "data", "model"} <= (config.get("settings") or config).keys():
            return root, config
    raise ConfigurationError(f"--run {run} is no run folder (it has no {CONFIG_FILE} of a run); give the --output of a training")


def _own_row(run: Path, root: Path, rows: list[ResultRow]) -> ResultRow | None:
    """The row of the run itself among all rows; None where it has none."""
    try:
        own = json.loads((run / METRICS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        own = None
    if own:
        return next((row for row in rows if (row.method, row.seed) == (own["method"], own["seed"])), None)
    return next((row for row in rows if row.folder and (root / row.folder).resolve() == run.resolve()), None)


def _line(row: ResultRow, here: bool) -> dict:
    """What the card's table shows of a row; `here` marks the one that the artefact is of."""
    return {"method": row.specification or row.method, "seed": row.seed, "trainable_parameters": row.trainable_parameters,
            "valid_loss": row.valid_loss, "test_loss": row.test_loss, "scores": row.scores, "status": row.status,
            "reason": row.reason, "here": here}


def _tuning(row: ResultRow) -> str:
    trials = row.tuning.get("trials")
    return f"{trials} trials, chosen on the validation loss" if trials else ""
