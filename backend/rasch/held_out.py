"""Measures and severities with the criteria held fixed: a calibration that leaves items out.

What a model is trained on must not know the ratings of the items it will be tested on. The
criteria's few numbers are taken from all ratings; items' measures and raters' severities are
estimated again from the ratings that may be seen.
"""

import numpy as np

from backend.rasch.extremes import EXTREME
from backend.rasch.partial_credit import moments

_MOST = 1.0  # logits of one step
_TOLERANCE, _ROUNDS = 1e-4, 200


def recalibrate(
    item: np.ndarray,
    rater: np.ndarray,
    criterion: np.ndarray,
    x: np.ndarray,
    *,
    difficulties: np.ndarray,
    thresholds: list[np.ndarray],
    measures: np.ndarray,
    severities: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Joint maximum likelihood of measures and severities at fixed criteria.

    Parameters
    ----------
    item, rater, criterion, x : (N,) codes of the ratings that may be seen.
    measures, severities : (n_items,), (n_raters,) logits to start from, of all elements.

    Returns
    -------
    Measures and severities, NaN for elements without a rating here. The severities' mean over the
    raters that are here stays what it was, so the ruler does not move. Elements with only lowest
    or only highest ratings are moved 0.3 points inward and do not count for the others.

    Source: Wright and Masters 1982 (joint maximum likelihood); Linacre 1989 (extreme scores).
    """
    theta, a = (np.nan_to_num(np.array(v, dtype=np.float64)) for v in (measures, severities))
    most = np.array([len(t) for t in thresholds])[criterion]
    places = [np.flatnonzero(criterion == c) for c in range(len(thresholds))]
    here = [np.bincount(codes, minlength=len(v)) > 0 for codes, v in ((item, theta), (rater, a))]
    level = a[here[1]].mean()
    extreme = extremes(item, rater, x, most, sizes=(len(theta), len(a)))
    facets = (
        (item, theta, 1.0, extreme[0], extreme[1][rater]),
        (rater, a, -1.0, extreme[1], extreme[0][item]),
    )
    for _ in range(_ROUNDS):
        largest = 0.0
        for codes, v, sign, own, against in facets:
            E, V = _expected(theta[item] - a[rater], places, difficulties, thresholds)
            counts = own[codes] | ~against  # an extreme one uses all its ratings
            step = sign * _steps(codes, (x, most, E, V), counts, own)
            v += step
            largest = max(largest, float(np.abs(step).max(initial=0)))
        shift = a[here[1]].mean() - level
        a -= shift
        theta -= shift
        if largest < _TOLERANCE:
            break
    return np.where(here[0], theta, np.nan), np.where(here[1], a, np.nan)


def extremes(
    item: np.ndarray, rater: np.ndarray, x: np.ndarray, most: np.ndarray, *, sizes: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Items and raters, bool, whose ratings by one another are all lowest or all highest.

    Those of the other facet that are extreme are left out in turn, until no more are found.
    `most` (N,) is each rating's highest category. An element without ratings counts as extreme.
    """
    out = (np.zeros(sizes[0], bool), np.zeros(sizes[1], bool))
    while True:
        found = 0
        for codes, own, against in (
            (item, out[0], out[1][rater]),
            (rater, out[1], out[0][item]),
        ):
            kept = np.bincount(codes[~against], x[~against], minlength=len(own))
            ceiling = np.bincount(codes[~against], most[~against], minlength=len(own))
            now = ~own & ((kept <= 0) | (kept >= ceiling))
            own |= now
            found += int(now.sum())
        if not found:
            return out


def _steps(
    codes: np.ndarray, ratings: tuple[np.ndarray, ...], counts: np.ndarray, own: np.ndarray
) -> np.ndarray:
    """Newton steps of one facet's elements, at most 1 logit; ratings are (x, most, E, V)."""
    observed, ceiling, E, V = (np.bincount(codes, w * counts, minlength=len(own)) for w in ratings)
    inside = np.clip(observed, EXTREME, np.maximum(ceiling - EXTREME, EXTREME))
    observed = np.where(own, inside, observed)
    step = np.where(V > 0, (observed - E) / np.maximum(V, 1e-9), 0.0)
    return np.clip(step, -_MOST, _MOST)


def _expected(
    eta: np.ndarray,
    places: list[np.ndarray],
    difficulties: np.ndarray,
    thresholds: list[np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """E and V (N,) of every rating, criterion by criterion."""
    E, V = np.empty(len(eta)), np.empty(len(eta))
    for at, d, taus in zip(places, difficulties, thresholds, strict=True):
        E[at], V[at], _ = moments(eta[at], d + taus)
    return E, V
