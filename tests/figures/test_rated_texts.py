"""Predicted scores as figures: what is drawn equals the tables, and bad asks are refused."""

import numpy as np
import pytest

from backend.errors import AnalysisError
from backend.figures import palette
from backend.figures.rated_texts import (
    rated_calibration,
    rated_components,
    rated_layers,
    rated_scores,
)
from tests.figures.whatif_results import result_of

SITES = ["embed", "resid_post.0", "resid_post.1", "final"]
CRITERIA = ["tone", "harm & <b>threat</b>"]
MEASURE = np.linspace(-2, 2, 9)


def rated(**scalars):
    """Nine items, four layers, two criteria."""
    methods = ["components_soft", "components_hard", "ridge_measure", "ridge_raw", "shuffled"]
    r = np.array([0.8, 0.7, 0.75, 0.72, 0.01])
    two = np.repeat([0.2, 0.4, 0.6, 0.75], 2)
    parts = np.array([[-0.9, -0.4], [0.5, 1.1]])
    tables = {
        "predictions": {
            "item": [f"i{i}" for i in range(9)], "measure": MEASURE, "se": np.full(9, 0.4),
            "predicted_soft": 0.7 * MEASURE, "predicted_hard": 0.6 * MEASURE,
            "direct": 0.5 * MEASURE, "direct_raw": 0.4 * MEASURE, "fold": [0] * 9,
            "extreme": [True] + [False] * 8,
        },
        "methods": {"method": methods, "r": r, "low": r - 0.1, "high": r + 0.1,
                    "rmse": np.full(5, 0.9), "mae": np.full(5, 0.7)},
        "layers": {"site": np.repeat(SITES, 2).tolist(), "target": ["debiased", "raw"] * 4,
                   "r": two - [0, 0.05] * 4, "r_low": two - 0.2, "r_high": two + 0.1,
                   "control": np.full(8, -0.02)},
        "components": {
            "item": ["i0", "i0", "i8", "i8"], "criterion": CRITERIA * 2,
            "expected": [0.2, 0.1, 1.5, 0.9], "observed": [0.0, np.nan, 2.0, 1.0],
            "most": [2, 1, 2, 1], "contribution": parts.ravel(), "score": [-1.4, -1.4, 1.8, 1.8],
            "measure": [-2, -2, 2, 2], "reference": [0.1] * 4,
        },
        "calibration": {
            "criterion": np.repeat(CRITERIA, 3).tolist(), "predicted": [0.2, 1, 1.8, 0.1, 0.5, 0.9],
            "observed": [0.3, 1, 1.7, 0.2, 0.5, 0.8], "low": [0.1, 0.8, 1.5, 0.1, 0.4, 0.7],
            "high": [0.5, 1.2, 1.9, 0.3, 0.6, 0.9], "most": [2] * 3 + [1] * 3, "n": [300] * 6,
        },
    }  # fmt: skip
    known = {"n": 9, "site": "final", "r": 0.8, "r_low": 0.7, "r_high": 0.9}
    return result_of("rated_texts", known | scalars, tables)


def _named(fig) -> dict:
    return {trace.name: trace for trace in fig.data}


def test_every_item_is_a_point_and_extreme_ones_are_open():
    fig = rated_scores(rated())
    drawn = _named(fig)
    assert drawn["item"].x == pytest.approx(MEASURE[1:])
    assert drawn["item"].y == pytest.approx(0.7 * MEASURE[1:])
    ends = drawn["only lowest or only highest ratings"]
    assert ends.x == pytest.approx([-2]) and ends.marker.symbol == "circle-open"
    assert drawn["predicted as measured"].x == drawn["predicted as measured"].y == (-2, 2)
    text = fig.layout.title.subtitle.text
    assert "r 0.800 (0.700 to 0.900) · RMSE 0.900 · MAE 0.700 logits" in text
    assert "n 9 held-out items · final norm · float32 · seed 7" in text
    assert fig.layout.meta["analysis"] == "rated_texts"


def test_other_ways_of_predicting_have_their_own_numbers():
    fig = rated_scores(rated(), "direct_raw")
    assert _named(fig)["item"].y == pytest.approx(0.4 * MEASURE[1:])
    assert "r 0.720" in fig.layout.title.subtitle.text
    assert "raw means" in fig.layout.title.text
    with pytest.raises(AnalysisError, match="no prediction 'oracle'"):
        rated_scores(rated(), "oracle")


def test_layers_are_two_lines_with_the_criteria_at_their_site():
    fig = rated_layers(rated(), current="resid_post.1")
    drawn = _named(fig)
    assert drawn["trained on debiased measures"].y == pytest.approx([0.2, 0.4, 0.6, 0.75])
    assert drawn["trained on raw means"].y == pytest.approx([0.15, 0.35, 0.55, 0.70])
    band = drawn["trained on debiased measures: interval"].y
    assert band[:4] == pytest.approx([0.0, 0.2, 0.4, 0.55])
    point = drawn["by criteria"]
    assert point.x == (3,) and point.y == (0.8,)
    assert point.error_y.array == pytest.approx([0.1])
    assert [s.x0 for s in fig.layout.shapes if s.line.color == palette.SELECTED] == [2]
    assert np.allclose(next(t for t in fig.data if t.line.dash == "dot").y, -0.02)


def test_the_point_has_no_bar_where_there_is_no_interval_and_is_absent_without_r():
    assert _named(rated_layers(rated(r_low=np.nan)))["by criteria"].error_y.array is None
    assert "by criteria" not in _named(rated_layers(rated(r=None)))
    assert "by criteria" not in _named(rated_layers(rated(site="attn_out.1")))


def test_components_are_bars_by_size_that_lead_to_the_score():
    fig = rated_components(rated())
    [bar] = fig.data
    assert bar.x == pytest.approx([0.5, 1.1])
    assert bar.y[1] == "harm &amp; &lt;b&gt;threat&lt;/b&gt;"
    assert "predicted 1.80, measured 2 · beyond first order 0.100" in (
        fig.layout.title.subtitle.text.replace("2.00", "2")
    )  # fmt: skip
    low = rated_components(rated(), "i0")
    assert low.data[0].x == pytest.approx([-0.4, -0.9])
    assert "mean rating –" in low.data[0].text[0] and "of 2 points" in low.data[0].text[1]
    assert low.data[0].marker.color[0] != bar.marker.color[0]
    with pytest.raises(AnalysisError, match="no item 'i3'"):
        rated_components(rated(), "i3")


def test_calibration_is_one_panel_for_each_criterion():
    fig = rated_calibration(rated())
    lines = [t for t in fig.data if t.mode == "lines+markers"]
    assert lines[0].y == pytest.approx([0.3, 1, 1.7])
    assert lines[1].error_y.array == pytest.approx([0.1, 0.1, 0.1])
    ends = [t.x[1] for t in fig.data if t.name == "as predicted"]
    assert ends == [2, 1]
    one = rated_calibration(rated(), "tone")
    assert len(one.data) == 2 and one.layout.xaxis.title.text == "predicted points"
    with pytest.raises(AnalysisError, match="no criterion 'fun'"):
        rated_calibration(rated(), "fun")


def test_other_results_are_refused():
    with pytest.raises(AnalysisError, match="no table 'layers'"):
        rated_layers(result_of("hops", {}, {}))
    with pytest.raises(AnalysisError, match="does not say its items"):
        rated_layers(rated(site=None))
