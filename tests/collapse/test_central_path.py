"""The flow on the central path: gradient, Theorem 3.1, and the tethered model it stands for."""

import numpy as np
import pytest
import torch

from backend.collapse.central_path import flow, slope
from backend.collapse.tethered import minimise
from backend.collapse.unconstrained import minimiser, nc1_ratio
from backend.errors import AnalysisError


def _features(K: int = 3, d: int = 4, n: int = 5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(K, n, d))


def test_the_slope_is_autograd_through_the_best_head():
    features = _features()
    H = torch.tensor(features.reshape(15, 4).T, requires_grad=True)
    Y = torch.kron(torch.eye(3, dtype=torch.float64), torch.ones(1, 5, dtype=torch.float64))
    W = Y @ H.T @ torch.linalg.inv(H @ H.T + 5 * 0.1 * torch.eye(4, dtype=torch.float64))
    loss = ((W @ H - Y) ** 2).sum() / 30 + 0.1 / 6 * (W**2).sum() + 0.05 / 30 * (H**2).sum()
    loss.backward()
    got = slope(features, lW=0.1, lH=0.05).reshape(15, 4).T
    assert got == pytest.approx(15 * H.grad.numpy(), abs=1e-14)


@pytest.mark.parametrize(("lH", "end"), [(0.05, 0.090), (0.0, 0.692)])
def test_theorem_3_1_on_the_cards_flow(lH, end):
    draws = torch.randn(10, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    H0 = 0.5 * draws.numpy().T.reshape(4, 10, 10)
    path = flow(H0, lW=0.1, lH=lH, duration=30.0)
    assert path.t[0] == 0 and path.t[-1] == 30
    assert path.nc1_ratio[0] == pytest.approx(9.96, abs=5e-3)
    assert path.nc1_ratio[-1] == pytest.approx(end, abs=1e-3)
    assert path.nc1_ratio[-1] == pytest.approx(nc1_ratio(path.H), rel=1e-12)
    for trace, sign in (
        (path.nc1_ratio, -1),
        (path.value, -1),
        (path.without_decay(path.within), -1),
        (path.without_decay(path.between), 1),
    ):
        assert (sign * np.diff(trace) > 0).all()


def test_the_steps_follow_the_flow_closely():
    from scipy.integrate import solve_ivp

    H0 = _features(seed=1)

    def backward(t: float, x: np.ndarray) -> np.ndarray:
        return -slope(x.reshape(H0.shape), lW=0.1, lH=0.05).ravel()

    exact = solve_ivp(backward, (0, 8), H0.ravel(), rtol=1e-9, atol=1e-11).y[:, -1]
    path = flow(H0, lW=0.1, lH=0.05, duration=8.0)
    assert path.H.ravel() == pytest.approx(exact, abs=1e-4)


def test_the_tethered_minimiser_is_an_implicit_step_of_the_flow():
    # H_{1/beta} - H0 = -Kn grad L(H_{1/beta}) / beta, so both part at order 1/beta^2
    H0, apart = _features(seed=2), []
    for beta in (100.0, 200.0):
        found = minimise(H0, lW=0.3, lH=0.2, beta=beta).H
        assert beta * (found - H0) == pytest.approx(-slope(found, lW=0.3, lH=0.2), abs=1e-8)
        reached = flow(H0, lW=0.3, lH=0.2, duration=1 / beta).H
        apart.append(np.abs(found - reached).max())
    assert apart[0] / apart[1] == pytest.approx(4, rel=0.1)


def test_collapse_is_where_the_flow_rests():
    made = minimiser(3, 5, 4, lW=0.3, lH=0.2, seed=0)
    path = flow(made.H, lW=0.3, lH=0.2, duration=5.0)
    assert pytest.approx(made.H, abs=1e-13) == path.H
    assert path.value == pytest.approx(np.full(len(path.t), made.value), rel=1e-13)


def test_noise_that_the_head_does_not_see_decays_at_its_own_rate():
    H0 = np.zeros((2, 2, 3))
    H0[[0, 1], :, [0, 1]] = 0.4
    H0[:, :, 2] = [[0.3, -0.3], [0.5, -0.5]]
    path = flow(H0, lW=0.1, lH=0.2, duration=3.0)
    assert path.within[-1] < path.within[0] / 3
    kept = path.without_decay(path.within)
    assert kept == pytest.approx(np.full(len(kept), kept[0]), rel=1e-6)


def test_the_flow_turns_with_the_features():
    H0 = _features(seed=3)
    Q = np.linalg.qr(_features(1, 4, 4, seed=4)[0])[0]
    one, turned = (flow(H0 @ A, lW=0.3, lH=0.2, duration=2.0) for A in (np.eye(4), Q))
    assert pytest.approx(one.H @ Q, abs=1e-12) == turned.H


@pytest.mark.parametrize(("wrong", "said"), [({"lW": 0.0}, "lW = 0"), ({"lH": -1.0}, "lH = -1")])
def test_numbers_that_the_flow_cannot_take_are_named(wrong, said):
    with pytest.raises(AnalysisError, match=said):
        flow(_features(), **{"lW": 0.1, "lH": 0.1, "duration": 1.0} | wrong)


def test_equal_class_means_are_refused():
    with pytest.raises(AnalysisError, match="means are equal"):
        flow(np.ones((2, 3, 4)), lW=0.1, lH=0.1, duration=1.0)


def test_a_flow_that_would_take_for_ever_is_refused(monkeypatch):
    monkeypatch.setattr("backend.collapse.central_path._MOST_STEPS", 5)
    with pytest.raises(AnalysisError, match="ran out of steps"):
        flow(_features(), lW=0.01, lH=0.1, duration=100.0)
