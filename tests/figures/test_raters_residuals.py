"""Residuals of raters by criteria, and interactions."""

import numpy as np
import pytest

from backend.errors import AnalysisError
from backend.figures import palette
from backend.figures.raters_residuals import interaction_forest, rater_residuals
from tests.figures.raters_result import raters


def test_each_cell_has_its_z_and_the_largest_come_first():
    result = raters()
    fig = rater_residuals(result)
    z = np.array(fig.data[0].z, dtype=float)
    assert z.shape == (8, 4)
    largest = np.nanmax(np.abs(z), axis=1)
    assert (np.diff(largest) <= 1e-6).all()
    rows, columns = fig.layout.yaxis.ticktext, fig.layout.xaxis.ticktext
    for line in result.tables["cells"].to_pylist():
        at = rows.index(line["rater"]), columns.index(line["criterion"])
        assert z[at] == pytest.approx(line["z"], abs=1e-5)


def test_of_many_raters_some_are_shown_and_that_is_said():
    fig = rater_residuals(raters(), most=3)
    assert len(fig.data[0].z) == 3
    assert "3 of 8 raters" in fig.layout.title.subtitle.text


def test_interactions_are_sorted_and_marked():
    result = raters(interaction="rater x criterion")
    fig = interaction_forest(result, most=12)
    table = result.tables["interactions"].slice(0, 12)
    assert np.allclose(fig.data[0].x, table["bias"].to_numpy(), atol=1e-5)
    assert np.allclose(fig.data[0].error_x.array, 1.96 * table["se"].to_numpy(), atol=1e-3)
    amber = [c == palette.WHATIF for c in fig.data[0].marker.color]
    assert amber == table["marked"].to_pylist()
    assert "12 of 32 pairs" in fig.layout.title.subtitle.text
    with pytest.raises(AnalysisError, match="no table 'interactions'"):
        interaction_forest(raters())
