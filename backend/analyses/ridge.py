"""Ridge regression in closed form: one factorisation serves every target and strength.

With centred training rows X = U diag(s) V' the weights at strength a are V diag(s / (s^2 + a)) U'Y,
so a new target costs one product U'Y, and a new strength only the r numbers s / (s^2 + a).
"""

from dataclasses import dataclass

import numpy as np

from backend.complexity.linear_probe import thin_factors

GRID = np.logspace(-8, 4, 13)  # strengths, times the mean eigenvalue of X'X
_CONSTANT = 1e-13  # a smaller share of the squared length around the mean is float32 rounding


@dataclass(frozen=True)
class Factors:
    """Centred training rows (n, d) as U diag(s) V', with r directions; r = 0 if none varies."""

    centre: np.ndarray  # (d,) mean of the training rows
    U: np.ndarray  # (n, r)
    s: np.ndarray  # (r,) ascending
    V: np.ndarray  # (d, r)

    @property
    def strengths(self) -> np.ndarray:
        """`GRID` times the mean of the r eigenvalues s^2, in the units of scikit-learn's alpha."""
        return GRID * (np.square(self.s).sum() / max(len(self.s), 1))

    def scores(self, X: np.ndarray) -> np.ndarray:
        """Other rows (m, d) along the directions: (m, r)."""
        return (X - self.centre) @ self.V


@dataclass(frozen=True)
class Solution:
    """What a target needs at every strength."""

    centre: np.ndarray  # (c,) mean of the training targets
    projected: np.ndarray  # (r, c): U'Y


def factorise(X: np.ndarray) -> Factors:
    """Factors of training rows X (n, d) in float64; no direction if all rows are one.

    Source: Hoerl and Kennard 1970.
    """
    X = np.asarray(X, dtype=np.float64)
    raw = np.einsum("ij,ij->", X, X)
    centre = X.mean(axis=0)
    X = X - centre
    if np.einsum("ij,ij->", X, X) <= _CONSTANT * raw:
        X[:] = 0.0
    return Factors(centre, *thin_factors(X))


def solve(factors: Factors, Y: np.ndarray) -> Solution:
    """Targets Y (n, c) of the training rows, projected; the intercept is not penalised."""
    centre = Y.mean(axis=0)
    return Solution(centre, factors.U.T @ (Y - centre))


def predict(factors: Factors, solution: Solution, Z: np.ndarray, strength: float) -> np.ndarray:
    """Predictions (m, c) for rows with scores Z (m, r)."""
    shrunk = factors.s / (factors.s**2 + strength)
    return (Z * shrunk) @ solution.projected + solution.centre


def squared_errors(
    factors: Factors, solution: Solution, Z: np.ndarray, gram: np.ndarray, Y: np.ndarray
) -> np.ndarray:
    """Sum of squared errors at each of `factors.strengths`, without making the predictions.

    Parameters
    ----------
    Z : (m, r) scores; gram : (r, r) Z'Z, which all targets share; Y : (m, c) true values.

    Returns
    -------
    (k,): |Y|^2 - 2 w.diag(P (Z'Y)') + w'(Z'Z * P P')w with w = s / (s^2 + strength), P = U'Y.
    """
    P, Y = solution.projected, Y - solution.centre
    along = np.einsum("rc,rc->r", P, Z.T @ Y)
    around = gram * (P @ P.T)
    shrunk = factors.s / (factors.s**2 + factors.strengths[:, None])  # (k, r)
    total = np.einsum("ij,ij->", Y, Y) - 2 * shrunk @ along
    return np.maximum(total + np.einsum("kr,kr->k", shrunk @ around, shrunk), 0)


def best_strength(
    factors: Factors, solution: Solution, Z: np.ndarray, gram: np.ndarray, Y: np.ndarray
) -> int:
    """Index of the strength with the least squared error on validation rows (see above)."""
    return int(squared_errors(factors, solution, Z, gram, Y).argmin())
