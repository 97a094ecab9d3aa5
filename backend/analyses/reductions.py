"""From values of single tokens to one number for each prompt, and from prompts to an interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Reduced:
    """Values of each prompt over its measured tokens; arrays (prompts, ...)."""

    largest: np.ndarray
    mean: np.ndarray
    p95: np.ndarray  # 95th percentile, linear between order statistics
    position: np.ndarray  # int32, where the largest is


def reduce_tokens(values: np.ndarray, measured: np.ndarray) -> Reduced:
    """Reduce over the measured tokens of all windows together.

    Parameters
    ----------
    values : (windows, ..., rows, length).
    measured : bool (windows, rows, length), at least one True for each row.

    Returns
    -------
    Arrays (rows, ...). A token that several windows measure counts once for each.
    """
    found = []
    for row in range(measured.shape[1]):
        window, at = np.nonzero(measured[:, row])
        own = np.moveaxis(values[..., row, :], 0, -2)[..., window, at].astype(np.float64)
        best = own.argmax(axis=-1)
        largest = np.take_along_axis(own, best[..., None], axis=-1)[..., 0]
        found.append((largest, own.mean(axis=-1), np.quantile(own, 0.95, axis=-1),
                      at[best].astype(np.int32)))  # fmt: skip
    return Reduced(*(np.stack(part) for part in zip(*found, strict=True)))


def join(parts: Sequence[Reduced]) -> Reduced:
    """The prompts of several batches as one."""
    names = Reduced.__dataclass_fields__
    return Reduced(**{n: np.concatenate([getattr(p, n) for p in parts]) for n in names})


def mean_interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over prompts (prompts, ...) with a 95 % t interval; ends are NaN for one prompt."""
    from scipy.stats import t

    n = len(values)
    middle = values.mean(axis=0)
    if n < 2:
        return middle, np.full_like(middle, np.nan), np.full_like(middle, np.nan)
    half = t.ppf(0.975, n - 1) * values.std(axis=0, ddof=1) / math.sqrt(n)
    return middle, middle - half, middle + half


def ratio_interval(above: np.ndarray, below: np.ndarray) -> tuple[float, float, float]:
    """Geometric mean over prompts of above / below, both (prompts,), with a 95 % t interval.

    Prompts where either is not above 0 are left out; NaN when none is left.
    """
    keep = (above > 0) & (below > 0)
    if not keep.any():
        return math.nan, math.nan, math.nan
    middle, low, high = mean_interval(np.log(above[keep]) - np.log(below[keep]))
    return float(np.exp(middle)), float(np.exp(low)), float(np.exp(high))
