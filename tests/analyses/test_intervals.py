import math

import numpy as np
import pytest
from scipy.stats import norm, spearmanr

from backend.analyses.intervals import (
    Z95,
    jackknife_error,
    mean_error,
    median_interval,
    number,
    rank_correlation,
    say,
    wilson,
)


def test_jackknife_of_a_mean_is_its_standard_error():
    x = np.random.default_rng(0).standard_normal(30)
    deleted = (x.sum() - x) / 29
    assert jackknife_error(deleted) == pytest.approx(x.std(ddof=1) / np.sqrt(30))
    assert mean_error(x) == pytest.approx(x.std(ddof=1) / np.sqrt(30))


def test_groups_count_once():
    x = np.random.default_rng(1).standard_normal(20)
    groups = np.repeat(np.arange(20), 4)
    assert mean_error(x[groups], groups=groups) == pytest.approx(mean_error(x))
    assert np.isnan(mean_error(x, groups=np.zeros(20, dtype=int)))


def test_wilson_solves_its_own_equation_and_stays_inside():
    low, high = wilson(8, 10)
    for p in (low, high):
        assert abs(0.8 - p) == pytest.approx(norm.ppf(0.975) * math.sqrt(p * (1 - p) / 10))
    assert wilson(10, 10)[1] == 1.0
    assert wilson(0, 10)[0] == 0.0
    assert math.isnan(wilson(0, 0)[0])


def test_rank_correlation_is_spearmans_with_ties_and_missing_values():
    x, y = np.array([1, 2, 2, 4, 5, 6.0]), np.array([2, 1, 3, 3, np.nan, 9])
    keep = np.isfinite(y)
    rho, low, high = rank_correlation(x, y)
    assert rho == pytest.approx(spearmanr(x[keep], y[keep])[0])
    assert -1 <= low < rho < high <= 1
    assert math.isnan(rank_correlation(x, np.ones(6))[0])


def test_median_interval_covers():
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(400):
        _, low, high = median_interval(rng.exponential(size=41))
        hits += low <= math.log(2) <= high
    assert 0.92 <= hits / 400 <= 0.99
    assert pytest.approx(norm.ppf(0.975)) == Z95


def test_numbers_have_three_digits():
    assert [number(v) for v in (0.93412, 12.345, 1234.5, 0.000123, 0, math.nan)] == [
        "0.934", "12.3", "1234", "0.000123", "0", "n/a",
    ]  # fmt: skip
    assert say(0.5, -0.25, 1) == "0.500 (-0.250 to 1.00)"
