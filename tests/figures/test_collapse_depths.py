"""Curves over depth at some epochs, and over the epochs at each layer."""

import numpy as np
import pytest

from backend.errors import AnalysisError
from backend.figures import collapse_depth, collapse_layers, palette
from backend.figures.collapse_depths import ramp
from tests.figures.collapse_results import EPOCHS, collapse, nc1


def named(fig) -> dict:
    return {trace.name: trace for trace in fig.data}


def test_a_line_over_depth_for_each_epoch_light_is_early():
    fig = collapse_depth(collapse(), measure="nc1", epochs=(50, 0))
    drawn = named(fig)
    assert drawn["epoch 0"].y == pytest.approx([1, 1, 1])
    assert drawn["epoch 50"].y == pytest.approx([nc1(5, i) for i in range(3)])
    assert drawn["epoch 0"].line.color == ramp(2)[0] == palette.POINT_RAMP[0]
    assert fig.layout.yaxis.type == "log"
    assert len(drawn["epoch 50: interval"].x) == 2 * 3 and len(drawn["epoch 0: interval"].x) == 2


def test_without_epochs_the_first_and_the_last_are_among_five():
    drawn = [n for n in named(collapse_depth(collapse())) if n.startswith("epoch") and ":" not in n]
    assert len(drawn) == 5 and drawn[0] == "epoch 0" and drawn[-1] == "epoch 50"


def test_the_straight_line_is_that_of_the_last_epoch_and_says_how_straight():
    drawn = named(collapse_depth(collapse(), measure="nc1"))
    name = next(n for n in drawn if n.startswith("straight"))
    assert name == "straight line, R² 1.00: times 0.100 a layer"
    assert drawn[name].y == pytest.approx([1, 0.1, 0.01], rel=1e-5)
    bent = named(collapse_depth(collapse(), measure="nc1", epochs=(0,)))
    assert not any(n.startswith("straight") for n in bent)  # level: nothing to explain


def test_the_current_layer_is_marked():
    fig = collapse_depth(collapse(), current_layer="block.1")
    assert [s.x0 for s in fig.layout.shapes if s.line.color == palette.SELECTED] == [1]


def test_a_line_over_the_epochs_for_each_layer_light_is_shallow():
    fig = collapse_layers(collapse(), current_layer="block.1", current_epoch=2)
    drawn = named(fig)
    shades = ramp(3)
    assert drawn["block 0 (0 %)"].line.color == shades[0]
    assert drawn["penultimate"].line.color == shades[2]
    assert drawn["block 1 (50 %)"].line.color == palette.SELECTED
    assert drawn["penultimate"].y == pytest.approx([nc1(s, 2) for s in range(len(EPOCHS))])
    marks = {(s.type, s.x0) for s in fig.layout.shapes}
    assert marks == {("rect", 5), ("line", 5), ("line", 2)}
    assert "3 layers" in fig.layout.title.subtitle.text


def test_layers_without_the_measure_have_no_points():
    drawn = named(collapse_layers(collapse(), measure="nc3"))
    assert len(drawn["penultimate"].y) == len(EPOCHS) and not len(drawn["block 0 (0 %)"].y)


def test_of_many_layers_twelve_are_named():
    fig = collapse_layers(collapse(layers=tuple(f"block.{i}" for i in range(40))))
    named_ones = [t.name for t in fig.data if t.showlegend]
    assert len(named_ones) == 12
    assert named_ones[0] == "block 0 (0 %)" and named_ones[-1] == "block 39 (98 %)"


def test_the_ramp_runs_evenly_between_its_ends():
    assert ramp(1) == [palette.BASELINE]
    assert ramp(5) == list(palette.POINT_RAMP[:5])
    assert len(set(ramp(30))) == 30
    assert np.ptp([len(c) for c in ramp(30)]) == 0


def test_what_cannot_be_drawn_is_said():
    with pytest.raises(AnalysisError, match="Epoch 7 was not kept.*0, 1, 2"):
        collapse_depth(collapse(), epochs=(1, 7))
    with pytest.raises(AnalysisError, match="one layer"):
        collapse_depth(collapse(layers=("features",)))
