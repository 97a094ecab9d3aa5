"""Accuracy: ties, people and choices, intervals, differences, log loss, calibration."""

import numpy as np
import pytest

from backend.preferences.accuracy import accuracy, calibration, difference, hits, log_loss
from tests.preferences.worlds import SEEDS


def test_hits_take_the_sign_and_call_nothing_half():
    y = np.array([1, -1, 1, -1, 1], np.int8)
    assert hits(np.array([0.3, -2.0, -0.1, 5.0, 0.0]), y).tolist() == [1, 1, 0, 0, 0.5]


def test_hits_do_not_depend_on_the_sides():
    rng = np.random.default_rng(0)
    margins, y = rng.standard_normal(50), rng.choice([-1, 1], 50)
    assert hits(margins, y).tolist() == hits(-margins, -y).tolist()


def test_choices_and_people_are_averaged_apart():
    hit, u = np.array([1.0, 1, 1, 0, 0]), np.array([3, 3, 3, 3, 7])
    found = accuracy(hit, u)
    assert (found.micro, found.macro, found.n) == (0.6, 0.375, 5)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_interval_of_single_choices_is_the_binomial_one(seed):
    hit = np.repeat([1.0, 0.0], [280, 120])
    found = accuracy(hit, np.arange(400), seed=seed)
    half = 1.96 * np.sqrt(0.7 * 0.3 / 400)
    assert found.low == pytest.approx(0.7 - half, abs=0.006)
    assert found.high == pytest.approx(0.7 + half, abs=0.006)


def test_choices_that_go_together_widen_the_interval():
    """20 people of 25 choices, each always right or always wrong, are 20 draws and not 500."""
    right = np.repeat([1.0, 0.0], [14, 6])
    found = accuracy(np.repeat(right, 25), np.repeat(np.arange(20), 25))
    half = 1.96 * np.sqrt(0.7 * 0.3 / 20)
    assert (found.high - found.low) / 2 == pytest.approx(half, abs=0.03)


def test_the_interval_has_no_width_where_everyone_is_alike():
    found = accuracy(np.tile([1.0, 0.0], 10), np.repeat(np.arange(10), 2))
    assert (found.low, found.micro, found.high) == (0.5, 0.5, 0.5)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng, held = np.random.default_rng(1), 0
    for seed in range(200):
        share = rng.beta(8, 4, 60)  # 60 people who differ, mean 2/3
        u = np.repeat(np.arange(60), 10)
        found = accuracy((rng.random(600) < share[u]).astype(float), u, seed=seed)
        held += found.low <= 2 / 3 <= found.high
    assert 0.88 <= held / 200 <= 0.99


def test_a_difference_is_of_the_same_choices():
    u = np.repeat(np.arange(30), 10)
    rng = np.random.default_rng(2)
    b = (rng.random(300) < 0.6).astype(float)
    a = np.maximum(b, rng.random(300) < 0.5)
    found = difference(a, b, u)
    assert found.value == pytest.approx(a.mean() - b.mean())
    assert found.low < found.value < found.high and found.low > 0
    back = difference(b, a, u)
    assert (back.value, back.low, back.high) == pytest.approx(
        (-found.value, -found.high, -found.low), abs=1e-12
    )
    nothing = difference(a, a, u)
    assert (nothing.value, nothing.low, nothing.high) == (0, 0, 0)


def test_log_loss_in_closed_form():
    margins, y = np.array([np.log(3), -np.log(3), 0.0]), np.array([1, 1, -1])
    expected = -np.mean(np.log([0.75, 0.25, 0.5]))
    assert log_loss(margins, y) == pytest.approx(expected, abs=1e-12)
    assert log_loss(np.array([-1e4]), np.array([1])) == pytest.approx(1e4)
    assert log_loss(-margins, -y) == pytest.approx(expected, abs=1e-12)


def test_calibration_in_bins():
    p = np.array([0.55, 0.55, 0.75, 0.25, 0.97])  # of b; a quarter for b is three for a
    margins = np.log(p / (1 - p))
    rows = calibration(margins, np.array([1, -1, 1, -1, 1]), bins=5)
    assert [r["low"] for r in rows] == pytest.approx([0.5, 0.7, 0.9])
    assert [r["high"] for r in rows] == pytest.approx([0.6, 0.8, 1.0])
    assert [r["n"] for r in rows] == [2, 2, 1]
    assert [r["predicted"] for r in rows] == pytest.approx([0.55, 0.75, 0.97])
    assert [r["observed"] for r in rows] == [0.5, 1.0, 1.0]


def test_true_probabilities_are_calibrated_and_certainty_has_a_bin():
    rng = np.random.default_rng(3)
    margins = 3 * rng.standard_normal(40_000)
    y = np.where(rng.random(40_000) < 1 / (1 + np.exp(-margins)), 1, -1)
    rows = calibration(margins, y)
    assert len(rows) == 10 and sum(r["n"] for r in rows) == 40_000
    assert max(abs(r["predicted"] - r["observed"]) for r in rows) < 0.03
    sure = calibration(np.array([1e3]), np.array([1]))
    assert len(sure) == 1 and sure[0]["high"] == 1.0


def test_no_choice_has_no_accuracy():
    none = np.zeros(0)
    found = accuracy(none, none.astype(int))
    assert found.n == 0 and np.isnan([found.micro, found.macro, found.low, found.high]).all()
    assert np.isnan(difference(none, none, none.astype(int)).value)
    assert np.isnan(log_loss(none, none)) and calibration(none, none) == []


def test_hits_and_people_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="length"):
        accuracy(np.ones(3), np.zeros(2, int))
