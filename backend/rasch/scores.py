"""Scores of items: what each total means in logits, Warm's estimate, and what severity moved."""

from dataclasses import dataclass

import numpy as np

from backend.rasch.component_score import measure_of_total
from backend.rasch.extremes import EXTREME
from backend.rasch.fit import Fit, expect_at, place
from backend.rasch.partial_credit import moments
from backend.rasch.ratings import CRITERION, ITEM, Ratings

_ROUNDS, _TOLERANCE = 100, 1e-8
_GRID, _DRAWN_MOST = 401, 500  # places, and severities that stand for all raters'


def score_table(
    difficulties: np.ndarray, thresholds: list[np.ndarray], *, inward: float = EXTREME
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Measure and standard error of every total 0..M of one answer to each criterion, severity 0.

    Returns
    -------
    score, theta and se, each (M + 1,). Lowest and highest totals are moved `inward` points.
    """
    most = sum(len(t) for t in thresholds)
    score = np.arange(most + 1)
    theta, se = measure_of_total(score, difficulties, thresholds, inward=inward)
    return score, theta, se


def warm_measures(
    ratings: Ratings, measures: dict[str, np.ndarray], steps: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted likelihood measures of items and their errors, each (items,); extremes included.

    Solves S - sum E + J / (2 I) = 0, I = sum V, J = sum of third central moments.
    Source: Warm 1989.
    """
    from backend.rasch.partial_credit import CHUNK, probabilities

    own, size = ratings.codes[ITEM], ratings.size(ITEM)
    theta = np.zeros(size)
    there = np.bincount(own, minlength=size) > 0
    information = np.ones(size)
    for _ in range(_ROUNDS):
        eta = place(ratings, {**measures, ITEM: theta})
        sums = np.zeros((3, size))
        for i, steps_i in enumerate(steps):
            rows = ratings.rows_of(i)
            for start in range(rows.start, rows.stop, CHUNK):
                at = slice(start, min(start + CHUNK, rows.stop))
                P = probabilities(eta[at], steps_i)
                h = np.arange(len(P))[:, None]
                apart = h - (h * P).sum(axis=0)
                found = (
                    ratings.x[at] - (h * P).sum(axis=0),
                    (apart**2 * P).sum(axis=0),
                    (apart**3 * P).sum(axis=0),
                )
                for k, values in enumerate(found):
                    sums[k] += np.bincount(own[at], weights=values, minlength=size)
        residual, information, third = sums
        information = np.maximum(information, 1e-9)
        step = np.clip((residual + third / (2 * information)) / information, -1, 1) * there
        theta += step
        if np.abs(step).max() < _TOLERANCE:
            return theta, 1 / np.sqrt(information)
    raise ArithmeticError("weighted likelihood measures did not settle")


@dataclass(frozen=True)
class Adjustment:
    """What taking severity out did to each item, arrays (items,).

    `shift` is the mean severity of those who rated the item less that of raters drawn from all
    who rated, each rating weighed by its information: to first order, what the item's place gains
    when it is known who rated. It is 0 where everybody rates everything. `raw` = measure - shift.
    """

    shift: np.ndarray
    error: np.ndarray  # standard error of the shift, from the raters' errors
    raw: np.ndarray


def adjustment(fit: Fit) -> Adjustment:
    """How far each item's measure is moved by who rated it (and by further facets)."""
    ratings = fit.ratings
    V = expect_at(ratings, fit.eta(), fit.steps).variance
    own, size = ratings.codes[ITEM], ratings.size(ITEM)
    total = np.maximum(np.bincount(own, weights=V, minlength=size), 1e-12)
    severity = fit.measures[ITEM][own] - fit.eta()  # of all facets besides the item
    mine = np.bincount(own, weights=V * severity, minlength=size) / total
    error2 = np.zeros(size)
    for facet in ratings.facets:
        if facet == ITEM:
            continue
        codes, width = ratings.codes[facet], ratings.size(facet)
        pairs, cell = np.unique(own * width + codes, return_inverse=True)
        weight = np.bincount(cell, weights=V) / total[pairs // width]
        share = np.bincount(codes, minlength=width) / ratings.n  # in a draw from all ratings
        known = ((weight - share[pairs % width]) * fit.errors[facet][pairs % width]) ** 2
        error2 += np.bincount(pairs // width, weights=known, minlength=size)
    shift = mine - _drawn_severity(fit, severity)
    return Adjustment(shift, np.sqrt(error2), fit.measures[ITEM] - shift)


def _drawn_severity(fit: Fit, severity: np.ndarray) -> np.ndarray:
    """Mean severity of raters drawn from all ratings, weighed by information, at each item."""
    ratings = fit.ratings
    own, size = ratings.codes[ITEM], ratings.size(ITEM)
    drawn, place = np.unique(severity.round(9), return_inverse=True)
    weight = np.bincount(place.ravel()) / len(severity)
    if len(drawn) > _DRAWN_MOST:
        drawn = np.quantile(severity, (np.arange(_DRAWN_MOST) + 0.5) / _DRAWN_MOST)
        weight = np.full(_DRAWN_MOST, 1 / _DRAWN_MOST)
    grid = np.linspace(fit.measures[ITEM].min(), fit.measures[ITEM].max(), _GRID)
    eta = (grid[:, None] - drawn).ravel()
    information, severe = np.zeros(size), np.zeros(size)
    for i, steps in enumerate(fit.steps):
        V = moments(eta, steps)[1].reshape(_GRID, -1)
        n = np.bincount(own[ratings.rows_of(i)], minlength=size)
        for total, curve in ((information, V @ weight), (severe, V @ (weight * drawn))):
            total += n * np.interp(fit.measures[ITEM], grid, curve)
    return severe / np.maximum(information, 1e-12)


def severity_share(found: Adjustment, *, seed: int, draws: int = 400) -> tuple[float, float, float]:
    """Variance that severity puts into raw scores, as a share of their variance; with interval.

    (var(shift) - mean squared error of shift) / var(raw), over items, 0 at the least. With raters
    dealt out at random it is the part of the spread that taking severity out removes; where harsh
    raters met high items, raw scores hide that spread instead. The interval is a bootstrap over
    items (95 %), severities taken as estimated; NaN where items do not vary.
    """
    parts = np.stack([found.raw, found.shift, found.error])
    if parts.shape[1] < 3 or found.raw.std() == 0:
        return (float("nan"),) * 3
    rng = np.random.default_rng(seed)
    n = parts.shape[1]
    values = [_share(*parts[:, rng.integers(0, n, n)]) for _ in range(draws)]
    low, high = np.nanquantile(values, [0.025, 0.975])
    return _share(*parts), float(low), float(high)


def _share(raw: np.ndarray, shift: np.ndarray, error: np.ndarray) -> float:
    total = float(raw.var())
    if total == 0:
        return float("nan")
    return max(0.0, float(shift.var()) - float(np.mean(error**2))) / total


def raw_means(ratings: Ratings) -> np.ndarray:
    """Mean rating of each item as a share of the highest category, (items,) from 0 to 1."""
    own, size = ratings.codes[ITEM], ratings.size(ITEM)
    share = ratings.x / ratings.most[ratings.codes[CRITERION]]
    n = np.bincount(own, minlength=size)
    return np.bincount(own, weights=share, minlength=size) / np.maximum(n, 1)
