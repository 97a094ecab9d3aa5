"""Simulated ratings of known truth: for checks, and for the size of the public corpus."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from backend.rasch.hate_speech import CRITERIA
from backend.rasch.partial_credit import probabilities


@dataclass(frozen=True)
class Simulated:
    """Ratings in codes, and the truth behind them."""

    item: np.ndarray  # (n,)
    rater: np.ndarray  # (n,)
    criterion: np.ndarray  # (n,)
    x: np.ndarray  # (n,) categories
    theta: np.ndarray
    severity: np.ndarray  # mean 0
    difficulty: np.ndarray  # mean 0
    thresholds: list[np.ndarray]  # each of mean 0

    def table(self) -> pa.Table:
        """Columns item, rater, criterion, rating; names are i0, r0, c0, ..."""
        return pa.table(
            {
                "item": _names("i", self.item, len(self.theta)),
                "rater": _names("r", self.rater, len(self.severity)),
                "criterion": _names("c", self.criterion, len(self.difficulty)),
                "rating": pa.array(self.x.astype(np.int8)),
            }
        )


def simulate(
    items: int,
    raters: int,
    per_item: int,
    *,
    seed: int,
    difficulty: np.ndarray | None = None,
    most: np.ndarray | None = None,
    spread: float = 1.5,
    harshness: float = 0.7,
    pairs: tuple[np.ndarray, np.ndarray] | None = None,
    severity: np.ndarray | None = None,
) -> Simulated:
    """Items rated by random raters on every criterion.

    Parameters
    ----------
    per_item : raters of each item, drawn without repeats.
    difficulty, most : (criteria,) logits and highest categories; None: those of Kennedy et al.
        2020. Thresholds are equally spaced from -1 to 1.
    spread, harshness : standard deviations of items and of raters.
    pairs : (item, rater) codes of each rated pair, in place of random ones.
    severity : (raters,) in place of random ones.
    """
    rng = np.random.default_rng(seed)
    if difficulty is None:
        difficulty = np.array([c.difficulty for c in CRITERIA])
        most = np.array([c.categories - 1 for c in CRITERIA])
    if most is None:
        most = np.ones(len(difficulty), dtype=int)
    theta = rng.normal(0, spread, items)
    if severity is None:
        severity = rng.normal(0, harshness, raters)
        severity -= severity.mean()
    if pairs is None:
        item = np.repeat(np.arange(items), per_item)
        # one random order of the raters for each item, its first ones taken
        rater = np.concatenate([_draw(rng, raters, per_item) for _ in range(items)])
    else:
        item, rater = pairs
    thresholds = [np.linspace(-1, 1, m) if m > 1 else np.zeros(1) for m in most]
    eta = theta[item] - severity[rater]
    x = [_sample(rng, eta - d, tau) for d, tau in zip(difficulty, thresholds, strict=True)]
    n, criteria = len(item), len(difficulty)
    return Simulated(
        np.tile(item, criteria), np.tile(rater, criteria), np.repeat(np.arange(criteria), n),
        np.concatenate(x), theta, severity, difficulty, thresholds,
    )  # fmt: skip


def simulate_corpus(*, seed: int, criteria: int = 10, categories: int = 5) -> Simulated:
    """Ratings of the public corpus's shape: 39,565 items, 7,912 raters, 135,556 rated pairs."""
    items, raters, n = 39_565, 7_912, 135_556
    rng = np.random.default_rng(seed)
    item = np.concatenate([np.arange(items), rng.integers(0, items, n - items)])
    rater = np.concatenate([np.arange(raters), rng.integers(0, raters, n - raters)])
    difficulty = np.linspace(-2.5, 2.5, criteria)
    most = np.full(criteria, categories - 1)
    return simulate(
        items, raters, 0, seed=seed + 1, difficulty=difficulty, most=most,
        pairs=(item, rng.permutation(rater)),
    )  # fmt: skip


def _draw(rng: np.random.Generator, raters: int, some: int) -> np.ndarray:
    return rng.choice(raters, some, replace=False)


def _sample(rng: np.random.Generator, eta: np.ndarray, steps: np.ndarray) -> np.ndarray:
    reached = probabilities(eta, steps).cumsum(axis=0)[:-1]
    return (rng.random(len(eta)) > reached).sum(axis=0)


def _names(letter: str, codes: np.ndarray, size: int) -> pa.Array:
    names = pa.array([f"{letter}{i}" for i in range(size)])
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), names)
