"""How well tastes predict: by their number, by answers, by layer; and calibrated."""

import numpy as np
import pyarrow as pa
import pytest

from backend.errors import AnalysisError
from backend.figures import (
    palette,
    read_provenance,
    taste_accuracy,
    taste_calibration,
    taste_fewshot,
    taste_layers,
    to_html,
)
from tests.figures.taste_results import accuracy, baselines, layers, preferences


def named(fig) -> dict:
    return {trace.name: trace for trace in fig.data}


def lines_at(fig, colour: str) -> list[float]:
    return [shape.x0 for shape in fig.layout.shapes if shape.line.color == colour]


def test_each_split_is_a_line_of_means_over_seeds():
    drawn = named(taste_accuracy(preferences()))
    assert list(drawn["held-out pairs"].x) == [1, 2, 3]
    assert np.allclose(drawn["held-out pairs"].y, [0.66, 0.71, 0.76])  # 0.65 and 0.67, ...
    assert np.allclose(drawn["new people"].y, [0.65, 0.7, 0.75])
    assert drawn["held-out pairs"].line.color == palette.BASELINE
    assert drawn["training pairs"].line.color == palette.CONTROL
    assert drawn["training pairs"].line.dash == "dot"
    assert "unseen options" not in drawn  # there is no such row
    assert drawn["held-out pairs"].customdata[1] == "0.710 (0.700 to 0.720)"


def test_the_band_reaches_from_the_least_seed_to_the_largest():
    drawn = named(taste_accuracy(preferences()))
    band = drawn["held-out pairs: interval"]
    assert band.fill == "toself" and not band.showlegend
    assert list(band.x) == [1, 2, 3, 3, 2, 1]
    assert np.allclose(band.y, [0.65, 0.7, 0.75, 0.77, 0.72, 0.67])
    assert "new people: interval" not in drawn  # seeds agree there


def test_one_taste_for_all_is_a_level_line_of_held_out_pairs_alone():
    drawn = named(taste_accuracy(preferences()))
    assert np.allclose(drawn["majority"].y, [0.52, 0.52])  # not the 0.99 of training
    assert np.allclose(drawn["Bradley-Terry on options"].y, 0.6)
    assert {drawn["majority"].line.color, drawn["Bradley-Terry on options"].line.color} == {
        palette.CONTROL
    }
    assert drawn["majority"].line.dash != drawn["Bradley-Terry on options"].line.dash
    assert drawn["majority"].x[0] < 1 and drawn["majority"].x[1] > 3
    none = preferences(baselines=baselines().slice(0, 0))
    assert "majority" not in named(taste_accuracy(none))
    del none.tables["baselines"]
    assert "held-out pairs" in named(taste_accuracy(none))


def test_the_chosen_number_of_tastes_is_marked():
    result = preferences(2)
    assert lines_at(taste_accuracy(result), palette.SELECTED) == [2]
    result.scalars["k"] = None
    assert lines_at(taste_accuracy(result), palette.SELECTED) == []


def test_a_what_if_is_amber_beside_the_model_as_it_is():
    fig = taste_accuracy(preferences(), changed=preferences(accuracy=accuracy(above=-0.1)))
    drawn = named(fig)
    assert drawn["held-out pairs, what-if"].line.color == palette.WHATIF
    assert np.allclose(drawn["held-out pairs, what-if"].y, [0.56, 0.61, 0.66])
    assert np.allclose(drawn["held-out pairs"].y, [0.66, 0.71, 0.76])
    assert palette.WHATIF not in {t.line.color for t in taste_accuracy(preferences()).data}


def test_names_of_baselines_cannot_bring_markup():
    odd = baselines().set_column(0, "name", pa.array(["<b>m</b>"] * 4))
    assert "&lt;b&gt;m&lt;/b&gt;" in named(taste_accuracy(preferences(baselines=odd)))


