"""Simulated choices: the formula, what does not matter, and what a fit should find."""

import numpy as np
import pytest

from backend.errors import AnalysisError
from backend.preferences.simulate import probability_of_right, simulate

SEEDS = (0, 1, 2)


def test_probability_in_closed_form():
    X = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    A = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    got = probability_of_right(X, A, np.array([0, 1, 2]), np.array([1, 2, 2]), slope=5.0)
    wanted = [1 / (1 + np.exp(-5.0)), 1 / (1 + np.exp(25.0)), 0.5]
    np.testing.assert_allclose(got, wanted, atol=1e-15)
    far = probability_of_right(1e4 * X, A[:1], np.array([0]), np.array([1]), slope=5.0)
    assert far.tolist() == [0.0]


def test_turning_the_space_and_swapping_sides_change_nothing():
    made = simulate(seed=3, n_items=50, n_persons=4, n_pairs=20)
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 8)))
    A = made.A[made.u]
    turned = probability_of_right(made.X @ turn, A @ turn, made.left, made.right, slope=5.0)
    np.testing.assert_allclose(turned, made.probability, atol=1e-12)
    swapped = probability_of_right(made.X, A, made.right, made.left, slope=5.0)
    np.testing.assert_allclose(swapped, 1 - made.probability, atol=1e-12)


def test_shapes_and_sizes():
    made = simulate(n_tastes=3, n_persons=7, n_pairs=11, n_items=40, d=5, norm=2.0)
    assert made.X.shape == (40, 5) and made.P.shape == (3, 5) and made.W.shape == (7, 3)
    assert made.u.tolist() == np.repeat(np.arange(7), 11).tolist()
    assert (made.left != made.right).all()
    assert {len(v) for v in (made.left, made.right, made.y, made.probability)} == {77}
    assert set(made.y.tolist()) == {-1, 1}
    np.testing.assert_allclose(made.P @ made.P.T, 4 * np.eye(3), atol=1e-12)


def test_populations():
    one = simulate(n_tastes=3, n_persons=60, n_pairs=1)
    assert sorted(one.W.sum(0).tolist()) == [20, 20, 20] and set(one.W.ravel()) == {0.0, 1.0}
    mixed = simulate(n_tastes=3, n_persons=60, n_pairs=1, population="mixture").W
    np.testing.assert_allclose(mixed.sum(1), 1)
    assert mixed.min() > 0 and mixed.max() < 1 and mixed.mean(0).min() > 0.2


def test_items_are_spread_as_said():
    X = simulate(n_items=20_000, n_persons=1, n_pairs=1).X
    np.testing.assert_allclose(np.cov(X.T), np.eye(8) / 8, atol=0.01)


def test_new_persons_of_one_world():
    world = simulate(seed=0)
    more = simulate(seed=1, world=world, n_persons=30, n_pairs=200)
    assert more.X is world.X and more.P is world.P
    assert more.W.shape == (30, 2) and len(more.y) == 6000


def test_the_seed_decides():
    a, b, c = simulate(seed=1), simulate(seed=1), simulate(seed=2)
    assert (a.y == b.y).all() and (a.X == b.X).all()
    assert not (a.X == c.X).all()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n_tastes", [2, 3])
def test_one_taste_for_all_falls_short_of_the_truth(seed, n_tastes):
    made = simulate(n_tastes=n_tastes, seed=seed)
    mean = made.P.mean(0, keepdims=True)[np.zeros(len(made.u), int)]
    shared = probability_of_right(made.X, mean, made.left, made.right, slope=5.0)
    accuracy = np.mean((shared > 0.5) == (made.y > 0))
    assert 0.91 < made.oracle < 0.95
    assert accuracy < made.oracle - 0.15
    assert made.probability[made.y > 0].mean() > 0.85 > 0.15 > made.probability[made.y < 0].mean()


@pytest.mark.parametrize(
    "wrong, said",
    [
        ({"n_tastes": 9}, "9 tastes do not fit 8 dimensions"),
        ({"n_items": 1}, "1 items make no pair"),
        ({"n_pairs": 0}, "n_pairs = 0 is too small"),
        ({"population": "crowd"}, "no population 'crowd'"),
    ],
)
def test_what_cannot_be(wrong, said):
    with pytest.raises(AnalysisError, match=said):
        simulate(**wrong)
