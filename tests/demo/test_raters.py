"""Simulated ratings: the design, what the model says of them, and why raw means mislead."""

import numpy as np
import pytest

from backend.demo.raters import simulate_ratings
from backend.rasch.hate_speech import CRITERIA
from backend.rasch.partial_credit import probabilities

FOUND = simulate_ratings()
MADE = FOUND.made


def test_design():
    assert len(MADE.x) == 300 * 8 * 10
    pairs = np.unique(np.column_stack([MADE.item, MADE.rater]), axis=0)
    assert len(pairs) == 300 * 8  # no rater twice on one item
    assert np.bincount(pairs[:, 0]).tolist() == [8] * 300
    assert len(np.unique(MADE.rater)) == 40
    for panel, half in ((0, range(20)), (1, range(20, 40))):
        own = np.isin(pairs[:, 1], half)[FOUND.panel[pairs[:, 0]] == panel]
        assert 7 / 8 <= own.mean() < 1
    assert MADE.severity.sum() == pytest.approx(0) and np.ptp(MADE.severity) == 3
    for c, categories in enumerate(one.categories for one in CRITERIA):
        assert set(MADE.x[MADE.criterion == c]) == set(range(categories))


def test_ratings_have_the_mean_that_the_model_says():
    gaps = []
    for c, one in enumerate(CRITERIA):
        rows = (MADE.criterion == c) & (MADE.rater != FOUND.erratic)
        eta = MADE.theta[MADE.item[rows]] - MADE.severity[MADE.rater[rows]]
        p = probabilities(eta, one.difficulty + MADE.thresholds[c]).T
        k = np.arange(one.categories)
        mean, spread = p @ k, p @ k**2 - (p @ k) ** 2
        gaps.append((MADE.x[rows] - mean).sum() / np.sqrt(spread.sum()))
    assert np.abs(gaps).max() < 3.5


def test_the_erratic_rater_answers_at_random():
    own = MADE.rater == FOUND.erratic
    for c, categories in enumerate(one.categories for one in CRITERIA):
        rating = MADE.x[own & (MADE.criterion == c)]
        spread = np.sqrt((categories**2 - 1) / 12 / len(rating))
        assert abs(rating.mean() - (categories - 1) / 2) < 4 * spread
    score = np.bincount(MADE.item[own], MADE.x[own], minlength=300)
    rated = np.unique(MADE.item[own])
    assert abs(np.corrcoef(score[rated], MADE.theta[rated])[0, 1]) < 0.4


def test_raw_means_favour_the_lenient_panel():
    total = np.bincount(MADE.item, MADE.x) / np.bincount(MADE.item)
    slope, level = np.polyfit(MADE.theta, total, 1)
    left = (total - level) / slope - MADE.theta
    assert left[FOUND.panel == 0].mean() - left[FOUND.panel == 1].mean() > 0.8  # logits


def test_the_seed_decides():
    assert (simulate_ratings().made.x == MADE.x).all()
    assert not (simulate_ratings(seed=1).made.x == MADE.x).all()
