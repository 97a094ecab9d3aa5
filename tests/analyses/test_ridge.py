"""Ridge by one factorisation, against scikit-learn, in both forms."""

import numpy as np
import pytest

from backend.analyses.ridge import (
    GRID,
    best_strength,
    factorise,
    predict,
    solve,
    squared_errors,
)


def material(n: int, d: int, *, seed: int = 0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    X, W = rng.standard_normal((n, d)) + 3, rng.standard_normal((d, 4))
    return X, X @ W + 0.1 * rng.standard_normal((n, 4)) - 2, rng.standard_normal((7, d)) + 3


@pytest.mark.parametrize(("n", "d"), [(40, 6), (12, 30), (20, 20)])
@pytest.mark.parametrize("strength", [1e-3, 1.0, 1e3])
def test_predictions_are_those_of_scikit_learn(n, d, strength):
    from sklearn.linear_model import Ridge

    X, Y, new = material(n, d)
    factors = factorise(X)
    ours = predict(factors, solve(factors, Y), factors.scores(new), strength)
    theirs = Ridge(alpha=strength, solver="cholesky" if d < n else "svd").fit(X, Y).predict(new)
    assert np.allclose(ours, theirs, rtol=1e-7, atol=1e-7)


def test_errors_without_predictions_are_those_of_the_predictions():
    X, Y, new = material(30, 8)
    truth = np.random.default_rng(1).standard_normal((7, 4))
    factors = factorise(X)
    solution, Z = solve(factors, Y), factors.scores(new)
    quick = squared_errors(factors, solution, Z, Z.T @ Z, truth)
    slow = [np.square(predict(factors, solution, Z, a) - truth).sum() for a in factors.strengths]
    assert np.allclose(quick, slow, rtol=1e-8) and len(quick) == len(GRID)
    assert best_strength(factors, solution, Z, Z.T @ Z, truth) == int(np.argmin(slow))


def test_rows_that_do_not_vary_predict_the_mean():
    Y = np.random.default_rng(0).standard_normal((9, 3))
    factors = factorise(np.ones((9, 5)))
    assert len(factors.s) == 0
    out = predict(factors, solve(factors, Y), factors.scores(np.zeros((2, 5))), 1.0)
    assert np.allclose(out, Y.mean(axis=0))


def test_a_rotation_changes_nothing():
    X, Y, new = material(30, 8)
    Q = np.linalg.qr(np.random.default_rng(2).standard_normal((8, 8)))[0]
    plain, turned = factorise(X), factorise(X @ Q)
    one = predict(plain, solve(plain, Y), plain.scores(new), 1.0)
    two = predict(turned, solve(turned, Y), turned.scores(new @ Q), 1.0)
    assert np.allclose(one, two, atol=1e-8)
