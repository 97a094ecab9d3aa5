"""The shape of a cloud of vectors: lengths, effective rank, intrinsic dimension, anisotropy."""

import math
from dataclasses import dataclass

import numpy as np

from backend.analyses.intervals import Z95, jackknife_error
from backend.analyses.neighbours import nearest, unit_rows

_LEAST_POINTS = 20  # fewer distinct points than this give no intrinsic dimension


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; all nan where it is not defined."""

    value: float
    low: float
    high: float


_UNDEFINED = Estimate(math.nan, math.nan, math.nan)


def norms(X: np.ndarray) -> tuple[float, float, float]:
    """Mean length of the rows of X (n, d), and the quartiles 25 % and 75 %."""
    lengths = np.linalg.norm(np.asarray(X, dtype=np.float64), axis=1)
    low, high = np.quantile(lengths, [0.25, 0.75])
    return float(lengths.mean()), float(low), float(high)


def spectrum(X: np.ndarray) -> np.ndarray:
    """Squared singular values (min(n, d),) of the centred rows of X (n, d), in float64.

    Empty when the rows are equal up to float32 rounding.
    """
    from scipy.linalg import eigh

    X = np.asarray(X, dtype=np.float64)
    raw = np.einsum("ij,ij->", X, X)
    Xc = X - X.mean(axis=0)
    n, d = Xc.shape
    C = Xc @ Xc.T if d > n else Xc.T @ Xc
    if np.trace(C) <= 1e-13 * raw or not C.any():
        return np.zeros(0)
    return np.maximum(eigh(C, eigvals_only=True, overwrite_a=True), 0)


def effective_rank(values: np.ndarray) -> float:
    """exp(entropy) of the shares of variance: how many directions the cloud fills.

    Parameters
    ----------
    values : squared singular values; equal ones give their count. At most min(n - 1, d), so few
        rows pull it down.

    Source: Roy and Vetterli 2007, who take the singular values themselves; squares are used here,
    so that it is on the scale of the participation ratio.
    """
    if values.sum() <= 0:
        return math.nan
    p = values / values.sum()
    p = p[p > 0]
    return float(np.exp(-(p * np.log(p)).sum()))


def participation_ratio(values: np.ndarray) -> float:
    """(sum v)^2 / sum v^2 of squared singular values; equal ones give their count."""
    return float(values.sum() ** 2 / (values**2).sum()) if values.sum() > 0 else math.nan


def two_nn(X: np.ndarray) -> tuple[Estimate, int]:
    """Intrinsic dimension from the ratio of second to first nearest-neighbour distances.

    Parameters
    ----------
    X : (n, d).

    Returns
    -------
    The maximum-likelihood estimate with its interval, and how many rows were dropped because they
    repeat another (a distance of 0 has no ratio). Undefined below 20 distinct rows.

    log(r2 / r1) is exponential with rate d, so (m - 1) / sum is unbiased. Neighbours share
    distances, so the interval adds up their covariances; taking rows as independent would cover
    the truth only about 9 times in 10. In high dimensions the estimate is low, because there
    every point is near the border.

    Source: Facco, d'Errico, Rodriguez, Laio 2017; they fit a line to the lower 90 %, here the
    likelihood is used for its interval.
    """
    distinct = _distinct(X)
    dropped = len(X) - len(distinct)
    if len(distinct) < _LEAST_POINTS:
        return _UNDEFINED, dropped
    indices, r = nearest(np.asarray(distinct, dtype=np.float64), 2)
    apart = r[:, 0] > 0
    logs = np.where(apart, np.log(np.where(apart, r[:, 1], 1) / np.where(apart, r[:, 0], 1)), 0)
    total, m = float(logs.sum()), int(apart.sum())
    if m < _LEAST_POINTS or total <= 0:
        return _UNDEFINED, dropped
    variance = _neighbour_variance(np.where(apart, logs - total / m, 0), indices)
    value, half = (m - 1) / total, Z95 * math.sqrt(variance) / total
    return Estimate(value, value * math.exp(-half), value * math.exp(half)), dropped


def _neighbour_variance(e: np.ndarray, indices: np.ndarray) -> float:
    """Variance of the sum of e (n,), mean 0, where rows covary with their neighbours (n, k)."""
    n, k = indices.shape
    i, j = np.repeat(np.arange(n), k), indices.ravel()
    pair = np.unique(np.minimum(i, j) * n + np.maximum(i, j))
    alone = float(e @ e)
    return max(alone, alone + 2 * float(e[pair // n] @ e[pair % n]))


def _distinct(X: np.ndarray) -> np.ndarray:
    """Rows of X that differ, by their bytes."""
    rows = np.ascontiguousarray(X + 0.0)  # + 0.0 makes -0.0 equal to 0.0
    keys = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    return rows[np.sort(np.unique(keys, return_index=True)[1])]


def anisotropy(X: np.ndarray, *, groups: np.ndarray | None = None) -> Estimate:
    """Mean cosine of two distinct rows: 0 = all directions alike, 1 = one direction.

    Exact, from the sum of the unit rows: (|sum|^2 - n) / (n (n - 1)). With groups, two vectors of
    one data row are not counted as a pair. The interval is the delete-one jackknife, by group.

    Source: Ethayarajh 2019 (as the baseline of his measures).
    """
    U = unit_rows(np.asarray(X, dtype=np.float64))
    alive = np.einsum("ij,ij->i", U, U) > 0
    U = U[alive]
    labels = (
        np.arange(len(U)) if groups is None else np.unique(groups[alive], return_inverse=True)[1]
    )
    count = np.bincount(labels).astype(np.float64)
    m, n = len(count), count.sum()
    if m < 3:
        return _UNDEFINED
    sums = np.zeros((m, U.shape[1]))
    np.add.at(sums, labels, U)
    own = np.einsum("ij,ij->i", sums, sums)  # |sum of one group|^2
    total = sums.sum(axis=0)
    cross = total @ total - own.sum()
    pairs = n * n - (count**2).sum()
    less = cross - 2 * (sums @ total - own)
    pairs_less = pairs - 2 * count * (n - count)
    value = float(cross / pairs)
    half = Z95 * float(jackknife_error(less / pairs_less))
    return Estimate(value, max(-1.0, value - half), min(1.0, value + half))
