"""The depth score: at which depth, on average, a skipped layer is felt."""

import math

import numpy as np

DRAWS = 2000


def depth_score(e: np.ndarray) -> np.ndarray:
    """d = sum_l l e_l / sum_l e_l over the last axis, in layers counted from 0.

    0 = only the first layer matters, L - 1 = only the last one, (L - 1) / 2 = all alike; NaN where
    no layer matters.

    Source: Csordás, Manning, Potts 2025, depth against difficulty.
    """
    total = e.sum(axis=-1, dtype=np.float64)
    weighted = (e * np.arange(e.shape[-1])).sum(axis=-1, dtype=np.float64)
    known = total > 0
    return np.where(known, weighted / np.where(known, total, 1), np.nan)


def layer_effects(E: np.ndarray) -> np.ndarray:
    """Mean effect of each skipped layer on the later ones: sum_l E(s, l) / max(L - 1 - s, 1).

    Parameters
    ----------
    E : (..., skipped, layer), with 0 at and before the skipped layer (future tokens).
    """
    layers = E.shape[-1]
    return E.sum(axis=-1, dtype=np.float64) / np.maximum(layers - 1 - np.arange(layers), 1)


def bootstrap_mean(values: np.ndarray, *, seed: int) -> tuple[float, float, float]:
    """Mean of (n,) values with a 95 % percentile interval of 2000 resamples; NaNs are left out."""
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return math.nan, math.nan, math.nan
    if len(known) == 1:
        return float(known[0]), math.nan, math.nan
    drawn = np.random.default_rng(seed).integers(len(known), size=(DRAWS, len(known)))
    low, high = np.quantile(known[drawn].mean(axis=1), (0.025, 0.975))
    return float(known.mean()), float(low), float(high)


def bootstrap_slope(x: np.ndarray, y: np.ndarray, *, seed: int) -> tuple[float, float, float]:
    """Least-squares slope of y on x, both (n,), with a 95 % percentile interval.

    Rows are drawn anew within each value of x, so every resample has the same x; NaNs of y are
    left out. NaN when fewer than two values of x remain, without interval when one of them has a
    single row.
    """
    keep = np.isfinite(y)
    x, y = x[keep], y[keep]
    levels = [np.flatnonzero(x == level) for level in np.unique(x)]
    if len(levels) < 2:
        return math.nan, math.nan, math.nan
    centred = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    slope = float(centred @ y)
    if min(map(len, levels)) < 2:
        return slope, math.nan, math.nan
    rng = np.random.default_rng(seed)
    drawn = np.empty((DRAWS, len(y)), dtype=np.int64)
    for rows in levels:
        drawn[:, rows] = rows[rng.integers(len(rows), size=(DRAWS, len(rows)))]
    low, high = np.quantile(y[drawn] @ centred, (0.025, 0.975))
    return slope, float(low), float(high)
