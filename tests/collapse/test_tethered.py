"""The tethered minimiser: stationary, lower than its neighbours, and what the paper says of it."""

import numpy as np
import pytest

from backend.collapse.tethered import best_features, is_large, minimise, with_noise
from backend.collapse.unconstrained import best_head, minimiser, nc1_ratio, spreads, value
from backend.errors import AnalysisError

MODEL = {"lW": 0.3, "lH": 0.2, "beta": 2.0}


def _eq_2(W, H, H0, *, lW, lH, beta) -> float:
    tether = beta / (2 * H[..., 0].size) * ((H - H0) ** 2).sum()
    return value(W, H, lW=lW, lH=lH) + tether


def test_the_minimiser_is_lower_than_all_around_it():
    rng = np.random.default_rng(0)
    H0 = rng.normal(size=(3, 4, 5))
    found = minimise(H0, **MODEL)
    assert found.converged and found.error < 1e-12
    assert found.value == pytest.approx(_eq_2(found.W, found.H, H0, **MODEL), rel=1e-14)
    for _ in range(20):
        W = found.W + 1e-3 * rng.normal(size=found.W.shape)
        H = found.H + 1e-3 * rng.normal(size=H0.shape)
        assert _eq_2(W, H, H0, **MODEL) > found.value


def test_each_half_of_a_turn_is_exact():
    rng = np.random.default_rng(1)
    H0, W = rng.normal(size=(3, 4, 5)), rng.normal(size=(3, 5))
    H = best_features(W, H0, lH=0.2, beta=2.0)
    columns, Y = H0.reshape(-1, 5).T, np.kron(np.eye(3), np.ones((1, 4)))
    paper = np.linalg.inv(W.T @ W + 2.2 * np.eye(5)) @ (W.T @ Y + 2 * columns)
    assert pytest.approx(paper, abs=1e-13) == H.reshape(-1, 5).T


def test_alternating_agrees_with_a_general_minimiser():
    from scipy.optimize import minimize

    H0 = np.random.default_rng(2).normal(size=(2, 3, 3))

    def objective(x: np.ndarray) -> float:
        return _eq_2(x[:6].reshape(2, 3), x[6:].reshape(H0.shape), H0, **MODEL)

    start = np.concatenate([best_head(H0, lW=0.3).ravel(), H0.ravel()])
    general = minimize(objective, start, method="BFGS", options={"gtol": 1e-8})
    found = minimise(H0, **MODEL)
    assert found.value == pytest.approx(general.fun, rel=1e-10)
    assert found.H.ravel() == pytest.approx(general.x[6:], abs=1e-5)


def test_a_minimiser_of_the_plain_model_stays_where_it_is():
    # Corollary 2.2
    for K, d in ((3, 5), (3, 3)):
        plain = minimiser(K, d, 4, lW=0.3, lH=0.2, seed=0)
        found = minimise(plain.H, **MODEL)
        assert found.iterations == 0
        assert pytest.approx(plain.H, abs=0) == found.H
        assert found.value == pytest.approx(plain.value, rel=1e-14)


def test_a_stretched_minimiser_comes_part_of_the_way_back():
    plain = minimiser(3, 5, 4, lW=0.3, lH=0.2, seed=1)
    found = minimise(1.3 * plain.H, **MODEL)
    ratio = found.H / plain.H
    assert ratio == pytest.approx(np.full_like(ratio, ratio.flat[0]))
    assert 1 < ratio.flat[0] < 1.3


@pytest.mark.parametrize("seed", range(3))
def test_for_large_beta_collapse_deepens_from_any_features(seed):
    # Corollary 3.2
    H0 = np.random.default_rng(seed).normal(size=(4, 5, 6))
    ratios = [nc1_ratio(minimise(H0, lW=0.3, lH=0.2, beta=b).H) for b in (5, 20, 100, 1000)]
    assert np.all(np.diff([*ratios, nc1_ratio(H0)]) > 0)


def test_a_small_beta_needs_more_turns_at_the_rate_that_is_stated():
    H0 = with_noise(minimiser(3, 5, 4, lW=0.3, lH=0.2, seed=2).H, 1e-2, seed=3)
    q = np.sqrt(0.2 / 0.3)
    few, many = (minimise(H0, lW=0.3, lH=0.2, beta=b) for b in (50, 0.1))
    assert few.iterations < 10 < many.iterations
    # 28 powers of e lie between an error of 1 and 1e-12
    assert many.iterations < 30 / np.log((q + 0.1) / q)


def test_an_unfinished_minimisation_says_so():
    found = minimise(np.ones((2, 3, 2)), lW=0.3, lH=0.2, beta=0.1, max_iterations=2)
    assert found.iterations == 2 and not found.converged and found.error > 1e-12


def test_noise_has_the_spread_that_is_stated():
    H = with_noise(np.zeros((3, 4, 2000)), 0.1, seed=0)
    assert spreads(H)[0] == pytest.approx(0.01 * 2000 * 3 / 4, rel=0.05)
    assert (with_noise(np.zeros((3, 4, 2000)), 0.1, seed=0) == H).all()


def test_large_means_ten_times_each_rate():
    assert is_large(10, lW=1, lH=0.1) and not is_large(9.9, lW=1, lH=0.1)
    assert not is_large(19, lW=4, lH=2)
    assert not is_large(99, lW=0.01, lH=1)  # sqrt(lH/lW) = 10


def test_a_tether_that_does_not_hold_is_refused():
    with pytest.raises(AnalysisError, match="beta = 0 is not a finite number above 0"):
        minimise(np.ones((2, 2, 2)), lW=0.1, lH=0.1, beta=0.0)
