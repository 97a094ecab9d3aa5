"""Marginal maximum likelihood: items are drawn from a normal distribution, all else is fixed.

It has no bias from estimating each item, and gives extreme items finite scores, at the price of
the assumption. Ratings of one cell (rater and criterion) share their probabilities at each node,
so it costs cells x nodes, not ratings x nodes.

Source: Bock and Aitkin 1981; Fischer and Ponocny 1994; Warm 1989 (the weighted scores).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from backend.errors import DataError
from backend.rasch.ascent import MOST_STEP, Climb, State, climb
from backend.rasch.connected import Subsets, find_subsets
from backend.rasch.extremes import EXTREME, Split, set_aside, solve_extremes
from backend.rasch.fit import Fit
from backend.rasch.jmle import (
    Anchors,
    anchor_values,
    extreme_notes,
    fit_jmle,
    make_layout,
    with_errors,
)
from backend.rasch.layout import Layout, Preconditioner
from backend.rasch.partial_credit import cumulative, probabilities
from backend.rasch.ratings import CRITERION, ITEM, Ratings
from backend.rasch.scores import warm_measures

MOST_VALUES = 40_000_000  # of the largest table, 8 bytes each
_REACH = 6.0  # standard deviations that the nodes cover to each side
_FEWEST_NODES, _MOST_NODES = 21, 301


@dataclass(frozen=True)
class Cells:
    """The ratings of one criterion as counts: which item gave which category in which cell."""

    counts: object  # scipy csr (items, categories x cells)
    severity_of: tuple[np.ndarray, ...]  # for each facet besides item, its code in each cell
    categories: int

    @property
    def n(self) -> int:
        return self.counts.shape[1] // self.categories  # type: ignore[attr-defined]


def fit_mml(
    ratings: Ratings,
    *,
    scale: str = "partial_credit",
    score: str = "eap",
    anchors: Anchors | None = None,
    nodes: int = 0,
    extreme: float = EXTREME,
    tolerance: float = 1e-4,
    max_iterations: int = 500,
    progress: Callable[[int, int], None] | None = None,
) -> Fit:
    """Estimate raters, criteria and the items' distribution, then score the items.

    Parameters
    ----------
    score : "eap", means of the items' posteriors, or "wle", weighted likelihood.
    nodes : quadrature nodes over 6 standard deviations to each side; 0: as many as the items'
        errors need.

    Raises
    ------
    DataError : as for `fit_jmle`, or more cells than fit in memory.
    """
    if anchors and ITEM in anchors:
        raise DataError("MML draws the items from a distribution.", "Anchor items with jmle.")
    subsets = find_subsets(ratings)
    split = set_aside(ratings, tuple(f for f in ratings.facets if f != ITEM))
    first = _start(ratings, split, scale, anchors)
    part = split.ratings.keep(split.used)
    nodes = nodes or _nodes_needed(first)
    cells = [_cells(part, i, nodes) for i in range(len(part.most))]
    fixed = anchor_values(ratings, anchors or {})
    layout = _without_items(make_layout(split.ratings, subsets, fixed, shared=ratings.shared))
    grid = _Grid(part, layout, cells, nodes)
    end = climb(
        grid.evaluate,
        grid.start(first, fixed),
        tolerance=tolerance,
        max_iterations=max_iterations,
        limit=grid.limit,
        progress=progress,
    )
    return _finish(grid, end, split, subsets, scale, score, extreme)


def _start(ratings: Ratings, split: Split, scale: str, anchors: Anchors | None) -> Fit | None:
    """A joint fit to start from; None where there is none, or with other categories."""
    try:
        first = fit_jmle(ratings, scale=scale, anchors=anchors, tolerance=0.05, max_iterations=30)
    except DataError:
        return None  # too sparse for it, or all items extreme: the distribution of items helps
    same = [len(s) for s in first.steps] == split.ratings.most.tolist()
    return first if same and first.converged else None


def _nodes_needed(first: Fit | None) -> int:
    """Nodes that are at most one of the smallest errors apart."""
    if first is None:
        return 121
    plain = ~first.extreme[ITEM]
    apart = float(np.quantile(first.errors[ITEM][plain], 0.02))
    spread = max(float(first.measures[ITEM][plain].std()), 0.1)
    return int(np.clip(2 * _REACH * spread / apart, _FEWEST_NODES, _MOST_NODES)) | 1


def _cells(part: Ratings, criterion: int, nodes: int) -> Cells:
    from scipy.sparse import coo_array

    rows = part.rows_of(criterion)
    facets = [f for f in part.facets if f != ITEM]
    code = np.zeros(rows.stop - rows.start, dtype=np.int64)
    for facet in facets:
        code = code * part.size(facet) + part.codes[facet][rows]
    found, cell = np.unique(code, return_inverse=True)
    categories = int(part.most[criterion]) + 1
    items = part.size(ITEM)
    if (values := (len(found) * categories + items) * nodes) > MOST_VALUES:
        raise DataError(
            f"MML would need tables of {values:,} values: {len(found)} cells, {items} items, "
            f"{nodes} nodes.",
            "Use method=jmle.",
        )
    at = part.x[rows] * len(found) + cell
    counts = coo_array(
        (np.ones(len(at)), (part.codes[ITEM][rows], at)), shape=(items, categories * len(found))
    ).tocsr()
    own, left = [], found
    for facet in reversed(facets):
        own.insert(0, left % part.size(facet))
        left = left // part.size(facet)
    return Cells(counts, tuple(own), categories)


def _without_items(layout: Layout) -> Layout:
    """The layout without items, all raters centred together: the population links subsets."""
    sizes = {facet: n for facet, n in layout.sizes.items() if facet != ITEM}
    gauge = {facet: np.zeros_like(subset) for facet, subset in layout.gauge.items()}
    return replace(layout, sizes=sizes, gauge=gauge, at={})


class _Grid:
    """The marginal likelihood on nodes; the vector ends with the items' mean and log sd."""

    def __init__(self, part: Ratings, layout: Layout, cells: list[Cells], nodes: int):
        self.part, self.layout, self.cells = part, layout, cells
        self.unit = np.linspace(-_REACH, _REACH, nodes)
        weight = np.exp(-(self.unit**2) / 2)
        self.log_weight = np.log(weight / weight.sum())
        self.facets = tuple(layout.sizes)

    def start(self, first: Fit | None, fixed: dict[str, np.ndarray]) -> np.ndarray:
        point = np.zeros(self.layout.length + 2)
        inner = point[: self.layout.length]
        if first is not None:
            for facet in self.facets:
                inner[self.layout.at[facet]] = first.measures[facet]
            steps = first.steps
            inner[self.layout.at[CRITERION]] = (
                np.concatenate([first.measures[CRITERION], first.thresholds[0]])
                if self.layout.shared
                else np.concatenate(steps)
            )
            theta = first.measures[ITEM][~first.extreme[ITEM]]
            point[-2:] = theta.mean(), np.log(max(theta.std(), 0.1))
        for facet, values in fixed.items():
            if facet in self.layout.sizes:
                known = np.isfinite(values)
                inner[self.layout.at[facet]][known] = values[known]
        if first is None and CRITERION in fixed:
            raise DataError(
                "Criteria cannot be anchored here: a category is used by extreme items only.",
                "Use method=jmle.",
            )
        return point

    def limit(self, direction: np.ndarray) -> np.ndarray:
        """As `Layout.limit`, and the items' log sd by at most 0.5."""
        ends = np.clip(direction[-2:], (-MOST_STEP, -0.5), (MOST_STEP, 0.5))
        return np.concatenate([self.layout.limit(direction[:-2]), ends])

    def posterior(self, point: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Nodes (Q,), items' posterior (items, Q), and the marginal log-likelihood."""
        nodes = point[-2] + np.exp(point[-1]) * self.unit
        log = np.tile(self.log_weight, (self.part.size(ITEM), 1))
        for own, P in zip(self.cells, self._tables(point, nodes), strict=True):
            log += own.counts @ np.log(np.maximum(P, 1e-300)).reshape(-1, len(nodes))
        top = log.max(axis=1, keepdims=True)
        W = np.exp(log - top)
        total = W.sum(axis=1, keepdims=True)
        return nodes, W / total, float((np.log(total) + top).sum())

    def _tables(self, point: np.ndarray, nodes: np.ndarray) -> Iterator[np.ndarray]:
        """For each criterion its probabilities (categories, cells, Q)."""
        inner = point[: self.layout.length]
        measures = self.layout.measures(inner)
        for own, steps in zip(self.cells, self.layout.steps(inner), strict=True):
            severity = np.zeros(own.n)
            for facet, codes in zip(self.facets, own.severity_of, strict=True):
                severity += measures[facet][codes]
            eta = (nodes - severity[:, None]).ravel()
            yield probabilities(eta, steps).reshape(own.categories, own.n, len(nodes))

    def evaluate(self, point: np.ndarray) -> State:
        """Log-likelihood, gradient (Fisher's identity), and complete-data Newton steps."""
        nodes, W, value = self.posterior(point)
        layout, gradients, informations = self.layout, [], []
        slope = {facet: np.zeros(n) for facet, n in layout.sizes.items()}
        weight = {facet: np.zeros(n) for facet, n in layout.sizes.items()}
        for own, P in zip(self.cells, self._tables(point, nodes), strict=True):
            R = (own.counts.T @ W).reshape(P.shape)
            N = R.sum(axis=0)
            Q, k = cumulative(P), np.arange(len(P) - 1)
            E = Q.sum(axis=0)
            V = np.tensordot(2.0 * k + 1, Q, axes=1) - E * E
            scored = np.tensordot(np.arange(len(P), dtype=float), R, axes=1)
            residual, information = (scored - N * E).sum(axis=1), (N * V).sum(axis=1)
            for facet, codes in zip(self.facets, own.severity_of, strict=True):
                size = layout.sizes[facet]
                slope[facet] -= np.bincount(codes, weights=residual, minlength=size)
                weight[facet] += np.bincount(codes, weights=information, minlength=size)
            total = (N * Q).sum(axis=(1, 2))
            gradients.append(total - cumulative(R).sum(axis=(1, 2)))
            flat = Q.reshape(len(k), -1)
            informations.append(total[np.maximum(k[:, None], k)] - (flat * N.ravel()) @ flat.T)
        out = np.empty(layout.length + 2)
        for facet in layout.sizes:
            out[layout.at[facet]] = slope[facet]
        out[layout.at[CRITERION]] = layout.from_steps(gradients)
        sd, count = float(np.exp(point[-1])), len(W)
        mean, square = W @ self.unit, W @ self.unit**2
        out[-2:] = mean.sum() / sd, (square - 1).sum()
        inner = Preconditioner(layout, weight, informations)
        ends = np.array([sd**2 / count, 0.5 / count])
        return State(point, value, out, lambda g: np.concatenate([inner(g[:-2]), ends * g[-2:]]))


def _finish(
    grid: _Grid, end: Climb, split: Split, subsets: Subsets, scale: str, score: str, extreme: float
) -> Fit:
    """From the end of the climb to a fit: centre, score the items, place extreme raters."""
    point, layout = end.state.point, grid.layout
    nodes, W, value = grid.posterior(point)
    inner = point[: layout.length]
    measures = {ITEM: W @ nodes}
    error = np.sqrt(np.maximum(W @ nodes**2 - measures[ITEM] ** 2, 0))
    measures |= {facet: values.copy() for facet, values in layout.measures(inner).items()}
    steps = [s.copy() for s in layout.steps(inner)]
    shift = 0.0
    for facet in layout.gauge:
        own = float(measures[facet][~split.extreme[facet]].mean())
        measures[facet] -= own
        shift += own
    if layout.centred:
        own = float(np.mean([s.mean() for s in steps]))
        steps = [s - own for s in steps]
        shift += own
    measures[ITEM] -= shift
    solve_extremes(split, measures, steps, inward=extreme)
    if score == "wle":
        measures[ITEM], error = warm_measures(split.ratings, measures, steps)
    ratings = split.ratings
    notes = [*ratings.notes, *subsets.notes, *extreme_notes(split)]
    if subsets.number > 1:
        notes.append("Subsets are linked by one distribution of items only.")
    if not end.converged:
        notes.append(f"Not converged after {end.iterations} iterations.")
    most = ratings.most[ratings.codes[CRITERION]]
    n = np.bincount(ratings.codes[ITEM], minlength=ratings.size(ITEM))
    ends = [np.bincount(ratings.codes[ITEM], weights=ratings.x == e, minlength=len(n)) == n
            for e in (0, most)]  # fmt: skip
    fit = with_errors(
        Fit(
            ratings, measures, {}, steps, [], {**split.extreme, ITEM: ends[0] | ends[1]},
            split.used, subsets, "mml", scale, end.iterations, end.converged, end.largest_step,
            value, tuple(dict.fromkeys(notes)),
            spread=(float(point[-2] - shift), float(np.exp(point[-1]))),
        )
    )  # fmt: skip
    return replace(fit, errors={**fit.errors, ITEM: error})
