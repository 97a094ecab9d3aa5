"""Accuracy that is left by the share of features kept."""

import numpy as np
import pytest

from backend.errors import AnalysisError
from backend.figures import feature_ablation, palette
from tests.figures.feature_results import ablation, complexity


def named(fig) -> dict:
    return {trace.name: trace for trace in fig.data}


def test_each_order_is_a_line_from_few_features_to_all():
    drawn = named(feature_ablation(complexity()))
    assert np.allclose(drawn["most important first"].x, [0.1, 0.5, 1])
    assert np.allclose(drawn["most important first"].y, np.sqrt([0.1, 0.5, 1]))
    assert np.allclose(drawn["most complex first"].y, [0.001, 0.125, 1])
    assert drawn["most important first"].line.color == palette.BASELINE
    assert drawn["simplest first"].line.color == palette.POINT_RAMP[1]  # light = simple
    assert drawn["most complex first"].line.color == palette.POINT_RAMP[-1]


def test_random_orders_are_one_mean_in_a_band():
    drawn = named(feature_ablation(complexity()))
    line, band = drawn["random (3 seeds)"], drawn["random (3 seeds): least to largest"]
    assert np.allclose(line.y, [0.21 / 3, 1.25 / 3, 1])
    assert np.allclose(band.y, [0.01, 0.25, 1, 1, 0.5, 0.1])
    assert line.line.color == palette.CONTROL and line.customdata[1] == "0.417 (0.250 to 0.500)"


def test_one_seed_has_no_band_and_no_seed_no_line():
    orders = np.array(ablation()["order"].to_pylist())
    first = ablation().filter(~np.isin(orders, ["random-1", "random-2"]))
    one = named(feature_ablation(complexity(ablation=first)))
    assert "random" in one and not any("least" in name for name in one)
    assert np.allclose(one["random"].y, [0.01, 0.25, 1])
    none = ablation().filter(~np.char.startswith(orders, "random"))
    assert not any("random" in n for n in named(feature_ablation(complexity(ablation=none))))


def test_an_order_of_another_name_is_drawn_under_it():
    orders = [o.replace("simplest", "least_<b>redundant") for o in ablation()["order"].to_pylist()]
    other = ablation().set_column(0, "order", [orders])
    drawn = named(feature_ablation(complexity(ablation=other)))
    assert "least &lt;b&gt;redundant" in drawn and "simplest first" not in drawn


def test_the_share_and_the_whole_model_are_marked():
    fig = feature_ablation(complexity(), current=0.3)
    assert [s.x0 for s in fig.layout.shapes if s.line.color == palette.SELECTED] == [0.3]
    assert [s.y0 for s in fig.layout.shapes if s.line.dash == "dash"] == [1]


def test_nothing_taken_out_is_said():
    with pytest.raises(AnalysisError, match="Nothing was taken out"):
        feature_ablation(complexity(ablation=ablation().slice(0, 0)))
