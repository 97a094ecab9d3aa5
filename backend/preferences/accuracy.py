"""How often predictions are right: over choices, over people, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 1000


@dataclass(frozen=True)
class Accuracy:
    """Shares from 0 to 1; an interval resamples people, since choices of one person go together."""

    micro: float  # over choices
    macro: float  # mean over people
    low: float  # 95 % of micro
    high: float
    n: int


@dataclass(frozen=True)
class Difference:
    """Accuracy of one model minus that of another on the same choices, with its 95 % interval."""

    value: float
    low: float
    high: float


def hits(margins: np.ndarray, y: np.ndarray) -> np.ndarray:
    """1 where the sign of the margin (positive = b) is the choice, 0.5 where it is 0; (n,)."""
    return np.where(margins == 0, 0.5, (np.sign(margins) == y).astype(float))


def accuracy(hit: np.ndarray, u: np.ndarray, *, seed: int = 0) -> Accuracy:
    """Accuracy of hits (n,) of people u (n,); all NaN where there is no choice."""
    if not len(hit):
        return Accuracy(np.nan, np.nan, np.nan, np.nan, 0)
    n = np.bincount(u)
    shares = np.bincount(u, hit)[n > 0] / n[n > 0]
    low, high = _interval(hit, u, seed=seed)
    return Accuracy(float(hit.mean()), float(shares.mean()), low, high, len(hit))


def difference(a: np.ndarray, b: np.ndarray, u: np.ndarray, *, seed: int = 0) -> Difference:
    """Mean of hits a minus hits b on the same choices."""
    if not len(a):
        return Difference(np.nan, np.nan, np.nan)
    return Difference(float((a - b).mean()), *_interval(a - b, u, seed=seed))


def log_loss(margins: np.ndarray, y: np.ndarray) -> float:
    """Mean of -log P(choice) in nats, with P(b) = sigmoid(margin)."""
    return float(np.logaddexp(0.0, -y * margins).mean()) if len(y) else np.nan


def calibration(margins: np.ndarray, y: np.ndarray, *, bins: int = 10) -> list[dict]:
    """Predicted and observed shares of the likelier side, in bins of predicted P from 0.5 to 1.

    Returns
    -------
    Rows with low, high (of the bin), predicted, observed, n; empty bins are left out.
    """
    p = 1.0 / (1.0 + np.exp(-np.abs(margins)))
    right = hits(margins, y)
    edges = np.linspace(0.5, 1.0, bins + 1)
    place = np.clip(np.digitize(p, edges) - 1, 0, bins - 1)
    return [
        {"low": float(edges[b]), "high": float(edges[b + 1]), "predicted": float(p[at].mean()),
         "observed": float(right[at].mean()), "n": int(at.sum())}
        for b in range(bins) if (at := place == b).any()
    ]  # fmt: skip


def resampled_means(values: Sequence[np.ndarray], u: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Means of series (n,) each over resampled people u (n,), the same people for every series.

    Returns
    -------
    (draws, series); people are drawn whole, since what one person does goes together.
    """
    n = np.bincount(u)
    there = n > 0
    sums = np.column_stack([np.bincount(u, v) for v in values])[there]
    n = n[there]
    rng = np.random.default_rng(seed)
    size = max(1, min(RESAMPLES, 20_000_000 // len(n)))
    draws = rng.multinomial(len(n), np.full(len(n), 1 / len(n)), size=size)
    return (draws @ sums) / (draws @ n)[:, None]


def _interval(values: np.ndarray, u: np.ndarray, *, seed: int) -> tuple[float, float]:
    """95 % percentile interval of the mean of values (n,) over resampled people."""
    low, high = np.quantile(resampled_means([values], u, seed=seed)[:, 0], (0.025, 0.975))
    return float(low), float(high)
