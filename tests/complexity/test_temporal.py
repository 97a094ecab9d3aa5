"""Time to decode, and means over training."""

import numpy as np
import pytest

from backend.complexity.readability import Split
from backend.complexity.temporal import course, most_important, time_to_decode
from backend.errors import AnalysisError


def test_time_to_decode_is_the_share_of_checkpoints_before_a_feature_is_there():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(4000, 3))
    checkpoints = []
    for index, epoch in enumerate((1, 2, 5, 20)):
        F = rng.normal(size=(4000, 6))
        F[:, 0] = Z[:, 0]
        if index >= 2:
            F[:, 1] = Z[:, 1]
        checkpoints.append((epoch, F))
    split = Split(np.arange(2000), np.arange(2000, 3000), np.arange(3000, 4000))
    got = time_to_decode(checkpoints, Z, split, draws=50)
    assert got.layers == ("1", "2", "5", "20")
    assert got.complexity == pytest.approx([0, 0.5, 1], abs=0.02)
    assert (got.complexity_low <= got.complexity_high).all()
    with pytest.raises(AnalysisError, match="do not rise"):
        time_to_decode(checkpoints[::-1], Z, split)


def test_the_most_important_come_first_and_unknown_ones_do_not_count():
    weight = np.array([0.1, np.nan, 5, 2, 3])
    assert most_important(weight, top=0.5).tolist() == [2, 4]
    assert most_important(weight, top=0.01).tolist() == [2]
    assert most_important(weight, top=1).tolist() == [2, 4, 3, 0]
    for bad, top, words in ((weight, 0, "share of 0"), (weight * np.nan, 0.1, "No feature")):
        with pytest.raises(AnalysisError, match=words):
            most_important(bad, top=top)


def test_means_over_training_by_hand():
    values = [np.array([0.2, 0.4, np.nan]), np.arange(20) / 20]
    weights = [np.array([1.0, 0.5, 9.0]), np.arange(20) % 19]
    everyone = course([1, 10], values)
    assert everyone.mean == pytest.approx([0.3, 0.475])
    assert everyone.n.tolist() == [2, 20]
    assert (everyone.low <= everyone.mean).all()
    assert (everyone.high >= everyone.mean).all()
    best = course([1, 10], values, importance=weights)
    assert best.mean == pytest.approx([0.2, (18 + 17) / 40])
    assert best.n.tolist() == [1, 2]


def test_the_interval_of_a_mean_is_about_twice_its_error_wide():
    values = np.random.default_rng(1).normal(size=400)
    got = course([1], [values])
    assert got.high[0] - got.low[0] == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_what_does_not_go_together_is_refused():
    one = np.array([0.5])
    for epochs, values, weights, words in (
        ([2, 1], [one, one], None, "do not rise"),
        ([], [], None, "do not rise"),
        ([1, 2], [one], None, "2 epochs and 1 arrays"),
        ([1], [one * np.nan], None, "Epoch 1 has no value"),
        ([1], [one], [one * np.nan], "No feature has an importance"),
    ):
        with pytest.raises(AnalysisError, match=words):
            course(epochs, values, importance=weights)
