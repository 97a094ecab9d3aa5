"""How sure a number is: jackknife, Wilson, rank correlation; and how it is said in words."""

import math

import numpy as np

Z95 = 1.959963984540054  # two-sided 95 % point of the normal distribution


def sum_by(values: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """Sums (n_groups, ...) of values (n, ...) that share a group label 0..n_groups-1."""
    if groups is None:
        return values
    out = np.zeros((int(groups.max()) + 1, *values.shape[1:]))
    np.add.at(out, groups, values)
    return out


def jackknife_error(deleted: np.ndarray, *, groups: np.ndarray | None = None) -> np.ndarray:
    """Standard error from delete-one values.

    Parameters
    ----------
    deleted : (n, ...) the statistic without row i.
    groups : (n,) labels of rows that are not independent (tokens of one text); their influence is
        added up first, so the number of groups is what counts.

    Returns
    -------
    (...) standard errors; for single rows sqrt((n - 1) / n * sum((deleted - mean)**2)).

    Source: Efron and Stein 1981; the grouped form is the usual cluster-robust sum.
    """
    n = len(deleted)
    if n < 3:
        return np.full(deleted.shape[1:], np.nan)
    influence = (n - 1) * (deleted.mean(axis=0) - deleted)
    sums = sum_by(influence, groups)
    m = len(sums)
    if m < 2:
        return np.full(deleted.shape[1:], np.nan)
    return np.sqrt((sums**2).sum(axis=0) * m / (m - 1)) / n


def mean_error(values: np.ndarray, *, groups: np.ndarray | None = None) -> np.ndarray:
    """Standard error of the mean over rows (n, ...), cluster-robust when groups are given."""
    n = len(values)
    sums = sum_by(values - values.mean(axis=0), groups)
    m = len(sums)
    if m < 2:
        return np.full(values.shape[1:], np.nan)
    return np.sqrt((sums**2).sum(axis=0) * m / (m - 1)) / n


def wilson(successes: float, n: float) -> tuple[float, float]:
    """95 % interval of a proportion. Source: Wilson 1927."""
    if n <= 0:
        return math.nan, math.nan
    p, z = successes / n, Z95
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (0.0 if p == 0 else centre - half), (1.0 if p == 1 else centre + half)


def rank_correlation(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Spearman's rho of two series (n,) with a 95 % interval; ties get their mean rank.

    The interval is Fisher's z with variance 1.06 / (n - 3) (Fieller, Hartley, Pearson 1957); it
    takes the layers as if they were drawn independently, so read it as a rough guide.
    """
    keep = np.isfinite(x) & np.isfinite(y)
    x, y = _mean_ranks(np.asarray(x)[keep]), _mean_ranks(np.asarray(y)[keep])
    if len(x) < 4 or x.std() == 0 or y.std() == 0:
        return math.nan, math.nan, math.nan
    rho = float(np.clip(np.corrcoef(x, y)[0, 1], -1, 1))
    z, half = np.arctanh(np.clip(rho, -1 + 1e-12, 1 - 1e-12)), Z95 * math.sqrt(1.06 / (len(x) - 3))
    return rho, float(np.tanh(z - half)), float(np.tanh(z + half))


def _mean_ranks(x: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]


def median_interval(values: np.ndarray) -> tuple[float, float, float]:
    """Median of (n,) values with a distribution-free 95 % interval from order statistics."""
    ordered = np.sort(values)
    n = len(ordered)
    if n == 0:
        return math.nan, math.nan, math.nan
    half = Z95 * math.sqrt(n) / 2
    low, high = max(0, math.floor(n / 2 - half)), min(n - 1, math.ceil(n / 2 + half))
    return float(np.median(ordered)), float(ordered[low]), float(ordered[high])


def number(value: float) -> str:
    """A value with three significant digits."""
    if value is None or not math.isfinite(value):
        return "n/a"
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(digits, 6)}f}"


def say(value: float, low: float, high: float) -> str:
    """A value with its 95 % interval, as in `0.93 (0.91 to 0.95)`."""
    return f"{number(value)} ({number(low)} to {number(high)})"
