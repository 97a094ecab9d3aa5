import numpy as np
import pytest
from sklearn.linear_model import Ridge

from backend.analyses.ridge import (
    GRID,
    best_strength,
    factorise,
    predict,
    solve,
    squared_errors,
)


def problem(d: int, n: int = 50, c: int = 4, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Training and validation rows of a noisy linear relation with an offset."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n + 20, d)) * rng.uniform(0.3, 3, d) + 5
    Y = X @ rng.standard_normal((d, c)) / np.sqrt(d) + rng.standard_normal((n + 20, c)) - 3
    return X[:n], Y[:n], X[n:], Y[n:]


@pytest.mark.parametrize("d", [6, 50, 80])
@pytest.mark.parametrize("strength", [1e-3, 1.0, 37.0, 1e5])
def test_predictions_equal_scikit_learn(d, strength):
    X, Y, X_new, _ = problem(d)
    factors = factorise(X)
    ours = predict(factors, solve(factors, Y), factors.scores(X_new), strength)
    theirs = Ridge(alpha=strength, solver="svd").fit(X, Y).predict(X_new)
    assert np.allclose(ours, theirs, atol=1e-9)


@pytest.mark.parametrize(("n", "d"), [(40, 7), (12, 30)])
def test_factors_give_the_centred_rows_back(n, d):
    X = np.random.default_rng(1).standard_normal((n, d)) + 100
    factors = factorise(X)
    r = min(n - 1, d)
    assert factors.U.shape == (n, r) and factors.V.shape == (d, r)
    assert np.allclose(factors.U.T @ factors.U, np.eye(r), atol=1e-9)
    assert np.allclose(factors.V.T @ factors.V, np.eye(r), atol=1e-9)
    assert np.allclose((factors.U * factors.s) @ factors.V.T, X - X.mean(axis=0), atol=1e-9)
    assert np.allclose(factors.scores(X), factors.U * factors.s, atol=1e-8)
    total = np.square(X - X.mean(axis=0)).sum()
    assert np.allclose(factors.strengths, GRID * total / r)


@pytest.mark.parametrize("d", [6, 80])
def test_errors_of_all_strengths_equal_those_of_the_predictions(d):
    X, Y, X_new, Y_new = problem(d)
    factors = factorise(X)
    solution, Z = solve(factors, Y), factors.scores(X_new)
    ours = squared_errors(factors, solution, Z, Z.T @ Z, Y_new)
    direct = [np.square(predict(factors, solution, Z, a) - Y_new).sum() for a in factors.strengths]
    assert len(ours) == len(GRID) >= 7
    assert np.allclose(ours, direct, rtol=1e-9)
    assert best_strength(factors, solution, Z, Z.T @ Z, Y_new) == int(np.argmin(direct))


def test_a_clean_relation_takes_a_small_strength_and_noise_a_large_one():
    X, _, X_new, _ = problem(8, n=60)
    factors = factorise(X)
    Z = factors.scores(X_new)
    W = np.random.default_rng(2).standard_normal((8, 3))
    clean = solve(factors, X @ W)
    assert best_strength(factors, clean, Z, Z.T @ Z, X_new @ W) <= 2
    X, _, X_new, _ = problem(40, n=60)
    factors, noise = factorise(X), np.random.default_rng(3).standard_normal((80, 30))
    Z, unrelated = factors.scores(X_new), solve(factors, noise[:60])
    assert GRID[best_strength(factors, unrelated, Z, Z.T @ Z, noise[60:])] >= 1


def test_turning_and_scaling_the_inputs_changes_nothing():
    X, Y, X_new, _ = problem(9)
    Q = np.linalg.qr(np.random.default_rng(4).standard_normal((9, 9)))[0]
    said = []
    for change in (lambda A: A, lambda A: 7e3 * A @ Q + 11):
        factors = factorise(change(X))
        Z = factors.scores(change(X_new))
        said.append(predict(factors, solve(factors, Y), Z, factors.strengths[5]))
    assert np.allclose(*said, atol=1e-8)


def test_constant_inputs_leave_the_mean():
    X = np.full((20, 5), 0.1, dtype=np.float32)
    Y = np.random.default_rng(5).standard_normal((20, 2))
    factors = factorise(X)
    Z = factors.scores(X[:3])
    assert len(factors.s) == 0 and Z.shape == (3, 0)
    solution = solve(factors, Y)
    assert np.allclose(predict(factors, solution, Z, 0.0), Y.mean(axis=0))
    errors = squared_errors(factors, solution, Z, Z.T @ Z, Y[:3])
    assert np.allclose(errors, np.square(Y[:3] - Y.mean(axis=0)).sum())
