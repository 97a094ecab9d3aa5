"""Simulated ratings whose items, raters and criteria are known: a many-facet Rasch model."""

from dataclasses import dataclass

import numpy as np

# Criteria, numbers of categories and difficulties (logits, they sum to 0) of the Measuring Hate
# Speech scale after recoding; Kennedy et al. 2020, from the authors' published specifications.
CRITERIA: tuple[tuple[str, int, float], ...] = (
    ("sentiment", 5, -2.62), ("respect", 5, -2.26), ("insult", 4, -0.94), ("humiliate", 3, 0.63),
    ("status", 2, -0.51), ("dehumanize", 2, 0.61), ("violence", 2, 2.22), ("genocide", 2, 3.11),
    ("attack_defend", 4, -1.10), ("hatespeech", 2, 0.86),
)  # fmt: skip


@dataclass(frozen=True)
class SimulatedRatings:
    """n ratings of N items by J raters on C criteria, and the truth behind them."""

    item: np.ndarray  # int64 (n,)
    rater: np.ndarray  # int64 (n,)
    criterion: np.ndarray  # int64 (n,), rows of CRITERIA
    rating: np.ndarray  # int64 (n,) from 0
    location: np.ndarray  # (N,) logits; higher gets higher ratings
    severity: np.ndarray  # (J,) logits, mean 0; higher gives lower ratings
    panel: np.ndarray  # int64 (N,) 0: rated mainly by the lenient half, 1: by the severe half
    erratic: int  # the rater who answers at random


def simulate_ratings(
    *,
    n_items: int = 300,
    n_raters: int = 40,
    raters_per_item: int = 8,
    seed: int = 0,
) -> SimulatedRatings:
    """Ratings of items that are given to lenient or to severe raters, with one rater erratic.

    ln P(k)/P(k-1) = location - difficulty - severity - tau_k, with tau equally spaced from -1 to
    1 in each criterion. Locations come from N(0, 1.5^2); severities are equally spaced from -1.5
    to 1.5. Half of the items go to the lenient half of the raters, half to the severe half; the
    last rater of each item is drawn from all, and links the halves. One rater of middle severity
    answers each criterion uniformly at random.

    Source: Kennedy, Bacon, Sahn and von Vacano 2020 (model and criteria); the design is ours.
    """
    rng = np.random.default_rng(seed)
    location = rng.normal(0, 1.5, n_items)
    severity = np.linspace(-1.5, 1.5, n_raters)
    panel = rng.permutation(np.arange(n_items) % 2)
    half = n_raters // 2
    erratic = half
    chosen = np.empty((n_items, raters_per_item), dtype=np.int64)
    for item in range(n_items):
        own = panel[item] * half + rng.permutation(half)[: raters_per_item - 1]
        others = np.setdiff1d(np.arange(n_raters), own)
        chosen[item] = [*own, rng.choice(others)]
    item = np.repeat(np.arange(n_items), raters_per_item * len(CRITERIA))
    rater = np.repeat(chosen.ravel(), len(CRITERIA))
    criterion = np.tile(np.arange(len(CRITERIA)), n_items * raters_per_item)
    rating = np.empty(len(item), dtype=np.int64)
    for c, (_, categories, difficulty) in enumerate(CRITERIA):
        rows = criterion == c
        logit = location[item[rows]] - difficulty - severity[rater[rows]]
        p = category_probabilities(logit, thresholds(categories))
        p[rater[rows] == erratic] = 1 / categories
        rating[rows] = (rng.random((rows.sum(), 1)) > p.cumsum(1)[:, :-1]).sum(1)
    return SimulatedRatings(item, rater, criterion, rating, location, severity, panel, erratic)


def thresholds(categories: int) -> np.ndarray:
    """tau_1..tau_m of a criterion of m + 1 categories: from -1 to 1, a single one is 0."""
    return np.linspace(-1, 1, categories - 1) if categories > 2 else np.zeros(1)


def category_probabilities(logit: np.ndarray, tau: np.ndarray) -> np.ndarray:
    """P(0), ..., P(m) of the partial credit model, (n, m + 1).

    Parameters
    ----------
    logit : (n,) location less difficulty less severity.
    tau : (m,) thresholds.

    Source: Masters 1982.
    """
    steps = np.arange(len(tau) + 1)
    score = logit[:, None] * steps - np.concatenate([[0], np.cumsum(tau)])
    score -= score.max(1, keepdims=True)
    p = np.exp(score)
    return p / p.sum(1, keepdims=True)
