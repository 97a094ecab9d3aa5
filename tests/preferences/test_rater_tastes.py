"""Raters with severity, consistency and tastes: the likelihood, recovery, invariance, limits."""

from functools import cache

import numpy as np
import pytest
import torch

from backend.errors import Cancelled
from backend.preferences.rater_tastes import Part, Rated, _losses, fit_raters
from tests.preferences.raters_made import simulate_raters

CARD = (0.0576, 0.2583, 0.4258, 0.2583)  # eta 0.5, thresholds -1, 0, 1


def losses(x, *, most=(3,), criterion=None, **free) -> np.ndarray:
    """-log P of categories x of item 0 by rater 0; what is not given is 0."""
    n, most = len(x), np.array(most)
    start = {"theta": [0.0], "d": [0.0] * len(most), "tau": [[0.0] * int(most.max())] * len(most)}
    tensors = {k: torch.tensor(v, dtype=torch.float64) for k, v in (start | free).items()}
    zeros = torch.zeros(n, dtype=torch.int64)
    which = zeros if criterion is None else torch.tensor(criterion)
    closed = torch.arange(int(most.max()))[None] >= torch.from_numpy(most)[:, None]
    return _losses(tensors, [zeros, zeros, which, torch.tensor(x)], closed).numpy()


@cache
def made(severity: float, taste: float, seed: int = 0, raters: int = 60):
    return simulate_raters(items=20, raters=raters, k=2, severity=severity, taste=taste, seed=seed)


@cache
def fitted(severity: float, taste: float, part: Part):
    rated, _ = made(severity, taste)
    return fit_raters(rated, np.arange(len(rated.x)), part, seed=0, restarts=1)


def test_a_rating_has_the_partial_credit_probabilities():
    p = np.exp(-losses([0, 1, 2, 3], theta=[0.5], tau=[[-1.0, 0.0, 1.0]]))
    np.testing.assert_allclose(p, CARD, atol=5e-5)
    assert p.sum() == pytest.approx(1, abs=1e-12)


def test_difficulty_and_severity_are_taken_off_and_tastes_are_added():
    tau = [[-1.0, 0.0, 1.0]]
    p = np.exp(-losses([0, 1, 2, 3], theta=[1.4], d=[0.2], a=[0.7], tau=tau))
    np.testing.assert_allclose(p, CARD, atol=5e-5)
    taste = {"R": [[1.0, -1.0]], "omega": [[np.log(3.0), 0.0]]}  # 3/4 - 1/4
    np.testing.assert_allclose(np.exp(-losses([0, 1, 2, 3], tau=tau, **taste)), CARD, atol=5e-5)


def test_consistency_multiplies_the_place_and_not_the_thresholds():
    tau = [[-1.0, 0.0, 1.0]]
    p = np.exp(-losses([0, 1, 2, 3], theta=[0.25], alpha=[np.log(2.0)], tau=tau))
    np.testing.assert_allclose(p, CARD, atol=5e-5)


def test_a_criterion_with_fewer_categories_keeps_to_them():
    many = {"most": (3, 1), "theta": [0.5], "d": [0.0, 0.3]}
    tau = [[-1.0, 0.0, 1.0], [0.2, 9.0, 9.0]]  # what lies above the highest category is no matter
    p = np.exp(-losses([0, 1], criterion=[1, 1], tau=tau, **many))
    assert p[1] == pytest.approx(1 / (1 + np.exp(-(0.5 - 0.3 - 0.2))))
    assert p.sum() == pytest.approx(1, abs=1e-12)
    assert np.isinf(losses([2], criterion=[1], tau=tau, **many)[0])


def test_simulated_ratings_come_as_often_as_the_model_says():
    rated, group = simulate_raters(items=3, raters=20_000, k=2, severity=0, taste=0, seed=4)
    theta = np.random.default_rng(4).normal(size=3)  # the first that is drawn
    for item in range(3):
        p = np.exp(-losses([0, 1, 2, 3], theta=[theta[item]], tau=[[-1.0, 0.0, 1.0]]))
        seen = np.bincount(rated.x[rated.item == item], minlength=4) / 20_000
        np.testing.assert_allclose(seen, p, atol=0.015)
    assert rated.sizes == (3, 20_000, 1) and set(group) == {0, 1}


