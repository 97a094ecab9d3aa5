"""Does a rater judge one criterion, or one group another, harder than the rest says?

Bias terms of pairs of facets, estimated after the main effects with those held fixed.
Source: Linacre 1989 (bias analysis of Facets); Sachdeva et al. 2022 use it on annotators' groups.
"""

import math
from dataclasses import dataclass

import numpy as np

from backend.errors import DataError
from backend.rasch.fit import Fit
from backend.rasch.partial_credit import moments
from backend.rasch.ratings import CRITERION, Ratings

INWARD = 0.5  # points: what Facets uses for extreme cells of a bias analysis
MARKED = 2.0  # |t| from which a cell is marked
MOST_CELLS = 2_000_000
_ROUNDS, _TOLERANCE = 60, 1e-6


@dataclass(frozen=True)
class Interactions:
    """Cells of a pair of facets, arrays (cells,). Bias > 0: harsher there than elsewhere."""

    first: str
    second: str
    a: np.ndarray  # codes
    b: np.ndarray
    bias: np.ndarray  # logits, taken off eta
    error: np.ndarray
    t: np.ndarray
    n: np.ndarray
    observed: np.ndarray  # mean category
    expected: np.ndarray

    @property
    def marked(self) -> np.ndarray:
        """Cells with |t| >= 2."""
        return np.abs(self.t) >= MARKED

    def all_zero(self) -> tuple[float, int, float]:
        """Chi-square that no cell has a bias: sum t^2, number of cells, p.

        It takes the main effects as known, so it is somewhat too easily significant.
        """
        from scipy.special import chdtrc

        value, df = float((self.t**2).sum()), len(self.t)
        return value, df, float(chdtrc(df, value))


def parse_pair(text: str) -> tuple[str, str]:
    """The two names of "rater x criterion"; DataError when it is not such a pair."""
    parts = [part.strip() for part in text.replace("×", " x ").split(" x ")]
    if len(parts) != 2 or not all(parts) or parts[0] == parts[1]:
        raise DataError(
            f"interaction={text!r} does not name two facets.", "Write, for example, rater x group."
        )
    return parts[0], parts[1]


def find_interactions(fit: Fit, first: str, second: str) -> Interactions:
    """Bias of each pair of elements that meet, by Newton with everything else fixed.

    Parameters
    ----------
    first, second : facets of the model, or further columns of the ratings.

    Raises
    ------
    DataError : an unknown facet, or too many cells.
    """
    ratings = fit.ratings
    for name in (first, second):
        if name not in ratings.codes and name not in ratings.columns:
            known = ", ".join((*ratings.codes, *ratings.columns))
            raise DataError(f"There is no facet {name!r}.", f"There are: {known}.")
    part = ratings.keep(fit.used)
    eta, steps = fit.eta()[fit.used], fit.steps
    width = ratings.size(second)
    pairs, cell = np.unique(
        part.codes_of(first) * width + part.codes_of(second), return_inverse=True
    )
    if len(pairs) > MOST_CELLS:
        raise DataError(
            f"{first} x {second} has {len(pairs)} cells.", f"At most {MOST_CELLS} are estimated."
        )
    n = np.bincount(cell)
    most = np.bincount(cell, weights=part.most[part.codes[CRITERION]])
    score = np.bincount(cell, weights=part.x)
    room = np.minimum(INWARD, most / 4)
    target = np.clip(score, room, most - room)
    bias, expected, V = np.zeros(len(pairs)), np.empty(0), np.empty(0)
    largest, before = math.inf, None
    for _ in range(_ROUNDS):
        E, V = _sums(part, eta - bias[cell], steps, cell, len(pairs))
        before = E if before is None else before
        step = np.clip((E - target) / np.maximum(V, 1e-9), -1, 1)
        largest = float(np.abs(step).max())
        if largest < _TOLERANCE:
            break
        bias += step
    if largest >= _TOLERANCE:
        raise ArithmeticError(f"the bias of {first} x {second} did not settle")
    expected = before / n
    error = 1 / np.sqrt(V)
    return Interactions(
        first, second, pairs // width, pairs % width, bias, error, bias / error, n,
        score / n, expected,
    )  # fmt: skip


def _sums(
    part: Ratings, eta: np.ndarray, steps: list[np.ndarray], cell: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Expected points and information of each cell."""
    E, V = np.zeros(size), np.zeros(size)
    for i, own in enumerate(steps):
        rows = part.rows_of(i)
        mean, variance, _ = moments(eta[rows], own)
        E += np.bincount(cell[rows], weights=mean, minlength=size)
        V += np.bincount(cell[rows], weights=variance, minlength=size)
    return E, V
