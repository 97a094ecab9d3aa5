"""F against autograd, against the minimiser itself, and at first order."""

import numpy as np
import pytest

from backend.collapse.response import respond, respond_by_autograd, respond_to_first_order
from backend.collapse.tethered import minimise, with_noise
from backend.collapse.unconstrained import minimiser, nc1_ratio
from backend.errors import AnalysisError

MODEL = {"lW": 0.3, "lH": 0.2, "beta": 4.0}


def _noisy(K: int = 3, d: int = 4, n: int = 5, noise: float = 0.2):
    H0 = with_noise(minimiser(K, d, n, lW=0.3, lH=0.2, seed=0).H, noise, seed=1)
    return H0, minimise(H0, **MODEL)


@pytest.mark.parametrize(
    ("K", "d", "n", "noise"), [(3, 4, 5, 0.2), (3, 4, 2, 1e-5), (2, 2, 9, 0.2), (4, 2, 3, 0.2)]
)
def test_the_analytic_operator_is_that_of_autograd_off_collapse(K, d, n, noise):
    _, found = _noisy(K, d, n, noise)
    got = respond(found.W, found.H, **MODEL).matrix()
    assert got == pytest.approx(respond_by_autograd(found.W, found.H, **MODEL), abs=1e-12)
    assert got == pytest.approx(got.T, abs=1e-14)


@pytest.mark.parametrize("decay", [(0.5, 0.5), (2.0, 1.0)])
def test_it_is_that_of_autograd_at_collapse_too_and_at_zero(decay):
    lW, lH = decay
    made = minimiser(3, 5, 4, lW=lW, lH=lH, seed=0)
    model = {"lW": lW, "lH": lH, "beta": 20.0}
    F = respond(made.W, made.H, **model)
    assert F.samples.shape == (3, 4, 1)  # only the mean over samples is felt
    assert F.matrix() == pytest.approx(respond_by_autograd(made.W, made.H, **model), abs=1e-12)


def test_finite_differences_of_the_minimiser_are_f_times_the_change():
    H0, found = _noisy()
    change = np.random.default_rng(2).normal(size=H0.shape)
    ahead, behind = (minimise(H0 + s * change, **MODEL).H for s in (1e-4, -1e-4))
    F = respond(found.W, found.H, **MODEL)
    assert F.apply(change) == pytest.approx((ahead - behind) / 2e-4, abs=1e-7)


def test_blocks_spectra_and_norms_are_those_of_the_whole_matrix():
    H0, found = _noisy(3, 2, 9)  # more samples than a class has features
    F = respond(found.W, found.H, **MODEL)
    assert F.samples.shape[2] == 3
    whole = F.matrix().reshape(3, 18, 3, 18).transpose(0, 2, 1, 3)
    change = np.random.default_rng(3).normal(size=H0.shape)
    assert F.apply(change).ravel() == pytest.approx(F.matrix() @ change.ravel(), abs=1e-13)
    singular = np.linalg.svd(whole, compute_uv=False)
    assert F.spectrum(1) == pytest.approx(singular[1, 1], abs=1e-13)
    between = F.between(0, 2)
    assert between == pytest.approx(singular[0, 2, : len(between)], abs=1e-13)
    assert np.abs(singular[0, 2, len(between) :]).max() < 1e-13
    assert F.norms() == pytest.approx(singular[:, :, 0], abs=1e-13)


def test_a_small_change_near_collapse_is_answered_linearly():
    # card check 7: relative error 6e-5 and NC1~ 0.0025242 -> 0.0024896
    model = {"lW": 0.5, "lH": 0.5, "beta": 100.0}
    made = minimiser(4, 10, 10, lW=0.5, lH=0.5, seed=0)
    H0 = with_noise(made.H, 1e-2, seed=1)
    found = minimise(H0, **model)
    answer = respond(made.W, made.H, **model).apply(H0 - made.H)
    moved = found.H - made.H
    error = np.linalg.norm(moved - answer) / np.linalg.norm(moved)
    assert 1e-6 < error < 2e-4
    assert nc1_ratio(found.H) / nc1_ratio(H0) == pytest.approx(0.0024896 / 0.0025242, abs=1e-3)
    assert nc1_ratio(made.H + answer) == pytest.approx(nc1_ratio(found.H), rel=1e-4)
    # the error is of second order: half the change, half the relative error
    half = minimise(made.H + (H0 - made.H) / 2, **model).H - made.H
    halved = np.linalg.norm(half - answer / 2) / np.linalg.norm(half)
    assert halved == pytest.approx(error / 2, rel=0.05)


def test_first_order_misses_the_square_of_one_over_beta():
    made = minimiser(3, 5, 4, lW=0.3, lH=0.2, seed=0)
    errors = []
    for beta in (100.0, 200.0):
        model = {"lW": 0.3, "lH": 0.2, "beta": beta}
        exact = respond(made.W, made.H, **model).matrix()
        first = respond_to_first_order(made.W, made.H, **model).matrix()
        errors.append(np.abs(exact - first).max())
    assert 0 < errors[1] < errors[0] < 1e-3
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.05)


def test_turning_the_features_turns_the_answer():
    H0, found = _noisy()
    Q = np.linalg.qr(np.random.default_rng(4).normal(size=(4, 4)))[0]
    F, turned = (respond(found.W @ A, found.H @ A, **MODEL) for A in (np.eye(4), Q))
    assert turned.apply(H0 @ Q) == pytest.approx(F.apply(H0) @ Q, abs=1e-13)


def test_a_place_that_is_no_minimum_is_refused():
    with pytest.raises(AnalysisError, match="not at a minimum"):
        respond(np.zeros((2, 3)), np.zeros((2, 4, 3)), lW=0.01, lH=0.01, beta=0.1)
