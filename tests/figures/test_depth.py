"""How a model uses its depth: contributions, skipped layers, the lens, the depth score."""

import numpy as np
import pyarrow as pa
import pytest

from backend.errors import AnalysisError
from backend.figures import (
    depth_contributions,
    depth_lens,
    depth_output_bars,
    depth_scores,
    depth_skip_map,
    palette,
)
from tests.figures.whatif_results import depth, hops, result_of


def _lines(fig) -> dict:
    return {trace.name: trace for trace in fig.data}


def _labels(fig) -> list[str]:
    return [shape.label.text for shape in fig.layout.shapes if shape.label.text]


def _marks(fig) -> list:
    return [s for s in fig.layout.shapes if s.line.color == palette.SELECTED]


def test_contributions_are_three_lines_with_intervals():
    result = depth()
    fig, table = depth_contributions(result), result.tables["layers"]
    lines = _lines(fig)
    for part, name in (("attn", "attention"), ("mlp", "MLP"), ("layer", "layer")):
        value = table[f"{part}_relative"].to_numpy()
        assert np.allclose(lines[name].y, value, rtol=1e-6)
        assert np.allclose(lines[f"{name}: interval"].y[:6], 0.9 * value, rtol=1e-6)
    assert lines["layer"].line.color == palette.BASELINE
    assert len({lines[n].marker.symbol for n in ("attention", "MLP", "layer")}) == 3
    assert lines["layer"].text[3] == "block 3 (50 %)"
    assert " to " in lines["layer"].customdata[3][1]
    assert list(fig.layout.xaxis.ticktext)[0] == "0<br>0 %"
    assert fig.layout.xaxis.range[0] < fig.layout.xaxis.range[1]
    assert "n 10 prompts · 640 tokens · float32 · seed 7" in fig.layout.title.subtitle.text
    assert fig.layout.meta["analysis"] == "depth"


def test_half_depth_lies_between_the_two_halves_of_the_blocks():
    fig = depth_contributions(depth(6), current=2)
    half = next(s for s in fig.layout.shapes if s.label.text == "half")
    assert half.x0 == half.x1 == 2.5
    assert [mark.x0 for mark in _marks(fig)] == [2]
    assert not _marks(depth_contributions(depth(6), current=9))


def test_the_axis_is_logarithmic_only_beyond_two_decades():
    assert depth_contributions(depth()).layout.yaxis.type is None
    wide = depth().tables["layers"]
    at = wide.column_names.index("layer_relative")
    wide = wide.set_column(at, "layer_relative", pa.array([200.0, *[0.3] * 5]))
    result = result_of("depth", {"n": 10}, {})
    result.tables["layers"] = wide
    assert depth_contributions(result).layout.yaxis.type == "log"
    assert depth_contributions(result, measure="cosine").layout.yaxis.type is None


def test_the_cosine_says_what_it_means():
    fig = depth_contributions(depth(), measure="cosine")
    assert _labels(fig) == ["half", "erase", "write new", "amplify"]
    spans = {s.label.text: (s.y0, s.y1) for s in fig.layout.shapes if s.type == "rect"}
    assert spans["erase"][1] == spans["write new"][0] < 0 < spans["write new"][1]
    assert any(s.y0 == s.y1 == 0 for s in fig.layout.shapes if s.type == "line")
    low, high = fig.layout.yaxis.range
    assert low <= -0.3 and high >= 0.3
    assert fig.layout.margin.r > 62


def test_norms_have_the_stream_beside_and_maxima_no_interval():
    assert "stream" in _lines(depth_contributions(depth(), measure="norm"))
    largest = depth_contributions(depth(), reduce="max")
    expected = depth().tables["layers"]["layer_relative_max"].to_numpy()
    assert np.allclose(_lines(largest)["layer"].y, expected)
    assert "layer: interval" not in _lines(largest)
    assert "grows with their number" in largest.layout.title.subtitle.text


def test_unknown_options_of_the_contributions_are_named():
    with pytest.raises(AnalysisError, match=r"no measure 'size'.*relative, cosine, norm"):
        depth_contributions(depth(), measure="size")
    with pytest.raises(AnalysisError, match=r"no reduction 'p95'.*mean, max"):
        depth_contributions(depth(), reduce="p95")
    with pytest.raises(AnalysisError, match=r"Only relative has a max, not cosine"):
        depth_contributions(depth(), measure="cosine", reduce="max")
    with pytest.raises(AnalysisError, match=r"no table 'layers'"):
        depth_contributions(hops())
    with pytest.raises(AnalysisError, match=r"no column layer_relative"):
        bare = {"layers": {"layer": [0], "attn_relative": [1.0], "mlp_relative": [1.0]}}
        depth_contributions(result_of("depth", {}, bare))


@pytest.mark.parametrize(("reduce", "share"), [("max", 1.0), ("mean", 0.5), ("p95", 0.8)])
def test_the_map_has_skipped_layers_up_and_effects_across(reduce, share):
    heat = depth_skip_map(depth(), reduce=reduce).data[0]
    assert heat.z.shape == (6, 6)
    assert heat.z[2, 2] == pytest.approx(share)  # a skipped layer changes wholly
    assert heat.z[3, 1] == 0  # earlier layers feel nothing
    assert heat.z[1, 3] == pytest.approx(share * np.exp(-2 / 6) * (1.4 - 1 / 6), rel=1e-6)
    assert (heat.zmin, heat.zmax) == (0, 1)
    assert heat.colorscale[0][1] == palette.LAYER_RAMP[0]
    assert list(heat.customdata[1][3]) == [1, 3]


