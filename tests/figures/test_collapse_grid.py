"""The map of layers and epochs."""

import numpy as np
import pyarrow as pa
import pytest

from backend.errors import AnalysisError
from backend.figures import collapse_heat, palette
from tests.figures.collapse_results import EPOCHS, collapse, nc1


def test_a_cell_is_the_logarithm_at_its_layer_and_epoch_first_layer_below():
    fig = collapse_heat(collapse())
    heat = fig.data[0]
    expected = [[np.log10(nc1(s, i)) for s in range(len(EPOCHS))] for i in range(3)]
    assert np.allclose(heat.z, expected, atol=1e-6)
    assert heat.colorscale[-1][1] == palette.LAYER_RAMP[-1]  # dark = far from collapse
    assert fig.layout.yaxis.ticktext[0].startswith("0 ·")
    assert fig.layout.yaxis.range is None  # upwards
    assert list(heat.customdata[2][3]) == [5, "penultimate"]
    assert heat.text[2][0].startswith("penultimate, epoch 0<br>NC1 1.00 (0.800 to 1.25)<br>NC1 = ")
    assert "(" not in heat.text[1][0].split("<br>")[1]  # no interval there


def test_the_colour_bar_is_in_the_measures_own_numbers():
    bar = collapse_heat(collapse()).data[0].colorbar
    assert bar.ticktext[0] == "0.01" and bar.ticktext[-1] == "1"
    assert bar.tickvals[0] == pytest.approx(-2)


def test_the_selected_epoch_and_layer_are_framed():
    fig = collapse_heat(collapse(), current_epoch=10, current_layer="block.1")
    across = [s for s in fig.layout.shapes if s.xref == "x domain"]
    down = [s for s in fig.layout.shapes if s.yref == "y domain"]
    assert [(s.y0, s.y1) for s in across] == [(0.5, 1.5)]
    assert [(s.x0, s.x1) for s in down] == [(3.5, 4.5)]
    assert not collapse_heat(collapse(), current_epoch=7, current_layer="x").layout.shapes


def test_what_only_the_last_layer_has_leaves_gaps():
    z = np.array(collapse_heat(collapse(), measure="nc3").data[0].z, dtype=float)
    assert np.isfinite(z[2]).all() and np.isnan(z[:2]).all()


def test_layers_of_a_growing_net_stand_by_their_deepest_place():
    table = collapse().tables["trajectory"].to_pylist()
    grown = [r for r in table if r["epoch"] >= 10 or r["layer"] != "block.1"]
    for r in grown:
        if r["epoch"] < 10 and r["layer"] == "penultimate":
            r["index"] = 1
    fig = collapse_heat(collapse(trajectory=pa.Table.from_pylist(grown)))
    assert [row[0][1] for row in fig.data[0].customdata] == ["block.0", "block.1", "penultimate"]
    assert np.isnan(np.array(fig.data[0].z, dtype=float)[1]).tolist() == [True] * 4 + [False] * 2


def test_what_cannot_be_mapped_is_said():
    with pytest.raises(AnalysisError, match="no measure 'nc7'"):
        collapse_heat(collapse(), measure="nc7")
    with pytest.raises(AnalysisError, match="NC3 \\(Zhu\\) is not defined"):
        collapse_heat(collapse(), measure="nc3_zhu")
    with pytest.raises(AnalysisError, match="is 0 at every layer"):
        collapse_heat(collapse(), measure="centre_error")
