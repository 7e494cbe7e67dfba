"""The folder of a run: what may be written to it, and what is in it.

    config.json            the resolved settings
    results.jsonl          one row per method and seed
    metrics.json predictions.jsonl log.jsonl checkpoints/ transducer/    of the first seed of the main method
    runs/<method>-seed<n>/ the same files of every other run
"""
from __future__ import annotations

import json
import re
import shutil
from dataclasses import asdict
from pathlib import Path

from .config import TrainSettings
from .errors import ConfigurationError, OutputExistsError
from .storage import write_json

CONFIG_FILE = "config.json"
RESULTS_FILE = "results.jsonl"
METRICS_FILE = "metrics.json"

FREE_ON_RESUME = ("resume", "overwrite", "quiet", "json", "output", "dry_run", "device_map", "gradient_checkpointing")
"""Settings that may differ between a run and its continuation."""


RUN_FIELDS = {"task", "data", "model", "method"}
"""What the configuration of a run has; that of a model or of anything else in a `config.json` has not."""


def check_output(settings: TrainSettings) -> None:
    """Tells, before anything is loaded, whether the run folder may be written to; changes nothing.

    Raises:
        OutputExistsError: the folder holds a run and neither `resume` nor `overwrite` is set, or it holds other files.
        ConfigurationError: `resume` with other settings than the run was started with, or with nothing to resume.
    """
    folder = Path(settings.output)
    saved = _saved_settings(folder)
    if settings.resume and settings.overwrite:
        raise ConfigurationError("--resume and --overwrite contradict each other; give one of them")
    if saved is None:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise OutputExistsError(f"{folder} exists and is no run folder (it has no {CONFIG_FILE} of a run); nothing "
                                    "was changed; give another --output")
        if settings.resume:
            raise ConfigurationError(f"--resume: {folder} holds no run; give the folder of a run, or leave --resume out")
    elif settings.resume:
        _check_same(settings, saved, folder)
    elif not settings.overwrite:
        raise OutputExistsError(f"{folder} already holds a run; give --resume to go on with it, --overwrite to "
                                "replace it, or another --output")


def open_run(settings: TrainSettings) -> Path:
    """The run folder, ready to be written to; raises as `check_output` does."""
    check_output(settings)
    folder = Path(settings.output)
    if settings.resume:
        return folder
    if _saved_settings(folder) is not None:
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / CONFIG_FILE, asdict(settings))
    return folder


def _saved_settings(folder: Path) -> dict | None:
    """The settings of the run in a folder, None where it holds no run."""
    try:
        saved = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return saved if isinstance(saved, dict) and RUN_FIELDS <= saved.keys() else None


def _check_same(settings: TrainSettings, saved: dict, folder: Path) -> None:
    now = json.loads(json.dumps(asdict(settings)))
    defaults = json.loads(json.dumps(asdict(TrainSettings())))  # of settings that an earlier release did not have
    changed = sorted(name for name in now.keys() | saved.keys()
                     if name not in FREE_ON_RESUME and now.get(name) != saved.get(name, defaults.get(name)))
    if changed:
        differences = ", ".join(f"{name} was {saved.get(name)!r} and is {now.get(name)!r}" for name in changed)
        raise ConfigurationError(f"--resume with other settings than the run in {folder}: {differences}; "
                                 "repeat the settings of the run, or start another with --output")


def member_folder(run: Path, settings: TrainSettings, method: str, seed: int) -> Path:
    """Where the files of one method and seed lie within a run."""
    first = method == settings.method and seed == settings.seed
    return run if first else run / "runs" / f"{re.sub(r'[^A-Za-z0-9.+-]+', '-', method)}-seed{seed}"
