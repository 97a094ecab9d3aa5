"""The tethered features model: features that cannot go far from those of an earlier layer, H0.

    f(W, H; H0) = Eq 1 + beta/(2Kn) ||H - H0||^2

1/beta is how much the layers in between can change the features. The theory is for large beta.

Source: Tirer, Huang, Niles-Weed 2022/23, Eq 2.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from backend.collapse.unconstrained import best_head, check, gradient, value

_LARGE = 10.0


@dataclass(frozen=True)
class Tethered:
    """Where the alternating updates ended."""

    W: np.ndarray  # (K, d), the best head for H
    H: np.ndarray  # (K, n, d)
    value: float  # of Eq 2
    iterations: int
    converged: bool
    error: float  # ||Kn gradient|| / (beta ||H0||): about the relative error of H


def minimise(
    H0: np.ndarray, *, lW: float, lH: float, beta: float,
    tolerance: float = 1e-12, max_iterations: int = 20_000,
) -> Tethered:  # fmt: skip
    """Minimise Eq 2 from H0 by exact updates in turn: W = W*(H), then the best H for that W.

    It has converged when the gradient at (W*(H), H), divided by beta, is below `tolerance` of
    ||H0||: to first order the error of H is that gradient times F, whose norm is at most 1 near
    collapse. There each turn multiplies the error by at most q / (q + beta), q = sqrt(lH/lW)
    (ours), so a small beta needs many.

    Parameters
    ----------
    H0 : (K, n, d) features of the earlier layer, class by class.

    Raises
    ------
    AnalysisError : lW, lH or beta is not positive.
    """
    K, n, d = H0.shape
    check(K=K, d=d, n=n, lW=lW, lH=lH, beta=beta)
    H, scale = H0, beta * max(sqrt((H0**2).sum()), np.finfo(float).tiny)
    for done in range(max_iterations + 1):
        W = best_head(H, lW=lW)
        pull = gradient(W, H, lH=lH) + beta * (H - H0)
        error = sqrt((pull**2).sum()) / scale
        if error < tolerance or done == max_iterations:
            break
        H = best_features(W, H0, lH=lH, beta=beta)
    total = value(W, H, lW=lW, lH=lH) + beta / (2 * K * n) * float(((H - H0) ** 2).sum())
    return Tethered(W, H, total, done, error < tolerance, error)


def best_features(W: np.ndarray, H0: np.ndarray, *, lH: float, beta: float) -> np.ndarray:
    """(W^T W + (lH + beta) I)^-1 (W^T Y + beta H0), the best features (K, n, d) for a head."""
    d = W.shape[1]
    A = W.T @ W + (lH + beta) * np.eye(d)
    wanted = W[:, None] + beta * H0
    return np.linalg.solve(A, wanted.reshape(-1, d).T).T.reshape(H0.shape)


def is_large(beta: float, *, lW: float, lH: float) -> bool:
    """Whether beta is 10 times max(1, lH, sqrt(lH/lW)) or more, so that first order will do.

    The paper asks for beta >> max(1, lH). The factor is ours, and sqrt(lH/lW), the fastest rate of
    the collapsed minimiser: levels of first order are off by about its square over beta^2.
    """
    return beta >= _LARGE * max(1.0, lH, sqrt(lH / lW))


def with_noise(H: np.ndarray, noise: float, *, seed: int) -> np.ndarray:
    """Features (K, n, d) near collapse: Gaussian noise of standard deviation `noise` on each entry.

    On average tr(Sigma_W) becomes noise^2 d (n - 1)/n; the class means move too.
    """
    return H + noise * np.random.default_rng(seed).normal(size=H.shape)
