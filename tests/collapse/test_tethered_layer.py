"""The minimiser from class means and scatter alone, against the one of all features."""

import numpy as np
import pytest

from backend.collapse import tethered
from backend.collapse.class_scatter import scatter_of
from backend.collapse.tethered_layer import best_head, fall, move
from backend.collapse.unconstrained import minimiser, nc1_ratio
from backend.errors import AnalysisError

MODEL = {"lW": 0.3, "lH": 0.2, "beta": 1.5}
LABELS = np.repeat(np.arange(4), 6)


def _features(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(4, 6, 7)) + 2 * rng.normal(size=(4, 1, 7))


@pytest.mark.parametrize("beta", [30.0, 1.5, 0.2])
def test_the_minimiser_is_that_of_alternating_updates(beta):
    H0, model = _features(), MODEL | {"beta": beta}
    found = tethered.minimise(H0, **model)
    moved = move(scatter_of(H0.reshape(24, 7), LABELS), **model)
    after = scatter_of(found.H.reshape(24, 7), LABELS)
    assert moved.nc1_ratio == pytest.approx(after.nc1_ratio, rel=1e-8)
    assert moved.nc1 == pytest.approx(after.nc1, rel=1e-7)
    assert pytest.approx(found.W @ found.W.T, abs=1e-8) == moved.W @ moved.W.T


def test_unequal_classes_minimise_the_same_objective():
    from scipy.optimize import minimize

    labels = np.repeat([0, 1], (5, 2))
    X = np.random.default_rng(1).normal(size=(7, 3)) + 2 * np.eye(3)[labels]
    Y, x = np.eye(2)[labels], np.concatenate([np.zeros(6), X.ravel()])

    def objective(x: np.ndarray) -> float:
        W, H = x[:6].reshape(2, 3), x[6:].reshape(7, 3)
        fit = ((H @ W.T - Y) ** 2).sum() + 0.2 * (H**2).sum() + 1.5 * ((H - X) ** 2).sum()
        return fit / 14 + 0.3 / 4 * (W**2).sum()

    H = minimize(objective, x, method="BFGS", options={"gtol": 1e-8}).x[6:].reshape(7, 3)
    moved, general = move(scatter_of(X, labels), **MODEL), scatter_of(H, labels)
    assert (moved.nc1_ratio, moved.nc1) == pytest.approx((general.nc1_ratio, general.nc1), rel=1e-5)


def test_a_collapsed_layer_stays_and_is_reached_from_any_head():
    # Corollary 2.2: the minimiser is unique
    plain = minimiser(4, 7, 6, lW=0.3, lH=0.2, seed=0)
    layer = scatter_of(plain.H.reshape(24, 7), LABELS)
    start = np.random.default_rng(2).normal(size=layer.means.shape)
    moved = move(layer, **MODEL, start=start)
    assert pytest.approx(plain.W @ plain.W.T, abs=1e-8) == moved.W @ moved.W.T
    assert abs(moved.nc1_ratio) < 1e-12


def test_the_best_head_is_the_models():
    from backend.collapse import unconstrained

    H0 = _features(3)
    W = best_head(scatter_of(H0.reshape(24, 7), LABELS), lW=0.3)
    expected = unconstrained.best_head(H0, lW=0.3)
    assert pytest.approx(expected @ expected.T, abs=1e-13) == W @ W.T


def test_collapse_falls_by_what_first_order_says():
    H0 = _features(4)
    rate = fall(scatter_of(H0.reshape(24, 7), LABELS), lW=0.3, lH=0.2)
    after = nc1_ratio(tethered.minimise(H0, lW=0.3, lH=0.2, beta=1e5).H)
    assert rate == pytest.approx(1e5 * (nc1_ratio(H0) - after), rel=1e-3)
    assert rate > 0


def test_a_minimisation_that_fails_says_so(monkeypatch):
    monkeypatch.setattr("backend.collapse.tethered_layer._MOST_SLOPE", 0.0)
    with pytest.raises(AnalysisError, match="beta 1.5 was not minimised"):
        move(scatter_of(_features().reshape(24, 7), LABELS), **MODEL)
