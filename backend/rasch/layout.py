"""Where each parameter lies in one long vector, which of them move, and their Newton steps."""

from dataclasses import dataclass, field

import numpy as np

from backend.rasch.ascent import MOST_STEP
from backend.rasch.ratings import CRITERION, ITEM, Ratings

_TINY = 1e-10


@dataclass(frozen=True)
class Layout:
    """Parameters in one vector: each facet's measures, then the criteria's steps.

    Partial credit has steps of its own for each criterion. The rating scale has a difficulty for
    each criterion, then thresholds that all share and that sum to 0.
    """

    sizes: dict[str, int]  # facets besides criterion
    most: np.ndarray  # (criteria,)
    shared: bool  # rating scale
    fixed: dict[str, np.ndarray]  # facet (criterion too) -> bool, anchored elements
    gauge: dict[str, np.ndarray]  # centred facet -> subset of each element
    centred: bool  # whether the criteria's difficulties are centred
    at: dict[str, slice] = field(default_factory=dict)

    def __post_init__(self) -> None:
        start = 0
        for facet, size in self.sizes.items():
            self.at[facet] = slice(start, start + size)
            start += size
        length = len(self.most) + int(self.most[0]) if self.shared else int(self.most.sum())
        self.at[CRITERION] = slice(start, start + length)

    @property
    def length(self) -> int:
        return self.at[CRITERION].stop

    def measures(self, point: np.ndarray) -> dict[str, np.ndarray]:
        """Each facet's part of the vector, as views."""
        return {facet: point[self.at[facet]] for facet in self.sizes}

    def steps(self, point: np.ndarray) -> list[np.ndarray]:
        """Step difficulties of each criterion."""
        own = point[self.at[CRITERION]]
        if self.shared:
            n = len(self.most)
            return [d + own[n:] for d in own[:n]]
        return np.split(own, np.cumsum(self.most)[:-1])

    def from_steps(self, values: list[np.ndarray]) -> np.ndarray:
        """The steps' part of the gradient, from what belongs to each criterion's steps."""
        if self.shared:
            return np.concatenate([[v.sum() for v in values], np.sum(values, axis=0)])
        return np.concatenate(values)

    def limit(self, direction: np.ndarray) -> np.ndarray:
        """The step with no part above 2 logits; the steps' part is scaled, so that sums hold."""
        out = np.clip(direction, -MOST_STEP, MOST_STEP)
        own = direction[self.at[CRITERION]]
        out[self.at[CRITERION]] = own * min(1.0, MOST_STEP / max(np.abs(own).max(), _TINY))
        return out


def start_point(layout: Layout, ratings: Ratings, anchors: dict[str, np.ndarray]) -> np.ndarray:
    """A first guess: logits of mean ratings for items, of neighbouring categories for steps.

    `anchors` has NaN for elements that are free.
    """
    point = np.zeros(layout.length)
    share = ratings.x / ratings.most[ratings.codes[CRITERION]]
    own = ratings.codes[ITEM]
    n = np.bincount(own, minlength=layout.sizes[ITEM])
    mean = (np.bincount(own, weights=share, minlength=len(n)) + 0.5) / (n + 1)
    point[layout.at[ITEM]] = np.where(n > 0, np.log(mean / (1 - mean)), 0.0)
    counts = [np.bincount(ratings.x[ratings.rows_of(i)], minlength=m + 1)
              for i, m in enumerate(layout.most)]  # fmt: skip
    if layout.shared:
        steps = _count_steps(np.sum(counts, axis=0))
        point[layout.at[CRITERION]] = np.concatenate([np.zeros(len(counts)), steps - steps.mean()])
    else:
        steps = [_count_steps(c) for c in counts]
        level = 0.0 if CRITERION in anchors else float(np.mean([s.mean() for s in steps]))
        point[layout.at[CRITERION]] = np.concatenate(steps) - level
    for facet, values in anchors.items():
        _anchor(layout, point, facet, values)
    return point


def _count_steps(counts: np.ndarray) -> np.ndarray:
    smooth = counts + 0.5
    return np.clip(np.log(smooth[:-1] / smooth[1:]), -3, 3)


