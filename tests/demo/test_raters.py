"""Simulated ratings: the model's numbers, the design, and why raw means mislead."""

import numpy as np
import pytest

from backend.demo.raters import CRITERIA, category_probabilities, simulate_ratings, thresholds

MADE = simulate_ratings()


def test_probabilities_in_closed_form():
    p = category_probabilities(np.array([0.5]), np.array([-1.0, 0.0, 1.0]))
    np.testing.assert_allclose(p, [[0.0576, 0.2583, 0.4258, 0.2583]], atol=5e-5)
    two = category_probabilities(np.array([0.3, -800.0]), np.zeros(1))
    np.testing.assert_allclose(two[:, 1], [1 / (1 + np.exp(-0.3)), 0], atol=1e-12)
    np.testing.assert_allclose(category_probabilities(np.zeros(1), np.zeros(4)), 0.2)


def test_thresholds_and_difficulties_are_centred():
    assert thresholds(2).tolist() == [0.0]
    assert thresholds(4).tolist() == [-1.0, 0.0, 1.0]
    assert sum(difficulty for *_, difficulty in CRITERIA) == pytest.approx(0)
    assert [categories for _, categories, _ in CRITERIA] == [5, 5, 4, 3, 2, 2, 2, 2, 4, 2]


def test_design():
    assert len(MADE.rating) == 300 * 8 * 10
    pairs = np.unique(np.column_stack([MADE.item, MADE.rater]), axis=0)
    assert len(pairs) == 300 * 8  # no rater twice on one item
    assert np.bincount(pairs[:, 0]).tolist() == [8] * 300
    assert len(np.unique(MADE.rater)) == 40
    for panel, half in ((0, range(20)), (1, range(20, 40))):
        own = np.isin(pairs[:, 1], half)[MADE.panel[pairs[:, 0]] == panel]
        assert 7 / 8 <= own.mean() < 1
    assert MADE.severity.sum() == pytest.approx(0) and np.ptp(MADE.severity) == 3
    for c, (_, categories, _) in enumerate(CRITERIA):
        assert set(MADE.rating[MADE.criterion == c]) == set(range(categories))


def test_ratings_have_the_mean_that_the_model_says():
    gaps = []
    for c, (_, categories, difficulty) in enumerate(CRITERIA):
        rows = (MADE.criterion == c) & (MADE.rater != MADE.erratic)
        logit = MADE.location[MADE.item[rows]] - difficulty - MADE.severity[MADE.rater[rows]]
        p = category_probabilities(logit, thresholds(categories))
        k = np.arange(categories)
        mean, spread = p @ k, p @ k**2 - (p @ k) ** 2
        gaps.append((MADE.rating[rows] - mean).sum() / np.sqrt(spread.sum()))
    assert np.abs(gaps).max() < 3.5


def test_the_erratic_rater_answers_at_random():
    own = MADE.rater == MADE.erratic
    for c, (_, categories, _) in enumerate(CRITERIA):
        rating = MADE.rating[own & (MADE.criterion == c)]
        spread = np.sqrt((categories**2 - 1) / 12 / len(rating))
        assert abs(rating.mean() - (categories - 1) / 2) < 4 * spread
    score = np.bincount(MADE.item[own], MADE.rating[own], minlength=300)
    rated = np.unique(MADE.item[own])
    assert abs(np.corrcoef(score[rated], MADE.location[rated])[0, 1]) < 0.4


def test_raw_means_favour_the_lenient_panel():
    total = np.bincount(MADE.item, MADE.rating) / np.bincount(MADE.item)
    slope, level = np.polyfit(MADE.location, total, 1)
    left = (total - level) / slope - MADE.location
    assert left[MADE.panel == 0].mean() - left[MADE.panel == 1].mean() > 0.8  # logits


def test_the_seed_decides():
    assert (simulate_ratings().rating == MADE.rating).all()
    assert not (simulate_ratings(seed=1).rating == MADE.rating).all()
