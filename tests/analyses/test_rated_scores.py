"""Agreement with bootstrap intervals: closed forms, what does not matter, and no variance."""

import numpy as np
import pytest

from backend.analyses.rated_scores import RESAMPLES, Resamples, interval


def pair(n: int, rho: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.random.default_rng(seed).normal(size=(2, n))
    return x, rho * x + np.sqrt(1 - rho**2) * y


def test_r_and_errors_are_the_textbook_s():
    x, y = pair(60, 0.7, 0)
    found = Resamples(np.arange(60), seed=0).agreement(x, y)
    assert found.r == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert found.rmse == pytest.approx(np.sqrt(np.mean((x - y) ** 2)))
    assert found.mae == pytest.approx(np.abs(x - y).mean())
    assert len(found.draws) == RESAMPLES and (found.low, found.high) == interval(found.draws)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_interval_is_near_fisher_s(seed):
    x, y = pair(400, 0.6, seed)
    found = Resamples(np.arange(400), seed=seed).agreement(x, y)
    low, high = np.tanh(np.arctanh(found.r) + np.array([-1.96, 1.96]) / np.sqrt(397))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.025)


def test_shift_and_scale_of_a_prediction_leave_r():
    x, y = pair(50, 0.5, 1)
    draws = Resamples(np.arange(50), seed=0)
    one, other = draws.agreement(x, y), draws.agreement(3e4 + 20 * x, y)
    assert other.r == pytest.approx(one.r) and other.draws == pytest.approx(one.draws)


def test_items_of_one_group_count_as_one():
    x, y = pair(50, 0.5, 2)
    twice = Resamples(np.repeat(np.arange(50), 2), seed=0).agreement(
        *(np.repeat(v, 2) for v in (x, y))
    )
    once = Resamples(np.arange(50), seed=0).agreement(x, y)
    assert twice.r == pytest.approx(once.r)
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))


def test_without_variance_there_is_no_r():
    y = np.random.default_rng(0).normal(size=40)
    found = Resamples(np.arange(40), seed=0).agreement(np.full(40, 2.5), y)
    assert np.isnan(found.r) and np.isnan(found.low) and np.isfinite(found.rmse)


def test_the_share_explained_is_a_ratio_of_squares():
    x, y = pair(200, 0.9, 3)
    draws = Resamples(np.arange(200), seed=0)
    value, low, high = draws.explained(x, y)
    assert value == pytest.approx(1 - ((y - x) ** 2).sum() / (y**2).sum())
    assert low < value < high
    assert draws.explained(y, y) == (1, 1, 1)
    assert all(np.isnan(v) for v in draws.explained(x, np.zeros(200)))
