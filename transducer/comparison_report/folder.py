"""Reads the folder that `transducer.compare` writes, and holds its files against each other."""
from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import DataError

CONFIG, ROWS, STATISTICS, EXAMPLES, TUNING = ("config.json", "results.jsonl", "statistics.json", "examples.jsonl",
                                              "tuning.jsonl")
PREDICTIONS, LOG = "predictions.jsonl", "log.jsonl"
CONFIG_SCHEMA = ROW_SCHEMA = STATISTICS_SCHEMA = 1

Json = dict[str, Any]
Run = tuple[str, int]
"""Method and seed."""


@dataclass(frozen=True)
class Comparison:
    """What a folder of a comparison holds.

    Attributes:
        rows: one an ended run, in the order of the methods and seeds.
        examples: one a test example.
        tuning: one a trial; empty without tuning.
        predictions: of every run that came through and has files, one a test example, in the order of `examples`.
        logs: of every run that has one, failed ones among them.
    """

    config: Json
    rows: list[Json]
    statistics: Json
    examples: list[Json]
    tuning: list[Json]
    predictions: dict[Run, list[Json]] = field(default_factory=dict)
    logs: dict[Run, list[Json]] = field(default_factory=dict)

    @property
    def settings(self) -> Json:
        return self.config["settings"]

    @property
    def metrics(self) -> list[str]:
        """The task's metrics, each 0..100, higher is better."""
        return self.config["metrics"]

    @property
    def reference(self) -> str:
        return self.statistics["reference"]

    @cached_property
    def figures(self) -> list[str]:
        """The metrics and the test loss, where there is one."""
        told = [entry["name"] for entry in self.statistics.get("metrics", ())]
        return [*self.metrics, *(name for name in told if name not in self.metrics)]

    def lower_is_better(self, metric: str) -> bool:
        return any(entry["name"] == metric and not entry["higher_is_better"] for entry in self.statistics.get("metrics", ()))

    @cached_property
    def methods(self) -> list[str]:
        """Labels, in the order of the table."""
        return [entry["method"] for entry in self.config["methods"]]

    @cached_property
    def headline(self) -> str:
        """The metric that is shown first: the one that the task is compared by."""
        from tasks import TASKS

        task = TASKS.get(self.settings.get("task", ""))
        return task.headline if task and task.headline in self.metrics else self.metrics[0]

    @cached_property
    def summaries(self) -> dict[str, Json]:
        """What the statistics say of each method."""
        return {entry["method"]: entry for entry in self.statistics["methods"]}

    @cached_property
    def done(self) -> dict[str, list[Json]]:
        """The rows that came through, by method; a method without any is absent."""
        found: dict[str, list[Json]] = {}
        for row in self.rows:
            if row["status"] == "ok":
                found.setdefault(row["method"], []).append(row)
        return found

    @cached_property
    def missed(self) -> list[Json]:
        """The rows that failed or were skipped."""
        return [row for row in self.rows if row["status"] != "ok"]

    def score(self, method: str, metric: str, clean: bool = False) -> Json | None:
        """Values, mean and spread of a metric; None where there is none."""
        return self.summaries.get(method, {}).get("clean_scores" if clean else "scores", {}).get(metric)

    def difference(self, method: str, metric: str, clean: bool = False) -> Json | None:
        """The comparison of a method with the reference; None where there is none."""
        return self._differences.get((method, metric, clean))

    @cached_property
    def _differences(self) -> dict[tuple[str, str, bool], Json]:
        return {(entry["method"], entry["metric"], bool(entry.get("clean"))): entry
                for entry in self.statistics.get("comparisons", ())}


def read_comparison(folder: Path) -> Comparison:
    """The comparison in a folder.

    Raises:
        DataError: no such folder, a file that is missing, of another schema or not what it should be, files that
            contradict each other, or a comparison of which no run has come through.
    """
    if not folder.is_dir():
        raise DataError(f"no folder {folder}; give the --output of a transducer.compare")
    config = _config(folder / CONFIG)
    rows = _sorted_rows(_rows(folder / ROWS), config)
    statistics = _statistics(folder / STATISTICS)
    examples = _json_lines(folder / EXAMPLES)
    tuning = _json_lines(folder / TUNING) if (folder / TUNING).exists() else []
    comparison = Comparison(config, rows, statistics, examples, tuning)
    _check_statistics(comparison, folder)
    for row in rows:
        if row.get("folder"):
            _read_run(comparison, row, folder / row["folder"])
    return comparison


