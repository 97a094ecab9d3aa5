"""The strip of layers."""

import pytest

from backend.errors import AnalysisError
from backend.figures import layer_strip, palette


def test_each_site_is_a_clickable_square_in_the_colour_of_its_state():
    states = ("captured", "running", "missing", "skipped", "selected")
    fig = layer_strip(
        [
            {"site": f"resid_post.{i}", "label": f"block {i}", "state": s}
            for i, s in enumerate(states)
        ]
        + [{"site": "head", "label": "output", "state": "captured", "bits": 4}]
    )
    points = fig.data[0]
    assert list(points.customdata[:2]) == ["resid_post.0", "resid_post.1"]
    assert points.marker.color[0] == palette.BASELINE
    assert points.marker.color[4] == palette.SELECTED
    assert points.marker.color[3] == palette.WHATIF
    assert points.marker.symbol[3] != points.marker.symbol[0]
    assert points.hovertext[2] == "block 2: not captured"
    assert points.text[5] == "4"
    assert "select" in fig.layout.clickmode
    assert fig.layout.height < 80


def test_an_unknown_state_is_refused():
    with pytest.raises(AnalysisError, match=r"embed has the unknown state 'odd'.*captured"):
        layer_strip([{"site": "embed", "label": "", "state": "odd"}])


def _strip(*states: tuple):
    return layer_strip(
        [
            {"site": f"resid_post.{i}", "label": f"block {i}", "state": state, "bits": bits}
            for i, (state, bits) in enumerate(states)
        ]
    )


def test_bits_stand_in_an_amber_edge_over_the_fill_of_their_state():
    marks = _strip(("captured", 4), ("captured", None), ("missing", 3), ("selected", 8)).data[0]
    assert list(marks.text) == ["4", "", "3", "8"]
    assert marks.marker.line.color[0] == palette.WHATIF
    assert marks.marker.line.color[1] == palette.BASELINE
    assert marks.marker.color[0] == palette.BASELINE
    assert marks.marker.color[3] == palette.SELECTED
    inks = marks.textfont.color
    assert inks[0] == inks[3] == "#FFFFFF"  # on a dark fill
    assert inks[2] == palette.MUTED  # on the page, light or dark
    assert marks.hovertext[0] == "block 0: captured, 4 bits"
    assert marks.hovertext[1] == "block 1: captured"


def test_a_skipped_layer_has_no_bits():
    marks = _strip(("skipped", 4)).data[0]
    assert marks.text[0] == ""
    assert marks.hovertext[0] == "block 0: skipped (what-if)"


def test_half_of_a_layer_skipped_is_half_a_cross_and_said():
    fig = _strip(
        ("captured", None), ("skipped attention", None), ("skipped MLP", 4), ("skipped", None)
    )
    squares, strokes = fig.data
    assert list(strokes.x) == [1, 2]
    assert list(strokes.marker.symbol) == ["line-ne", "line-nw"]
    assert strokes.hoverinfo == "skip"
    assert strokes.marker.size == squares.marker.size
    assert squares.marker.symbol[1] == "square" != squares.marker.symbol[3]
    assert squares.marker.line.color[1] == palette.WHATIF
    assert squares.hovertext[1] == "block 1: attention skipped (what-if)"
    assert squares.hovertext[2] == "block 2: MLP skipped (what-if), 4 bits"
    assert squares.text[2] == "4"
    assert len(_strip(("captured", None)).data) == 1
