"""Cosines of class means against the simplex."""

import numpy as np
import pyarrow as pa
import pytest

from backend.errors import AnalysisError
from backend.figures import collapse_cosines, palette
from tests.figures.collapse_results import CLASSES, collapse


def test_a_cell_is_the_excess_of_its_pair_around_zero():
    fig = collapse_cosines(collapse(), epoch=1)
    heat = fig.data[0]
    z = np.array(heat.z, dtype=float)
    assert z[0, 2] == pytest.approx(0.14) and z[0, 1] == pytest.approx(-0.07)
    assert np.isnan(np.diag(z)).all()
    assert heat.colorscale[0][1] == palette.DIVERGING[0] and heat.zmin == -heat.zmax
    assert fig.layout.yaxis.range[0] > fig.layout.yaxis.range[1]  # the first class on top
    assert fig.layout.xaxis.ticktext[0] == "&lt;b&gt;cat&lt;/b&gt;"
    assert heat.text[1][2] == "dog and hen<br>cosine -0.403, 0.0700 below the ideal"
    assert "ideal cosine -0.333" in fig.layout.title.subtitle.text
    assert "mean distance from it 0.0933, largest 0.140" in fig.layout.title.subtitle.text


def test_the_colour_range_is_that_of_all_epochs():
    ends = [collapse_cosines(collapse(), epoch=e).data[0].zmax for e in (0, 50)]
    assert ends == pytest.approx([0.2, 0.2])
    own = collapse_cosines(collapse(), epoch=1, own_range=True)
    assert own.data[0].zmax == pytest.approx(0.14)


def test_alike_classes_can_stand_side_by_side():
    fig = collapse_cosines(collapse(), epoch=0, order="clustered")
    names = fig.layout.xaxis.ticktext
    assert {*names[:2]} in ({"&lt;b&gt;cat&lt;/b&gt;", "hen"}, {"dog", "owl"})
    z = np.array(fig.data[0].z, dtype=float)
    assert z[0, 1] == z[2, 3] == pytest.approx(0.2) and z[1, 2] == pytest.approx(-0.1)


def test_of_many_classes_some_are_named_along_the_axes():
    classes = tuple(f"c{i:03}" for i in range(90))
    fig = collapse_cosines(collapse(classes=classes, epochs=(0,)), epoch=0)
    assert len(fig.layout.xaxis.ticktext) == 30 and np.shape(fig.data[0].z) == (90, 90)


def test_angles_that_are_not_defined_are_said():
    table = collapse().tables["cosines"]
    at = table.column_names.index("excess")
    none = table.set_column(at, "excess", pa.nulls(table.num_rows, pa.float64()))
    with pytest.raises(AnalysisError, match="No angle is defined at epoch 1"):
        collapse_cosines(collapse(cosines=none), epoch=1)
    with pytest.raises(AnalysisError, match="Epoch 4 was not kept"):
        collapse_cosines(collapse(), epoch=4)
    assert len(CLASSES) == 4
