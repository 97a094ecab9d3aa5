"""The unconstrained features model: a head W and free features H, as if a network could make any.

    f(W, H) = 1/(2Kn) ||W H - Y||^2 + lW/(2K) ||W||^2 + lH/(2Kn) ||H||^2

with K classes of n samples, one-hot targets and no bias. Here W is (K, d), and features are kept
class by class, H (K, n, d). Flattened, H is the papers' vec(H) of columns ordered by class.

Source: Tirer, Huang, Niles-Weed 2022/23, Eq 1; Tirer and Bruna 2022 (its minimisers).
"""

from dataclasses import dataclass
from math import inf, nan, sqrt

import numpy as np

from backend.errors import AnalysisError


@dataclass(frozen=True)
class Minimiser:
    """A head and features that minimise the model, and the value there."""

    W: np.ndarray  # (K, d)
    H: np.ndarray  # (K, n, d)
    value: float


def decay(lW: float, lH: float) -> float:
    """c = sqrt(lW lH): from 1 on, the decay wins and the minimiser is zero."""
    return sqrt(lW * lH)


def squared_norm(lW: float, lH: float) -> float:
    """rho = (1 - c) sqrt(lW / lH), the squared norm of a class mean at the minimum; 0 for c > 1.

    It grows without bound as lH goes to 0.
    """
    return max(0.0, 1 - decay(lW, lH)) * sqrt(lW / lH) if lH else inf


def lowest_value(K: int, d: int, *, lW: float, lH: float) -> float:
    """f at its minimum: c - c^2/2 for c <= 1 and d >= K, 1/2 for c > 1.

    With d < K only d of the K directions of the classes can be fitted, each of the others costs
    1/(2K); that case is ours.
    """
    c, fitted = min(1.0, decay(lW, lH)), min(K, d)
    return (fitted * (c - c**2 / 2) + (K - fitted) / 2) / K


def minimiser(K: int, d: int, n: int, *, lW: float, lH: float, seed: int) -> Minimiser:
    """A global minimiser in closed form, turned at random.

    For d >= K the class means are orthogonal, of squared norm rho (centred, they are a simplex
    equiangular tight frame); each sample is its class mean, and W = sqrt(lH/lW) times the means.
    With d < K (ours) the means are the frame's projection onto d random directions of class space.
    For c >= 1 all is zero.

    Source: Tirer, Huang, Niles-Weed 2022/23, Theorem 2.1.
    """
    check(K=K, d=d, n=n, lW=lW, lH=lH)
    means = sqrt(squared_norm(lW, lH)) * frame(K, d, seed=seed)
    W = sqrt(lH / lW) * means
    H = np.repeat(means[:, None], n, axis=1)
    return Minimiser(W, H, value(W, H, lW=lW, lH=lH))


def frame(K: int, d: int, *, seed: int) -> np.ndarray:
    """(K, d) with orthonormal rows, or orthonormal columns where d < K, uniformly at random."""
    A = np.random.default_rng(seed).normal(size=(max(K, d), min(K, d)))
    Q, R = np.linalg.qr(A)
    Q = Q * np.sign(np.diag(R))
    return Q.T if d >= K else Q


def value(W: np.ndarray, H: np.ndarray, *, lW: float, lH: float) -> float:
    """f(W, H), Eq 1."""
    K, n, _ = H.shape
    fit = (residuals(W, H) ** 2).sum() / n
    return float(fit + lW * (W**2).sum() + lH * (H**2).sum() / n) / (2 * K)


def residuals(W: np.ndarray, H: np.ndarray) -> np.ndarray:
    """W h - y of every sample, (K, n, K)."""
    return H @ W.T - np.eye(len(H))[:, None]


def gradient(W: np.ndarray, H: np.ndarray, *, lH: float) -> np.ndarray:
    """Kn times the gradient of f with respect to H, (K, n, d): W^T (W h - y) + lH h."""
    return residuals(W, H) @ W + lH * H


def best_head(H: np.ndarray, *, lW: float) -> np.ndarray:
    """W*(H) = Y H^T (H H^T + n lW I)^-1, the best head (K, d) for the features, lW > 0."""
    K, n, d = H.shape
    rows = H.reshape(-1, d)
    return np.linalg.solve(rows.T @ rows + n * lW * np.eye(d), H.sum(axis=1).T).T


def spreads(H: np.ndarray) -> tuple[float, float]:
    """Traces of the within-class and of the between-class covariance."""
    means = H.mean(axis=1)
    within = ((H - means[:, None]) ** 2).sum(axis=2).mean()
    between = ((means - means.mean(axis=0)) ** 2).sum(axis=1).mean()
    return float(within), float(between)


def nc1_ratio(H: np.ndarray) -> float:
    """NC1~ = tr(Sigma_W) / tr(Sigma_B), 0 at collapse; NaN where all class means are equal.

    Source: Tirer, Huang, Niles-Weed 2022/23, Eq 3.
    """
    within, between = spreads(H)
    return within / between if between > 0 else nan


def descend(
    K: int, d: int, n: int, *, lW: float, lH: float, seed: int, start: float = 1e-2
) -> Minimiser:
    """A minimiser found by L-BFGS from small random values, knowing nothing of the theorem.

    Raises
    ------
    AnalysisError : a number that the model cannot take, or no convergence.
    """
    from scipy.optimize import minimize

    check(K=K, d=d, n=n, lW=lW, lH=lH)
    size, root = K * d, sqrt(n)

    # x holds W and H / sqrt(n), which enter K f alike
    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray]:
        W, H = x[:size].reshape(K, d), root * x[size:].reshape(K, n, d)
        E = residuals(W, H)
        to_W = np.einsum("kij,kia->ja", E, H) / n + lW * W
        to_H = (E @ W + lH * H) / root
        return K * value(W, H, lW=lW, lH=lH), np.concatenate([to_W.ravel(), to_H.ravel()])

    x = start * np.random.default_rng(seed).normal(size=size + K * n * d)
    options = {"maxiter": 20_000, "maxfun": 40_000, "maxcor": 20, "ftol": 0.0, "gtol": 1e-11}
    found = minimize(evaluate, x, jac=True, method="L-BFGS-B", options=options)
    slope = float(np.abs(found.jac).max())
    if slope > 1e-6:
        raise AnalysisError(f"The descent stopped at slope {slope:.1e}.", "Try another seed.")
    W, H = found.x[:size].reshape(K, d), root * found.x[size:].reshape(K, n, d)
    return Minimiser(W, H, value(W, H, lW=lW, lH=lH))


def check(
    *, K: int = 2, d: int = 1, n: int = 1, lW: float = 1.0, lH: float = 1.0, beta: float = 1.0
) -> None:
    """Refuse what the models cannot take.

    Raises
    ------
    AnalysisError : it names the number.
    """
    for name, number, least in (("K", K, 2), ("d", d, 1), ("n", n, 1)):
        if number < least:
            raise AnalysisError(f"{name} = {number} is too small.", f"Give {least} or more.")
    for name, number in (("lW", lW), ("lH", lH), ("beta", beta)):
        if not 0 < number < inf:
            raise AnalysisError(f"{name} = {number:g} is not a finite number above 0.",
                                f"Give a positive {name}.")  # fmt: skip
