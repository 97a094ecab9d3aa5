"""The fitted beta: found where the next layer is the model's own, none where it is out of reach."""

import numpy as np
import pytest

from backend.collapse import tethered
from backend.collapse.class_scatter import scatter_of
from backend.collapse.next_layer import next_layer
from backend.collapse.unconstrained import squared_norm
from backend.errors import AnalysisError

LABELS = np.repeat(np.arange(3), 8)


def _layer(seed: int = 0, noise: float = 0.7) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(3, 6))[LABELS] + noise * rng.normal(size=(24, 6))


def _next(H0: np.ndarray, lW: float, lH: float, beta: float) -> np.ndarray:
    """The tethered minimiser from H0 at the model's scale, turned, stretched and widened."""
    H = H0 * np.sqrt(squared_norm(lW, lH) / (H0**2).sum(axis=1).mean())
    H = tethered.minimise(H.reshape(3, 8, 6), lW=lW, lH=lH, beta=beta).H.reshape(24, 6)
    turn = np.linalg.qr(np.random.default_rng(9).normal(size=(9, 6)))[0]
    return 5 * H @ turn.T


@pytest.mark.parametrize("beta", [40.0, 3.0, 0.3])
def test_the_models_own_beta_is_found(beta):
    H0 = _layer()
    step = next_layer(H0, _next(H0, 0.3, 0.2, beta), LABELS, lW=0.3, lH=0.2)
    assert step.beta == pytest.approx(beta, rel=1e-4)
    assert step.modelled_nc1_ratio == pytest.approx(step.nc1_ratio[1], rel=1e-5)
    assert step.modelled_nc1 == pytest.approx(step.nc1[1], rel=1e-4)
    assert step.large is (beta == 40) and step.reason is None and step.n == 24


def test_the_models_own_decay_is_found_too():
    H0 = _layer(1)
    step = next_layer(H0, _next(H0, 0.3, 0.2, 3.0), LABELS, lW=0.3, lH=1.0, fit_lH=True)
    assert (step.lH, step.beta) == pytest.approx((0.2, 3.0), rel=0.03)
    assert step.modelled_nc1 == pytest.approx(step.nc1[1], rel=0.01)


def test_the_beta_depends_on_no_scale_and_no_turn_and_stiffness_on_one_decay():
    H0 = _layer(2)
    H1 = _next(H0, 0.3, 0.2, 3.0)
    step = next_layer(H0, H1, LABELS, lW=0.3, lH=0.2)
    Q = np.linalg.qr(np.random.default_rng(3).normal(size=(6, 6)))[0]
    order = np.random.default_rng(4).permutation(24)
    other = next_layer(70 * H0[order] @ Q, 0.1 * H1[order], LABELS[order], lW=0.3, lH=0.2)
    assert other.beta == pytest.approx(step.beta, rel=1e-5)
    assert step.stiffness == pytest.approx(3 / np.sqrt(0.2 / 0.3), rel=1e-4)
    weaker_head = next_layer(H0, H1, LABELS, lW=0.03, lH=2.0)
    assert weaker_head.stiffness == pytest.approx(step.stiffness, rel=1e-4)
    assert weaker_head.large is step.large


def test_a_step_that_collapses_more_is_more_flexible():
    H0 = _layer(5)
    means = np.repeat(H0.reshape(3, 8, 6).mean(axis=1), 8, axis=0)
    betas = [
        next_layer(H0, means + left * (H0 - means), LABELS, lW=0.3, lH=0.2).beta
        for left in (0.98, 0.8, 0.4)
    ]
    assert betas[0] > betas[1] > betas[2] > 0


def test_a_layer_that_collapses_less_is_out_of_reach():
    H0, H1 = _layer(6, noise=0.3), _layer(6, noise=0.7)
    for later in (H1, H0):
        step = next_layer(H0, later, LABELS, lW=0.3, lH=0.2, fit_lH=True, draws=5)
        assert step.beta is step.stiffness is step.large is step.low is None
        assert "does not fall" in step.reason


def test_the_interval_holds_the_estimate_and_widens_with_less_data():
    def width(n: int) -> float:
        rng, labels = np.random.default_rng(n), np.arange(n) % 3
        H0 = rng.normal(size=(n, 4)) + 2 * np.eye(3, 4)[labels]
        H1 = 0.7 * rng.normal(size=(n, 4)) + 2 * np.eye(3, 4)[labels]
        step = next_layer(H0, H1, labels, lW=0.3, lH=0.2, draws=10, seed=1)
        assert step.low < step.beta < step.high and step.draws == 10
        assert step == next_layer(H0, H1, labels, lW=0.3, lH=0.2, draws=10, seed=1)
        return np.log(step.high / step.low)

    assert width(900) < width(90)


def test_rows_are_resampled_within_their_class(monkeypatch):
    seen = []

    def counted(H, labels):
        seen.append(np.bincount(labels).tolist())
        return scatter_of(H, labels)

    monkeypatch.setattr("backend.collapse.next_layer.scatter_of", counted)
    labels = np.repeat([1, 0], (9, 5))
    H0 = np.random.default_rng(8).normal(size=(14, 3)) + 2 * np.eye(3)[labels]
    next_layer(H0, 0.8 * H0 + np.eye(3)[labels], labels, lW=0.3, lH=0.2, draws=3)
    assert seen == 8 * [[5, 9]]


@pytest.mark.parametrize(
    ("decay", "said"), [((2.0, 0.6), "lW lH = 1.2"), ((0.0, 0.6), "lW = 0"), ((0.1, -1), "lH = -1")]
)
def test_decay_without_a_minimiser_is_refused(decay, said):
    with pytest.raises(AnalysisError, match=said):
        next_layer(_layer(), _layer(), LABELS, lW=decay[0], lH=decay[1])
