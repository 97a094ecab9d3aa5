"""Simulated ratings with a design that misleads raw means: lenient and severe halves of raters."""

from dataclasses import dataclass

import numpy as np

from backend.rasch.hate_speech import CRITERIA
from backend.rasch.simulate import Simulated, simulate


@dataclass(frozen=True)
class SimulatedRatings:
    """Ratings of N items by J raters on the ten criteria, the truth, and the design."""

    made: Simulated
    panel: np.ndarray  # int64 (N,) 0: rated mainly by the lenient half, 1: by the severe half
    erratic: int  # the rater who answers at random


def simulate_ratings(
    *, n_items: int = 300, n_raters: int = 40, raters_per_item: int = 8, seed: int = 0
) -> SimulatedRatings:
    """Ratings of items that are given to lenient or to severe raters, with one rater erratic.

    Locations come from N(0, 1.5^2); severities are equally spaced from -1.5 to 1.5. Half of the
    items go to the lenient half of the raters, half to the severe half; the last rater of each
    item is drawn from all, and links the halves. One rater of middle severity answers each
    criterion uniformly at random.

    Source: Kennedy, Bacon, Sahn and von Vacano 2020 (model and criteria); the design is ours.
    """
    rng = np.random.default_rng(seed)
    panel = rng.permutation(np.arange(n_items) % 2)
    half = n_raters // 2
    chosen = np.empty((n_items, raters_per_item), dtype=np.int64)
    for item in range(n_items):
        own = panel[item] * half + rng.permutation(half)[: raters_per_item - 1]
        others = np.setdiff1d(np.arange(n_raters), own)
        chosen[item] = [*own, rng.choice(others)]
    made = simulate(
        n_items, n_raters, raters_per_item, seed=seed,
        pairs=(np.repeat(np.arange(n_items), raters_per_item), chosen.ravel()),
        severity=np.linspace(-1.5, 1.5, n_raters),
    )  # fmt: skip
    categories = np.array([c.categories for c in CRITERIA])[made.criterion]
    at_random = made.rater == half
    made.x[at_random] = rng.integers(categories[at_random])
    return SimulatedRatings(made, panel, half)
