"""Statistics against values derived by hand, and against other ways to compute the same."""
from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from transducer import statistics
from transducer.statistics import bootstrap_intervals, compare, holm, summary, wilcoxon


def test_a_summary_is_of_a_sample() -> None:
    found = summary([1.0, 2.0, 6.0])
    # Mean 3; squared distances 4 + 1 + 9 over n - 1 = 2.
    assert (found.mean, found.standard_deviation, found.minimum, found.maximum) == (3.0, math.sqrt(7.0), 1.0, 6.0)
    assert summary([4.0]).standard_deviation is None


def test_the_bootstrap_of_two_examples() -> None:
    """The mean of a resample of 0 and 1 is 0, 1/2 or 1 with chances 1/4, 1/2, 1/4: both ends lie within 2.5 %."""
    assert bootstrap_intervals([np.array([[0.0, 1.0]])]) == [(0.0, 1.0)]
    # At 40 % confidence 30 % lie outside on each side, more than a quarter.
    assert bootstrap_intervals([np.array([[0.0, 1.0]])], confidence=0.4) == [(0.5, 0.5)]


def test_the_bootstrap_draws_seeds_too() -> None:
    """Two seeds that differ by 0 and by 1 on every example: examples change nothing, seeds give 0, 1/2 or 1."""
    assert bootstrap_intervals([np.repeat([[0.0], [1.0]], 50, axis=1)]) == [(0.0, 1.0)]
    assert bootstrap_intervals([np.full((2, 50), 0.25)]) == [(0.25, 0.25)]


def test_the_bootstrap_agrees_with_that_of_scipy() -> None:
    values = np.random.default_rng(5).normal(0.3, 2.0, 400)
    ((low, high),) = bootstrap_intervals([values[None]])
    other = stats.bootstrap((values,), np.mean, n_resamples=10_000, method="percentile", random_state=1).confidence_interval
    # Ends of intervals of width 0.39 from two streams of chance.
    assert low == pytest.approx(other.low, abs=0.015) and high == pytest.approx(other.high, abs=0.015)


def test_the_bootstrap_does_not_depend_on_blocks_or_company(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(6).normal(size=(2, 30))
    whole = bootstrap_intervals([values, 2 * values])
    assert bootstrap_intervals([values]) == whole[:1]
    monkeypatch.setattr(statistics, "COUNTS_AT_ONCE", 30 * 1_000)
    assert bootstrap_intervals([values, 2 * values]) == [pytest.approx(pair, abs=1e-12) for pair in whole]
    assert bootstrap_intervals([]) == []


def test_wilcoxon_by_hand() -> None:
    # All of 5 positive: of 2^5 signs one is as extreme, on two sides 2 / 32.
    assert wilcoxon(np.array([1.0, 2, 3, 4, 5])) == (2 / 32, 1.0)
    # Ranks 1 and 3 positive, 2 negative: (4 - 2) / 6; a sum of at most 2 has 3 of 8 sets of ranks ({}, {1}, {2}).
    assert wilcoxon(np.array([1.0, -2, 3])) == (pytest.approx(6 / 8), pytest.approx(1 / 3))
    assert wilcoxon(np.zeros(9)) == (1.0, 0.0)


def test_wilcoxon_leaves_out_what_is_equal() -> None:
    values = np.array([1.0, -2, 3, 4, 5, 6])
    noise = np.array([0.0, 1e-14, -1e-14])  # of means over three seeds
    assert wilcoxon(np.concatenate([values, noise])) == wilcoxon(values)


def test_wilcoxon_with_ties_is_scipys() -> None:
    values = np.round(np.random.default_rng(7).normal(0.4, 1.0, 200), 1)
    expected = stats.wilcoxon(values, zero_method="wilcox").pvalue
    assert wilcoxon(values)[0] == pytest.approx(expected, rel=1e-6)


def test_holm_by_hand() -> None:
    # 0.01 x 3, 0.03 x 2, and 0.04 x 1, which may not be below the one before.
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def scores(**means: float) -> dict[str, dict[int, np.ndarray]]:
    """Methods with three seeds over 200 examples; the same chance for all, and the mean of each."""
    random = np.random.default_rng(8)
    base = random.normal(50, 10, 200)
    return {name: {seed: base + mean + random.normal(0, 1, 200) for seed in range(3)} for name, mean in means.items()}


def test_verdicts() -> None:
    found = {entry.method: entry for entry in compare(scores(middle=0, better=1, worse=-1, same=0.01), "middle", "bleu")}
    assert {name: entry.verdict for name, entry in found.items()} == {"better": "better", "worse": "worse", "same": "tie"}
    better = found["better"]
    assert better.low < better.difference < better.high and better.difference == pytest.approx(1, abs=0.2)
    assert better.seeds == [0, 1, 2] and better.examples == 200 and better.rank_biserial > 0.5
    assert better.statement.startswith("better is better than middle in bleu: +") and "one seed" not in better.statement
    assert "are a tie" in found["same"].statement


def test_of_a_loss_the_lower_one_is_better() -> None:
    found = {entry.method: entry for entry in compare(scores(middle=0, more=1, less=-1), "middle", "loss", higher_is_better=False)}
    assert (found["more"].verdict, found["less"].verdict) == ("worse", "better") and found["less"].difference < 0


def test_a_difference_that_the_correction_takes_away_is_a_tie() -> None:
    """All of ten examples are better: p is 2 / 2^10, above 0.05 once it is corrected for thirty methods."""
    base = np.zeros(10)
    better = np.array([1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    alone = compare({"a": {0: base}, "b": {0: better}}, "a", "bleu")
    many = compare({"a": {0: base}} | {f"b{number}": {0: better} for number in range(30)}, "a", "bleu")
    assert alone[0].verdict == "better" and alone[0].p == alone[0].corrected_p == 2 / 2**10
    assert many[0].low > 0 and many[0].corrected_p == pytest.approx(30 * 2 / 2**10) and many[0].verdict == "tie"


def test_an_interval_that_holds_zero_is_a_tie() -> None:
    """Rank sums differ clearly, the mean does not: thirty small gains and three large losses."""
    differences = np.concatenate([np.linspace(1, 2, 30), [-15.0, -15.0, -16.0]])
    (found,) = compare({"a": {0: np.zeros(33)}, "b": {0: differences}}, "a", "bleu")
    assert found.corrected_p < 0.05 and found.low < 0 < found.high and found.verdict == "tie"


def test_one_seed_is_said() -> None:
    one = {name: {0: found[0]} for name, found in scores(left=0, right=1).items()}
    (found,) = compare(one, "left", "bleu")
    assert found.statement.endswith("; one seed, so this holds for these trained models and not for the methods")


def test_only_shared_seeds_are_paired() -> None:
    made = scores(left=0, right=1, far=2)
    del made["right"][1]
    made["far"] = {7: made["far"][0]}
    (found,) = compare(made, "left", "bleu")
    assert (found.method, found.seeds) == ("right", [0, 2])
