"""One factorisation for all targets and strengths, against ridge regressions one by one."""

import numpy as np
import pytest

from backend.complexity.linear_probe import Choice, factorise, fit_errors, target_errors

ALPHAS = np.array([1e-3, 1e-1, 10.0])


def _made(n: int, d: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n + 40, d)) * np.linspace(0.2, 5, d) + 3
    return X[:n], X[n:], rng.normal(size=(n, 6)), rng.normal(size=(40, 6))


def _by_hand(X: np.ndarray, Y: np.ndarray, rows: np.ndarray, alpha: float) -> np.ndarray:
    centre, scale = X.mean(0), X.std(0)
    A, B = (X - centre) / scale, (rows - centre) / scale
    M = np.linalg.solve(A.T @ A + alpha * len(X) * np.eye(X.shape[1]), A.T @ (Y - Y.mean(0)))
    return B @ M


@pytest.mark.parametrize(("n", "d"), [(60, 7), (30, 80)])  # the second is the dual form
def test_predictions_and_errors_are_those_of_the_normal_equations(n: int, d: int):
    X, other, Y, truth = _made(n, d)
    factors = factorise(X)
    assert factors.U.shape == (n, min(d, n - 1))
    P, T, g = factors.U.T @ (Y - Y.mean(0)), factors.scores(other), factors.shrinkage(ALPHAS)
    choice = Choice(T)
    choice.add(P[:, :2], truth[:, :2])
    choice.add(P[:, 2:], truth[:, 2:])
    each = target_errors(T, g, P, truth)
    for row, alpha in enumerate(ALPHAS):
        expected = _by_hand(X, Y, other, alpha)
        assert (T * g[row]) @ P == pytest.approx(expected, abs=1e-9)
        assert each[row] == pytest.approx(((truth - expected) ** 2).sum(0))
        fitted = ((Y - Y.mean(0) - _by_hand(X, Y, X, alpha)) ** 2).sum(0)
        squares = ((Y - Y.mean(0)) ** 2).sum(0)
        assert fit_errors(g[row], P, squares) == pytest.approx(fitted)
        many = np.repeat(g[row][:, None], 6, axis=1)
        assert fit_errors(many, P, squares) == pytest.approx(fitted)
    assert choice.errors(g) == pytest.approx(each.sum(axis=1))


def test_scores_of_the_fit_rows_are_u():
    X = _made(30, 80)[0]
    factors = factorise(X)
    assert factors.scores(X) == pytest.approx(factors.U, abs=1e-9)


def test_scale_and_shift_of_columns_do_not_matter_and_constant_ones_are_left_out():
    X, other, Y, _ = _made(50, 5)
    moved = np.column_stack([X * 7 - 2, np.full(50, 0.1)])
    there = np.column_stack([other * 7 - 2, np.full(40, 9.9)])
    one, two = factorise(X), factorise(moved)
    assert two.columns.tolist() == [0, 1, 2, 3, 4]

    def predicted(factors, rows):
        return (factors.scores(rows) * factors.shrinkage(ALPHAS)[1]) @ (factors.U.T @ Y)

    assert predicted(one, other) == pytest.approx(predicted(two, there))


def test_a_layer_that_does_not_vary_has_no_directions():
    factors = factorise(np.full((20, 3), 0.1, dtype=np.float32))
    assert factors.U.shape == (20, 0)
    assert factors.scores(np.ones((4, 3))).shape == (4, 0)
    assert fit_errors(np.zeros(0), np.zeros((0, 2)), np.array([20.0, 20.0])).tolist() == [20, 20]
