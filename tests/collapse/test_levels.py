"""Predicted levels against the numbers of F, and the paper's three messages."""

import numpy as np
import pytest

from backend.collapse.levels import level_between, levels_within, staircase
from backend.collapse.response import respond, respond_by_autograd, respond_to_first_order
from backend.collapse.unconstrained import minimiser


def _at_collapse(K, d, n, lW, lH, beta, operator=respond):
    made = minimiser(K, d, n, lW=lW, lH=lH, seed=0)
    return operator(made.W, made.H, lW=lW, lH=lH, beta=beta)


def test_theorem_4_2_with_the_cards_numbers():
    setting = {"K": 4, "d": 10, "n": 10, "lW": 0.5, "lH": 0.5, "beta": 100.0}
    F = _at_collapse(**setting, operator=respond_by_autograd)
    within = np.linalg.svd(F[:100, :100], compute_uv=False)
    exact = np.repeat([1, 0.995025, 0.990099], [6, 57, 37])
    assert np.abs(within - exact).max() < 3e-5  # the card's six digits; 3 of the 57 are 0.9950495
    levels = levels_within(**setting)
    assert within == pytest.approx(staircase(levels), abs=1e-13)
    first = np.repeat([1, 0.995, 0.99], [6, 57, 37])
    assert staircase(levels, exact=False) == pytest.approx(first, abs=1e-14)
    between = np.linalg.svd(F[:100, 100:200], compute_uv=False)
    assert between[0] == pytest.approx(0.004950, abs=5e-7) and between[1] < 1e-15
    assert level_between(4, 10, lW=0.5, lH=0.5, beta=100.0) == pytest.approx((between[0], 0.005))


SETTINGS = [
    (4, 10, 10, 0.1, 0.05, 3.0),
    (3, 3, 4, 0.3, 0.5, 0.7),  # d = K
    (2, 7, 2, 1.2, 0.4, 30.0),
    (5, 6, 1, 0.2, 0.9, 8.0),  # no spread within a class
    (3, 5, 4, 2.0, 1.0, 10.0),  # collapse to zero
    (4, 2, 3, 3.0, 0.7, 5.0),  # the same, with d < K
]


@pytest.mark.parametrize("setting", SETTINGS)
def test_all_levels_are_exact_for_any_beta(setting):
    K, d, n, lW, lH, beta = setting
    F, model = _at_collapse(*setting), {"lW": lW, "lH": lH, "beta": beta}
    levels = levels_within(K, d, n, **model)
    assert sum(level.count for level in levels) == n * d
    for k in range(K):
        assert F.spectrum(k) == pytest.approx(staircase(levels), abs=1e-12)
    between = F.between(0, 1)
    assert between[0] == pytest.approx(level_between(K, d, **model)[0], abs=1e-13)
    assert between[1:].max(initial=0) < 1e-13  # rank 1


@pytest.mark.parametrize("setting", [(*s[:5], 200.0) for s in SETTINGS])
def test_levels_of_first_order_are_those_of_equation_5(setting):
    K, d, n, lW, lH, beta = setting
    F = _at_collapse(*setting, operator=respond_to_first_order)
    levels = levels_within(K, d, n, lW=lW, lH=lH, beta=beta)
    assert F.spectrum(0) == pytest.approx(staircase(levels, exact=False), abs=1e-12)
    first = level_between(K, d, lW=lW, lH=lH, beta=beta)[1]
    assert F.between(1, 0)[0] == pytest.approx(first, abs=1e-13)


def test_the_ends_of_the_spectrum_are_the_theorems():
    for lW, lH in ((0.1, 0.05), (0.5, 0.5), (1.5, 0.2)):
        levels = levels_within(3, 5, 4, lW=lW, lH=lH, beta=50.0)
        assert max(level.exact for level in levels) == 1
        assert min(level.first_order for level in levels) == pytest.approx(
            1 - np.sqrt(lH / lW) / 50
        )


def test_the_papers_messages():
    def ends(lW: float, lH: float) -> tuple[float, float]:
        F = _at_collapse(3, 5, 4, lW, lH, 50.0)
        return F.spectrum(0)[-1], F.between(0, 1)[0]

    low, crosstalk = ends(0.3, 0.2)
    assert crosstalk < 0.02 < low  # blocks within a class dominate
    stronger_body, stronger_head = ends(0.3, 0.4), ends(0.6, 0.2)
    assert stronger_body[0] < low < stronger_head[0]  # features' decay shrinks noise more
    assert stronger_head[1] < crosstalk < stronger_body[1]  # the head's lowers cross-talk


def test_what_theory_does_not_cover_has_no_levels():
    assert levels_within(5, 3, 4, lW=0.3, lH=0.2, beta=10.0) == ()
    assert np.isnan(level_between(5, 3, lW=0.3, lH=0.2, beta=10.0)).all()


def test_both_forms_meet_where_decay_starts_to_win():
    below, above = (
        staircase(levels_within(3, 5, 4, lW=0.5, lH=lH, beta=9.0)) for lH in (2 - 1e-9, 2 + 1e-9)
    )
    assert below == pytest.approx(above, abs=1e-8)
