"""Raters of known severity and taste, for the tests of both."""

import numpy as np

from backend.preferences.rater_tastes import Rated


def simulate_raters(
    *, items: int, raters: int, k: int, severity: float, taste: float, seed: int, most: int = 3
) -> tuple[Rated, np.ndarray]:
    """Every rater rates every item on one criterion; returns the ratings and each one's group.

    `severity` is the standard deviation of a_j, `taste` that of the rewards r_k(i).
    """
    rng = np.random.default_rng(seed)
    theta, a = rng.normal(size=items), severity * rng.normal(size=raters)
    group, R = rng.integers(k, size=raters), taste * rng.normal(size=(items, k))
    item, rater = (g.ravel() for g in np.meshgrid(np.arange(items), np.arange(raters)))
    eta = theta[item] + R[item, group[rater]] - a[rater]
    tau = np.linspace(-1, 1, most)
    logits = np.column_stack([np.zeros(len(eta)), np.cumsum(eta[:, None] - tau, axis=1)])
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    x = (rng.random(len(eta))[:, None] > np.cumsum(p, axis=1)).sum(axis=1)
    return Rated(item, rater, np.zeros(len(x), np.int64), x, np.array([most])), group
