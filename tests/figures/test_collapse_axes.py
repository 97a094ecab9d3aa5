"""The axis of epochs, and log axes with few ticks."""

import numpy as np
import plotly.graph_objects as go
import pytest

from backend.figures.collapse_axes import EpochAxis, log_axis


def test_epoch_0_is_an_octave_before_the_first_epoch():
    axis = EpochAxis.of([40, 0, 80, 400])
    assert axis.at(np.array([0, 40, 400])).tolist() == [20, 40, 400]
    assert axis.ends[0] < 20 and axis.ends[1] > 400
    assert EpochAxis.of([3, 9]).ends[0] == pytest.approx(3, rel=0.1)  # no room for what is absent


@pytest.mark.parametrize(
    ("epochs", "ticks"),
    [
        ([0], ["0", "1"]),
        ([350], ["350"]),
        ([0, 40, 400], ["0", "50", "100", "200"]),
        ([1, 5000], ["1", "10", "100", "1000"]),
    ],
)
def test_ticks_are_round_epochs_within_the_axis(epochs, ticks):
    fig = go.Figure()
    EpochAxis.of(epochs).draw(fig)
    assert list(fig.layout.xaxis.ticktext) == ticks
    low, high = (10**end for end in fig.layout.xaxis.range)
    assert all(low < t < high for t in fig.layout.xaxis.tickvals)


@pytest.mark.parametrize(
    ("values", "tick"), [([1, 2], None), ([1, 90], "D2"), ([1e-4, 1], 1), ([1e-9, 1], 2)]
)
def test_the_more_decades_the_fewer_ticks_in_each(values, tick):
    assert log_axis(np.array([*values, np.nan, 0.0]))["dtick"] == tick
    assert log_axis(np.array([np.nan]))["type"] == "log"
