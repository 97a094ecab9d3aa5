"""What the ladder of probes says: mean gain over features, and the layer of the most."""

import numpy as np
import pytest

from backend.analyses.complexity_ladder import gains
from backend.analyses.complexity_means import mean_interval
from backend.complexity.probes import Ladder


def ladder(linear, mlp) -> Ladder:
    linear, mlp = np.array(linear, float), np.array(mlp, float)
    names = tuple(f"layer_{i}" for i in range(len(linear)))
    return Ladder(names, np.arange(linear.shape[1]), linear, mlp, np.zeros(linear.shape, int))


def test_gains_are_of_what_can_be_read_and_a_dead_feature_does_not_count():
    nan = np.nan
    got = gains(ladder([[-3.0, 0.2, nan], [0.5, 0.5, nan]], [[0.1, 0.5, nan], [0.5, 0.6, nan]]))
    assert (got["ladder_features"], got["ladder_layer"]) == (2, "layer_0")
    assert got["ladder_most"] == pytest.approx(0.2)  # of 0.1, not 3.1, and 0.3
    assert got["ladder_gain"] == pytest.approx(0.125)
    low, high = mean_interval(np.array([0.05, 0.2]))[1:]
    assert (got["ladder_gain_low"], got["ladder_gain_high"]) == pytest.approx((low, high))
    assert "does not surely read more: 0.125" in got["ladder_reading"]


def test_a_gain_that_is_sure_is_said_to_lower_complexity():
    got = gains(ladder([[0.2, 0.3, 0.4]], [[0.4, 0.51, 0.6]]))
    assert got["ladder_gain_low"] > 0
    assert "complexity by it would be as much lower" in got["ladder_reading"]


def test_without_a_live_feature_nothing_is_said():
    assert gains(ladder([[np.nan]], [[np.nan]])) == {"ladder_features": 0}
