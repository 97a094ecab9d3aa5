"""Does a layer match the layer at the same relative depth?  Line, distance, and what chance gives.

Depths are relative: 0 is the embedding, 1 the deepest layer. Each source layer is matched with the
target layer of the least error.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

import numpy as np

_RESAMPLES = 1000
_PERMUTATIONS = 2000
_ALL_UP_TO = 7  # layers; with so few, every permutation is tried
_AT_ONCE = 1 << 24  # values of resampled errors at a time: 128 MiB


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Match:
    """How the matched depths follow the sources' own."""

    slope: Interval  # least-squares line through (source depth, matched depth)
    offset: Interval  # mean |matched depth - source depth|
    absolute_minus_relative: Interval  # the same distance to the equal block count, minus offset
    permuted: float  # mean offset over all permutations of the layers
    p: float  # share of permutations with an offset as small as the one found


def resampling_weights(groups: np.ndarray, *, seed: int) -> np.ndarray:
    """Weights (1 + resamples, n) of rows: first all 1, then bootstrap counts of their groups."""
    m = int(groups.max()) + 1
    counts = np.random.default_rng(seed).multinomial(m, np.full(m, 1 / m), size=_RESAMPLES)
    return np.vstack([np.ones(len(groups)), counts[:, groups]])


def match(
    errors: np.ndarray, scale: np.ndarray, weights: np.ndarray, *,
    source: np.ndarray, target: np.ndarray, source_depth: int, target_depth: int, seed: int,
) -> Match:  # fmt: skip
    """Line through the best targets, its distance from equal depth, and a permutation test.

    Parameters
    ----------
    errors : (n, p, q) error of each held-out row; scale : (n, q); a pair's error in a resample is
        sum w errors / sum w scale (scale 1: the mean error; squared residuals over squared
        deviations: 1 - R2). A target whose scale is 0 cannot be the best.
    weights : from `resampling_weights`.
    source, target : (p,) and (q,) block counts of the layers; source_depth, target_depth : those
        of the deepest.

    Returns
    -------
    Intervals are percentiles over resampled held-out rows, widened to hold the value itself; the
    maps are not fitted again, so they say nothing of other training rows. The permutations give
    the matched depths to the source layers in another order; they take layers as exchangeable.
    """
    own, there = source / source_depth, target / target_depth
    matched = np.concatenate([there[b] for b in _best(errors, scale, weights)])  # (1 + B, p)
    offset = np.abs(matched - own).mean(axis=1)
    absolute = np.minimum(source, target_depth) / target_depth
    change = np.abs(matched - absolute).mean(axis=1) - offset
    around = own - own.mean()
    slope = (matched - matched.mean(axis=1, keepdims=True)) @ around / (around @ around)
    cost = np.abs(matched[0] - own[:, None])  # (p, p): own depth of i, matched depth of j
    p = _share_as_small(cost, seed=seed)
    return Match(_interval(slope), _interval(offset), _interval(change), float(cost.mean()), p)


def _best(errors: np.ndarray, scale: np.ndarray, weights: np.ndarray) -> Iterator[np.ndarray]:
    """Index (b, p) of the best target in each resample, some resamples at a time."""
    n, p, q = errors.shape
    step = max(1, _AT_ONCE // (p * q))
    for start in range(0, len(weights), step):
        w = weights[start : start + step]
        sums, below = (w @ errors.reshape(n, -1)).reshape(-1, p, q), (w @ scale)[:, None, :]
        ratio = np.full(sums.shape, np.inf)
        np.divide(sums, below, out=ratio, where=np.broadcast_to(below > 0, sums.shape))
        yield ratio.argmin(axis=2)


def _interval(values: np.ndarray) -> Interval:
    """The first value with the 95 % range of the others."""
    low, high = np.quantile(values[1:], [0.025, 0.975])
    value = float(values[0])
    return Interval(value, min(value, float(low)), max(value, float(high)))


def _share_as_small(cost: np.ndarray, *, seed: int) -> float:
    """Share of permutations of the columns whose diagonal sum is at most that of `cost`."""
    p = len(cost)
    if p <= _ALL_UP_TO:
        orders = np.array(list(permutations(range(p))))
    else:
        rng = np.random.default_rng(seed)
        drawn = rng.permuted(np.tile(np.arange(p), (_PERMUTATIONS, 1)), axis=1)
        orders = np.vstack([np.arange(p), drawn])
    sums = cost[np.arange(p), orders].sum(axis=1)
    return float((sums <= np.trace(cost) + 1e-12 * max(1.0, math.fabs(cost.sum()))).mean())
