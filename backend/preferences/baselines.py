"""What one taste for all gets right: the majority, Bradley-Terry on options, and on vectors."""

import numpy as np

from backend.preferences.choices import Choices


def majority(choices: Choices, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Margins (n_test,): what most people took of the same two items; 0 where nobody saw them."""
    low = np.minimum(choices.left, choices.right)
    sign = np.where(choices.left == low, 1, -1)
    pair = low * np.int64(len(choices.items)) + np.maximum(choices.left, choices.right)
    names, index = np.unique(pair, return_inverse=True)
    votes = np.bincount(index[train], (sign * choices.y)[train], minlength=len(names))
    return np.sign(votes[index[test]]) * sign[test]


def bradley_terry(
    choices: Choices, train: np.ndarray, test: np.ndarray, *, ridge: float = 1.0
) -> np.ndarray:
    """Margins (n_test,) of one worth per item, P(b) = sigmoid(worth_b - worth_a); ridge on worths.

    Source: Bradley and Terry 1952; items that were never seen have worth 0.
    """
    from scipy.sparse import csr_matrix

    def design(rows: np.ndarray) -> csr_matrix:
        n = len(rows)
        place = np.concatenate([choices.right[rows], choices.left[rows]])
        value = np.concatenate([np.ones(n), -np.ones(n)])
        where = np.concatenate([np.arange(n)] * 2)
        return csr_matrix((value, (where, place)), shape=(n, len(choices.items)))

    return design(test) @ logistic(design(train), choices.y[train], ridge=ridge)


def linear_bradley_terry(
    choices: Choices, X: np.ndarray, train: np.ndarray, test: np.ndarray, *, ridge: float = 1.0
) -> np.ndarray:
    """Margins (n_test,) of one linear reward of the options' vectors X (M, d)."""

    def gaps(rows: np.ndarray) -> np.ndarray:
        return X[choices.right[rows]] - X[choices.left[rows]]

    return gaps(test) @ logistic(gaps(train), choices.y[train], ridge=ridge)


def logistic(D: np.ndarray, y: np.ndarray, *, ridge: float) -> np.ndarray:
    """Weights (d,) that minimise sum log(1 + exp(-y D w)) + ridge/2 |w|^2, without intercept."""
    from scipy.optimize import minimize

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        agreed = y * (D @ w)
        slope = -y / (1 + np.exp(np.clip(agreed, -500, 500)))
        value = np.logaddexp(0, -agreed).sum() + ridge / 2 * w @ w
        return float(value), D.T @ slope + ridge * w

    return minimize(loss, np.zeros(D.shape[1]), jac=True, method="L-BFGS-B").x
