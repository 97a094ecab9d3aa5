"""Classes as bars, the worst first."""

import numpy as np
import pytest

from backend.analyses.intervals import wilson
from backend.errors import AnalysisError
from backend.figures import collapse_classes, palette
from tests.figures.collapse_results import collapse

CAT = "&lt;b&gt;cat&lt;/b&gt;"


def test_the_class_with_the_largest_spread_is_on_top():
    fig = collapse_classes(collapse(), epoch=1, current="hen")
    bars = fig.data[0]
    assert bars.x == pytest.approx([0.2, 0.15, 0.1, 0.05])
    assert fig.layout.yaxis.ticktext == ("owl", "hen", "dog", CAT)
    assert fig.layout.yaxis.range[0] > fig.layout.yaxis.range[1]
    assert bars.customdata == ("owl", "hen", "dog", "<b>cat</b>")
    assert list(bars.marker.line.width) == [0, 2.5, 0, 0]
    assert bars.marker.line.color == palette.SELECTED
    lines = bars.hovertext[2].split("<br>")
    assert lines[:3] == ["dog, n 336 rows", f"nearest: {CAT} at 3.00", "CDNV 0.100"]
    assert not any("head" in line for line in lines)  # not known


def test_worst_is_the_smallest_distance_and_the_length_farthest_from_the_average():
    near = collapse_classes(collapse(), epoch=0, by="distance")
    assert near.layout.yaxis.ticktext[0] == CAT
    lengths = collapse_classes(collapse(), epoch=0, by="norm_excess")
    assert lengths.layout.yaxis.ticktext[0] == "owl"
    assert lengths.data[0].x == pytest.approx([0.2, -0.1, 0.1, 0], abs=1e-6)


def test_shares_have_the_interval_of_a_proportion():
    fig = collapse_classes(collapse(), epoch=0, by="centre_error", part="held out")
    bars = fig.data[0]
    low, high = wilson(0.15 * 112, 112)
    assert bars.error_x.array[0] == pytest.approx(high - 0.15, abs=1e-6)
    assert bars.error_x.arrayminus[0] == pytest.approx(0.15 - low, abs=1e-6)
    assert f"nearer to another mean 0.150 ({low:.4f} to {high:.3f})" in bars.hovertext[0]
    assert collapse_classes(collapse(), epoch=0).data[0].error_x.array is None


def test_of_many_classes_the_worst_forty_are_drawn():
    classes = tuple(f"c{i}" for i in range(50))
    fig = collapse_classes(collapse(classes=classes), epoch=0)
    assert len(fig.data[0].x) == 40 and fig.layout.yaxis.ticktext[0] == "c49"
    assert np.all(np.diff(fig.data[0].x) < 0)
    assert "40 of 50 classes drawn" in fig.layout.title.subtitle.text


def test_what_cannot_be_drawn_is_said():
    with pytest.raises(AnalysisError, match="have no 'size'.*cdnv, within"):
        collapse_classes(collapse(), epoch=0, by="size")
    with pytest.raises(AnalysisError, match="'head_error' is not defined at epoch 0"):
        collapse_classes(collapse(), epoch=0, by="head_error")
