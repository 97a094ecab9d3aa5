"""The spectrum of the tethered model's response, and its blocks."""

from dataclasses import replace

import numpy as np
import pytest

from backend.collapse.playground import playground
from backend.figures import collapse_blocks, collapse_spectrum, palette


def named(fig) -> dict:
    return {trace.name: trace for trace in fig.data}


@pytest.fixture(scope="module")
def play():
    return playground(0.5, 0.4, 100.0, 3, 5, 4, 0.05, 0)


def test_computed_steps_lie_on_the_predicted_levels(play):
    fig = collapse_spectrum(play)
    computed = named(fig)["computed at collapse"]
    assert list(computed.x) == list(range(1, 21)) and computed.line.shape == "hvh"
    levels = [t for t in fig.data if t.name == "predicted, exact"]
    assert len(levels) == len(play.levels) and [t.showlegend for t in levels].count(True) == 1
    assert levels[0].x[0] == 0.5 and levels[-1].x[-1] == 20.5
    for level in levels:  # between its ends the computed value is the level
        inside = (np.array(computed.x) > level.x[0]) & (np.array(computed.x) < level.x[-1])
        assert np.array(computed.y)[inside] == pytest.approx(level.y[0], abs=1e-10)
    assert "mean, outside the span<br>exact 1.000000" in levels[0].hovertext[0]
    assert "predicted levels" in fig.layout.title.subtitle.text
    assert "K 3 · d 5 · n 4 · lW 0.5 · lH 0.4 · beta 100" in fig.layout.title.subtitle.text


def test_first_order_and_the_noisy_minimiser_are_there_where_they_are_known(play):
    drawn = named(collapse_spectrum(play))
    assert drawn["predicted to first order"].line.dash == "dot"
    assert len(drawn["computed at the noisy minimiser"].y) == 20
    bare = replace(play, spectrum_noisy=None, levels=(), predicted=None,
                   predicted_first_order=None)  # fmt: skip
    fig = collapse_spectrum(bare)
    assert list(named(fig)) == ["computed at collapse"]
    assert "no prediction at this setting" in fig.layout.title.subtitle.text


def test_blocks_are_norms_in_decades(play):
    fig = collapse_blocks(play)
    heat = fig.data[0]
    assert np.allclose(heat.z, np.log10(play.norms))
    assert heat.colorscale[-1][1] == palette.LAYER_RAMP[-1]
    assert heat.text[0][0] == "1.00" and heat.texttemplate
    assert heat.hovertext[1][1].endswith("<br>predicted 1.000000")
    off = heat.hovertext[0][1]
    assert off.startswith("class 0 to class 1") and "first order" in off
    assert (heat.zmin, heat.zmax) == (-3, 0)


def test_blocks_that_do_not_answer_are_drawn_at_the_floor(play):
    still = replace(play, norms=np.eye(3))
    fig = collapse_blocks(still)
    assert fig.data[0].z[0][1] == -6 and fig.data[0].text[0][1] == "0"
    assert fig.data[0].colorbar.ticktext[0] == "1e-06 or less"


def test_the_setting_is_in_the_file(play):
    meta = collapse_blocks(play).layout.meta
    assert meta["parameters"]["beta"] == 100 and meta["seed"] == 0
