"""Features of two models paired one to one by how their codes go together on the same rows."""

from dataclasses import dataclass

import numpy as np

from backend.complexity.dictionary import match
from backend.errors import AnalysisError

SHUFFLES = 20
DRAWS = 200
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Matched:
    """m pairs of features, m the smaller number of the two; pairs in order of the first's.

    Pairs were chosen on other rows than `r` is measured on, so chance alone gives r about 0.
    `strength` is r, or |r| where the sign of a code means nothing.
    """

    a: np.ndarray  # int64 (m,)
    b: np.ndarray  # int64 (m,)
    r: np.ndarray  # (m,) correlation of the codes on held-out rows
    low: np.ndarray  # (m,) 95 % over resampled held-out rows, NaN without draws
    high: np.ndarray  # (m,)
    mean: tuple[float, float, float]  # mean strength, with its 95 % interval
    chance: np.ndarray  # (shuffles, m) strengths of the same procedure on shuffled rows
    either_sign: bool

    @property
    def strength(self) -> np.ndarray:
        """(m,) what pairs are ranked by."""
        return np.abs(self.r) if self.either_sign else self.r

    @property
    def threshold(self) -> float:
        """The strength that 95 % of the pairs of shuffled rows stay below; NaN without shuffles."""
        return float(np.quantile(self.chance, 0.95)) if self.chance.size else float("nan")


def match_codes(
    A: np.ndarray,
    B: np.ndarray,
    chosen: np.ndarray,
    held: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    either_sign: bool = False,
    draws: int = DRAWS,
    shuffles: int = SHUFFLES,
    seed: int = 0,
) -> Matched:
    """Pair codes A (N, k) and B (N, l) of the same rows with the largest sum of correlations.

    Parameters
    ----------
    chosen, held : rows that the pairs are chosen on, and rows that they are measured on.
    groups : (N,) rows that go together (crops of one picture): resampled and shuffled as one.
    either_sign : take |r|, for codes whose sign is arbitrary (principal directions).
    shuffles : repeats with the rows of B in another order, none of them at its own place.

    Raises
    ------
    AnalysisError : a code is constant on the chosen or on the held-out rows.

    Source: Kuhn 1955 (assignment); Li, Yosinski, Clune, Lipson, Hopcroft 2016 (units of two nets
    matched by correlation). Choosing and measuring on different rows is ours.
    """
    groups = np.arange(len(A)) if groups is None else groups
    first, second = (_standard(Z, chosen, held) for Z in (A, B))
    a, b = _assign(first[0].T @ second[0], either_sign)
    left, right = first[1][:, a], second[1][:, b]
    r = np.clip((left * right).sum(axis=0), -1, 1)
    drawn = _resampled(left, right, groups[held], draws, seed)
    size = np.abs(r) if either_sign else r
    rng = np.random.default_rng(seed)
    chance = np.reshape([
        _by_chance(first, second, groups[chosen], groups[held], either_sign, rng)
        for _ in range(shuffles)
    ], (shuffles, len(r)))  # fmt: skip
    means = _means(np.abs(drawn) if either_sign else drawn)
    mean = (float(size.mean()), *(float(end[0]) for end in _ends(means)))
    return Matched(a, b, r, *_ends(drawn), mean, chance, either_sign)


def match_directions(
    A: np.ndarray, B: np.ndarray, *, shuffles: int = SHUFFLES, seed: int = 0
) -> tuple[np.ndarray, float, float]:
    """Partners of directions A (k, d) among B (l, d) by cosine, one to one; in the same space.

    Returns the partner of each of A (k,), -1 for none; the mean cosine of the pairs; and the mean
    when the coordinates of B are shuffled, which non-negative directions put well above 0.
    """
    rows, columns, cosines = match(A, B)
    partner = np.full(len(A), -1)
    partner[rows] = columns
    rng = np.random.default_rng(seed)
    d = A.shape[1]
    chance = [match(A, B[:, rng.permutation(d)])[2].mean() for _ in range(shuffles)]
    return partner, float(cosines.mean()), float(np.mean(chance))


def _standard(Z: np.ndarray, *parts: np.ndarray) -> list[np.ndarray]:
    """Columns of Z (N, k) centred and of length 1, on each part of the rows by itself."""
    out = []
    for rows in parts:
        part = Z[rows].astype(np.float64)
        raw = np.square(part).sum(axis=0)
        part -= part.mean(axis=0)
        length = np.linalg.norm(part, axis=0)
        if still := int((length**2 <= _ROUNDING * raw).sum()):
            raise AnalysisError(f"{still} features are constant on {len(rows)} of the rows.",
                                "Leave them out, or give more rows.")  # fmt: skip
        out.append(part / length)
    return out


def _assign(R: np.ndarray, either_sign: bool) -> tuple[np.ndarray, np.ndarray]:
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(np.abs(R) if either_sign else R, maximize=True)


def _by_chance(
    first: list[np.ndarray], second: list[np.ndarray], chosen: np.ndarray, held: np.ndarray,
    either_sign: bool, rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Strengths (m,) of the pairs that are chosen and measured with the second's rows moved."""
    a, b = _assign(first[0].T @ second[0][moved(chosen, rng)], either_sign)
    r = (first[1][:, a] * second[1][moved(held, rng)][:, b]).sum(axis=0)
    return np.abs(r) if either_sign else r


def moved(groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another row for each row (n,): groups in random order, each taking the place of another.

    Groups of one size move as wholes and none keeps its place; of several sizes they do so
    nearly. A single group stays.
    """
    _, member = np.unique(groups, return_inverse=True)
    count = int(member.max()) + 1
    place = rng.permutation(count)[member]
    step = int(rng.integers(1, count)) if count > 1 else 0
    out = np.empty(len(groups), np.int64)
    out[np.argsort(place, kind="stable")] = np.argsort((place - step) % count, kind="stable")
    return out


def _resampled(
    A: np.ndarray, B: np.ndarray, groups: np.ndarray, draws: int, seed: int
) -> np.ndarray:
    """Correlations (draws, m) of columns A and B (n, m) on resampled groups of rows.

    NaN where a draw has no row that tells.
    """
    _, member = np.unique(groups, return_inverse=True)
    count = int(member.max()) + 1
    rng = np.random.default_rng(seed)
    W = rng.multinomial(count, np.full(count, 1 / count), size=draws)[:, member].astype(float)
    W /= W.sum(axis=1, keepdims=True)
    a, b = W @ A, W @ B
    both, own_a, own_b = W @ (A * B) - a * b, W @ A**2 - a**2, W @ B**2 - b**2
    least = _ROUNDING / len(A)
    there = (own_a > least) & (own_b > least)
    scale = np.sqrt(np.where(there, own_a * own_b, 1.0))
    return np.where(there, np.clip(both / scale, -1, 1), np.nan)


def _means(drawn: np.ndarray) -> np.ndarray:
    """Mean of each draw (draws, 1) over what is known of it; NaN where nothing is."""
    known = np.isfinite(drawn)
    count = known.sum(axis=1, keepdims=True)
    total = np.where(known, drawn, 0.0).sum(axis=1, keepdims=True)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _ends(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """2.5 and 97.5 % points (m,) of draws (draws, m), NaNs left out; NaN where there is nothing."""
    out = np.full((2, drawn.shape[1]), np.nan)
    some = np.isfinite(drawn).any(axis=0)
    if some.any():
        out[:, some] = np.nanquantile(drawn[:, some], (0.025, 0.975), axis=0)
    return out[0], out[1]
