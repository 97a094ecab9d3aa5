"""What is drawn along the central path is what was computed."""

import numpy as np
import pytest

from backend.collapse.path import central_path
from backend.figures import collapse_path


def test_the_flow_and_the_tethered_model_are_drawn_over_their_start():
    path = central_path(0.5, 0.5, 3, 6, 4, 0.1, 0, 0.5)
    fig = collapse_path(path)
    ratio, within, between, tethered = fig.data
    assert ratio.y[0] == 1 and ratio.y[-1] == pytest.approx(
        path.flow.nc1_ratio[-1] / path.flow.nc1_ratio[0]
    )
    assert within.y[-1] < 1 < between.y[-1]  # Theorem 3.1
    assert np.allclose(tethered.x, path.t) and tethered.y[-1] < 1
    assert tethered.customdata[-1] == pytest.approx(2.0)  # beta = 1/t
    assert "seed 0" in str(fig.layout.annotations) + str(fig.layout.title)
