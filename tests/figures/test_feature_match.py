"""Two models' complexities mirrored, and pairs of their features about the diagonal."""

import json

import numpy as np
import pyarrow as pa
import pytest

from backend.errors import AnalysisError
from backend.figures import (
    feature_match_distributions,
    feature_match_pairs,
    palette,
    read_provenance,
    to_html,
)
from tests.figures.feature_results import KEY, result_of

A = np.array([0.055, 0.113, 0.127, 0.335])
B = np.array([0.215, 0.225, 0.485])
R = np.array([0.9, 0.5, 0.1])


def matched(changed: str = "b", pairs: pa.Table | None = None, **more):
    features = pa.table({
        "model": ["a"] * 4 + ["b"] * 3, "feature": [0, 1, 2, 3, 0, 1, 2],
        "complexity": np.r_[A, B],
    })  # fmt: skip
    scalars = {
        "name_a": "one <b>", "name_b": "two", "features_a": 4, "features_b": 3, "pairs": 3,
        "matched": 2, "matched_by": "r", "changed": changed, "correlation_control": 0.01,
        "correlation": 0.5, "correlation_low": 0.4, "correlation_high": 0.6,
    }  # fmt: skip
    for model, values in (("a", A), ("b", B)):
        mean = float(values.mean())
        scalars |= {f"mean_complexity_{model}": mean, f"mean_complexity_{model}_low": mean - 0.02,
                    f"mean_complexity_{model}_high": mean + 0.03}  # fmt: skip
    tables = {"features": features, "pairs": pairs_table() if pairs is None else pairs}
    return result_of("feature_match", tables, **scalars | more)


def pairs_table() -> pa.Table:
    columns = {"feature_a": [3, 1, 2], "feature_b": [0, 2, 1], "correlation": R,
               "matched": [True, True, False], "cosine": [0.5, None, None]}  # fmt: skip
    for name, value in (("complexity_a", A[1:]), ("complexity_b", B),
                        ("complexity_in_other", A[1:] + 0.1)):  # fmt: skip
        columns |= {name: value, f"{name}_low": value - 0.05, f"{name}_high": value + 0.2}
    return pa.table(columns)


def named(fig) -> dict:
    return {trace.name: trace for trace in fig.data}


def test_each_models_shares_add_up_to_one_on_its_own_side():
    drawn = named(feature_match_distributions(matched()))
    up, down = drawn["one &lt;b&gt;"], drawn["two"]
    assert sum(up.y) == pytest.approx(1) and sum(down.y) == pytest.approx(-1)
    assert min(up.y) >= 0 >= max(down.y) and list(up.x) == list(down.x)
    width = up.width[0]
    for bars, values in ((up, A), (down, B)):
        inside = [(abs(values - x) < width / 2).sum() for x in bars.x]
        np.testing.assert_allclose(np.abs(bars.y), np.array(inside) / len(values))
    assert up.hovertext[0] == "complexity 0.04 to 0.06<br>1 of 4 features"
    text = feature_match_distributions(matched()).layout.yaxis.ticktext
    assert all(not t.startswith("-") for t in text) and text[0] == text[-1]


def test_means_have_their_band_and_the_changed_model_is_amber():
    for changed, colours in (("b", (palette.BASELINE, palette.WHATIF)),
                             ("a", (palette.WHATIF, palette.BASELINE))):  # fmt: skip
        drawn = named(feature_match_distributions(matched(changed)))
        assert (drawn["one &lt;b&gt;"].marker.color, drawn["two"].marker.color) == colours
    line, band = drawn["two: mean"], drawn["two: interval"]
    assert list(line.x) == pytest.approx([B.mean()] * 2) and line.y[1] < 0 == line.y[0]
    assert (min(band.x), max(band.x)) == pytest.approx((B.mean() - 0.02, B.mean() + 0.03))
    single = {"mean_complexity_b_low": None, "mean_complexity_b_high": None}
    assert "two: interval" not in named(feature_match_distributions(matched(**single)))


