"""How well ratings fit: infit, outfit and their z values; separation and reliability of a facet.

Source: Wright and Masters 1982; Smith 1991 (Wilson-Hilferty); Linacre 1989.
"""

import math
from dataclasses import dataclass

import numpy as np

from backend.rasch.fit import Expected

_MOST_Q = math.sqrt(2.0)  # Winsteps' cap: fewer than one degree of freedom is none


@dataclass(frozen=True)
class Misfit:
    """Mean squares and z values of elements, arrays (elements,); NaN where there is no rating.

    Mean squares run from 0; 1 is expected, above it ratings are noisier than the model says,
    below it more predictable.
    """

    n: np.ndarray
    infit: np.ndarray
    outfit: np.ndarray
    infit_z: np.ndarray
    outfit_z: np.ndarray


def misfit(expected: Expected, x: np.ndarray, groups: np.ndarray, size: int) -> Misfit:
    """Fit statistics of the elements that `groups` (n,) assigns ratings x (n,) to.

    outfit = mean z^2; infit = sum (x - E)^2 / sum V.
    """
    V = expected.variance
    square = (x - expected.mean) ** 2

    def total(values: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(groups, weights=values, minlength=size).astype(np.float64)

    n = total()
    there = n > 0
    count, information = np.where(there, n, 1.0), np.where(there, total(V), 1.0)
    infit, outfit = total(square) / information, total(square / V) / count
    q_in = np.sqrt(np.maximum(total(expected.kurtosis - V * V), 0)) / information
    q_out = np.sqrt(np.maximum(total(expected.kurtosis / (V * V)) / count**2 - 1 / count, 0))
    out = (infit, outfit, wilson_hilferty(infit, q_in), wilson_hilferty(outfit, q_out))
    return Misfit(n.astype(np.int64), *(np.where(there, values, np.nan) for values in out))


def wilson_hilferty(mean_square: np.ndarray, q: np.ndarray) -> np.ndarray:
    """z value of a mean square whose standard deviation is q: (ms^(1/3) - 1) 3 / q + q / 3.

    Source: Wilson and Hilferty 1931. q is capped at sqrt(2), one degree of freedom; NaN where
    it is 0.
    """
    q = np.minimum(q, _MOST_Q)
    safe = np.where(q > 1e-9, q, 1.0)
    return np.where(q > 1e-9, (np.cbrt(mean_square) - 1) * 3 / safe + safe / 3, np.nan)


def real_error(error: np.ndarray, infit: np.ndarray) -> np.ndarray:
    """Standard errors widened by misfit: SE max(1, sqrt(infit)). Source: Wright 1995."""
    return error * np.maximum(1, np.sqrt(np.where(np.isfinite(infit), infit, 1.0)))


@dataclass(frozen=True)
class Separation:
    """How well a facet's elements are told apart. Of raters: how much they DIFFER."""

    n: int
    rmse: float  # root of the mean squared standard error, logits
    spread: float  # standard deviation less that error, logits
    separation: float  # spread / rmse
    strata: float  # levels that can be told apart, (4 G + 1) / 3
    reliability: float  # G^2 / (1 + G^2)
    chi2: float  # all equal?
    df: int
    p: float


def separation(measures: np.ndarray, errors: np.ndarray) -> Separation:
    """Separation of elements with measures and standard errors (elements,); NaN below two."""
    n = len(measures)
    if n < 2:
        nan = math.nan
        return Separation(n, float(errors[0]) if n else nan, *[nan] * 5, 0, nan)
    rmse = float(np.sqrt(np.mean(errors**2)))
    spread = math.sqrt(max(float(measures.var(ddof=1)) - rmse**2, 0.0))
    G, H, R = separation_numbers(rmse, spread)
    chi2, df, p = all_equal(measures, errors)
    return Separation(n, rmse, spread, G, H, R, chi2, df, p)


def separation_numbers(rmse: float, spread: float) -> tuple[float, float, float]:
    """Separation G, strata H and reliability R of an error and an adjusted standard deviation."""
    G = spread / rmse
    return G, (4 * G + 1) / 3, G * G / (1 + G * G)


def all_equal(measures: np.ndarray, errors: np.ndarray) -> tuple[float, int, float]:
    """Fixed chi-square that all elements are equal: its value, df = n - 1, and p."""
    from scipy.special import chdtrc

    weight = 1 / errors**2
    value = float((weight * measures**2).sum() - (weight * measures).sum() ** 2 / weight.sum())
    df = len(measures) - 1
    return value, df, float(chdtrc(df, value))
