"""The Wright map."""

import numpy as np
import pytest

from backend.errors import AnalysisError
from backend.figures import palette
from backend.figures.raters_ruler import wright_map
from tests.figures.raters_result import raters


def test_few_elements_are_points_on_one_ruler():
    result = raters()
    items, people, criteria, thresholds = wright_map(result).data
    assert np.allclose(items.y, result.tables["items"]["measure"].to_numpy(), atol=1e-5)
    assert np.allclose(people.y, result.tables["raters"]["severity"].to_numpy(), atol=1e-5)
    assert np.allclose(criteria.y, result.tables["criteria"]["difficulty"].to_numpy(), atol=1e-5)
    assert np.allclose(thresholds.y, result.tables["thresholds"]["place"].to_numpy(), atol=1e-5)
    assert len({items.yaxis, people.yaxis, criteria.yaxis, thresholds.yaxis}) == 4
    assert wright_map(result).layout.yaxis2.matches == "y"


def test_many_items_are_a_histogram_that_counts_all():
    fig = wright_map(raters(items=120))
    assert fig.data[0].type == "bar"
    assert sum(fig.data[0].x) == 120
    assert fig.data[0].orientation == "h"


def test_names_are_shown_without_their_markup():
    fig = wright_map(raters())
    assert "&lt;b&gt;" in fig.data[0].text[0]
    assert "40 items · 8 raters · 4 criteria · seed 7" in fig.layout.title.subtitle.text
    assert "judges &amp; items" in fig.layout.title.subtitle.text


def test_disordered_thresholds_stand_out():
    result = raters()
    table = result.tables["thresholds"]
    at = table.column_names.index("disordered")
    turned = table.set_column(at, "disordered", [[i == 1 for i in range(table.num_rows)]])
    result.tables["thresholds"] = turned
    colours = wright_map(result).data[3].marker.color
    assert [c == palette.WHATIF for c in colours] == [i == 1 for i in range(len(colours))]


def test_a_missing_table_is_said():
    result = raters()
    del result.tables["criteria"]
    with pytest.raises(AnalysisError, match="no table 'criteria'"):
        wright_map(result)