def _anchor(layout: Layout, point: np.ndarray, facet: str, values: np.ndarray) -> None:
    known = np.isfinite(values)
    if facet != CRITERION:
        point[layout.at[facet]][known] = values[known]
    elif layout.shared:
        point[layout.at[CRITERION]][: len(values)][known] = values[known]
    else:
        for steps, value in zip(layout.steps(point), values, strict=True):
            if np.isfinite(value):
                steps += value - steps.mean()


class Preconditioner:
    """Newton steps of each facet and of the steps by themselves: a block-diagonal inverse.

    Centred facets keep their weighted mean in each subset, and anchored elements stay.
    Source: the usual JMLE sweep (Linacre 1989), with the full matrix for a criterion's steps: a
    diagonal one does not converge.
    """

    def __init__(self, layout: Layout, information: dict[str, np.ndarray], steps: list[np.ndarray]):
        self._layout, self._information = layout, information
        self._inverse = (
            _shared_inverse(layout, steps) if layout.shared else _inverses(layout, steps)
        )
        self._total = float(sum(H.sum() for H in steps))

    def __call__(self, gradient: np.ndarray) -> np.ndarray:
        """The step (length,) for a gradient (length,)."""
        layout, out = self._layout, np.zeros(self._layout.length)
        for facet in layout.sizes:
            g, weight = gradient[layout.at[facet]], self._information[facet]
            step = g / np.maximum(weight, _TINY)
            step[(weight <= _TINY) | layout.fixed[facet]] = 0.0
            if facet in layout.gauge:
                subset = layout.gauge[facet]
                total = np.bincount(subset, weights=weight)
                mean = np.bincount(subset, weights=g) / np.maximum(total, _TINY)
                step = np.where(weight > _TINY, step - mean[subset], 0.0)
            out[layout.at[facet]] = step
        out[layout.at[CRITERION]] = self._steps(gradient[layout.at[CRITERION]])
        return out

    def _steps(self, g: np.ndarray) -> np.ndarray:
        layout, n = self._layout, len(self._layout.most)
        if layout.shared:
            out = self._inverse[0] @ g
            moved, part = out[:n], g[:n]
        else:
            parts = np.split(g, np.cumsum(layout.most)[:-1])
            out = np.concatenate([M @ own for M, own in zip(self._inverse, parts, strict=True)])
            moved, part = out, g
        if layout.centred:
            moved -= part.sum() / max(self._total, _TINY)
        return out


def _inverses(layout: Layout, steps: list[np.ndarray]) -> list[np.ndarray]:
    fixed = layout.fixed[CRITERION]
    out = []
    for H, stays in zip(steps, fixed, strict=True):
        m = len(H)
        basis = _contrasts(m) if stays else np.eye(m)
        out.append(basis @ _invert(basis.T @ H @ basis) @ basis.T)
    return out


def _shared_inverse(layout: Layout, steps: list[np.ndarray]) -> list[np.ndarray]:
    n, m = len(steps), len(steps[0])
    basis = np.zeros((n + m, n + m - 1))
    basis[:n, :n] = np.eye(n)
    basis[n:, n:] = _contrasts(m)
    basis = basis[:, np.r_[~layout.fixed[CRITERION], np.ones(m - 1, dtype=bool)]]
    M = np.zeros((n + m, n + m))
    M[np.arange(n), np.arange(n)] = [H.sum() for H in steps]
    M[:n, n:] = [H.sum(axis=0) for H in steps]
    M[n:, :n] = M[:n, n:].T
    M[n:, n:] = np.sum(steps, axis=0)
    return [basis @ _invert(basis.T @ M @ basis) @ basis.T]


def _contrasts(m: int) -> np.ndarray:
    """An orthonormal basis (m, m - 1) of what sums to 0. Source: Helmert."""
    out = np.zeros((m, m - 1))
    for k in range(1, m):
        out[:k, k - 1], out[k, k - 1] = 1.0, -k
    return out / np.linalg.norm(out, axis=0) if m > 1 else out


def _invert(H: np.ndarray) -> np.ndarray:
    if not len(H):
        return H
    room = _TINY * max(float(np.trace(H)) / len(H), _TINY)
    return np.linalg.inv(H + room * np.eye(len(H)))
