"""One setting of the sliders: theory and numbers agree, or a note says why they need not."""

import numpy as np
import pytest

from backend.collapse.playground import playground
from backend.errors import AnalysisError

CARD = {"lW": 0.5, "lH": 0.5, "beta": 100.0, "K": 4, "d": 10, "n": 10, "noise": 0.01, "seed": 0}


def _play(**changed):
    return playground(**CARD | changed)


def test_the_cards_setting():
    found = _play()
    assert (found.c, found.rho, found.lowest) == pytest.approx((0.5, 0.5, 0.375))
    assert found.converged and found.notes == ()
    assert found.value > found.lowest
    expected = 0.01**2 * 10 * 0.9 / (0.5 * 3 / 4)
    assert found.nc1_before == pytest.approx(expected, rel=0.2)
    assert found.nc1_after < found.nc1_before
    assert found.nc1_predicted == pytest.approx(found.nc1_after, rel=1e-4)
    assert found.response_error < 2e-4
    assert found.spectrum == pytest.approx(found.predicted, abs=1e-12)
    assert found.spectrum == pytest.approx(found.predicted_first_order, abs=2e-4)
    assert found.spectrum_noisy == pytest.approx(found.spectrum, abs=2e-4)
    assert np.abs(found.spectrum_noisy - found.spectrum).max() > 1e-6
    assert found.between[0] == pytest.approx(found.between_predicted, abs=1e-13)
    assert found.between_predicted_first_order == pytest.approx(0.005)
    assert np.diag(found.norms) == pytest.approx(np.ones(4))
    assert found.norms[~np.eye(4, dtype=bool)] == pytest.approx(np.full(12, found.between[0]))


def test_without_noise_nothing_moves():
    found = _play(noise=0.0)
    assert found.iterations == 0 and found.value == pytest.approx(found.lowest, rel=1e-13)
    assert found.nc1_before < 1e-28 and np.isnan(found.response_error)
    assert found.spectrum_noisy == pytest.approx(found.spectrum, abs=1e-12)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"lW": 2.0, "lH": 1.0}, "collapse to zero"),
        ({"d": 3}, "d = 3 below K = 4"),
        ({"d": 4}, "asks for d > K"),
        ({"beta": 5.0}, "beta = 5 is not large"),
        ({"noise": 0.3}, "far from collapse"),
        ({"beta": 1e-4}, "did not converge"),
    ],
)
def test_a_setting_outside_the_theory_says_so(changed, said):
    assert sum(said in note for note in _play(**changed).notes) == 1


def test_where_theory_ends_numbers_go_on():
    few = _play(d=3)
    assert few.levels == () and few.predicted is None and np.isnan(few.between_predicted)
    assert len(few.spectrum) == 30 and few.nc1_after < few.nc1_before
    zero = _play(lW=2.0, lH=1.0)
    assert zero.rho == 0 and zero.lowest == 0.5
    assert zero.spectrum == pytest.approx(zero.predicted, abs=1e-12)
    assert not zero.norms[~np.eye(4, dtype=bool)].any()
    unfinished = _play(beta=1e-4)
    assert not unfinished.converged and unfinished.spectrum_noisy is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"n": 1}, "n = 1 leaves no spread"),
        ({"noise": -0.1}, "noise = -0.1"),
        ({"K": 1}, "K = 1"),
        ({"K": 30}, "K = 30 is too large"),
        ({"d": 200}, "K d = 800"),
        ({"n": 100}, "n d = 1000"),
        ({"beta": float("inf")}, "beta = inf"),
    ],
)
def test_settings_that_cannot_be_run_are_refused(changed, said):
    with pytest.raises(AnalysisError, match=said):
        _play(**changed)
