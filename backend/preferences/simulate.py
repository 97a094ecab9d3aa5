"""Simulated persons whose tastes are known, to hold what is estimated against."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from backend.errors import AnalysisError

Population = Literal["partition", "mixture"]


@dataclass(frozen=True)
class Simulated:
    """n choices of N persons between M items in d dimensions, and the truth behind them.

    `y` is -1 where the left item was taken, +1 where the right one was.
    """

    X: np.ndarray  # (M, d) items
    P: np.ndarray  # (K, d) prototypes: the tastes there are
    W: np.ndarray  # (N, K) weights of each person, on the simplex
    u: np.ndarray  # int64 (n,) person, in order
    left: np.ndarray  # int64 (n,) item on the left
    right: np.ndarray  # int64 (n,) item on the right, never the left one
    y: np.ndarray  # int8 (n,)
    probability: np.ndarray  # (n,) with which the right item is taken

    @property
    def A(self) -> np.ndarray:
        """Ideal points of the persons, (N, d)."""
        return self.W @ self.P

    @property
    def oracle(self) -> float:
        """Share of these choices that the truth itself predicts, 0..1."""
        return float(np.mean((self.probability > 0.5) == (self.y > 0)))


def simulate(
    *,
    n_tastes: int = 2,
    population: Population = "partition",
    n_persons: int = 60,
    n_pairs: int = 100,
    n_items: int = 1000,
    d: int = 8,
    norm: float = 1.5,
    slope: float = 5.0,
    seed: int = 0,
    world: Simulated | None = None,
) -> Simulated:
    """Choices of persons who prefer what is near their ideal point a_i = sum_k w_ik p_k.

    P(right) = sigmoid(slope * (|x_l - a|^2 - |x_r - a|^2)). Items are drawn from N(0, I/d). The
    prototypes stand at right angles to each other, turned at random, all `norm` from the origin:
    so that every two tastes differ equally and no seed makes them alike.

    Parameters
    ----------
    population : "partition" gives each person one taste, all tastes equally often (the number of
        persons permitting); "mixture" draws weights from Dirichlet(1, ..., 1).
    n_pairs : choices of each person; the two items are drawn at random, never the same.
    world : an earlier simulation whose items and prototypes are kept: new persons of one world.
        `n_tastes`, `n_items`, `d` and `norm` are then those of that world.

    Raises
    ------
    AnalysisError : a size that cannot be, or more tastes than dimensions.

    Source
    ------
    Ideal points: Coombs 1950. Mixed prototypes: Chen, Chen, Rege and Vinayak 2024 (PAL); their
    own sizes are not known to us, these are chosen so that one taste, two and three can be told.
    """
    _check(n_tastes, population, n_persons, n_pairs, n_items, d)
    rng = np.random.default_rng(seed)
    X, P = (world.X, world.P) if world else _world(rng, n_tastes, n_items, d, norm)
    W = _weights(rng, n_persons, len(P), population)
    u = np.repeat(np.arange(n_persons), n_pairs)
    left = rng.integers(0, len(X), len(u))
    right = (left + rng.integers(1, len(X), len(u))) % len(X)
    probability = probability_of_right(X, (W @ P)[u], left, right, slope=slope)
    y = np.where(rng.random(len(u)) < probability, 1, -1).astype(np.int8)
    return Simulated(X, P, W, u, left, right, y, probability)


def probability_of_right(
    X: np.ndarray, A: np.ndarray, left: np.ndarray, right: np.ndarray, *, slope: float
) -> np.ndarray:
    """With what probability the right item is taken, (n,).

    Parameters
    ----------
    X : (M, d) items. A : (n, d) ideal point of whoever chooses, in each row.
    left, right : (n,) rows of X.
    slope : how sharply the squared distances decide; 0 is a coin.
    """
    score = ((X[left] - A) ** 2).sum(1) - ((X[right] - A) ** 2).sum(1)
    return 0.5 * (1 + np.tanh(0.5 * slope * score))  # the sigmoid, without overflow


def _world(
    rng: np.random.Generator, n_tastes: int, n_items: int, d: int, norm: float
) -> tuple[np.ndarray, np.ndarray]:
    """Items (M, d) and prototypes (K, d)."""
    X = rng.normal(size=(n_items, d)) / np.sqrt(d)
    directions, _ = np.linalg.qr(rng.normal(size=(d, n_tastes)))
    return X, norm * directions.T


def _weights(
    rng: np.random.Generator, n_persons: int, n_tastes: int, population: Population
) -> np.ndarray:
    """Weights (N, K); each row sums to 1."""
    if population == "mixture":
        return rng.dirichlet(np.ones(n_tastes), size=n_persons)
    taste = rng.permutation(np.arange(n_persons) % n_tastes)
    return np.eye(n_tastes)[taste]


def _check(
    n_tastes: int, population: str, n_persons: int, n_pairs: int, n_items: int, d: int
) -> None:
    if population not in ("partition", "mixture"):
        raise AnalysisError(f"There is no population {population!r}.", "Use partition or mixture.")
    sizes = {"n_tastes": n_tastes, "n_persons": n_persons, "n_pairs": n_pairs, "d": d}
    for name, size in sizes.items():
        if size < 1:
            raise AnalysisError(f"{name} = {size} is too small.", "Give 1 or more.")
    if n_items < 2:
        raise AnalysisError(f"{n_items} items make no pair.", "Give 2 or more.")
    if n_tastes > d:
        raise AnalysisError(
            f"{n_tastes} tastes do not fit {d} dimensions at right angles.", f"Give {d} or fewer."
        )
