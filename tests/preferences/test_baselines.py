"""One taste for all: the majority, Bradley-Terry in closed form, the logistic loss."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from sklearn.linear_model import LogisticRegression

from backend.preferences.baselines import bradley_terry, linear_bradley_terry, logistic, majority
from backend.preferences.splits import split
from tests.preferences.worlds import choices_of, coded, crowd, world

ROWS = np.arange


def test_the_majority_of_the_same_two_items_on_either_side():
    choices = coded([0, 1, 2, 3, 4, 5], [0, 1, 0, 0, 1, 2], [1, 0, 1, 1, 0, 3],
                    [1, -1, -1, 1, 1, 1])  # fmt: skip
    # Item 1 was taken twice of three times against item 0.
    got = majority(choices, ROWS(3), np.array([3, 4, 5]))
    assert got.tolist() == [1, -1, 0]  # b; a, where 1 stands on the left; never seen


def test_an_even_vote_says_nothing():
    choices = coded([0, 1, 2], [0, 0, 0], [1, 1, 1], [1, -1, 1])
    assert majority(choices, ROWS(2), np.array([2])).tolist() == [0]


def test_bradley_terry_of_two_items_is_the_log_odds():
    choices = coded(np.zeros(20), np.zeros(20), np.ones(20), np.r_[np.ones(15), -np.ones(5)])
    got = bradley_terry(choices, ROWS(20), ROWS(20), ridge=1e-9)
    np.testing.assert_allclose(got, np.log(15 / 5), atol=1e-4)


def test_bradley_terry_of_three_items_is_consistent_where_odds_multiply():
    """Worths 0, log 2, log 4: 1 beats 0 by 2:1, 2 beats 1 by 2:1, 2 beats 0 by 4:1."""
    left, right, y = [], [], []
    for a, b, wins, losses in ((0, 1, 20, 10), (1, 2, 20, 10), (0, 2, 24, 6)):
        left += [a] * (wins + losses)
        right += [b] * (wins + losses)
        y += [1] * wins + [-1] * losses
    choices = coded(np.zeros(90), left, right, y)
    got = bradley_terry(choices, ROWS(90), np.array([0, 30, 60]), ridge=1e-9)
    np.testing.assert_allclose(got, np.log([2, 2, 4]), atol=1e-4)


def test_an_unseen_item_has_worth_nothing():
    choices = coded([0, 0, 0], [0, 0, 2], [1, 1, 3], [1, 1, 1], items=5)
    assert bradley_terry(choices, ROWS(2), np.array([2])).tolist() == [0]


def test_swapping_sides_turns_the_margins():
    choices, X, _ = crowd()
    part = split(choices, seed=0, new_share=0.0)
    swapped = replace(choices, left=choices.right, right=choices.left, y=-choices.y)
    for guess in (majority, bradley_terry):
        np.testing.assert_allclose(guess(choices, part.train, part.test),
                                   -guess(swapped, part.train, part.test), atol=1e-5)  # fmt: skip
    np.testing.assert_allclose(
        linear_bradley_terry(choices, X, part.train, part.test),
        -linear_bradley_terry(swapped, X, part.train, part.test), atol=1e-5,
    )  # fmt: skip


def test_a_direction_for_each_option_makes_the_linear_one_plain_bradley_terry():
    choices, _, _ = crowd()
    part = split(choices, seed=0, new_share=0.0)
    plain = bradley_terry(choices, part.train, part.test, ridge=0.5)
    linear = linear_bradley_terry(choices, np.eye(30), part.train, part.test, ridge=0.5)
    np.testing.assert_allclose(plain, linear, atol=1e-5)


def test_weights_equal_scikit_learn():
    rng = np.random.default_rng(0)
    D = rng.standard_normal((200, 5))
    y = np.where(rng.random(200) < 1 / (1 + np.exp(-D @ [1, -2, 0, 0.5, 3])), 1, -1)
    for ridge in (0.1, 1.0, 30.0):
        theirs = LogisticRegression(C=1 / ridge, fit_intercept=False, tol=1e-10).fit(D, y)
        np.testing.assert_allclose(logistic(D, y, ridge=ridge), theirs.coef_[0], atol=1e-3)


def test_the_slope_is_that_of_the_loss_and_vanishes_at_the_end(monkeypatch):
    import scipy.optimize

    rng, seen = np.random.default_rng(1), []
    D, y = rng.standard_normal((40, 4)), rng.choice([-1, 1], 40)
    real = scipy.optimize.minimize

    def watched(loss, *args, **options):
        seen.append(loss)
        return real(loss, *args, **options)

    monkeypatch.setattr(scipy.optimize, "minimize", watched)
    end = logistic(D, y, ridge=0.7)
    at = rng.standard_normal(4)
    value, slope = seen[0](at)
    direct = np.log1p(np.exp(-y * (D @ at))).sum() + 0.35 * at @ at
    assert value == pytest.approx(direct, abs=1e-10)
    np.testing.assert_allclose(slope, approx_fprime(at, lambda w: seen[0](w)[0]), atol=1e-4)
    np.testing.assert_allclose(seen[0](end)[1], 0, atol=1e-3)


def test_certain_choices_do_not_overflow():
    D = np.array([[1e4], [2e4]])
    with np.errstate(over="raise", invalid="raise"):
        assert logistic(D, np.array([1, 1]), ridge=1e-3)[0] > 0


def test_one_taste_on_vectors_falls_short_where_there_are_two():
    made = world(2, 0)
    choices = choices_of(made)
    part = split(choices, seed=0)
    margins = linear_bradley_terry(choices, made.X, part.train, part.test)
    right = np.mean(np.sign(margins) == choices.y[part.test])
    assert 0.6 < right < 0.8


def test_vectors_that_do_not_fit_the_items_are_refused():
    choices, X, _ = crowd()
    with pytest.raises(IndexError):
        linear_bradley_terry(choices, X[:10], ROWS(100), ROWS(10))