def test_the_map_says_where_the_maximum_is_and_what_is_beyond_the_colours():
    fig = depth_skip_map(depth(), current=4)
    said = fig.data[0].text[4][5]
    assert "block 4 (67 %) skipped, effect at block 5 (83 %)" in said
    assert "largest at “apples”, position 8, row 4" in said
    assert "typed text" in fig.data[0].text[1][2]
    assert "largest at" not in depth_skip_map(depth(), reduce="mean").data[0].text[4][5]
    assert "colour ends at 1; cells above it: 3, largest 1.19" in fig.layout.title.subtitle.text
    assert "colour ends" not in depth_skip_map(depth(), mode="future").layout.title.subtitle.text
    frame = _marks(fig)[0]
    assert (frame.y0, frame.y1, frame.x0, frame.x1) == (3.5, 4.5, -0.5, 5.5)
    assert fig.layout.title.text == "Skip a layer: felt in the same prompt"


def test_later_tokens_feel_nothing_at_the_skipped_layer_itself():
    fig = depth_skip_map(depth(), mode="future")
    assert np.all(np.diag(fig.data[0].z) == 0)
    assert "felt by later tokens" in fig.layout.title.text


def test_modes_and_reductions_that_are_not_there_are_named():
    with pytest.raises(AnalysisError, match=r"no mode 'future-local'.*current, future"):
        depth_skip_map(depth(), mode="future-local")
    with pytest.raises(AnalysisError, match=r"no reduction 'median'.*max, mean, p95"):
        depth_skip_map(depth(), reduce="median")
    with pytest.raises(AnalysisError, match=r"no table 'skip'"):
        depth_skip_map(hops())


def test_output_changes_stand_side_by_side_with_intervals():
    fig = depth_output_bars(depth(), current=1)
    bars = {t.name: t for t in fig.data}
    whole, later = bars["whole prompt skipped"], bars["earlier tokens skipped"]
    assert whole.y[0] == pytest.approx(0.9)
    assert later.y[-1] == 0
    assert whole.error_y.array[0] == pytest.approx(0.2 * 0.9, rel=1e-5)
    assert whole.error_y.arrayminus[0] == pytest.approx(0.15 * 0.9, rel=1e-5)
    assert whole.marker.color != later.marker.color
    assert list(whole.customdata) == list(range(6))
    assert "block 0 (0 %) skipped: 0.900 (0.765 to 1.08)" in whole.text[0]
    assert fig.layout.barmode == "group"
    assert (_marks(fig)[0].x0, _marks(fig)[0].x1) == (0.5, 1.5)


def test_the_largest_output_change_has_no_interval():
    bars = depth_output_bars(depth(), reduce="max").data[0]
    assert bars.y[0] == pytest.approx(1.41)
    assert bars.error_y.array is None
    with pytest.raises(AnalysisError, match=r"no reduction 'p95'.*mean, max"):
        depth_output_bars(depth(), reduce="p95")


def test_the_lens_has_two_axes_and_ends_at_the_output():
    fig = depth_lens(depth(6))
    lines = _lines(fig)
    kl, top = lines["KL to the output"], lines["shared top five"]
    assert kl.yaxis in (None, "y") and top.yaxis == "y2"
    assert lines["shared top five: interval"].yaxis == "y2"
    assert kl.y[0] == pytest.approx(12) and kl.y[-1] == 0
    assert top.y[-1] == 1
    assert kl.text[0] == "embedding" and kl.text[-1] == "output"
    assert kl.text[1] == "block 0 (0 %)"
    assert fig.layout.yaxis2.side == "right"
    assert tuple(fig.layout.yaxis2.range) == (0, 1.03)
    assert next(s for s in fig.layout.shapes if s.label.text == "half").x0 == 3


def test_depth_scores_stand_against_the_score_of_layers_that_are_all_alike():
    fig = depth_scores(hops(30))
    lines = _lines(fig)
    effect, output = lines["effect on later layers"], lines["effect on the output"]
    assert np.allclose(effect.y, np.array([0.40, 0.42, 0.41]) * 29)
    assert np.allclose(effect.error_y.arrayminus, 1.5, rtol=1e-5)
    assert set(lines["all layers alike"].y) == {14.5}
    assert lines["all layers alike"].line.dash == "dash"
    assert tuple(fig.layout.yaxis.range) == (0, 29)
    assert list(fig.layout.xaxis.ticktext) == ["1 hop", "2 hops", "3 hops"]
    assert max(effect.x) < max(output.x)
    assert "n 18, 25 % answered right first" in effect.text[2]


def test_depth_scores_need_the_number_of_blocks_and_a_known_measure():
    scores = {"scores": hops().tables["scores"].to_pydict()}
    with pytest.raises(AnalysisError, match="how many blocks"):
        depth_scores(result_of("hops", {"n": 58}, scores))
    odd = {"scores": scores["scores"] | {"measure": ["x"] * 6}}
    with pytest.raises(AnalysisError, match=r"no known measure.*effect, output"):
        depth_scores(result_of("hops", {"n": 58, "blocks": 6}, odd))
