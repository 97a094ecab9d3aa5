"""Scores of importance, their agreement, and loss against bits."""

import numpy as np
import pytest

from backend.analyses.intervals import rank_correlation
from backend.errors import AnalysisError
from backend.figures import budget_curve, layer_scores, palette, score_scatter, width_lines
from tests.figures.whatif_results import depth, quantization, result_of


def _lines(fig) -> dict:
    return {trace.name: trace for trace in fig.data}


def _badges(fig) -> list:
    return [trace for trace in fig.data if trace.type == "scatter"]


def test_each_score_has_a_row_above_what_was_measured():
    fig = layer_scores(quantization(), scores=("lim", "zd"))
    titles = [a.text for a in fig.layout.annotations if a.name != "footer"]
    assert titles == [
        "LIM, token mean (high is important)",
        "ZD, z &gt; 1 (axis reversed)",
        "measured: alone at 3 bits, others at 4",
    ]
    table = quantization().tables["scores"]
    for trace, column in zip(_badges(fig), ("lim", "zd", "sensitivity"), strict=True):
        assert np.allclose(trace.y, table[column].to_numpy())
    assert "1 008 tokens" in fig.layout.title.subtitle.text


def test_variants_are_named_in_their_rows():
    fig = layer_scores(quantization(), scores=("lim_flattened", "zd_two_sided"))
    titles = [a.text for a in fig.layout.annotations]
    assert titles[0].startswith("LIM, flattened")
    assert titles[1].startswith("ZD, |z| &gt; 1")


def test_up_is_more_important_in_every_row():
    axes = layer_scores(quantization()).layout
    assert axes.yaxis.range[0] < axes.yaxis.range[1]
    assert axes.yaxis2.range[0] > axes.yaxis2.range[1]
    assert axes.yaxis3.range[0] < axes.yaxis3.range[1]


def test_stems_rise_from_a_layer_that_changes_nothing_and_from_normal_weights():
    bars = [t for t in layer_scores(quantization()).data if t.type == "bar"]
    assert [bar.base for bar in bars] == [-1.0, 0.158655, 0.0]
    lim = quantization().tables["scores"]["lim"].to_numpy()
    assert np.allclose(bars[0].y, lim + 1, atol=1e-6)


def test_badges_rank_from_the_most_important_in_the_darkest_colour():
    lim, zd, measured = _badges(layer_scores(quantization()))
    assert list(lim.text) == [
        str(r) for r in quantization().tables["scores"]["lim_rank"].to_pylist()
    ]
    first, last = list(zd.text).index("1"), list(zd.text).index("6")
    assert zd.y[first] == min(zd.y)  # few large weights matter
    assert zd.marker.color[first] == palette.POINT_RAMP[-1]
    assert zd.marker.color[last] == palette.POINT_RAMP[0]
    assert zd.textfont.color[first] != zd.textfont.color[last]
    assert measured.y[list(measured.text).index("1")] == max(measured.y)
    assert np.allclose(measured.error_y.arrayminus, 0.015, atol=1e-6)
    assert np.allclose(measured.error_y.array, 0.02, atol=1e-6)
    assert "rank 1 of 6 (1 matters most)" in lim.hovertext[0]
    assert "block 0 (0 %)" in lim.hovertext[0]


def test_many_layers_have_badges_without_numbers():
    assert _badges(layer_scores(quantization(80)))[0].mode == "markers"


def test_the_current_layer_is_framed_in_every_row():
    fig = layer_scores(quantization(), current=2)
    frames = [s for s in fig.layout.shapes if s.line.color == palette.SELECTED]
    assert [(s.x0, s.x1) for s in frames] == [(1.5, 2.5)] * 3


def test_the_scatter_compares_ranks_and_says_how_well_they_agree():
    fig = score_scatter(quantization(30))
    points = _lines(fig)["layer"]
    assert sorted(points.x) == sorted(points.y) == list(range(1, 31))
    assert list(points.text) == [str(i) for i in range(30)]
    table = quantization(30).tables["scores"]
    rho = rank_correlation(table["lim"].to_numpy(), table["sensitivity"].to_numpy())
    assert (
        f"Spearman ρ {rho[0]:.3f} ({rho[1]:.3f} to {rho[2]:.3f})" in fig.layout.title.subtitle.text
    )
    assert list(_lines(fig)["same rank"].x) == [1, 30]
    assert "sensitivity" in points.hovertext[0] and "rank 1" in points.hovertext[0]
    assert "1 matters most" in fig.layout.xaxis.title.text


