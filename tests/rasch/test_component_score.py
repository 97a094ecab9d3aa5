"""From components to the score: card numbers, round trips, and the ends of the scale."""

import numpy as np
import pytest

from backend.errors import DataError
from backend.rasch.component_score import (
    expected,
    hard_score,
    measure_of_total,
    points,
    score_contributions,
    soft_score,
)
from backend.rasch.partial_credit import probabilities

DIFFICULTIES = np.array([-1.0, 0.2, 0.8])
THRESHOLDS = [np.array([-1.0, 0.0, 1.0]), np.array([0.0]), np.array([-0.5, 0.5])]


def test_one_criterion_with_two_categories_is_a_logit():
    theta, se = measure_of_total(np.array([0.2, 0.5]), np.array([0.7]), [np.array([0.0])])
    assert theta == pytest.approx([0.7 + np.log(0.25), 0.7])
    assert se == pytest.approx([1 / np.sqrt(0.16), 2])


def test_a_measure_s_own_expectation_leads_back_to_it():
    theta = np.linspace(-5, 5, 41)
    E, V = expected(theta, DIFFICULTIES, THRESHOLDS)
    found, se = measure_of_total(E.sum(axis=1), DIFFICULTIES, THRESHOLDS, inward=1e-9)
    assert found == pytest.approx(theta, abs=1e-6)
    assert se == pytest.approx(1 / np.sqrt(V.sum(axis=1)))
    P = [probabilities(theta, d + t).T
         for d, t in zip(DIFFICULTIES, THRESHOLDS, strict=True)]  # fmt: skip
    assert points(P) == pytest.approx(E)
    inside = np.abs(theta) < 4
    assert soft_score(P, DIFFICULTIES, THRESHOLDS)[inside] == pytest.approx(theta[inside], abs=1e-6)


def test_moving_the_ruler_moves_the_score():
    total = np.array([0.4, 3.0, 5.9])
    here, se = measure_of_total(total, DIFFICULTIES, THRESHOLDS)
    there, same = measure_of_total(total, DIFFICULTIES + 2.5, THRESHOLDS)
    assert there == pytest.approx(here + 2.5) and same == pytest.approx(se)


def test_equal_totals_have_one_measure_and_the_ends_are_moved_inward():
    labels = np.array([[3, 0, 0], [1, 1, 1], [0, 0, 0], [3, 1, 2]])
    found = hard_score(labels, DIFFICULTIES, THRESHOLDS)
    assert found[0] == found[1]
    ends, _ = measure_of_total(np.array([0.3, 5.7]), DIFFICULTIES, THRESHOLDS)
    assert found[2:] == pytest.approx(ends)
    far, _ = measure_of_total(np.array([0.0, 6.0]), DIFFICULTIES, THRESHOLDS)
    near, _ = measure_of_total(np.array([0.01, 5.99]), DIFFICULTIES, THRESHOLDS)
    assert far == pytest.approx(near) and np.isfinite(far).all()


def test_each_total_is_solved_as_if_it_were_alone():
    total = np.random.default_rng(0).uniform(0.02, 5.98, 300)
    together, _ = measure_of_total(total, DIFFICULTIES, THRESHOLDS)
    alone = [measure_of_total(t, DIFFICULTIES, THRESHOLDS)[0][0] for t in total[:, None]]
    assert together == pytest.approx(alone, abs=1e-7)
    assert expected(together, DIFFICULTIES, THRESHOLDS)[0].sum(axis=1) == pytest.approx(total)


def test_far_thresholds_are_solved_too():
    far = [np.array([-9.0, 9.0]), np.array([0.0])]
    theta, _ = measure_of_total(np.array([0.02, 1.5, 2.98]), np.array([-6.0, 6.0]), far)
    E, _ = expected(theta, np.array([-6.0, 6.0]), far)
    assert E.sum(axis=1) == pytest.approx([0.02, 1.5, 2.98])


def test_contributions_are_nothing_at_the_reference_and_add_up_near_it():
    for shift, tolerance in ((0.0, 1e-12), (0.05, 1e-3)):
        E, _ = expected(np.array([0.3 + shift]), DIFFICULTIES, THRESHOLDS)
        parts = score_contributions(E, DIFFICULTIES, THRESHOLDS, reference=0.3)
        assert parts.sum() == pytest.approx(shift, abs=tolerance)
    E[0, 1] += 0.1
    more = score_contributions(E, DIFFICULTIES, THRESHOLDS, reference=0.3)
    assert (more - parts)[0, [0, 2]].tolist() == [0, 0] and more[0, 1] > parts[0, 1]


def test_a_total_outside_the_scale_is_refused():
    for total in (6.5, -1.0, np.nan):
        with pytest.raises(DataError, match="outside the scale"):
            measure_of_total(np.array([total]), DIFFICULTIES, THRESHOLDS)
