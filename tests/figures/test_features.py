"""The map of features in any colour, and their clusters from simple to complex."""

import numpy as np
import pyarrow as pa
import pytest

from backend.errors import AnalysisError
from backend.figures import feature_clusters, feature_map, palette, read_provenance, to_html
from tests.figures.feature_results import K, clusters, complexity, features


def named(fig) -> dict:
    return {trace.name: trace for trace in fig.data}


def test_features_stand_where_the_table_says_and_are_coloured_on_a_scale():
    fig = feature_map(complexity())
    dots = named(fig)["complexity"]
    assert list(dots.x) == list(range(10)) and list(dots.y) == [i * i for i in range(10)]
    assert np.allclose(dots.marker.color, K) and dots.marker.showscale
    assert (dots.marker.cmin, dots.marker.cmax) == pytest.approx((0, 0.9))
    assert dots.marker.colorscale[0][1] == palette.POINT_RAMP[0]  # light = simple
    assert list(dots.customdata) == list(range(10))
    assert fig.layout.yaxis.scaleanchor == "x" and fig.layout.xaxis.title.text == "PCA 1"


def test_what_lies_on_both_sides_of_zero_is_diverging_around_it():
    dots = named(feature_map(complexity(), colour="importance_signed"))["signed importance"]
    assert (dots.marker.cmin, dots.marker.cmax) == pytest.approx((-1, 1))
    assert dots.marker.colorscale[-1][1] == palette.DIVERGING[-1]


def test_classes_and_clusters_are_categories_though_numbers_name_them():
    drawn = named(feature_map(complexity(), colour="cluster"))
    assert list(drawn["2"].x) == [6, 7, 8, 9] and drawn["9"].marker.color != drawn["1"].marker.color
    fig = feature_map(complexity(), colour="origin")
    drawn = named(fig)
    assert list(drawn["dog"].x) == [2, 3, 4] and fig.layout.showlegend
    assert list(drawn[palette.MISSING].x) == [5]
    assert drawn[palette.MISSING].marker.color == palette.UNSELECTED
    assert fig.layout.legend.title.text == "class it was learned on"


def test_of_many_clusters_the_rest_is_grey_underneath():
    table = features(cluster=np.arange(10) * 3).take([*range(10), *range(10)])
    more = table.set_column(table.column_names.index("cluster"), "cluster",
                            [[*range(10), *range(10, 14), 0, 1, 2, 3, 4, 5]])  # fmt: skip
    fig = feature_map(complexity(features=more), colour="cluster")
    assert fig.data[0].name == "other (4)" and fig.data[0].marker.color == palette.CONTROL
    assert sum(len(t.x) for t in fig.data) == 20


def test_features_without_the_measure_are_grey_and_a_measure_that_none_has_is_refused():
    drawn = named(feature_map(complexity(), colour="redundancy"))
    assert list(drawn[palette.MISSING].x) == [0, 1, 2, 3, 4]
    assert np.allclose(drawn["redundancy"].marker.color, [0.5, 0.4, 0.3, 0.2, 0.1])
    with pytest.raises(
        AnalysisError, match="column 'sensitivity' of the table 'features' is empty"
    ):
        feature_map(complexity(), colour="sensitivity")
    with pytest.raises(AnalysisError, match="'features' has no column age"):
        feature_map(complexity(), colour="age")


def test_the_selected_feature_is_ringed():
    ring = named(feature_map(complexity(), current=3))["selected"]
    assert (ring.x[0], ring.y[0], ring.marker.color) == (3, 9, palette.SELECTED)
    assert "selected" not in named(feature_map(complexity(), current=99))
    assert "selected" not in named(feature_map(complexity()))


def test_features_of_few_rows_are_left_out_and_the_axes_stay():
    whole, part = feature_map(complexity()), feature_map(complexity(), fewest=30)
    assert list(named(part)["complexity"].customdata) == list(range(2, 10))  # 30 rows are enough
    assert part.layout.xaxis.range == whole.layout.xaxis.range
    assert "8 of 10 features" in part.layout.title.subtitle.text
    with pytest.raises(AnalysisError, match="No feature is active on 100 rows"):
        feature_map(complexity(), fewest=100)
    unknown = complexity(features=features(n_active=pa.nulls(10, pa.int64())))
    assert len(named(feature_map(unknown, fewest=30))["complexity"].x) == 10


