"""All features by all layers, sorted by any measure."""

import numpy as np
import pyarrow as pa
import pytest

from backend.errors import AnalysisError
from backend.figures import feature_grid, feature_heat, palette
from tests.figures.feature_results import K, complexity, features, readability


def frames(fig) -> list[float]:
    return [s.y0 for s in fig.layout.shapes if s.line.color == palette.SELECTED]


def test_rows_are_features_from_simple_to_complex_and_columns_layers_by_depth():
    shuffled = features().take([3, 1, 2, 0, 9, 8, 7, 6, 5, 4])
    fig = feature_heat(complexity(features=shuffled))
    heat = fig.data[0]
    assert np.allclose(heat.z, 1 - K[:, None] / np.arange(1, 5))
    assert (heat.zmin, heat.zmax) == (0, 1)
    assert heat.colorscale[-1][1] == palette.LAYER_RAMP[-1]  # dark = read
    assert fig.layout.yaxis.ticktext == tuple(map(str, range(10)))
    assert fig.layout.yaxis.range == (9.5, -0.5)  # the simplest on top
    assert fig.layout.xaxis.ticktext[0] == "0<br>0 %"


def test_another_measure_sorts_them():
    fig = feature_heat(complexity(), by="importance")
    assert fig.layout.yaxis.ticktext == tuple(map(str, range(9, -1, -1)))
    assert np.allclose(fig.data[0].z[0], 1 - 0.9 / np.arange(1, 5))
    assert "by importance" in fig.layout.yaxis.title.text
    with pytest.raises(AnalysisError, match="'sensitivity' of the table 'features' is empty"):
        feature_heat(complexity(), by="sensitivity")


def test_a_cell_says_feature_layer_and_interval():
    heat = feature_heat(complexity()).data[0]
    assert heat.text[6][1] == "feature 6 at block 1 (33 %)<br>0.700 (0.680 to 0.730)"
    assert np.array(heat.customdata)[6].tolist() == [6, 6, 6, 6]


def test_a_cell_that_was_not_read_is_empty():
    table = readability()
    lost = ~((np.asarray(table["feature"]) == 6) & (np.asarray(table["index"]) == 1))
    z = feature_heat(complexity(readability=table.filter(pa.array(lost)))).data[0].z
    assert np.argwhere(np.isnan(z)).tolist() == [[6, 1]]


def test_the_selected_feature_is_framed_and_few_rows_are_left_out():
    fig = feature_heat(complexity(), current=4, fewest=30)
    assert len(fig.data[0].z) == 8 and frames(fig) == [1.5]  # features 2, 3, 4
    assert "8 of 10 features" in fig.layout.title.subtitle.text
    assert frames(feature_heat(complexity(), current=1, fewest=30)) == []


def test_of_very_many_features_an_even_sample_is_drawn_with_the_selected_one(monkeypatch):
    monkeypatch.setattr(feature_grid, "_ROWS_MOST", 4)
    fig = feature_heat(complexity())
    assert fig.layout.yaxis.ticktext == ("0", "3", "6", "9")
    assert "4 of 10 features" in fig.layout.title.subtitle.text
    fig = feature_heat(complexity(), current=5)
    assert fig.layout.yaxis.ticktext == ("0", "3", "5", "9") and frames(fig) == [1.5]


def test_many_features_are_marked_by_the_measure(monkeypatch):
    monkeypatch.setattr(feature_grid, "_NAMED", 5)
    ticks = feature_heat(complexity()).layout.yaxis
    assert ticks.ticktext[0] == "0" and ticks.ticktext[-1] == "0.900"
    assert ticks.tickvals[-1] == 9
    assert feature_heat(complexity(), by="feature").layout.yaxis.ticktext[-1] == "9"
