"""Probabilities of one criterion's categories, and the sums that Newton steps need."""

import numpy as np
import pytest

from backend.rasch.partial_credit import CHUNK, cumulative, moments, probabilities, sum_steps


def test_known_numbers():
    P = probabilities(np.array([0.5]), np.array([-1.0, 0.0, 1.0]))[:, 0]
    assert pytest.approx([0.0576, 0.2583, 0.4258, 0.2583], abs=5e-5) == P
    E, V, K4 = moments(np.array([0.5]), np.array([-1.0, 0.0, 1.0]))
    assert E[0] == pytest.approx(1.8847, abs=5e-5)
    assert V[0] == pytest.approx(0.7338, abs=5e-5)
    assert K4[0] == pytest.approx(float((np.arange(4) - E[0]) ** 4 @ P))


def test_one_step_is_the_logistic_curve():
    eta = np.linspace(-5, 5, 11)
    P = probabilities(eta, np.array([0.7]))
    assert np.allclose(P[1], 1 / (1 + np.exp(-(eta - 0.7))))
    assert np.allclose(moments(eta, np.array([0.7]))[1], P[0] * P[1])


def test_neighbours_have_the_odds_of_their_step():
    steps = np.array([-0.4, 1.1])
    P = probabilities(np.array([0.3]), steps)[:, 0]
    assert np.allclose(np.log(P[1:] / P[:-1]), 0.3 - steps)


def test_far_places_stay_finite():
    P = probabilities(np.array([-900.0, 900.0]), np.zeros(4))
    assert np.allclose(P[:, 0], [1, 0, 0, 0, 0])
    assert np.allclose(P[:, 1], [0, 0, 0, 0, 1])


def test_cumulative_counts_from_the_top():
    P = probabilities(np.array([0.2, 1.0]), np.array([-1.0, 0.5]))
    assert np.allclose(cumulative(P), [P[1] + P[2], P[2]])


def test_sums_are_the_derivatives_of_the_log_likelihood():
    rng = np.random.default_rng(0)
    eta, steps = rng.normal(size=300), np.array([-0.5, 0.2, 0.9])
    x = rng.integers(0, 4, 300)

    def sums(at: np.ndarray):
        residual, variance = np.empty(300), np.empty(300)
        return sum_steps(eta, x, at, residual=residual, variance=variance), residual, variance

    found, residual, variance = sums(steps)
    P = probabilities(eta, steps)
    assert found.log_likelihood == pytest.approx(np.log(P[x, np.arange(300)]).sum())
    E, V, _ = moments(eta, steps)
    assert np.allclose(residual, x - E)
    assert np.allclose(variance, V)
    for k in range(3):
        h = 1e-5 * np.eye(3)[k]
        up, down = sums(steps + h)[0], sums(steps - h)[0]
        slope = (up.log_likelihood - down.log_likelihood) / 2e-5
        assert found.gradient[k] == pytest.approx(slope, abs=1e-4)
        assert np.allclose(found.hessian[k], -(up.gradient - down.gradient) / 2e-5, atol=1e-4)


def test_chunks_make_no_difference():
    rng = np.random.default_rng(1)
    n, steps = CHUNK + 7, np.array([-0.5, 0.5])
    eta, x = rng.normal(size=n), rng.integers(0, 3, n)
    E, V, _ = moments(eta, steps)
    assert np.allclose(E[-3:], moments(eta[-3:], steps)[0])
    residual, variance = np.empty(n), np.empty(n)
    found = sum_steps(eta, x, steps, residual=residual, variance=variance)
    assert np.allclose(residual, x - E)
    assert found.gradient.sum() == pytest.approx(-(x - E).sum())
