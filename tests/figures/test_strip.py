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