def test_harsh_raters_are_found_harsh():
    found = fitted(1.0, 0.0, Part(True))
    rated, _ = made(1.0, 0.0)
    mean = np.bincount(rated.rater, rated.x) / 20
    assert np.corrcoef(found.severity, mean)[0, 1] < -0.98
    assert (found.consistency == 1).all() and found.weights.shape == (60, 1)
    alone = fitted(1.0, 0.0, Part())
    assert (alone.severity == 0).all() and found.losses.mean() < alone.losses.mean() - 0.1


def test_two_tastes_are_told_apart():
    found = fitted(0.0, 2.0, Part(k=2))
    _, group = made(0.0, 2.0)
    same = np.mean(found.weights.argmax(axis=1) == group)
    assert max(same, 1 - same) > 0.95
    np.testing.assert_allclose(found.weights.sum(axis=1), 1)
    assert found.rewards.shape == (20, 2)
    assert found.losses.mean() < fitted(0.0, 2.0, Part()).losses.mean() - 0.2


def test_erratic_raters_are_less_consistent():
    rated, _ = simulate_raters(items=60, raters=40, k=2, severity=1.0, taste=0.0, seed=0)
    drawn = np.random.default_rng(1).integers(4, size=len(rated.x))
    x = np.where(rated.rater < 20, drawn, rated.x)
    noisy = Rated(rated.item, rated.rater, rated.criterion, x, rated.most)
    found = fit_raters(noisy, np.arange(len(x)), Part(True, True), seed=0).consistency
    assert np.mean(found[:20, None] < found[20:]) > 0.95
    assert np.median(found[:20]) < 0.7 * np.median(found[20:])


def test_the_names_of_raters_are_no_matter():
    rated, _ = made(1.0, 0.0, raters=20)
    rows = np.arange(len(rated.x))
    other = np.random.default_rng(0).permutation(20)
    renamed = Rated(rated.item, other[rated.rater], rated.criterion, rated.x, rated.most)
    part = Part(True, True)
    one, two = (fit_raters(r, rows, part, seed=0) for r in (rated, renamed))
    np.testing.assert_allclose(two.losses, one.losses, atol=1e-3)
    np.testing.assert_allclose(two.severity[other], one.severity, atol=1e-2)


def test_the_same_seed_gives_the_same_fit():
    rated, _ = made(0.0, 2.0, raters=12)
    rows = np.arange(len(rated.x))
    one, two = (fit_raters(rated, rows, Part(k=2), seed=3, restarts=1) for _ in range(2))
    np.testing.assert_array_equal(one.losses, two.losses)
    np.testing.assert_array_equal(one.weights, two.weights)
    again, _ = simulate_raters(items=20, raters=12, k=2, severity=0.0, taste=2.0, seed=0)
    np.testing.assert_array_equal(again.x, rated.x)


def test_ratings_that_are_held_out_are_scored_but_not_learned_from():
    rated, _ = made(1.0, 0.0, raters=20)
    rows = np.flatnonzero(np.arange(len(rated.x)) % 5 > 0)
    turned = np.where(np.arange(len(rated.x)) % 5 > 0, rated.x, 3 - rated.x)
    other = Rated(rated.item, rated.rater, rated.criterion, turned, rated.most)
    one, two = (fit_raters(r, rows, Part(True), seed=0) for r in (rated, other))
    np.testing.assert_array_equal(one.losses[rows], two.losses[rows])
    np.testing.assert_array_equal(one.severity, two.severity)
    assert len(one.losses) == len(rated.x)
    held = np.setdiff1d(np.arange(len(rated.x)), rows)
    assert two.losses[held].mean() > one.losses[held].mean() + 0.2


def test_a_fit_can_be_stopped():
    rated, _ = made(1.0, 0.0, raters=20)

    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        fit_raters(rated, np.arange(len(rated.x)), Part(True), seed=0, check=stop)
