"""Scores: what totals mean, Warm's estimate, what severity moved."""

import numpy as np
import pytest

from backend.rasch.fit import expect_at
from backend.rasch.jmle import fit_jmle
from backend.rasch.partial_credit import moments
from backend.rasch.reading import read_ratings
from backend.rasch.scores import (
    Adjustment,
    adjustment,
    raw_means,
    score_table,
    severity_share,
    warm_measures,
)
from backend.rasch.simulate import simulate

DIFFICULTY = np.array([-1.0, 0.0, 1.0])
THRESHOLDS = [np.zeros(1), np.array([-0.5, 0.5]), np.zeros(1)]


def test_each_total_has_the_measure_that_expects_it():
    score, theta, se = score_table(DIFFICULTY, THRESHOLDS)
    assert score.tolist() == [0, 1, 2, 3, 4]
    assert (np.diff(theta) > 0).all()
    for s, t, e in zip([0.3, 1, 2, 3, 3.7], theta, se, strict=True):
        both = [moments(np.array([t]), d + tau) for d, tau in
                zip(DIFFICULTY, THRESHOLDS, strict=True)]  # fmt: skip
        assert sum(float(E[0]) for E, _, _ in both) == pytest.approx(s, abs=1e-6)
        assert e == pytest.approx(1 / np.sqrt(sum(float(V[0]) for _, V, _ in both)))
    assert theta == pytest.approx(-theta[::-1], abs=1e-6)  # a symmetric scale


def test_measures_of_complete_data_are_those_of_the_table():
    s = simulate(200, 1, 1, seed=0, difficulty=DIFFICULTY, most=np.array([1, 2, 1]), harshness=0)
    fit = fit_jmle(read_ratings(s.table()), tolerance=1e-9)
    _, theta, _ = score_table(fit.measures["criterion"], fit.thresholds)
    total = np.bincount(fit.ratings.codes["item"], weights=fit.ratings.x).astype(int)
    assert fit.measures["item"] == pytest.approx(theta[total], abs=1e-5)


def test_warm_measures_are_nearer_the_middle_and_finite():
    s = simulate(200, 1, 1, seed=1, difficulty=DIFFICULTY, most=np.array([1, 2, 1]), harshness=0)
    fit = fit_jmle(read_ratings(s.table()))
    warm, error = warm_measures(fit.ratings, fit.measures, fit.steps)
    plain = ~fit.extreme["item"]
    assert fit.extreme["item"].any()
    assert np.isfinite(warm).all() and (error > 0).all()
    middle = fit.measures["item"][plain].mean()
    assert (np.abs(warm[plain] - middle) < np.abs(fit.measures["item"][plain] - middle) + 0.2).all()
    assert warm[plain].std() < fit.measures["item"][plain].std()


def test_the_shift_is_the_mean_severity_of_an_items_raters_less_that_of_a_draw():
    s = simulate(100, 6, 2, seed=2)
    fit = fit_jmle(read_ratings(s.table()))
    found = adjustment(fit)
    ratings = fit.ratings
    V = expect_at(ratings, fit.eta(), fit.steps).variance
    own = ratings.codes["item"] == 5
    severity = fit.measures["rater"][ratings.codes["rater"]]
    mine = np.average(severity[own], weights=V[own])
    above = below = 0.0
    for i, steps in enumerate(fit.steps):  # all ratings' raters at the place of item 5
        n = int((own & (ratings.codes["criterion"] == i)).sum())
        drawn = moments(fit.measures["item"][5] - severity, steps)[1]
        above, below = above + n * (drawn * severity).mean(), below + n * drawn.mean()
    assert found.shift[5] == pytest.approx(mine - above / below, abs=1e-3)
    assert found.raw == pytest.approx(fit.measures["item"] - found.shift)
    assert (found.error > 0).all()


def test_nothing_moves_where_everybody_rates_everything():
    s = simulate(60, 8, 8, seed=4)
    fit = fit_jmle(read_ratings(s.table()))
    assert fit.measures["rater"].std() > 0.2
    assert np.abs(adjustment(fit).shift).max() < 1e-3


def test_the_share_of_severity_is_its_variance_over_that_of_raw_scores():
    rng = np.random.default_rng(0)
    theta, shift = rng.normal(0, 1, 4000), rng.normal(0, 0.5, 4000)
    value, low, high = severity_share(
        Adjustment(shift, np.zeros(4000), theta - shift), seed=0, draws=100
    )
    assert value == pytest.approx(0.25 / 1.25, abs=0.02)
    assert low < value < high
    same = severity_share(Adjustment(shift, np.zeros(4000), theta - shift), seed=0, draws=100)
    assert same == (value, low, high)
    noisy = severity_share(Adjustment(shift, np.full(4000, 0.5), theta - shift), seed=0, draws=50)
    assert noisy[0] == pytest.approx(0, abs=0.02)
    flat = Adjustment(np.zeros(5), np.zeros(5), np.zeros(5))
    assert np.isnan(severity_share(flat, seed=0)).all()


def test_raw_means_are_shares_of_the_highest_category():
    s = simulate(20, 4, 4, seed=3)
    ratings = read_ratings(s.table())
    raw = raw_means(ratings)
    own = ratings.codes["item"] == 0
    share = ratings.x[own] / ratings.most[ratings.codes["criterion"][own]]
    assert raw[0] == pytest.approx(share.mean())
    assert raw.min() >= 0 and raw.max() <= 1
