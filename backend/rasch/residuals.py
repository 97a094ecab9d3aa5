"""What the model leaves: unexpected ratings, residuals by rater and criterion, a contrast."""

import numpy as np

from backend.rasch.fit import Expected, Fit
from backend.rasch.ratings import CRITERION, ITEM, RATER

MOST_CRITERIA = 200  # for the correlations between them


def most_unexpected(z: np.ndarray, *, at_least: float, most: int) -> np.ndarray:
    """Rows with |z| >= `at_least`, the largest first, at most `most` of them."""
    rows = np.flatnonzero(np.abs(z) >= at_least)
    return rows[np.argsort(-np.abs(z[rows]), kind="stable")][:most]


def rater_by_criterion(
    fit: Fit, expected: Expected
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Cells that occur: rater, criterion, n, mean residual, z = sum(x - E) / sqrt(sum V)."""
    ratings = fit.ratings
    width = ratings.size(CRITERION)
    own = ratings.codes[RATER] * width + ratings.codes[CRITERION]
    size = ratings.size(RATER) * width
    n = np.bincount(own, minlength=size)
    residual = np.bincount(own, weights=expected.residual(ratings.x), minlength=size)
    V = np.bincount(own, weights=expected.variance, minlength=size)
    at = np.flatnonzero(n)
    return at // width, at % width, n[at], residual[at] / n[at], residual[at] / np.sqrt(V[at])


def residual_correlations(fit: Fit, expected: Expected) -> tuple[np.ndarray, np.ndarray]:
    """Correlations of standardised residuals between criteria, and how many pairs each rests on.

    Returns
    -------
    (criteria, criteria) each; NaN where fewer than three item-rater pairs have both criteria.
    Ratings by one rater of one item are expected to leave none: correlation is halo, or a second
    dimension.
    """
    ratings = fit.ratings
    width, L = ratings.size(RATER), ratings.size(CRITERION)
    z = np.where(fit.used, expected.z(ratings.x), 0.0)
    _, pair = np.unique(ratings.codes[ITEM] * width + ratings.codes[RATER], return_inverse=True)
    cell = pair * L + ratings.codes[CRITERION]
    size = (int(pair.max()) + 1) * L
    n = np.bincount(cell[fit.used], minlength=size).reshape(-1, L)
    Z = np.bincount(cell, weights=z, minlength=size).reshape(-1, L) / np.maximum(n, 1)
    there = (n > 0).astype(np.float64)
    both = there.T @ there
    safe = np.maximum(both, 1)
    mean = Z.T @ there / safe  # of criterion i over pairs that have j
    square = (Z * Z).T @ there / safe - mean**2
    covariance = Z.T @ Z / safe - mean * mean.T
    spread = np.sqrt(np.maximum(square * square.T, 1e-300))
    return np.where(both >= 3, np.clip(covariance / spread, -1, 1), np.nan), both.astype(np.int64)


def first_contrast(correlation: np.ndarray) -> float:
    """Largest eigenvalue of the residuals' correlations, in units of criteria; NaN with gaps.

    Above about 2 it hints at a second dimension. Source: Smith 2002; Linacre's reading.
    """
    if len(correlation) < 3 or not np.isfinite(correlation).all():
        return float("nan")
    return float(np.linalg.eigvalsh(correlation)[-1])