def _config(path: Path) -> Json:
    config = _json(path)
    if config.get("kind") != "comparison" or not {"settings", "methods", "metrics"} <= config.keys():
        raise DataError(f"{path} is not the configuration of a comparison; give the --output of a transducer.compare")
    _check_schema(path, config, CONFIG_SCHEMA)
    return config


def _rows(path: Path) -> list[Json]:
    rows = _json_lines(path, growing=True)
    for row in rows:
        _check_schema(path, row, ROW_SCHEMA)
        absent = [name for name in ("method", "seed", "status") if name not in row]
        if absent:
            raise DataError(f"{path} has a row without {', '.join(absent)}; give a folder that transducer.compare wrote")
    if not any(row["status"] == "ok" for row in rows):
        reasons = "; ".join(f"{row['method']}: {row.get('reason') or 'no reason given'}" for row in rows)
        raise DataError(f"{path} has no run that came through ({reasons or 'it has no rows'}), so there is nothing to report; "
                        "run the comparison again")
    return rows


def _sorted_rows(rows: list[Json], config: Json) -> list[Json]:
    order = {entry["method"]: place for place, entry in enumerate(config["methods"])}
    strange = sorted({row["method"] for row in rows} - order.keys())
    if strange:
        raise DataError(f"{ROWS} has rows of {', '.join(strange)}, which {CONFIG} does not name (it names {', '.join(order)}); "
                        "the files are of different comparisons")
    return sorted(rows, key=lambda row: (order[row["method"]], row["seed"]))


def _statistics(path: Path) -> Json:
    if not path.exists():
        raise DataError(f"no {path}: the comparison has not come to its end; run the same transducer.compare again, which goes "
                        "on where it was")
    statistics = _json(path)
    _check_schema(path, statistics, STATISTICS_SCHEMA)
    if not {"reference", "methods"} <= statistics.keys():
        raise DataError(f"{path} has no reference or no methods; run the same transducer.compare again, which writes it anew")
    return statistics


def _check_statistics(comparison: Comparison, folder: Path) -> None:
    """Raises DataError where the statistics are of other runs than the rows."""
    done = {method: sorted(row["seed"] for row in rows) for method, rows in comparison.done.items()}
    told = {method: sorted(entry["seeds"]) for method, entry in comparison.summaries.items() if entry["seeds"]}
    if done != told:
        method = next(name for name in (*done, *told) if done.get(name) != told.get(name))
        raise DataError(f"{folder / STATISTICS} is of other runs than {ROWS}: of {method} it has the seeds "
                        f"{told.get(method, [])}, the rows have {done.get(method, [])}; run the same transducer.compare again")


def _read_run(comparison: Comparison, row: Json, folder: Path) -> None:
    run = (row["method"], row["seed"])
    if (folder / LOG).exists():
        comparison.logs[run] = _json_lines(folder / LOG, growing=True)
    if row["status"] != "ok":
        return
    predictions = _json_lines(folder / PREDICTIONS)
    ids = [entry.get("id") for entry in predictions]
    expected = [entry.get("id") for entry in comparison.examples]
    if ids != expected:
        place = next((i for i, pair in enumerate(zip(ids, expected)) if pair[0] != pair[1]), min(len(ids), len(expected)))
        raise DataError(f"{folder / PREDICTIONS} has {len(ids)} predictions, {EXAMPLES} {len(expected)} examples, and their ids "
                        f"differ from line {place + 1} on; the files are of different comparisons")
    comparison.predictions[run] = predictions


def _check_schema(path: Path, content: Json, expected: int) -> None:
    if content.get("schema") != expected:
        raise DataError(f"{path} has schema {content.get('schema')!r}, this release reads {expected}; make the report with the "
                        "release that made the comparison")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"no file {path}; give the whole folder that transducer.compare wrote") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}); expected UTF-8 text that transducer.compare wrote") from error


def _json(path: Path) -> Json:
    try:
        content = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise DataError(f"{path} is no JSON ({error}); give a folder that transducer.compare wrote") from error
    if not isinstance(content, dict):
        raise DataError(f"{path} holds a {type(content).__name__}, expected an object; give a folder that transducer.compare "
                        "wrote")
    return content


def _json_lines(path: Path, growing: bool = False) -> list[Json]:
    """The objects of a file; of a file that grows, a last line without its end is left out."""
    lines = _text(path).split("\n")
    if not growing and lines[-1]:
        lines.append("")
    found = []
    for place, line in enumerate(lines[:-1], 1):
        try:
            content = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}, line {place}, is no JSON ({error.msg}); give a folder that transducer.compare "
                            "wrote") from error
        if not isinstance(content, dict):
            raise DataError(f"{path}, line {place}, holds a {type(content).__name__}, expected an object")
        found.append(content)
    return found
