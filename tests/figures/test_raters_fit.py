"""Severities and fit of raters."""

import numpy as np
import pyarrow as pa
import pytest

from backend.errors import AnalysisError
from backend.figures import palette
from backend.figures.raters_fit import rater_fit, rater_severities
from tests.figures.raters_result import raters


def flag(result, names: set[str]):
    table = result.tables["raters"]
    at = table.column_names.index("flagged")
    flags = [name in names for name in table["rater"].to_pylist()]
    result.tables["raters"] = table.set_column(at, "flagged", pa.array(flags))
    return result


def test_raters_rise_from_lenient_to_harsh_with_intervals():
    fig = rater_severities(raters())
    (points,) = fig.data
    assert (np.diff(points.y) >= 0).all()
    assert list(points.x) == list(range(1, 9))
    assert (np.array(points.error_y.array) > 0).all()


def test_flagged_raters_are_amber_and_the_current_one_is_framed():
    result = flag(raters(), {"r3"})
    fig = rater_severities(result, current="r3")
    by_name = {t.name: t for t in fig.data}
    assert by_name["flagged"].marker.color == palette.WHATIF
    assert list(by_name["flagged"].customdata) == ["r3"]
    line = [s for s in fig.layout.shapes if s.line.color == palette.SELECTED]
    assert line[0].x0 == by_name["flagged"].x[0]


def test_many_raters_have_a_band():
    result = raters(items=700, people=450)
    fig = rater_severities(result)
    assert fig.data[0].fill == "toself"
    assert len(fig.data[0].x) == 2 * result.scalars["raters"] > 800
    assert fig.data[1].error_y.array is None


def test_fit_has_the_bounds_of_the_result_or_those_given():
    result = raters(infit_low=0.6, infit_high=1.4)
    bounds = {s.name: s.x0 for s in rater_fit(result).layout.shapes if s.name}
    assert bounds == {"bound low": 0.6, "bound high": 1.4}
    fig = rater_fit(result, low=0.3, high=2.0)
    assert {s.name: s.x0 for s in fig.layout.shapes if s.name}["bound high"] == 2.0
    assert fig.layout.xaxis.range[0] < 0.3 < 2.0 < fig.layout.xaxis.range[1]
    assert np.allclose(
        np.sort(fig.data[0].x), np.sort(result.tables["raters"]["infit"].to_numpy()), atol=1e-6
    )


def test_other_axes():
    assert rater_fit(raters(), y="n").layout.yaxis.type == "log"
    assert "outfit" in rater_fit(raters(), y="outfit").layout.yaxis.title.text
    with pytest.raises(AnalysisError, match="no axis 'age'"):
        rater_fit(raters(), y="age")


def test_raters_without_fit_are_refused():
    result = raters()
    table = result.tables["raters"]
    at = table.column_names.index("infit")
    result.tables["raters"] = table.set_column(at, "infit", pa.array([np.nan] * table.num_rows))
    with pytest.raises(AnalysisError, match="No rater has a fit"):
        rater_fit(result)