def test_a_low_zd_counts_as_important():
    fig = score_scatter(quantization(30), "zd", "zd_two_sided")
    assert "Spearman ρ 1.00" in fig.layout.title.subtitle.text
    mixed = score_scatter(quantization(30), "lim", "lim_flattened", ranks=False)
    assert "Spearman ρ 1.00" in mixed.layout.title.subtitle.text


def test_the_scatter_of_values_has_intervals_and_turns_the_axis_of_zd():
    fig = score_scatter(quantization(), "zd", "sensitivity", ranks=False)
    table = quantization().tables["scores"]
    assert np.allclose(fig.data[0].x, table["zd"].to_numpy())
    assert np.allclose(fig.data[0].error_y.array, 0.02, atol=1e-6)
    assert fig.layout.xaxis.autorange == "reversed"
    assert fig.layout.yaxis.autorange is None


def test_unknown_scores_are_named():
    with pytest.raises(AnalysisError, match=r"no score 'size'.*lim, lim_flattened, zd"):
        layer_scores(quantization(), scores=("size",))
    with pytest.raises(AnalysisError, match=r"no score 'x'.*sensitivity, pruned"):
        score_scatter(quantization(), "x")
    with pytest.raises(AnalysisError, match=r"no table 'scores'"):
        layer_scores(depth())


def test_bits_run_from_many_to_few_and_each_order_has_its_line():
    fig = budget_curve(quantization())
    lines = _lines(fig)
    assert fig.layout.xaxis.range[0] > fig.layout.xaxis.range[1]
    assert "fewer to the right" in fig.layout.xaxis.title.text
    table = quantization().tables["curve"].to_pandas()
    lim = table[table.order == "lim"]
    assert np.allclose(lines["LIM"].x, lim.average_bits)
    assert np.allclose(lines["LIM"].y, lim.loss)
    assert lines["LIM, reversed"].line.dash == lines["ZD, reversed"].line.dash == "dash"
    assert lines["LIM, reversed"].line.color == lines["LIM"].line.color
    assert lines["LIM, pruned"].line.dash == "dot"
    assert "measured sensitivity" in lines
    assert [list(x) for x in lines["LIM"].customdata[:2]] == [["lim", 0], ["lim", 1]]


def test_a_point_says_layers_bits_file_and_loss_with_interval():
    lines = _lines(budget_curve(quantization()))
    said = lines["LIM"].text[-1]
    assert "6 layers at low bits, 3.00 bits on average" in said
    assert "6.50 bits in the whole file" in said
    assert "loss 4.44 (4.40 to 4.49)" in said
    assert "layers left out" in lines["LIM, pruned"].text[2]


def test_random_orders_are_one_band_with_their_mean():
    lines = _lines(budget_curve(quantization()))
    table = quantization().tables["curve"].to_pandas()
    random = table[table.order.str.startswith("random-")].pivot(
        index="low_layers", columns="order", values="loss"
    )
    mean, band = lines["random, range of 5"], lines["random: range"]
    assert np.allclose(mean.y, random.mean(axis=1), rtol=1e-6)
    n = len(random)
    assert np.allclose(band.y[:n], random.min(axis=1), rtol=1e-6)
    assert np.allclose(band.y[n:][::-1], random.max(axis=1), rtol=1e-6)
    assert not band.showlegend
    assert not any(name.startswith("random-") for name in lines)


def test_uniform_widths_are_labelled_and_wider_ones_stand_at_the_edge():
    fig = budget_curve(quantization())
    widths = _lines(fig)["all at one width"]
    assert list(widths.text) == ["‹ 8 bit", "4 bit ", "3 bit ", "2 bit "]
    assert list(widths.x[1:]) == [4, 3, 2]
    assert fig.layout.xaxis.range[0] > widths.x[0] > 4
    assert widths.marker.symbol[0] != widths.marker.symbol[1]
    assert "all layers at 8 bits: loss 2.68" in widths.hovertext[0]
    small = fig.layout.title.subtitle.text
    assert "beyond the view: LIM, pruned (0 bits: 10.8); all at 2 bits (13.6)" in small


def test_two_widths_at_the_edge_share_one_label():
    widths = _lines(budget_curve(quantization(high=3, low=2)))["all at one width"]
    assert list(widths.text) == ["‹ 8, 4 bit", "", "3 bit ", "2 bit "]