def test_few_answers_stand_evenly_with_their_intervals():
    fig = taste_fewshot(preferences())
    drawn = named(fig)
    many, one = drawn["2 tastes"], drawn["one taste"]
    assert list(fig.layout.xaxis.ticktext) == ["0", "5", "20"]
    assert list(many.x) == list(fig.layout.xaxis.tickvals) == [0, 1, 2]
    assert np.allclose(many.y, [0.6, 0.7, 0.8])
    assert np.allclose(many.error_y.array, 0.1, atol=1e-6)
    assert np.allclose(many.error_y.arrayminus, 0.05, atol=1e-6)
    assert many.customdata[2] == "0.800 (0.750 to 0.900)"
    assert np.allclose(one.y, [0.61, 0.62, 0.63]) and one.line.color == palette.CONTROL


def test_without_new_people_there_is_nothing_to_draw():
    result = preferences()
    result.tables["fewshot"] = result.tables["fewshot"].slice(0, 0)
    with pytest.raises(AnalysisError, match=r"Nobody was kept as new. Raise new_share"):
        taste_fewshot(result)


def test_calibration_has_a_line_for_each_and_areas_by_count():
    drawn = named(taste_calibration(preferences()))
    assert list(drawn["as predicted"].x) == list(drawn["as predicted"].y) == [0.5, 1]
    two, one = drawn["2 tastes"], drawn["one taste"]
    assert two.line.color == palette.BASELINE != one.line.color
    assert np.allclose(two.x, [0.55, 0.9]) and np.allclose(two.y, [0.5, 0.95])
    assert np.allclose(two.marker.size, [15, 9])  # 400 and 100: half as wide above 3
    assert one.marker.size[1] == 4  # one pair is still seen
    assert list(two.customdata) == [400, 100]


def test_layers_stand_in_their_order_with_bands_and_the_control():
    fig = taste_layers(layers())
    drawn = named(fig)
    assert np.allclose(drawn["2 tastes"].y, [0.65, 0.7, 0.75, 0.8])
    assert np.allclose(drawn["one taste"].y, [0.55, 0.6, 0.65, 0.7])
    assert [c[0] for c in drawn["2 tastes"].customdata] == [
        "embed", "resid_post.0", "resid_post.1", "final"
    ]  # fmt: skip
    assert drawn["2 tastes"].line.color == palette.BASELINE
    assert np.allclose(drawn["2 tastes: interval"].y[:4], [0.63, 0.68, 0.73, 0.78])
    control = drawn["options dealt at random"]
    assert np.allclose(control.y, 0.51) and control.line.color == palette.CONTROL
    assert sum(t.name == "options dealt at random" for t in fig.data) == 1


def test_the_current_layer_is_marked():
    assert lines_at(taste_layers(layers(), current="resid_post.1"), palette.SELECTED) == [2]
    assert lines_at(taste_layers(layers(), current="head"), palette.SELECTED) == []


def test_layers_of_one_taste_alone_keep_their_control():
    drawn = named(taste_layers(layers((1,))))
    assert "options dealt at random" in drawn and "2 tastes" not in drawn


DRAWN = {
    "accuracy": taste_accuracy, "fewshot": taste_fewshot, "calibration": taste_calibration,
}  # fmt: skip


@pytest.mark.parametrize("table", DRAWN)
def test_what_is_missing_is_said(table):
    result = preferences()
    result.tables[table] = result.tables[table].drop_columns([result.tables[table].column_names[0]])
    with pytest.raises(AnalysisError, match=f"The table '{table}' has no column"):
        DRAWN[table](result)
    del result.tables[table]
    with pytest.raises(AnalysisError, match=f"no table '{table}'"):
        DRAWN[table](result)
    with pytest.raises(AnalysisError, match="no table 'layers'"):
        taste_layers(result)


def test_the_small_print_and_the_file_say_where_it_comes_from():
    for fig in (*(draw(preferences()) for draw in DRAWN.values()), taste_layers(layers())):
        small = fig.layout.title.subtitle.text
        assert small.startswith("n 1 234 choices · 6 people · 5 options")
        assert "demo:minilm@9f2b7c1" in small and "drinks &amp; &lt;b&gt;people" in small
        page = to_html(fig)
        assert read_provenance(page.encode(), "a.html")["key"] == "0123456789abcdef" * 2
