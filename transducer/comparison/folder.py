"""The folder of a comparison: what may be written to it, and what is in it.

    config.json            settings, data, model, methods: what must stay the same when it is gone on with
    examples.jsonl         id, language and near_duplicate of every test example
    results.jsonl          one row per run, in the order in which they ended
    tuning.jsonl           one row per trial
    statistics.json        means, intervals and tests over the rows
    report.md results.csv report.html    all of it for readers (`comparison_report`)
    runs/METHOD-seedN/     log.jsonl, predictions.jsonl, losses.jsonl (of every test example) and the artefact of a run

A run at work writes to a hidden folder in `runs`, which gets its name when the run has ended; then its row is added. What
a killed command leaves is therefore whole, or hidden and swept away by the next one.
"""
from __future__ import annotations

import fcntl
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from ..errors import ConfigurationError, OutputExistsError
from ..runs import CONFIG_FILE, RESULTS_FILE
from ..storage import write_json
from .settings import CompareSettings

KIND = "comparison"
CONFIG_SCHEMA = 1
EXAMPLES_FILE, TUNING_FILE, STATISTICS_FILE, RUNS_FOLDER = "examples.jsonl", "tuning.jsonl", "statistics.json", "runs"

FREE = ("output", "quiet", "json", "jobs", "retry", "overwrite", "reference", "dry_run", "device_map", "gradient_checkpointing")
"""Settings that change no row, and may differ from call to call."""


class ComparisonFolder:
    """The folder that the settings name."""

    def __init__(self, settings: CompareSettings):
        self.path = Path(settings.output)
        self._settings = settings

    @property
    def results(self) -> Path:
        return self.path / RESULTS_FILE

    @property
    def tuning(self) -> Path:
        return self.path / TUNING_FILE

    @property
    def runs(self) -> Path:
        return self.path / RUNS_FOLDER

    def check(self) -> dict | None:
        """The configuration of the comparison that is gone on with, None for a new one; changes nothing.

        Raises:
            OutputExistsError: the folder holds something else.
            ConfigurationError: it holds a comparison with other settings.
        """
        saved = saved_config(self.path)
        if saved is None:
            if self.path.exists() and (not self.path.is_dir() or {entry.name for entry in self.path.iterdir()} - {LOCK_FILE}):
                raise OutputExistsError(f"{self.path} exists and is no folder of a comparison (it has no {CONFIG_FILE} of one); "
                                        "nothing was changed; give another --output")
            return None
        if self._settings.overwrite:
            return None
        if saved["schema"] != CONFIG_SCHEMA:
            raise ConfigurationError(f"{self.path / CONFIG_FILE} is of schema {saved['schema']!r}, this release reads and writes "
                                     f"schema {CONFIG_SCHEMA}; give another --output")
        self._refuse(_setting_differences(saved["settings"], _plain(asdict(self._settings))), "settings")
        return saved

    def open(self, saved: dict | None, config: dict) -> None:
        """Makes the folder, or sweeps up after a killed command; writes the configuration.

        Raises:
            ConfigurationError: it holds a comparison on other data or another model.
        """
        config = _plain({"schema": CONFIG_SCHEMA, "kind": KIND} | config)
        if saved is not None:
            self._refuse([f"{part}.{name} was {saved[part].get(name)!r} and is {value!r}" for part in ("data", "model")
                          for name, value in config[part].items()
                          if name != "precision_reason" and saved[part].get(name) != value], "data or model")
            for left in self.runs.glob(".*"):
                shutil.rmtree(left)
        else:
            for entry in self.path.iterdir():
                if entry.name != LOCK_FILE:
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        self.runs.mkdir(exist_ok=True)
        write_json(self.path / CONFIG_FILE, config)

    def _refuse(self, differences: list[str], what: str) -> None:
        if differences:
            raise ConfigurationError(f"{self.path} holds a comparison with other {what}: {', '.join(differences)}; repeat its "
                                     "command, give another --output, or --overwrite to replace it")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Within it no other command writes to the folder, which is made; a killed process holds no lock."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / LOCK_FILE).open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise OutputExistsError(f"another command is at work in {self.path}; wait for it, or give another "
                                        "--output") from None
            yield


LOCK_FILE = ".lock"


def run_name(method: str, seed: int) -> str:
    """Name of the folder of a run."""
    return f"{re.sub(r'[^A-Za-z0-9.+-]+', '-', method)}-seed{seed}"


def saved_config(path: Path) -> dict | None:
    """The configuration of the comparison in a folder, None where it holds none."""
    try:
        saved = json.loads((path / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return saved if isinstance(saved, dict) and saved.get("kind") == KIND else None


def _plain(values: dict) -> dict:
    """As they are read back from JSON."""
    return json.loads(json.dumps(values))


def _setting_differences(saved: dict, now: dict) -> list[str]:
    """What differs. Methods and seeds may be added: runs do not depend on each other."""
    saved = _plain(asdict(CompareSettings())) | saved  # settings that an earlier release did not have are at their defaults
    changed = [name for name in now.keys() | saved.keys() if name not in FREE and now.get(name) != saved.get(name)]
    if "methods" in changed and set(saved["methods"]) <= set(now["methods"]):
        changed.remove("methods")
    if "seeds" in changed and saved["seeds"] <= now["seeds"]:
        changed.remove("seeds")
    return [f"{name} was {saved.get(name)!r} and is {now.get(name)!r}" for name in sorted(changed)]
