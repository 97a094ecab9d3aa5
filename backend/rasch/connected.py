"""Which elements can be compared: ratings that no chain of shared items links are apart."""

from dataclasses import dataclass

import numpy as np

from backend.rasch.ratings import CRITERION, ITEM, RATER, Ratings, is_nested

APART = -1  # an element that occurs in several subsets


@dataclass(frozen=True)
class Subsets:
    """Subset of each element, by facet: 0, 1, ... (the largest first), or -1 for several."""

    number: int
    of: dict[str, np.ndarray]
    sizes: np.ndarray  # (number,) ratings in each
    notes: tuple[str, ...]


def find_subsets(ratings: Ratings) -> Subsets:
    """The connected parts of the graph of items and raters.

    Severities, and items' measures, can be compared only inside one part; between parts they rest
    on a convention: equal mean severities (JMLE), or one population of items (MML).
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    items, raters = ratings.codes[ITEM], ratings.codes[RATER]
    n_items, n = ratings.size(ITEM), ratings.size(ITEM) + ratings.size(RATER)
    edges = coo_array((np.ones(len(items), dtype=np.int8), (items, raters + n_items)), shape=(n, n))
    number, found = connected_components(edges, directed=False)
    sizes = np.bincount(found[items], minlength=number)
    order = np.argsort(-sizes, kind="stable")
    rank = np.empty(number, dtype=np.intp)
    rank[order] = np.arange(number)
    found = rank[found]
    of = {ITEM: found[:n_items], RATER: found[n_items:]}
    row = of[ITEM][items]
    for facet in (*ratings.facets[2:], CRITERION):
        of[facet] = _shared_subset(ratings.codes[facet], ratings.size(facet), row)
    return Subsets(number, of, sizes[order], _notes(ratings, number, sizes[order]))


def _shared_subset(codes: np.ndarray, size: int, row: np.ndarray) -> np.ndarray:
    low, high = np.full(size, np.iinfo(np.int64).max), np.full(size, -1)
    np.minimum.at(low, codes, row)
    np.maximum.at(high, codes, row)
    return np.where(low == high, low, APART)


def _notes(ratings: Ratings, number: int, sizes: np.ndarray) -> tuple[str, ...]:
    said = []
    if number > 1:
        said.append(
            f"The ratings fall into {number} subsets that share neither items nor raters (the "
            f"largest has {sizes[0]} of {ratings.n} ratings): measures can be compared only inside "
            "a subset."
        )
    if ratings.size(CRITERION) > 1:
        for facet in (RATER, ITEM):
            if is_nested(ratings.codes[facet], ratings.codes[CRITERION]):
                said.append(
                    f"Each {facet} was rated on one criterion only, so {facet}s of different "
                    "criteria cannot be compared."
                    if facet == ITEM
                    else "Each rater judged one criterion only, so severities of different "
                    "criteria cannot be told from the criteria's difficulties."
                )
    return tuple(said)
