"""Simulated ratings have the truth that they claim."""

import numpy as np
import pytest

from backend.rasch.partial_credit import moments
from backend.rasch.simulate import simulate, simulate_corpus


def test_each_item_has_its_raters_once_on_every_criterion():
    s = simulate(30, 8, 3, seed=0)
    assert len(s.x) == 30 * 3 * 10
    pairs = {(i, r) for i, r in zip(s.item[:90], s.rater[:90], strict=True)}
    assert len(pairs) == 90
    assert s.severity.mean() == pytest.approx(0)
    assert (s.x <= np.array([len(t) for t in s.thresholds])[s.criterion]).all()


def test_ratings_follow_the_model():
    s = simulate(4000, 5, 2, seed=1, difficulty=np.array([0.4]), most=np.array([3]))
    E, V, _ = moments(s.theta[s.item] - s.severity[s.rater], 0.4 + s.thresholds[0])
    assert abs((s.x - E).sum()) < 4 * np.sqrt(V.sum())
    assert ((s.x - E) ** 2).sum() / V.sum() == pytest.approx(1, abs=0.05)


def test_a_seed_gives_the_same_ratings():
    a, b = simulate(10, 4, 2, seed=2), simulate(10, 4, 2, seed=2)
    assert np.array_equal(a.x, b.x)
    assert a.table().column_names == ["item", "rater", "criterion", "rating"]


def test_the_corpus_has_its_shape():
    s = simulate_corpus(seed=0, criteria=1, categories=2)
    assert len(s.x) == 135_556
    assert len(np.unique(s.item)) == 39_565
    assert len(np.unique(s.rater)) == 7_912
