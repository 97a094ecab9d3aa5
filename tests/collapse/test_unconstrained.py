"""The plain model: closed form against descent, and against the paper's layout of matrices."""

import numpy as np
import pytest

from backend.collapse.unconstrained import (
    best_head,
    descend,
    frame,
    gradient,
    lowest_value,
    minimiser,
    nc1_ratio,
    spreads,
    squared_norm,
    value,
)
from backend.errors import AnalysisError


def _any(K: int = 3, d: int = 5, n: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(K, d)), rng.normal(size=(K, n, d))


def test_the_value_is_that_of_the_papers_layout():
    W, H = _any()
    columns, Y = H.reshape(-1, 5).T, np.kron(np.eye(3), np.ones((1, 4)))
    fit = np.linalg.norm(W @ columns - Y) ** 2 / 24
    decay = 0.3 / 6 * np.linalg.norm(W) ** 2 + 0.2 / 24 * np.linalg.norm(columns) ** 2
    assert value(W, H, lW=0.3, lH=0.2) == pytest.approx(fit + decay, rel=1e-14)


def test_the_best_head_is_the_papers_and_no_other_is_better():
    W, H = _any(seed=1)
    columns, Y = H.reshape(-1, 5).T, np.kron(np.eye(3), np.ones((1, 4)))
    best = best_head(H, lW=0.3)
    inverse = np.linalg.inv(columns @ columns.T + 4 * 0.3 * np.eye(5))
    assert best == pytest.approx(Y @ columns.T @ inverse, abs=1e-14)
    at_best = value(best, H, lW=0.3, lH=0.2)
    assert all(value(best + s * W, H, lW=0.3, lH=0.2) > at_best for s in (1e-3, -1e-3))


def test_the_gradient_of_the_features_is_that_of_finite_differences():
    W, H = _any(seed=2)
    step = 1e-6 * np.random.default_rng(3).normal(size=H.shape)
    rise = value(W, H + step, lW=0.3, lH=0.2) - value(W, H - step, lW=0.3, lH=0.2)
    assert (gradient(W, H, lH=0.2) * step).sum() == pytest.approx(12 * rise / 2, rel=1e-8)


@pytest.mark.parametrize(
    ("lW", "lH", "lowest", "rho"),
    [(0.1, 0.05, 0.0682106781, 1.3142135624), (0.5, 0.5, 0.375, 0.5), (2.0, 1.0, 0.5, 0.0)],
)
def test_descent_from_small_random_values_finds_theorem_2_1(lW, lH, lowest, rho):
    found = descend(4, 10, 10, lW=lW, lH=lH, seed=0)
    assert found.value == pytest.approx(lowest, abs=1e-10)
    assert lowest_value(4, 10, lW=lW, lH=lH) == pytest.approx(lowest, abs=1e-10)
    assert squared_norm(lW, lH) == pytest.approx(rho, abs=1e-10)
    assert spreads(found.H)[0] < 1e-11
    means = found.H.mean(axis=1)
    assert means @ means.T == pytest.approx(rho * np.eye(4), abs=1e-6)
    assert pytest.approx(np.sqrt(lH / lW) * means, abs=1e-7) == found.W


@pytest.mark.parametrize(("K", "d"), [(4, 10), (3, 3), (5, 3), (2, 1)])
def test_the_constructed_minimiser_is_stationary_and_as_low_as_descent(K, d):
    made = minimiser(K, d, 3, lW=0.3, lH=0.2, seed=1)
    assert made.value == pytest.approx(lowest_value(K, d, lW=0.3, lH=0.2), rel=1e-13)
    assert made.value == pytest.approx(descend(K, d, 3, lW=0.3, lH=0.2, seed=2).value, abs=1e-9)
    assert best_head(made.H, lW=0.3) == pytest.approx(made.W, abs=1e-14)
    assert gradient(made.W, made.H, lH=0.2) == pytest.approx(np.zeros((K, 3, d)), abs=1e-14)
    assert nc1_ratio(made.H) < 1e-28


def test_centred_means_of_the_minimiser_are_a_simplex_and_uncentred_ones_are_orthogonal():
    means = minimiser(5, 8, 2, lW=0.3, lH=0.2, seed=3).H.mean(axis=1)
    rho = squared_norm(0.3, 0.2)
    assert means @ means.T == pytest.approx(rho * np.eye(5), abs=1e-14)
    centred = means - means.mean(axis=0)
    assert centred @ centred.T == pytest.approx(rho * (np.eye(5) - 1 / 5), abs=1e-14)


def test_above_the_threshold_decay_wins():
    made = minimiser(3, 5, 2, lW=4.0, lH=0.5, seed=0)
    assert not made.W.any() and not made.H.any()
    assert made.value == lowest_value(3, 5, lW=4.0, lH=0.5) == 0.5
    at, above = (lowest_value(3, 5, lW=x, lH=1.0) for x in (1.0, 9.0))
    assert at == above == 0.5


def test_the_seed_turns_the_frame_and_nothing_else():
    one, two = (minimiser(3, 6, 2, lW=0.3, lH=0.2, seed=s) for s in (0, 1))
    assert np.abs(one.W - two.W).max() > 0.1
    assert one.value == pytest.approx(two.value, rel=1e-14)


def test_frames_point_everywhere():
    corners = [frame(2, 3, seed=seed)[0, 0] for seed in range(30)]
    assert 8 <= sum(corner > 0 for corner in corners) <= 22


def test_spreads_are_those_of_hand_made_features():
    H = np.array([[[0.0, 1], [2, 1]], [[4, 5], [4, 5]]])
    assert spreads(H) == pytest.approx((0.5, 1.5**2 + 2**2))
    assert nc1_ratio(H) == pytest.approx(0.5 / 6.25)
    assert np.isnan(nc1_ratio(np.zeros((2, 3, 4))))


@pytest.mark.parametrize(
    ("wrong", "said"), [({"K": 1}, "K = 1"), ({"n": 0}, "n = 0"), ({"lW": 0.0}, "lW = 0")]
)
def test_what_the_model_cannot_take_is_named(wrong, said):
    with pytest.raises(AnalysisError, match=said):
        minimiser(**{"K": 3, "d": 4, "n": 2, "lW": 0.1, "lH": 0.1, "seed": 0} | wrong)
