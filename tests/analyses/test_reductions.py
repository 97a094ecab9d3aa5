"""One number per prompt and its interval, against numpy on cases small enough to see through."""

import math

import numpy as np
import pytest
from scipy import stats

from backend.analyses.reductions import join, mean_interval, ratio_interval, reduce_tokens


def test_each_prompt_is_reduced_over_its_measured_tokens_in_all_windows():
    rng = np.random.default_rng(0)
    values = rng.random((2, 3, 2, 5)).astype(np.float32)  # windows, layers, rows, tokens
    measured = rng.random((2, 2, 5)) < 0.6
    values[0, :, 1, 2], measured[0, 1, 2] = 9.0, True
    values[1, :, 0, 4], measured[1, 0, 4] = 99.0, False
    found = reduce_tokens(values, measured)
    for row in range(2):
        for layer in range(3):
            own = values[:, layer, row][measured[:, row]]
            assert found.largest[row, layer] == own.max()
            assert found.mean[row, layer] == pytest.approx(own.mean())
            assert found.p95[row, layer] == pytest.approx(np.quantile(own, 0.95), rel=1e-6)
    assert (found.position[1] == 2).all() and found.largest.shape == (2, 3)
    both = join([found, found])
    assert both.mean.shape == (4, 3) and (both.position[3] == 2).all()


def test_the_interval_of_a_mean_is_students():
    values = np.array([[1.0, 5], [2, 5], [4, 5]])
    middle, low, high = mean_interval(values)
    wanted = stats.t.interval(0.95, 2, loc=7 / 3, scale=stats.sem(values[:, 0]))
    assert (low[0], high[0]) == pytest.approx(wanted)
    assert middle[1] == low[1] == high[1] == 5
    middle, low, high = mean_interval(values[:1])
    assert middle.tolist() == [1, 5] and np.isnan(low).all() and np.isnan(high).all()


def test_a_ratio_is_the_same_upside_down():
    above, below = np.array([2.0, 3, 8]), np.array([1.0, 2, 2])
    ratio, low, high = ratio_interval(above, below)
    assert ratio == pytest.approx((2 * 1.5 * 4) ** (1 / 3)) and low < ratio < high
    upside = ratio_interval(below, above)
    assert upside == pytest.approx((1 / ratio, 1 / high, 1 / low))
    assert ratio_interval(np.array([0.0, 2]), np.array([1.0, 1]))[0] == pytest.approx(2)
    assert all(map(math.isnan, ratio_interval(np.zeros(2), np.ones(2))))
