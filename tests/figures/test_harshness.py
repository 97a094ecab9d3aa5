"""What severity, consistency and tastes each save."""

import numpy as np
import pyarrow as pa
import pytest

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import harshness_steps, palette, read_provenance, to_html

STEPS = (
    ("items alone", 1, 0.0), ("and severity", 1, 0.12), ("and consistency", 1, 0.13),
    ("items and tastes", 3, 0.05), ("tastes and severity", 3, 0.11),
    ("tastes, severity, consistency", 3, -0.01),
)  # fmt: skip


@pytest.fixture
def result():
    rows = [
        {"model": name, "k": k, "log_loss": 1.2 - saved, "saved": saved, "low": saved - 0.02,
         "high": saved + 0.03, "n": 240}
        for name, k, saved in STEPS
    ]  # fmt: skip
    scalars = {"held": 1240, "raters": 60, "items": 20}
    said = {"key": "0123456789abcdef" * 2, "analysis": "harshness", "models": [], "seed": 7,
            "data_name": "judges & <b>items</b>"}  # fmt: skip
    tables = {"steps": pa.Table.from_pylist(rows)}
    return Result(said["key"], "harshness", scalars, tables, "A sentence.", said)


def test_steps_are_millinats_in_the_order_of_the_table(result):
    fig = harshness_steps(result)
    plain, tastes = fig.data
    assert (plain.name, tastes.name) == ("one view of the items", "3 tastes")
    assert list(plain.y) == [name for name, k, _ in STEPS if k == 1]
    assert np.allclose(plain.x, [0, 120, 130], atol=1e-3)
    assert list(tastes.y) == [name for name, k, _ in STEPS if k == 3]
    assert np.allclose(tastes.x, [50, 110, -10], atol=1e-3)
    assert list(fig.layout.yaxis.categoryarray) == [name for name, _, _ in STEPS][::-1]
    assert plain.marker.color == palette.BASELINE != tastes.marker.color


def test_intervals_reach_from_low_to_high(result):
    plain, tastes = harshness_steps(result).data
    for trace in (plain, tastes):
        assert np.allclose(trace.error_x.array, 30, atol=1e-3)
        assert np.allclose(trace.error_x.arrayminus, 20, atol=1e-3)
    assert tastes.customdata[1] == "110 (90.0 to 140)"


def test_items_alone_are_the_zero_line(result):
    (line,) = harshness_steps(result).layout.shapes
    assert line.x0 == line.x1 == 0 and line.line.color == palette.CONTROL


def test_what_is_missing_is_said(result):
    result.tables["steps"] = result.tables["steps"].drop_columns(["saved", "low"])
    with pytest.raises(AnalysisError, match="'steps' has no column saved, low"):
        harshness_steps(result)
    del result.tables["steps"]
    with pytest.raises(AnalysisError, match="no table 'steps'"):
        harshness_steps(result)


def test_the_small_print_and_the_file_say_where_it_comes_from(result):
    fig = harshness_steps(result)
    small = fig.layout.title.subtitle.text
    assert "n 1 240 held-out ratings · 60 raters · 20 items · seed 7" in small
    assert "judges &amp; &lt;b&gt;items" in small
    assert read_provenance(to_html(fig).encode(), "a.html") == result.provenance
