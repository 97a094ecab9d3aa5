"""A mean over features, with its interval."""

import math

import numpy as np


def mean_interval(values: np.ndarray) -> tuple[float, float, float]:
    """Mean of (n,) values with its 95 % interval by Student's t, NaN left out.

    The features are taken as drawn independently of one another. NaN ends for fewer than two.

    Source: Student 1908.
    """
    from scipy.stats import t

    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    n = len(known)
    if n < 2:
        return (float(known[0]) if n else math.nan), math.nan, math.nan
    mean, half = float(known.mean()), float(t.ppf(0.975, n - 1) * known.std(ddof=1) / math.sqrt(n))
    return mean, mean - half, mean + half
