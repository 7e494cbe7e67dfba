"""What a metric returns, and what several do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

Texts = Sequence[str]
"""One text an example: predictions, references or the languages of the answers."""


@dataclass(frozen=True)
class MetricResult:
    """What one metric says.

    Attributes:
        value: over all examples, 0..100. For corpus metrics it is not the mean of `per_example`.
        signature: library, version and settings.
        per_example: one value an example, 0..100.
        details: further numbers that belong beside the value.
    """

    value: float
    signature: str
    per_example: list[float]
    details: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Scores:
    """What several metrics say, each attribute by metric name; the fields are those of `MetricResult`."""

    values: dict[str, float]
    signatures: dict[str, str]
    per_example: dict[str, list[float]]
    details: dict[str, dict[str, float]] = field(default_factory=dict)


def share(equal: list[bool], signature: str, details: dict[str, float] | None = None) -> MetricResult:
    """The percentage of examples for which something holds."""
    return MetricResult(100 * sum(equal) / len(equal), signature, [100.0 * same for same in equal], details or {})


def bounded(value: float) -> float:
    """`value` without the rounding that puts a perfect score at 100.00000000000004."""
    return min(100.0, max(0.0, float(value)))
