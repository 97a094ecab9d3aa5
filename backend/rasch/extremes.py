"""Elements whose ratings are all lowest or all highest: they have no finite estimate.

They are kept out of the estimation of the others, and get a place at the end by moving their
score 0.3 points inward (the rule of Facets; Linacre).
"""

from dataclasses import dataclass

import numpy as np

from backend.errors import DataError
from backend.rasch.ratings import CRITERION, ITEM, Ratings, merge_unused

EXTREME = 0.3  # points a lowest or highest score is moved inward
_ROUNDS, _TOLERANCE, _FAR = 200, 1e-8, 200.0


@dataclass(frozen=True)
class Split:
    """Ratings with categories as the estimation sees them, and which ratings it may use."""

    ratings: Ratings
    extreme: dict[str, np.ndarray]  # facet -> bool (elements,)
    used: np.ndarray  # bool (n,)


def set_aside(ratings: Ratings, facets: tuple[str, ...] | None = None) -> Split:
    """Find extreme elements, again and again until what is left has none.

    Parameters
    ----------
    facets : those to look at; None: all but the criteria.

    Raises
    ------
    DataError : nothing is left.
    """
    facets = ratings.facets if facets is None else facets
    extreme = {f: np.zeros(ratings.size(f), dtype=bool) for f in ratings.facets}
    used = np.ones(ratings.n, dtype=bool)
    while True:
        ratings = merge_unused(ratings, counted=used)
        most = ratings.most[ratings.codes[CRITERION]]
        low, high = ratings.x == 0, ratings.x == most
        found = False
        for facet in facets:
            own = ratings.codes[facet][used]
            size = ratings.size(facet)
            n = np.bincount(own, minlength=size)
            ends = [np.bincount(own, weights=e[used], minlength=size) for e in (low, high)]
            new = (n > 0) & ((ends[0] == n) | (ends[1] == n))
            if new.any():
                found = True
                extreme[facet] |= new
                used &= ~new[ratings.codes[facet]]
        if not used.any():
            raise DataError(
                "Each item or rater got only its lowest or only its highest ratings.",
                "Nothing can be scaled; give ratings that vary.",
            )
        if not found:
            return Split(ratings, extreme, used)


def solve_extremes(
    split: Split, measures: dict[str, np.ndarray], steps: list[np.ndarray], *, inward: float
) -> None:
    """Give extreme elements their place, in `measures`, with all others as they are.

    Items first, by the raters that have an estimate; then raters and further facets.
    """
    known = {facet: ~flags for facet, flags in split.extreme.items()}
    for facet in split.ratings.facets:
        wanted = split.extreme[facet]
        if wanted.any():
            solve_elements(split.ratings, measures, steps, facet, wanted, known, inward=inward)
            known[facet] = np.ones_like(wanted)


def solve_elements(
    ratings: Ratings,
    measures: dict[str, np.ndarray],
    steps: list[np.ndarray],
    facet: str,
    wanted: np.ndarray,
    known: dict[str, np.ndarray],
    *,
    inward: float,
) -> None:
    """Newton steps, inside bisection, for some elements of one facet, with everything else fixed.

    Ratings that meet an element without an estimate count only where there are no others. Scores
    nearer than `inward` points to an end are moved there.
    """
    from backend.rasch.fit import sum_by_criterion

    rows = wanted[ratings.codes[facet]]
    sure = np.ones(ratings.n, dtype=bool)
    for other, flags in known.items():
        if other != facet:
            sure &= flags[ratings.codes[other]]
    size = ratings.size(facet)
    some = np.bincount(ratings.codes[facet][rows & sure], minlength=size) > 0
    part = ratings.keep(rows & (sure | ~some[ratings.codes[facet]]))
    own, sign = part.codes[facet], 1.0 if facet == ITEM else -1.0
    most = np.bincount(own, weights=part.most[part.codes[CRITERION]], minlength=size)
    score = np.bincount(own, weights=part.x, minlength=size)
    room = np.minimum(inward, most / 4)
    target = np.clip(score, room, most - room)
    value = measures[facet]
    value[wanted] = 0.0
    low, high = np.full(size, -_FAR), np.full(size, _FAR)
    for _ in range(_ROUNDS):
        residual, V = sum_by_criterion(part, measures, steps)[:2]
        apart = sign * (np.bincount(own, weights=residual, minlength=size) + target - score)
        if np.abs(apart[wanted]).max(initial=0) < _TOLERANCE:
            return
        low, high = np.where(apart >= 0, value, low), np.where(apart <= 0, value, high)
        step = value + apart / np.maximum(np.bincount(own, weights=V, minlength=size), 1e-12)
        inside = (step >= low) & (step <= high)
        value[wanted] = np.where(inside, step, (low + high) / 2)[wanted]
    raise ArithmeticError(f"extreme elements of {facet} did not settle")