@pytest.mark.parametrize(("low", "high"), [(0.3, 0.3), (0.0, 1.0), (0.1, 0.12), (0.95, 1.0)])
def test_bars_hold_every_value_and_are_few(low, high):
    table = pa.table({"model": ["a", "b"], "feature": [0, 0], "complexity": [low, high]})
    result = matched()
    result.tables["features"] = table
    fig = feature_match_distributions(result)
    bars = named(fig)["two"]
    assert 1 <= len(bars.x) <= 25 and sum(bars.y) == pytest.approx(-1)


def test_pairs_stand_by_their_complexities_larger_and_darker_the_more_alike():
    fig = feature_match_pairs(matched())
    drawn = named(fig)
    good, grey = drawn["go together"], drawn["within chance"]
    assert list(good.x) == pytest.approx(A[1:3]) and list(good.y) == pytest.approx(B[:2])
    assert list(good.marker.color) == pytest.approx(R[:2]) and good.marker.cmax == 1
    assert good.marker.size[0] > good.marker.size[1] > grey.marker.size[0]
    assert grey.marker.color == palette.UNSELECTED
    plain = json.loads(fig.to_json())["data"][fig.data.index(good)]
    assert plain["customdata"] == [[3, 0], [1, 2]], "an array would reach a click as a dict"
    assert "cosine 0.500" in good.hovertext[0] and "cosine" not in good.hovertext[1]
    assert "in one &lt;b&gt;" in good.hovertext[0]
    assert "2 of 3 pairs above chance" in fig.layout.title.subtitle.text
    assert "0.500 (0.400 to 0.600), shuffled 0.0100" in fig.layout.title.subtitle.text


def test_the_diagonal_spans_both_axes_which_are_the_same():
    fig = feature_match_pairs(matched())
    line = named(fig)["equally complex"]
    assert list(line.x) == list(line.y) == list(fig.layout.xaxis.range)
    assert fig.layout.yaxis.range == fig.layout.xaxis.range
    assert line.x[0] < 0.06 and line.x[1] > 0.68, "intervals are inside"
    assert list(named(fig)["interval"].error_y.array) == pytest.approx([0.2] * 3)


def test_the_same_feature_in_the_other_model_takes_the_partners_place():
    fig = feature_match_pairs(matched(), against="complexity_in_other")
    assert list(named(fig)["go together"].y) == pytest.approx(A[1:3] + 0.1)
    assert fig.layout.yaxis.title.text.endswith("read from the layers of two")
    with pytest.raises(AnalysisError, match="There is no measure 'hoyer'"):
        feature_match_pairs(matched(), against="hoyer")


def test_the_selected_pair_is_ringed_and_one_that_is_no_pair_is_not():
    ring = named(feature_match_pairs(matched(), current=(1, 2)))["selected"]
    assert (ring.x[0], ring.y[0]) == pytest.approx((A[2], B[1]))
    assert "selected" not in named(feature_match_pairs(matched(), current=(1, 0)))
    assert "selected" not in named(feature_match_pairs(matched()))


def test_without_sign_the_size_is_of_the_absolute_correlation():
    table = pairs_table()
    table = table.set_column(2, "correlation", pa.array(-R))
    drawn = named(feature_match_pairs(matched(pairs=table, matched_by="|r|")))
    assert list(drawn["go together"].marker.color) == pytest.approx(R[:2])
    assert drawn["go together"].marker.colorbar.title.text == "correlation |r|"


def test_nothing_to_draw_is_said():
    with pytest.raises(AnalysisError, match="No features were paired"):
        feature_match_pairs(matched(pairs=pairs_table().slice(0, 0)))
    result = matched()
    result.tables["features"] = result.tables["features"].slice(0, 4)
    with pytest.raises(AnalysisError, match="A model has no features here"):
        feature_match_distributions(result)


def test_figures_carry_their_provenance():
    for fig in (feature_match_distributions(matched()), feature_match_pairs(matched())):
        assert read_provenance(to_html(fig).encode(), "a.html")["key"] == KEY
