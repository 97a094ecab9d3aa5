"""Tables for looking closer: curves, unexpected ratings, residuals, interactions, both fits."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from backend.analyses.intervals import Z95
from backend.analyses.raters_tables import Measured
from backend.rasch.fit import Fit
from backend.rasch.interactions import Interactions
from backend.rasch.partial_credit import probabilities
from backend.rasch.ratings import CRITERION, ITEM, RATER
from backend.rasch.residuals import most_unexpected, rater_by_criterion

UNEXPECTED = 3.0  # |z| from which a rating is listed
_MOST_ROWS, _MOST_CELLS = 1000, 5000
_GRID, _BINS = 61, 12


def curves(m: Measured) -> pa.Table:
    """Probabilities of each category and the expected score against eta; and what was observed.

    `series` is a category's code, "expected", or "observed": the mean rating of a bin of ratings
    with its 95 % interval (of the mean, ratings taken as independent).
    """
    eta = m.fit.eta()[m.fit.used]
    part = m.ratings.keep(m.fit.used)
    low, high = np.quantile(eta, [0.005, 0.995])
    grid = np.linspace(min(low, -3.0), max(high, 3.0), _GRID)
    parts = []
    for i, (name, steps) in enumerate(zip(m.ratings.labels[CRITERION], m.fit.steps, strict=True)):
        P = probabilities(grid, steps)
        for code, line in enumerate(P):
            parts.append(_series(name, str(code), grid, line))
        parts.append(_series(name, "expected", grid, np.arange(len(P)) @ P))
        rows = part.rows_of(i)
        parts.extend(_observed(name, eta[rows], part.x[rows]))
    return pa.concat_tables(parts).combine_chunks()


def _series(
    criterion: object,
    series: str,
    theta: np.ndarray,
    value: np.ndarray,
    n: np.ndarray | None = None,
    half: np.ndarray | None = None,
) -> pa.Table:
    half = np.full(len(theta), np.nan) if half is None else half
    return pa.table(
        {
            "criterion": pa.array([str(criterion)] * len(theta), pa.string()),
            "series": pa.array([series] * len(theta), pa.string()),
            "theta": theta,
            "value": value,
            "low": value - half,
            "high": value + half,
            "n": (np.zeros(len(theta)) if n is None else n).astype(np.int32),
        }
    )


def _observed(name: object, eta: np.ndarray, x: np.ndarray) -> Iterator[pa.Table]:
    if len(eta) < 2:
        return
    edges = np.unique(np.quantile(eta, np.linspace(0, 1, min(_BINS, len(eta) // 2 + 1) + 1)))
    own = np.clip(np.searchsorted(edges, eta, side="right") - 1, 0, max(len(edges) - 2, 0))
    n = np.bincount(own)
    keep = n > 0
    place = np.bincount(own, weights=eta)[keep] / n[keep]
    mean = np.bincount(own, weights=x)[keep] / n[keep]
    square = np.bincount(own, weights=x * x)[keep] / n[keep] - mean**2
    more = np.maximum(n[keep] - 1, 1)
    half = np.where(n[keep] > 1, Z95 * np.sqrt(np.maximum(square, 0) / more), np.nan)
    yield _series(name, "observed", place, mean, n[keep], half)


def unexpected(m: Measured) -> tuple[pa.Table, int]:
    """The ratings with |z| >= 3, the most unexpected first; and how many there are."""
    ratings = m.ratings
    z = np.where(m.fit.used, m.expected.z(ratings.x), 0.0)
    at = most_unexpected(z, at_least=UNEXPECTED, most=_MOST_ROWS)
    table = pa.table(
        {
            **{
                facet: pa.array(ratings.labels[facet][ratings.codes[facet][at]], pa.string())
                for facet in (ITEM, RATER, CRITERION)
            },
            "rating": pa.array(
                [ratings.categories[c][x] for c, x in
                 zip(ratings.codes[CRITERION][at], ratings.x[at], strict=True)],
                pa.string(),
            ),
            "category": ratings.x[at].astype(np.int32),
            "expected": m.expected.mean[at],
            "z": z[at],
        }
    )  # fmt: skip
    return table, int((np.abs(z) >= UNEXPECTED).sum())


def cells(m: Measured) -> pa.Table:
    """Mean residual of each rater on each criterion, and its z."""
    rater, criterion, n, residual, z = rater_by_criterion(m.fit, m.expected)
    return pa.table(
        {
            "rater": pa.array(m.ratings.labels[RATER][rater], pa.string()),
            "criterion": pa.array(m.ratings.labels[CRITERION][criterion], pa.string()),
            "n": n.astype(np.int32),
            "residual": residual,
            "z": z,
        }
    )


def correlations(m: Measured, matrix: np.ndarray, pairs: np.ndarray) -> pa.Table:
    """Correlations of residuals between criteria, each pair once."""
    names = m.ratings.labels[CRITERION].astype(str)
    i, j = np.triu_indices(len(names), 1)
    return pa.table(
        {
            "criterion_a": pa.array(names[i].tolist(), pa.string()),
            "criterion_b": pa.array(names[j].tolist(), pa.string()),
            "correlation": matrix[i, j],
            "n": pairs[i, j].astype(np.int32),
        }
    )


def interaction_table(fit: Fit, found: Interactions) -> pa.Table:
    """Cells by |t|, the largest first, at most 5000; bias > 0 is harsher than elsewhere."""
    order = np.argsort(-np.abs(found.t), kind="stable")[:_MOST_CELLS]
    labels = fit.ratings.labels
    return pa.table(
        {
            "a": pa.array(labels[found.first][found.a[order]], pa.string()),
            "b": pa.array(labels[found.second][found.b[order]], pa.string()),
            "bias": found.bias[order],
            "se": found.error[order],
            "t": found.t[order],
            "n": found.n[order].astype(np.int32),
            "observed": found.observed[order],
            "expected": found.expected[order],
            "marked": found.marked[order],
        }
    )


def before_after(before: Fit, after: Fit) -> pa.Table:
    """Measures of the items that both fits have."""
    place = {name: i for i, name in enumerate(before.ratings.labels[ITEM])}
    names = after.ratings.labels[ITEM]
    at = np.array([place[name] for name in names], dtype=np.intp)
    return pa.table(
        {
            "item": pa.array(names, pa.string()),
            "before": before.measures[ITEM][at],
            "after": after.measures[ITEM],
            "se_before": before.errors[ITEM][at],
            "se_after": after.errors[ITEM],
            "extreme": before.extreme[ITEM][at] | after.extreme[ITEM],
        }
    )


def dropped_table(m: Measured, dropped: np.ndarray, named: np.ndarray) -> pa.Table:
    """The raters that were left out, as they were before: bool masks (raters,)."""
    at = np.flatnonzero(dropped)
    return pa.table(
        {
            "rater": pa.array(m.ratings.labels[RATER][at], pa.string()),
            "severity": m.fit.measures[RATER][at],
            "infit": m.misfit[RATER].infit[at],
            "outfit": m.misfit[RATER].outfit[at],
            "n": m.misfit[RATER].n[at].astype(np.int32),
            "why": pa.array(["named" if named[i] else "infit" for i in at], pa.string()),
        }
    )