def test_the_untouched_model_is_a_level_line_in_the_baseline_colour():
    base = _lines(budget_curve(quantization()))["the model as it is"]
    assert set(base.y) == {2.674}
    assert base.line.color == palette.BASELINE


def test_the_what_if_is_an_amber_star_inside_the_view():
    fig = budget_curve(quantization(), marked=(3.6, 5.5))
    star = _lines(fig)["what-if"]
    assert (star.x[0], star.y[0]) == (3.6, 5.5)
    assert (star.marker.color, star.marker.symbol) == (palette.WHATIF, "star")
    assert fig.layout.yaxis.range[1] > 5.5
    assert "what-if" not in _lines(budget_curve(quantization()))


@pytest.mark.parametrize(
    ("bits", "name"), [(30.2, "what-if ‹ 30.2 bits"), (0.5, "what-if › 0.500 bits")]
)
def test_a_what_if_beyond_the_view_stands_at_its_edge_and_says_so(bits, name):
    fig = budget_curve(quantization(), marked=(bits, 3.0))
    left, right = fig.layout.xaxis.range
    star = _lines(fig)[name]
    assert right < star.x[0] < left
    assert f"what-if: {name.split()[2]} bits" in star.hovertemplate


def test_the_pruned_order_does_not_stretch_the_view():
    fig = budget_curve(quantization())
    assert max(_lines(fig)["LIM, pruned"].y) > 10 > 5 > fig.layout.yaxis.range[1]
    assert fig.layout.xaxis.range[1] > 2.5


def test_losses_over_a_decade_are_drawn_on_a_log_axis():
    assert budget_curve(quantization()).layout.yaxis.type is None
    fig = budget_curve(quantization(), marked=(3.5, 40.0))
    assert fig.layout.yaxis.type == "log"
    assert 10 ** fig.layout.yaxis.range[0] < 2.674 and 10 ** fig.layout.yaxis.range[1] > 40


def test_variants_are_drawn_when_asked_for_or_alone():
    result = quantization()
    assert "LIM, flattened" not in _lines(budget_curve(result))
    chosen = _lines(budget_curve(result, orders=("lim-flattened", "random")))
    assert {"LIM, flattened", "random, range of 5"} <= set(chosen)
    assert "LIM" not in chosen
    curve = result.tables["curve"].to_pandas()
    only = {"curve": curve[curve.order == "zd-two-sided"].to_dict("list")}
    assert "ZD, |z| &gt; 1" in _lines(budget_curve(result_of("quantization", {}, only)))


def test_what_the_curve_lacks_is_named():
    with pytest.raises(AnalysisError, match=r"no order 'best'.*lim, zd, sensitivity"):
        budget_curve(quantization(), orders=("best",))
    with pytest.raises(AnalysisError, match=r"no table 'curve'"):
        budget_curve(depth())
    curve = quantization().tables["curve"].to_pandas()
    pruned = {"curve": curve[curve.order == "pruned-lim"].to_dict("list")}
    with pytest.raises(AnalysisError, match="no order that lowers bits"):
        budget_curve(result_of("quantization", {}, pruned))


def test_each_width_has_a_line_over_single_layers():
    fig = width_lines(quantization())
    lines = _lines(fig)
    table = quantization().tables["widths"].to_pandas()
    for bits in (8, 4, 3, 2):
        own = table[(table.bits == bits) & (table.layer >= 0)]
        assert np.allclose(lines[f"{bits} bit"].y, own.change, rtol=1e-6)
        assert np.allclose(lines[f"{bits} bit: interval"].y[:6], own.low, rtol=1e-6)
    assert fig.layout.yaxis.type == "log"
    named = [t.name for t in fig.data if t.showlegend]
    assert named == ["8 bit", "4 bit", "3 bit", "2 bit"]


def test_changes_that_fall_below_zero_keep_a_plain_axis_with_a_zero_line():
    columns = {"layer": [0, 1], "bits": [4, 4], "change": [-0.01, 5.0], "loss": [2.0, 7.0]}
    fig = width_lines(result_of("quantization", {}, {"widths": columns}))
    assert fig.layout.yaxis.type is None
    assert any(s.y0 == s.y1 == 0 for s in fig.layout.shapes)


def test_widths_of_all_layers_alone_are_refused():
    columns = {"layer": [-1], "bits": [4], "change": [0.1], "loss": [2.0]}
    with pytest.raises(AnalysisError, match="no single layers"):
        width_lines(result_of("quantization", {}, {"widths": columns}))
