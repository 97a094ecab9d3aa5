"""The partial credit model of one criterion: probabilities, moments, and sums for Newton steps.

Categories are 0..m. With eta = measure - severity and steps delta_k = difficulty + threshold_k,
P(h) ~ exp(h eta - delta_1 - ... - delta_h).  Source: Masters 1982; Linacre 1989 (many facets).

Arrays are laid out (categories, observations), so that each line is contiguous.
"""

from dataclasses import dataclass

import numpy as np

CHUNK = 1 << 14  # observations at a time: a chunk's arrays stay in the processor's cache


def probabilities(eta: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Category probabilities (m + 1, n) at eta (n,) with step difficulties (m,)."""
    return _terms(eta, _costs(steps))[0]


def cumulative(P: np.ndarray) -> np.ndarray:
    """P(X >= k) for k = 1..m, (m, n), of category probabilities (m + 1, n)."""
    return P[:0:-1].cumsum(axis=0)[::-1]


def moments(eta: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Expected category, variance and fourth central moment, each (n,), at eta (n,)."""
    E, V, K4 = (np.empty(len(eta)) for _ in range(3))
    costs, h = _costs(steps), np.arange(len(steps) + 1.0)
    for start in range(0, len(eta), CHUNK):
        at = slice(start, start + CHUNK)
        P = _terms(eta[at], costs)[0]
        E[at] = h @ P
        apart = (h[:, None] - E[at]) ** 2
        V[at] = (apart * P).sum(axis=0)
        K4[at] = (apart * apart * P).sum(axis=0)
    return E, V, K4


@dataclass(frozen=True)
class StepSums:
    """Sums over the ratings of one criterion."""

    log_likelihood: float
    gradient: np.ndarray  # (m,) of the log-likelihood with respect to the steps
    hessian: np.ndarray  # (m, m) information of the steps: minus the second derivatives


def sum_steps(
    eta: np.ndarray, x: np.ndarray, steps: np.ndarray, *, residual: np.ndarray, variance: np.ndarray
) -> StepSums:
    """Log-likelihood, gradient and information of one criterion's steps, in one pass.

    Parameters
    ----------
    eta, x : (n,) place and observed category of each rating.
    residual, variance : (n,) filled here with x - E and V.
    """
    m, costs = len(steps), _costs(steps)
    k = np.arange(m)
    larger = np.maximum(k[:, None], k)
    total, product, weights = np.zeros(m), np.zeros((m, m)), 2.0 * k + 1.0
    value = float(x @ eta) - float(np.bincount(x, minlength=m + 1) @ costs)
    for start in range(0, len(eta), CHUNK):
        at = slice(start, start + CHUNK)
        P, log_sum = _terms(eta[at], costs)
        Q = cumulative(P)
        E = Q.sum(axis=0)
        residual[at] = x[at] - E
        variance[at] = weights @ Q - E * E
        total += Q.sum(axis=1)
        product += Q @ Q.T
        value -= float(log_sum.sum())
    reached = np.bincount(x, minlength=m + 1)[:0:-1].cumsum()[::-1]
    return StepSums(value, total - reached, total[larger] - product)


def _costs(steps: np.ndarray) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(steps)])


def _terms(eta: np.ndarray, costs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (m + 1, n) and the log of their normaliser (n,)."""
    z = np.arange(float(len(costs)))[:, None] * eta - costs[:, None]
    top = z.max(axis=0)
    z -= top
    np.exp(z, out=z)
    total = z.sum(axis=0)
    z /= total
    return z, np.log(total) + top
