"""What the scores of several methods allow to conclude: means and spreads, paired bootstrap, Wilcoxon's test, Holm's correction.

Everything is paired: method and reference answered the same examples, with the same seeds. A score of an example is its mean
over seeds for Wilcoxon's test; the bootstrap draws examples and seeds, so that its interval holds for other seeds too.
"""
from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
RESAMPLES = 10_000
BOOTSTRAP_SEED = 0
ALPHA = 0.05

COUNTS_AT_ONCE = 4_000_000
"""Numbers of a block of resamples: 32 MB."""
ROUNDING = 1e-9
"""Differences of scores of 0..100 below which two means over seeds are the same number."""


@dataclass(frozen=True)
class Summary:
    """A figure over seeds; the standard deviation (of a sample, n - 1) needs two."""

    values: list[float]
    mean: float
    standard_deviation: float | None
    minimum: float
    maximum: float


def summary(values: Sequence[float]) -> Summary:
    """Mean and spread of at least one value."""
    found = np.asarray(values, dtype=float)
    deviation = float(found.std(ddof=1)) if len(found) > 1 else None
    return Summary([float(value) for value in found], float(found.mean()), deviation, float(found.min()), float(found.max()))


def bootstrap_intervals(differences: Sequence[np.ndarray], resamples: int = RESAMPLES, seed: int = BOOTSTRAP_SEED,
                        confidence: float = CONFIDENCE) -> list[tuple[float, float]]:
    """Percentile intervals of the mean of each array of paired differences.

    In each resample examples are drawn with replacement, and so are seeds; all arrays see the same draws. A resample is a
    row of counts, so that its sums are one product of matrices. Cost: `resamples` x `examples` random numbers.

    Args:
        differences: arrays [seeds, examples], all with the same number of examples.
    """
    if not differences:
        return []
    count = differences[0].shape[1]
    random = np.random.default_rng(seed)
    means = np.empty((len(differences), resamples))
    weights = {seeds: np.random.default_rng(seed).multinomial(seeds, [1 / seeds] * seeds, size=resamples) / seeds
               for seeds in {len(values) for values in differences}}
    block = max(1, COUNTS_AT_ONCE // count)
    for first in range(0, resamples, block):
        rows = min(block, resamples - first)
        drawn = random.integers(0, count, size=(rows, count)) + count * np.arange(rows)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count).astype(float)
        for index, values in enumerate(differences):
            by_seed = counts @ values.T / count  # [rows, seeds]
            means[index, first:first + rows] = (weights[len(values)][first:first + rows] * by_seed).sum(axis=1)
    outside = (1 - confidence) / 2
    return [(float(low), float(high)) for low, high in np.quantile(means, [outside, 1 - outside], axis=1).T]


def wilcoxon(differences: np.ndarray) -> tuple[float, float]:
    """(two-sided p of Wilcoxon's signed-rank test, rank-biserial correlation) of paired differences [examples].

    Zeros are left out. The correlation is the share of the rank sum that is positive less the share that is negative:
    1 where every difference is above zero. Without any difference p is 1 and the correlation 0.
    """
    from scipy import stats

    nonzero = differences[np.abs(differences) > ROUNDING]
    if not len(nonzero):
        return 1.0, 0.0
    nonzero = np.round(nonzero, 9)
    ranks = stats.rankdata(np.abs(nonzero))
    correlation = float((ranks * np.sign(nonzero)).sum() / ranks.sum())
    with warnings.catch_warnings():
        # Of few pairs, for which the approximation is rough; the number of pairs stands beside the p.
        warnings.simplefilter("ignore")
        p = float(stats.wilcoxon(nonzero).pvalue)
    return (1.0 if math.isnan(p) else min(1.0, p)), correlation


def holm(values: Sequence[float]) -> list[float]:
    """p values corrected for their number (Holm, 1979), in the order given."""
    corrected = [0.0] * len(values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=lambda place: values[place])):
        largest = max(largest, min(1.0, (len(values) - rank) * values[place]))
        corrected[place] = largest
    return corrected


@dataclass(frozen=True)
class Comparison:
    """A method against the reference in one metric. Differences are method minus reference."""

    method: str
    reference: str
    metric: str
    clean: bool
    seeds: list[int]
    examples: int
    difference: float
    low: float
    high: float
    p: float
    corrected_p: float
    rank_biserial: float
    verdict: str
    """better, worse or tie"""
    statement: str


def compare(scores: dict[str, dict[int, np.ndarray]], reference: str, metric: str, clean: bool = False,
            higher_is_better: bool = True) -> list[Comparison]:
    """Every method against the reference in one metric; the tests are corrected for the number of methods.

    Args:
        scores: method -> seed -> scores [examples]. Methods that share no seed with the reference are left out.
    """
    pairs = {method: paired(found, scores[reference]) for method, found in scores.items() if method != reference}
    pairs = {method: pair for method, pair in pairs.items() if pair[0]}
    differences = [pair[1] for pair in pairs.values()]
    intervals = bootstrap_intervals(differences)
    tests = [wilcoxon(values.mean(axis=0)) for values in differences]
    corrected = holm([p for p, _ in tests])
    found = []
    for (method, (seeds, values)), (low, high), (p, correlation), corrected_p in zip(pairs.items(), intervals, tests, corrected):
        difference = float(values.mean())
        tie = low <= 0 <= high or corrected_p > ALPHA
        verdict = "tie" if tie else "better" if (difference > 0) == higher_is_better else "worse"
        found.append(Comparison(
            method, reference, metric, clean, seeds, values.shape[1], difference, low, high, p, corrected_p, correlation, verdict,
            _statement(method, reference, metric, clean, verdict, difference, low, high, corrected_p, correlation, seeds)))
    return found


def paired(left: dict[int, np.ndarray], right: dict[int, np.ndarray]) -> tuple[list[int], np.ndarray]:
    """(seeds, differences [seeds, examples]) of the seeds that both have."""
    seeds = sorted(left.keys() & right.keys())
    return seeds, np.stack([left[seed] - right[seed] for seed in seeds]) if seeds else np.empty((0, 0))


def _statement(method: str, reference: str, metric: str, clean: bool, verdict: str, difference: float, low: float, high: float,
               p: float, correlation: float, seeds: list[int]) -> str:
    what = f"{metric}{' without near duplicates' if clean else ''}"
    outcome = f"{method} and {reference} are a tie" if verdict == "tie" else f"{method} is {verdict} than {reference}"
    reservation = "; one seed, so this holds for these trained models and not for the methods" if len(seeds) < 2 else ""
    return (f"{outcome} in {what}: {difference:+.2f} ({CONFIDENCE:.0%} interval {low:+.2f} to {high:+.2f}, p {p:.3g} after "
            f"correction, rank-biserial {correlation:+.2f}){reservation}")
