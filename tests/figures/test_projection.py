"""The cloud of rows: traces, colours, selection, axes that do not jump, and the density."""

import numpy as np
import pyarrow as pa
import pytest

from backend.errors import AnalysisError
from backend.figures import axis_limits, palette, projection_film, projection_map

TOPICS = ["art", "law", "art", None, "sea", "law", "art", "law", "sea", "art", "art", "law"]


def test_one_trace_for_each_category_with_row_ids(make_cloud, provenance):
    fig = projection_map(
        make_cloud(12),
        site="resid_post.1",
        provenance=provenance,
        colour=TOPICS,
        colour_name="topic",
    )
    names = {t.name: t for t in fig.data}
    assert set(names) == {"art", "law", "sea", palette.MISSING}
    assert names["sea"].customdata.tolist() == [40, 80]
    assert names["art"].x.dtype == np.float32
    assert sum(len(t.x) for t in fig.data) == 12
    assert {t.type for t in fig.data} == {"scatter"}
    assert fig.layout.dragmode == "lasso"
    assert fig.layout.transition.duration > 0
    assert "topic" in fig.layout.title.text


def test_a_category_keeps_its_colour_at_every_layer_and_in_every_slice(make_cloud, provenance):
    def colours(table, topics, **more):
        fig = projection_map(
            table, site="resid_post.1", provenance=provenance, colour=topics, **more
        )
        return {t.name: t.marker.color for t in fig.data}

    whole = colours(make_cloud(12), TOPICS)
    part = colours(make_cloud(2), ["sea", "law"], categories=TOPICS)
    assert part == {name: whole[name] for name in ("law", "sea")}


def test_axes_are_the_same_at_every_layer(make_cloud, provenance):
    table = make_cloud(12)
    limits = axis_limits(table)
    assert limits[0][0] == pytest.approx(-7 - 0.04 * 14)
    ranges = {
        projection_map(table, site=s, provenance=provenance).layout.xaxis.range
        for s in ("embed", "resid_post.5")
    }
    assert ranges == {limits[0]}


def test_selected_rows_stay_and_the_others_turn_grey(make_cloud, provenance):
    fig = projection_map(
        make_cloud(12), site="embed", provenance=provenance, colour=TOPICS, selected=[40, 10]
    )
    chosen = {t.name: list(t.selectedpoints) for t in fig.data}
    assert chosen["sea"] == [0]
    assert chosen["law"] == [0]
    assert chosen["art"] == []
    assert fig.data[0].unselected.marker.color == palette.UNSELECTED


def test_numbers_become_a_scale_that_diverges_around_zero(make_cloud, provenance):
    table = make_cloud(12)
    positive = projection_map(
        table, site="embed", provenance=provenance, colour=np.arange(12.0) + 0.5
    ).data[0]
    assert positive.marker.colorscale[0][1] == palette.POINT_RAMP[0]
    signed = projection_map(
        table, site="embed", provenance=provenance, colour=np.linspace(-1, 3, 12)
    ).data[0]
    assert (signed.marker.cmin, signed.marker.cmax) == (-3, 3)
    assert signed.marker.colorscale[0][1] == palette.DIVERGING[0]


def test_few_whole_numbers_are_categories(make_cloud, provenance):
    fig = projection_map(
        make_cloud(12), site="embed", provenance=provenance, colour=pa.chunked_array([[1, 0] * 6])
    )
    assert [t.name for t in fig.data] == ["0", "1"]


def test_many_categories_leave_the_rare_ones_grey(make_cloud, provenance):
    colour = [f"c{i % 13:02}" for i in range(40)]  # c00 has four, the others three
    fig = projection_map(make_cloud(40), site="embed", provenance=provenance, colour=colour)
    assert len(fig.data) == 11
    assert fig.data[0].name == "other (3)"
    assert fig.data[0].marker.color == palette.CONTROL


def test_hover_text_cannot_bring_markup(make_cloud, provenance):
    hover = ["<a href='http://x'>go</a>\nnext & last"] * 12
    fig = projection_map(make_cloud(12), site="embed", provenance=provenance, hover=hover)
    assert fig.data[0].text[0] == "&lt;a href='http://x'&gt;go&lt;/a&gt;<br>next &amp; last"


def test_more_than_5000_points_are_webgl(make_cloud, provenance):
    fig = projection_map(make_cloud(5001, sites=["embed"]), site="embed", provenance=provenance)
    assert fig.data[0].type == "scattergl"
    assert fig.layout.transition.duration is None


def test_more_than_50000_points_are_a_density_with_a_said_sample(make_cloud, provenance):
    n = 60_000
    table = make_cloud(n, sites=["embed"])
    fig = projection_map(table, site="embed", provenance=provenance, selected=[0, 10, 599_990])
    heat, points, chosen = fig.data
    assert heat.type == "heatmap"
    assert heat.z.dtype == np.uint8
    assert len(points.x) == 20_000
    assert len(np.unique(points.customdata)) == 20_000
    assert chosen.customdata.tolist() == [0, 10, 599_990]
    assert "20 000 of 60 000 points drawn" in fig.layout.title.subtitle.text
    again = projection_map(table, site="embed", provenance=provenance)
    assert again.data[1].customdata.tolist() == points.customdata.tolist()
    # the density lies where the points are: on a circle of radius 1
    at = np.argwhere(heat.z > 0)
    radius = np.hypot(heat.x0 + heat.dx * at[:, 1], heat.y0 + heat.dy * at[:, 0])
    assert np.abs(radius - 1).max() < 0.02


def test_what_does_not_fit_is_refused(make_cloud, provenance):
    with pytest.raises(AnalysisError, match=r"no projection of 'head'.*embed"):
        projection_map(make_cloud(12), site="head", provenance=provenance)
    with pytest.raises(AnalysisError, match="3 colour values for 12 points"):
        projection_map(make_cloud(12), site="embed", provenance=provenance, colour=[1, 2, 3])


def test_the_film_has_a_frame_for_each_site_and_the_points_travel(make_cloud, provenance):
    fig = projection_film(make_cloud(12), provenance=provenance, colour=TOPICS)
    assert [f.name for f in fig.frames][:2] == ["embed", "resid_post.0"]
    assert len(fig.frames) == 7
    last = fig.frames[-1]
    assert list(last.traces) == [0, 1, 2, 3]
    start = np.hypot(fig.data[0].x, fig.data[0].y)
    end = np.hypot(last.data[0].x, last.data[0].y)
    assert np.allclose(start, 1)
    assert np.allclose(end, 7)
    assert len(fig.layout.sliders[0].steps) == 7
    assert [b.label for b in fig.layout.updatemenus[0].buttons] == ["Play", "Pause"]
    assert fig.data[0].ids[0] == "0"


def test_a_long_film_shows_a_sample_and_says_so(make_cloud, provenance):
    fig = projection_film(make_cloud(2500, sites=["embed", "head"]), provenance=provenance)
    assert len(fig.data[0].x) == len(fig.frames[1].data[0].x) == 2000
    assert "2 000 of 2 500 points drawn" in fig.layout.title.subtitle.text


def test_depth_counts_the_whole_model_even_if_one_site_is_given(make_cloud, provenance):
    models = [{"ref": "demo:smollm2", "id": "1", "blocks": 30}]
    fig = projection_map(
        make_cloud(12, sites=["resid_post.12"]),
        site="resid_post.12",
        provenance={**provenance, "models": models},
    )
    assert "block 12 (40 %)" in fig.layout.title.text
