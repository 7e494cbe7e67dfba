"""Numbers and names as a reader sees them."""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

NONE = "–"
"""Stands for a figure that could not be had."""

METRIC_NAMES = {"bleu": "BLEU", "codebleu": "CodeBLEU", "chrf": "chrF", "rouge_l": "ROUGE-L", "sentence_bleu": "sentence BLEU",
                "test_loss": "test loss"}
LOSS = "test_loss"
"""The name under which the statistics have nats per target token; lower is better."""


def metric_name(metric: str) -> str:
    return METRIC_NAMES.get(metric, metric.replace("_", " "))


def digits_of(metric: str) -> int:
    """Decimals that are shown: scores are 0..100, a loss is a few nats."""
    return 3 if metric.endswith("loss") else 2


def finite(value: Any) -> bool:
    """Whether it is a number that can be drawn and stand in JSON."""
    return isinstance(value, (int, float)) and math.isfinite(value)


def plain(value: float | None, digits: int = 0) -> str:
    """A number with thousands set off; NONE where there is none."""
    if not finite(value):
        return NONE
    text = f"{value:,.{digits}f}"
    return text.removeprefix("-") if not float(text.replace(",", "")) else text


def signed(value: float | None, digits: int = 2) -> str:
    if not finite(value):
        return NONE
    text = f"{value:+,.{digits}f}"
    return text.lstrip("+-") if not float(text.replace(",", "")) else text.replace("-", "−")


def probability(value: float | None) -> str:
    """A p-value: three decimals, or the bound below which they say nothing."""
    if not finite(value):
        return NONE
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def spread(score: dict[str, Any] | None, digits: int) -> str:
    """Mean ± standard deviation over seeds; the mean alone of one seed."""
    if score is None or not finite(score.get("mean")):
        return NONE
    deviation = score.get("standard_deviation")
    return plain(score["mean"], digits) + (f" ± {plain(deviation, digits)}" if deviation is not None else "")


def interval(comparison: dict[str, Any], digits: int = 2) -> str:
    return f"[{signed(comparison['low'], digits)}, {signed(comparison['high'], digits)}]"


def verdict(comparison: dict[str, Any] | None) -> str:
    """better, worse or tie; an empty text without a comparison."""
    return comparison["verdict"] if comparison else ""


def listed(names: Sequence[str]) -> str:
    """a, b and c"""
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)


def counted(count: int, noun: str) -> str:
    """1 seed, 2 seeds"""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def value_text(value: Any) -> str:
    """A setting's value in one line."""
    if isinstance(value, (list, tuple)):
        return " ".join(map(value_text, value)) or NONE
    if isinstance(value, dict):
        return ", ".join(f"{name}={value_text(entry)}" for name, entry in value.items()) or NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return NONE if value in (None, "") else str(value)
