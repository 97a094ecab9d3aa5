"""Tables of a many-facet fit: items, raters, criteria, thresholds, and how well facets separate."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from backend.analyses.intervals import Z95
from backend.rasch.fit import Expected, Fit, expect
from backend.rasch.fit_statistics import Misfit, misfit, real_error, separation
from backend.rasch.ratings import CRITERION, ITEM, RATER
from backend.rasch.scores import Adjustment, adjustment, raw_means, score_table

if TYPE_CHECKING:
    from backend.rasch.ratings import Ratings

NAMES = {ITEM: "items", RATER: "raters", CRITERION: "criteria"}


@dataclass(frozen=True)
class Bounds:
    """When a rater is called erratic or too predictable."""

    low: float
    high: float
    z: float  # and at least this many standard deviations from 1; 0 = the bounds alone

    def flags(self, found: Misfit) -> np.ndarray:
        """Raters outside the bounds, bool; those without fit statistics are not."""
        outside = (found.infit < self.low) | (found.infit > self.high)
        sure = ~(np.abs(found.infit_z) < self.z)  # NaN: the bounds alone
        return outside & sure


@dataclass(frozen=True)
class Measured:
    """A fit with what is computed from it once and used in many tables."""

    fit: Fit
    expected: Expected
    misfit: dict[str, Misfit]
    flagged: np.ndarray  # bool (raters,)
    moved: Adjustment
    raw: np.ndarray  # (items,) mean share of the highest category

    @property
    def ratings(self) -> "Ratings":
        return self.fit.ratings


def measure(fit: Fit, bounds: Bounds) -> Measured:
    """Expectations and fit statistics; these count only ratings that the estimation used."""
    expected, used, ratings = expect(fit), fit.used, fit.ratings
    part = Expected(*(v[used] for v in (expected.mean, expected.variance, expected.kurtosis)))
    found = {
        facet: misfit(part, ratings.x[used], codes[used], ratings.size(facet))
        for facet, codes in ratings.codes.items()
    }
    flags = bounds.flags(found[RATER])
    return Measured(fit, expected, found, flags, adjustment(fit), raw_means(ratings))


def tables_of(m: Measured, *, inward: float) -> dict[str, pa.Table]:
    """All tables that every fit has."""
    out = {"items": _items(m), "raters": _raters(m), "criteria": _criteria(m)}
    for facet in m.ratings.facets:
        if facet not in NAMES:
            out["groups"] = _groups(m, facet)
    return out | {
        "thresholds": _thresholds(m),
        "facets": _facets(m),
        "scores": _scores(m, inward),
    }


def _element(m: Measured, facet: str) -> dict[str, object]:
    """What all elements have: errors, fit, n, mean rating, subset."""
    fit, found = m.fit, m.misfit[facet]
    codes, size = m.ratings.codes[facet], m.ratings.size(facet)
    n = np.bincount(codes, minlength=size)
    total = np.bincount(codes, weights=m.ratings.x, minlength=size)
    return {
        "se": fit.errors[facet],
        "se_real": real_error(fit.errors[facet], found.infit),
        "infit": found.infit,
        "outfit": found.outfit,
        "infit_z": found.infit_z,
        "outfit_z": found.outfit_z,
        "n": n.astype(np.int32),
        "mean": total / np.maximum(n, 1),
        "extreme": fit.extreme[facet],
        "subset": (fit.subsets.of[facet] + 1).astype(np.int32),  # 0: several
    }


def _names(m: Measured, facet: str) -> pa.Array:
    return pa.array(m.ratings.labels[facet], pa.string())


def _items(m: Measured) -> pa.Table:
    value, own = m.fit.measures[ITEM], _element(m, ITEM)
    return pa.table(
        {
            "item": _names(m, ITEM),
            "measure": value,
            **own,
            "low": value - Z95 * own["se"],
            "high": value + Z95 * own["se"],
            "raw_mean": m.raw,
            "raw_measure": m.moved.raw,
            "shift": m.moved.shift,
            "shift_se": m.moved.error,
        }
    )


def _raters(m: Measured) -> pa.Table:
    value, own, ratings = m.fit.measures[RATER], _element(m, RATER), m.ratings
    codes, size = ratings.codes[RATER], ratings.size(RATER)
    top = ratings.x == ratings.most[ratings.codes[CRITERION]]
    return pa.table(
        {
            "rater": _names(m, RATER),
            "severity": value,
            **own,
            "low": value - Z95 * own["se"],
            "high": value + Z95 * own["se"],
            "flagged": m.flagged,
            "top": np.bincount(codes, weights=top, minlength=size) / np.maximum(own["n"], 1),
        }
    )


def _criteria(m: Measured) -> pa.Table:
    own = _element(m, CRITERION)
    del own["extreme"]
    value = m.fit.measures[CRITERION]
    return pa.table(
        {
            "criterion": _names(m, CRITERION),
            "difficulty": value,
            **own,
            "low": value - Z95 * own["se"],
            "high": value + Z95 * own["se"],
            "categories": (m.ratings.most + 1).astype(np.int32),
        }
    )


def _groups(m: Measured, facet: str) -> pa.Table:
    """The fourth facet; like severity, a higher value gives lower ratings."""
    value, own = m.fit.measures[facet], _element(m, facet)
    return pa.table({"group": _names(m, facet), "severity": value, **own})


def _thresholds(m: Measured) -> pa.Table:
    """One line for each step k: from category k - 1 to k, and how often k was given."""
    lines = []
    ratings, fit = m.ratings, m.fit
    for i, name in enumerate(ratings.labels[CRITERION]):
        counts = np.bincount(ratings.x[ratings.rows_of(i)], minlength=int(ratings.most[i]) + 1)
        tau, before = fit.thresholds[i], -np.inf
        for k, (value, se) in enumerate(zip(tau, fit.threshold_errors[i], strict=True), 1):
            lines.append({
                "criterion": str(name), "step": k, "threshold": float(value), "se": float(se),
                "place": float(fit.measures[CRITERION][i] + value),
                "from": ratings.categories[i][k - 1], "to": ratings.categories[i][k],
                "count_below": int(counts[k - 1]), "count": int(counts[k]),
                "disordered": bool(value < before),
            })  # fmt: skip
            before = value
    table = pa.Table.from_pylist(lines)
    return table.set_column(1, "step", table["step"].cast(pa.int32()))


def _facets(m: Measured) -> pa.Table:
    """Separation of each facet, with its extreme elements left out."""
    lines = []
    for facet in (*m.ratings.facets, CRITERION):
        plain = ~m.fit.extreme[facet]
        found = separation(m.fit.measures[facet][plain], m.fit.errors[facet][plain])
        lines.append({"facet": facet, **vars(found), "extreme": int((~plain).sum())})
    return pa.Table.from_pylist(lines)


def _scores(m: Measured, inward: float) -> pa.Table:
    """What a total over one answer to each criterion means, at severity 0."""
    fit = m.fit
    score, theta, se = score_table(fit.measures[CRITERION], fit.thresholds, inward=inward)
    return pa.table({"score": score.astype(np.int32), "theta": theta, "se": se})
