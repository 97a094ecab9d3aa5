"""Fit statistics and separation."""

import numpy as np
import pytest

from backend.rasch.fit import Expected, expect, expect_at
from backend.rasch.fit_statistics import (
    all_equal,
    misfit,
    real_error,
    separation,
    separation_numbers,
    wilson_hilferty,
)
from backend.rasch.jmle import fit_jmle
from backend.rasch.reading import read_ratings
from backend.rasch.simulate import simulate


def test_with_true_parameters_the_expectation_is_one():
    infit, outfit = [], []
    for seed in range(30):
        s = simulate(2000, 1, 1, seed=seed, harshness=0.0)
        ratings = read_ratings(s.table())
        order = [int(name[1:]) for name in ratings.labels["item"]]
        eta = s.theta[order][ratings.codes["item"]]
        steps = [d + t for d, t in zip(s.difficulty, s.thresholds, strict=True)]
        at = [int(name[1:]) for name in ratings.labels["criterion"]]
        expected = expect_at(ratings, eta, [steps[i] for i in at])
        found = misfit(expected, ratings.x, np.zeros(ratings.n, dtype=int), 1)
        infit.append(found.infit[0])
        outfit.append(found.outfit[0])
    assert np.mean(infit) == pytest.approx(1.0, abs=0.02)
    assert np.mean(outfit) == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_rater_who_answers_at_random_stands_out(seed: int):
    s = simulate(400, 40, 6, seed=seed)
    rng = np.random.default_rng(seed)
    own = s.rater == 7
    most = np.array([len(t) for t in s.thresholds])[s.criterion]
    x = np.where(own, rng.integers(0, most + 1), s.x)
    table = s.table()
    import pyarrow as pa

    fit = fit_jmle(read_ratings(table.set_column(3, "rating", pa.array(x))))
    found = misfit(expect(fit), fit.ratings.x, fit.ratings.codes["rater"], 40)
    at = fit.ratings.labels["rater"].tolist().index("r7")
    assert found.infit[at] > 2.0
    assert found.infit_z[at] > 5
    assert np.delete(found.infit, at).max() < 1.3
    assert np.delete(found.infit, at).mean() == pytest.approx(1.0, abs=0.12)


def test_mean_squares_by_hand():
    expected = Expected(np.array([0.5, 0.8]), np.array([0.25, 0.16]), np.array([0.0625, 0.0832]))
    found = misfit(expected, np.array([1, 0]), np.zeros(2, dtype=int), 2)
    assert found.infit[0] == pytest.approx((0.25 + 0.64) / 0.41)
    assert found.outfit[0] == pytest.approx((1 + 4) / 2)
    assert found.n.tolist() == [2, 0]
    assert np.isnan([found.infit[1], found.outfit[1], found.infit_z[1]]).all()


def test_wilson_hilferty_near_one():
    q = np.array([np.sqrt(2 / 20)])  # 20 degrees of freedom
    z = wilson_hilferty(np.array([0.975]), q)
    assert z[0] == pytest.approx(0.03, abs=0.01)
    assert z[0] - q[0] / 3 == pytest.approx(-0.08, abs=0.01)
    assert np.isnan(wilson_hilferty(np.array([1.0]), np.array([0.0])))[0]


def test_reliability_arithmetic_of_the_facets_manual():
    G, H, R = separation_numbers(0.08, 0.17)
    assert pytest.approx(2.17, abs=0.06) == G
    assert 3.1 < H < 3.24
    assert 0.815 < R < 0.835


def test_separation_counts_degrees_of_freedom_and_takes_error_out():
    rng = np.random.default_rng(0)
    measures, errors = rng.normal(0, 1, 12), np.full(12, 0.3)
    found = separation(measures, errors)
    assert found.df == 11
    assert found.rmse == pytest.approx(0.3)
    assert found.spread**2 + 0.09 == pytest.approx(measures.var(ddof=1))
    assert found.reliability == pytest.approx(1 - 0.09 / measures.var(ddof=1))
    assert np.isnan(separation(np.zeros(1), np.ones(1)).reliability)


def test_equal_elements_have_a_chi_square_of_their_degrees_of_freedom():
    rng = np.random.default_rng(1)
    errors = rng.uniform(0.1, 0.5, 50)
    values = [all_equal(rng.normal(0, errors), errors) for _ in range(200)]
    assert np.mean([v for v, _, _ in values]) == pytest.approx(49, abs=3)
    assert np.mean([p < 0.05 for _, _, p in values]) < 0.12
    moved = all_equal(np.arange(50.0), errors)
    assert moved[2] < 1e-12
    assert all_equal(np.arange(50.0) + 9, errors)[0] == pytest.approx(moved[0])


def test_real_errors_only_widen():
    out = real_error(np.array([0.2, 0.2, 0.2]), np.array([4.0, 0.5, np.nan]))
    assert out == pytest.approx([0.4, 0.2, 0.2])