def test_a_dot_says_its_numbers_with_the_interval_and_no_markup():
    hover = named(feature_map(complexity()))["complexity"].hovertext
    assert hover[0].startswith("feature 0, &lt;b&gt;cat&lt;/b&gt;<br>")
    lines = hover[5].split("<br>")
    assert lines[:4] == [
        "feature 5", "complexity 0.500 (0.450 to 0.600)", "importance 0.500",
        "signed importance 0.500",
    ]  # fmt: skip
    assert "redundancy 0.500" in lines and not any("sensitivity" in line for line in lines)


def test_thousands_go_to_the_graphics_card():
    many = features().take(np.arange(5001) % 10)
    assert named(feature_map(complexity(features=many)))["complexity"].type == "scattergl"
    assert named(feature_map(complexity()))["complexity"].type == "scatter"


def test_without_features_or_places_there_is_no_map():
    with pytest.raises(AnalysisError, match="has no features"):
        feature_map(complexity(features=features().slice(0, 0)))
    nowhere = features(x=pa.nulls(10, pa.float64()), y=pa.nulls(10, pa.float64()))
    with pytest.raises(AnalysisError, match="no place on a map"):
        feature_map(complexity(features=nowhere))


def test_clusters_are_bars_from_simple_to_complex_with_their_features_as_dots():
    fig = feature_clusters(complexity())
    bars, dots = named(fig)["clusters"], named(fig)["features"]
    assert np.allclose(bars.x, [0.1, 0.4, 0.75])
    assert (bars.marker.cmin, bars.marker.cmax) == pytest.approx((0, 0.9))  # as on the map
    assert fig.layout.yaxis.ticktext == (
        "9 · &lt;b&gt;cat&lt;/b&gt;", "1 · dog", "2 · hen",
    )  # fmt: skip
    assert fig.layout.yaxis.range[0] > fig.layout.yaxis.range[1]  # the simplest on top
    assert list(dots.y) == [0, 0, 0, 1, 1, 1, 2, 2, 2, 2] and np.allclose(dots.x, K)
    assert bars.hovertext[0].endswith("mean importance 0.900")
    assert "importance" not in bars.hovertext[1] and "3 features" in bars.hovertext[1]


def test_the_cluster_of_the_selected_feature_is_framed():
    fig = feature_clusters(complexity(), current=7)
    assert list(named(fig)["clusters"].marker.line.width) == [0, 0, 2.5]
    assert (named(fig)["selected"].x[0], named(fig)["selected"].y[0]) == (pytest.approx(0.7), 2)
    assert set(named(feature_clusters(complexity()))["clusters"].marker.line.width) == {0}


def test_clusters_by_importance_leave_out_those_without_one():
    fig = feature_clusters(complexity(), by="importance")
    assert np.allclose(named(fig)["clusters"].x, [0.25, 0.9])
    assert fig.layout.yaxis.ticktext == ("2 · hen", "9 · &lt;b&gt;cat&lt;/b&gt;")
    assert np.allclose(named(fig)["features"].x, (1 - K)[[0, 1, 2, 6, 7, 8, 9]])
    with pytest.raises(AnalysisError, match="no measure of groups 'hoyer'"):
        feature_clusters(complexity(), by="hoyer")


def test_no_clusters_are_said():
    with pytest.raises(AnalysisError, match="have no clusters"):
        feature_clusters(complexity(clusters=clusters().slice(0, 0)))


@pytest.mark.parametrize("draw", [feature_map, feature_clusters])
def test_the_small_print_and_the_file_say_where_it_comes_from(draw):
    result = complexity()
    fig = draw(result)
    small = fig.layout.title.subtitle.text
    assert "n 1 234 rows · 308 held out · 10 features · nmf · float32 · seed 7" in small
    assert "crops &amp; &lt;b&gt;photos" in small
    assert read_provenance(to_html(fig).encode(), "a.html") == result.provenance
