"""The depth score of profiles whose centre is known, and its intervals."""

import math

import numpy as np
import pytest

from backend.analyses.depth_score import (
    bootstrap_mean,
    bootstrap_slope,
    depth_score,
    layer_effects,
)


def test_one_layer_scores_its_own_number_and_equal_layers_the_middle():
    profiles = np.stack([np.eye(30)[7], np.ones(30), np.zeros(30)])
    found = depth_score(profiles)
    assert found[:2].tolist() == [7, 14.5] and math.isnan(found[2])
    assert depth_score(1e-3 * profiles[0]) == pytest.approx(7)


def test_the_effect_of_a_layer_is_a_mean_over_the_later_ones():
    E = np.triu(np.ones((4, 4)), 1)
    assert layer_effects(E).tolist() == [1, 1, 1, 0]
    E[0, 3] = 4
    assert layer_effects(np.stack([E, E]))[1, 0] == 2
    assert layer_effects(np.zeros((1, 1))).tolist() == [0]


def test_the_bootstrap_of_a_mean_is_seeded_and_covers_about_what_a_normal_interval_does():
    values = np.random.default_rng(0).normal(3, 1, 400)
    mean, low, high = bootstrap_mean(values, seed=1)
    assert (mean, low, high) == bootstrap_mean(values, seed=1) != bootstrap_mean(values, seed=2)
    half = 1.96 * values.std(ddof=1) / 20
    assert mean == pytest.approx(values.mean())
    assert (low, high) == pytest.approx((mean - half, mean + half), abs=0.02)
    assert bootstrap_mean(np.array([2.0, np.nan]), seed=0)[0] == 2
    assert all(map(math.isnan, bootstrap_mean(np.empty(0), seed=0)))


def test_a_slope_is_least_squares_and_resamples_within_groups():
    x = np.repeat([2.0, 3, 5], 40)
    rng = np.random.default_rng(0)
    y = 4 + 0.5 * x + rng.normal(0, 0.3, 120)
    y[3] = np.nan
    slope, low, high = bootstrap_slope(x, y, seed=0)
    keep = np.isfinite(y)
    assert slope == pytest.approx(np.polyfit(x[keep], y[keep], 1)[0])
    assert low < 0.5 < high and high - low < 0.2
    exact = bootstrap_slope(x, 2 * x, seed=0)
    assert exact == pytest.approx((2, 2, 2))
    assert all(map(math.isnan, bootstrap_slope(x[:40], y[:40], seed=0)))
    alone = bootstrap_slope(np.array([1.0, 2, 2]), np.array([0.0, 1, 1]), seed=0)
    assert alone[0] == pytest.approx(1) and math.isnan(alone[1])
