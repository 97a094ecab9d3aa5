"""The logit lens: grid, ranks, bars."""

import numpy as np
import pytest

from backend.errors import AnalysisError
from backend.figures import lens_bars, lens_grid, lens_ranks
from backend.figures.lens import show_token


def test_the_grid_has_a_cell_for_each_layer_and_position(lens):
    fig = lens_grid(lens, 5, current=2)
    heat = fig.data[0]
    assert heat.z.shape == (7, 3)
    assert np.allclose(heat.z[:, 0], np.arange(1, 8) / 8)
    assert heat.text[6][2] == "blue"
    assert list(fig.layout.xaxis.ticktext) == ["The", "sky", "is"]
    assert fig.layout.shapes[0].y0 == 1.5
    assert "row 5 · n 3 positions" in fig.layout.title.subtitle.text
    said = heat.customdata[6][2]
    assert "output, after “is”" in said
    assert "follows “blue”: rank 1, probability 0.875" in said


def test_tokens_cannot_bring_markup(lens):
    heat = lens_grid(lens, 5).data[0]
    shown = heat.text[0][0] + heat.customdata[0][0].replace("<br>", "")
    assert "<" not in shown
    assert "&lt;a" in heat.text[0][0]


def test_the_grid_by_rank_is_darkest_where_the_answer_is_first(lens):
    heat = lens_grid(lens, 5, colour="rank").data[0]
    assert np.allclose(heat.z[:4, 0], [3, 2, 1, 0])
    assert heat.colorscale[0][1] == "#2B2557"
    assert list(heat.colorbar.ticktext) == ["1", "10", "100", "1 000"]


def test_a_part_of_the_positions(lens):
    heat = lens_grid(lens, 5, colour="entropy", positions=(1, 3)).data[0]
    assert heat.z.shape == (7, 2)
    assert heat.z[0, 0] == pytest.approx(1.875)


def test_ranks_run_on_a_log_axis_with_the_first_on_top(lens):
    fig = lens_ranks(lens, 5)
    assert fig.data[0].y.tolist() == [1000, 100, 10, 1, 1, 1, 1]
    assert fig.data[0].x.tolist() == list(range(7))
    assert fig.layout.yaxis.type == "log"
    assert fig.layout.yaxis.range[0] > fig.layout.yaxis.range[1]
    assert "“blue”" in fig.layout.title.text
    assert "position 2, after “is”" in fig.layout.title.subtitle.text


def test_bars_list_the_words_of_one_layer(lens):
    fig = lens_bars(lens, 5, 6, position=0)
    assert fig.data[0].x.tolist() == [0.875, 0.21875]
    assert list(fig.layout.yaxis.ticktext) == ["sky", "of"]
    assert fig.layout.title.text == "Next token at output"


def test_white_space_is_made_visible():
    assert show_token("\n", most=9) == "↵"
    assert show_token("  ", most=9) == "␣␣"
    assert show_token(" a long token", most=6) == "a lon…"


def test_what_is_missing_is_named(lens):
    with pytest.raises(AnalysisError, match=r"not read row 4.*5"):
        lens_grid(lens, 4)
    with pytest.raises(AnalysisError, match=r"no layer 9.*0 to 6"):
        lens_bars(lens, 5, 9)
    with pytest.raises(AnalysisError, match=r"no position 8.*0 to 2"):
        lens_ranks(lens, 5, position=8)
    with pytest.raises(AnalysisError, match="no colour 'x'"):
        lens_grid(lens, 5, colour="x")
