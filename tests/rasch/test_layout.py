"""The long vector of parameters, and block Newton steps on it."""

import numpy as np
import pytest

from backend.rasch.layout import Layout, Preconditioner


def layout(*, shared: bool, fixed=(False, False), centred: bool = True) -> Layout:
    sizes = {"item": 3, "rater": 2}
    anchored = {"item": np.zeros(3, bool), "rater": np.zeros(2, bool), "criterion": np.array(fixed)}
    gauge = {"rater": np.zeros(2, dtype=int)}
    return Layout(sizes, np.array([2, 2] if shared else [1, 2]), shared, anchored, gauge, centred)


INFORMATION = {"item": np.array([1.0, 2.0, 0.0]), "rater": np.array([3.0, 1.0])}
STEPS = [np.array([[2.0]]), np.array([[3.0, 1.0], [1.0, 2.0]])]
SHARED = [np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([[3.0, 1.0], [1.0, 2.0]])]


def test_parts_lie_one_after_another():
    own = layout(shared=False)
    assert own.length == 8
    point = np.arange(8.0)
    assert own.measures(point)["rater"].tolist() == [3, 4]
    assert [s.tolist() for s in own.steps(point)] == [[5], [6, 7]]
    one = layout(shared=True)
    assert one.length == 9
    assert [s.tolist() for s in one.steps(np.arange(9.0))] == [[12, 13], [13, 14]]


@pytest.mark.parametrize("shared", [False, True])
def test_steps_climb_and_keep_centred_facets_centred(shared: bool):
    own = layout(shared=shared)
    act = Preconditioner(own, INFORMATION, SHARED if shared else STEPS)
    g = np.random.default_rng(0).normal(size=own.length)
    g[own.at["item"]][2] = 0.0
    step = act(g)
    assert g @ step > 0
    weighted = INFORMATION["rater"] @ step[own.at["rater"]]
    assert weighted == pytest.approx(0)
    assert step[own.at["item"]][2] == 0
    if shared:
        assert step[own.at["criterion"]][2:].sum() == pytest.approx(0)


@pytest.mark.parametrize("shared", [False, True])
def test_the_inverse_is_symmetric(shared: bool):
    own = layout(shared=shared)
    act = Preconditioner(own, INFORMATION, SHARED if shared else STEPS)
    M = np.array([act(e) for e in np.eye(own.length)])
    assert np.allclose(M, M.T)


@pytest.mark.parametrize("shared", [False, True])
def test_an_anchored_criterion_stays_where_it_is(shared: bool):
    own = layout(shared=shared, fixed=(False, True), centred=False)
    step = Preconditioner(own, INFORMATION, SHARED if shared else STEPS)(np.ones(own.length))
    moved = [s.mean() for s in own.steps(step)]
    assert moved[1] == pytest.approx(0)
    assert abs(moved[0]) > 0.1


def test_a_criterion_takes_its_full_newton_step():
    own = layout(shared=False, centred=False)
    g = np.zeros(8)
    g[6:] = [1.0, -2.0]
    step = Preconditioner(own, INFORMATION, STEPS)(g)
    assert step[6:] == pytest.approx(np.linalg.solve(STEPS[1], [1.0, -2.0]))
