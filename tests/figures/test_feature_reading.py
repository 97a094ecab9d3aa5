"""Where a feature becomes readable, and what a small net reads beyond a linear probe."""

import numpy as np
import pyarrow as pa
import pytest

from backend.errors import AnalysisError
from backend.figures import feature_ladder, feature_profile, palette
from tests.figures.feature_results import LAYERS, complexity, ladder, readability


def named(fig) -> dict:
    return {trace.name: trace for trace in fig.data}


def lines_at(fig) -> list[float]:
    return [s.x0 for s in fig.layout.shapes if s.line.color == palette.SELECTED]


def test_a_profile_is_a_step_for_each_layer_in_order_of_depth():
    fig = feature_profile(complexity(), 6)
    drawn = named(fig)
    value = [0.4, 0.7, 0.8, 0.85]  # 1 - 0.6 / (layer + 1)
    assert np.allclose(drawn["feature 6"].y, value)
    assert list(drawn["feature 6"].customdata) == list(LAYERS)
    assert fig.layout.xaxis.title.text == "block, depth"
    steps = drawn["feature 6: steps"]
    assert np.allclose(steps.x, [-0.5, 0.5, 0.5, 1.5, 1.5, 2.5, 2.5, 3.5])
    assert np.allclose(steps.y, np.repeat(value, 2))
    assert fig.layout.xaxis.ticktext[0] == "0<br>0 %" and fig.layout.xaxis.ticktext[-1] == "penult"
    assert drawn["feature 6"].hovertext[1] == "block 1 (33 %): 0.700 (0.680 to 0.730)"


def test_the_band_is_the_interval():
    band = named(feature_profile(complexity(), 6))["feature 6: interval"]
    assert np.allclose(band.y[:4], [0.38, 0.38, 0.68, 0.68]) and np.isclose(band.y[-1], 0.43)
    assert len(band.x) == 16


def test_the_mean_of_all_and_the_rows_of_the_fit_are_quiet():
    drawn = named(feature_profile(complexity(), 6))
    assert np.allclose(drawn["mean of all features"].y, 1 - 0.45 / np.arange(1, 5))
    assert np.allclose(drawn["on the rows of the fit"].y, [0.5, 0.8, 0.9, 0.95])
    quiet = {drawn[n].line.color for n in ("mean of all features", "on the rows of the fit")}
    assert quiet == {palette.CONTROL}
    bare = readability().drop_columns(["fit", "low", "high", "raw"])
    drawn = named(feature_profile(complexity(readability=bare), 6))
    assert "on the rows of the fit" not in drawn and "feature 6: interval" not in drawn
    assert drawn["feature 6"].hovertext[1] == "block 1 (33 %): 0.700"


def test_a_value_that_was_clipped_says_what_it_was():
    hover = named(feature_profile(complexity(), 9))["feature 9"].hovertext
    assert hover[0].endswith("<br>before clipping -0.400") and "clipping" not in hover[1]


def test_other_features_and_a_what_if_stand_beside_it():
    less = readability()
    at = less.column_names.index("v_information")
    halved = less.set_column(at, "v_information", pa.array(np.asarray(less[at]) / 2))
    fig = feature_profile(
        complexity(), 6, compare=[6, 2, 2], changed=complexity(readability=halved)
    )
    drawn = named(fig)
    assert drawn["feature 6, what-if"].marker.color == palette.WHATIF
    assert np.allclose(drawn["feature 6, what-if"].y, [0.2, 0.35, 0.4, 0.425])
    assert drawn["feature 6"].marker.color == palette.BASELINE
    assert np.allclose(drawn["feature 2"].y, [0.8, 0.9, 2.8 / 3, 0.95])
    assert "feature 2: interval" not in drawn
    assert len({t.marker.color for t in fig.data if t.mode == "markers"}) == 3


def test_a_layer_that_was_not_read_leaves_a_gap():
    table = readability()
    lost = ~((np.asarray(table["feature"]) == 6) & (np.asarray(table["index"]) == 1))
    drawn = named(feature_profile(complexity(readability=table.filter(pa.array(lost))), 6))
    assert np.isnan(drawn["feature 6"].y[1]) and np.isfinite(drawn["feature 6"].y[[0, 2, 3]]).all()
    assert len(drawn["feature 6: interval"].x) == 12


def test_the_current_layer_is_marked_and_the_complexity_said():
    fig = feature_profile(complexity(), 6, current="block.2")
    assert lines_at(fig) == [2] and lines_at(feature_profile(complexity(), 6, current="x")) == []
    assert "complexity 0.600 (0.550 to 0.700)" in fig.layout.title.subtitle.text


def test_below_zero_the_axis_goes_below_zero():
    table = readability()
    at = table.column_names.index("low")
    low = table.set_column(at, "low", pa.array(np.asarray(table[at]) - 2))
    assert feature_profile(complexity(readability=low), 6).layout.yaxis.range[0] < -1.6
    assert feature_profile(complexity(), 6).layout.yaxis.range[0] == pytest.approx(-0.02)


def test_a_feature_that_is_not_there_is_said():
    with pytest.raises(AnalysisError, match=r"'readability' has no feature 10. It has: 0 to 9"):
        feature_profile(complexity(), 10)


def test_names_of_arrays_are_layers_too():
    table = readability()
    at = table.column_names.index("layer")
    plain = [f"layer_{i}" for i in np.asarray(table["index"])]
    fig = feature_profile(complexity(readability=table.set_column(at, "layer", [plain])), 6)
    assert "layer_0" in fig.layout.xaxis.ticktext and fig.layout.xaxis.title.text == "layer"
    assert named(fig)["feature 6"].hovertext[0].startswith("layer_0: 0.400")


def test_the_ladder_is_the_median_over_features_with_its_middle_half():
    drawn = named(feature_ladder(complexity()))
    assert np.allclose(drawn["linear probe"].y, [0.01, 0.21, 0.41, 0.61])  # of 0, 0.01, 0.04
    assert np.allclose(drawn["small net (MLP)"].y, [0.11, 0.31, 0.51, 0.71])
    band = drawn["linear probe: interval"]
    assert np.allclose([band.y[0], band.y[-1]], [0.005, 0.025])


def test_one_features_ladder_has_no_band():
    fig = feature_ladder(complexity(), feature=4, current="penultimate")
    drawn = named(fig)
    assert np.allclose(drawn["linear probe"].y, [0.04, 0.24, 0.44, 0.64])
    assert "linear probe: interval" not in drawn and lines_at(fig) == [3]
    with pytest.raises(AnalysisError, match="'ladder' has no feature 2"):
        feature_ladder(complexity(), feature=2)


def test_a_ladder_says_how_many_features_were_tried_and_needs_some():
    small = feature_ladder(complexity()).layout.title.subtitle.text
    assert "median and middle half of features" in small and "3 of 10 features" in small
    with pytest.raises(AnalysisError, match="No probes were compared"):
        feature_ladder(complexity(ladder=ladder().slice(0, 0)))
    table = ladder().set_column(2, "probe", [["tree"] * 24])
    with pytest.raises(AnalysisError, match=r"no probe 'tree'. Use: linear, mlp"):
        feature_ladder(complexity(ladder=table))
