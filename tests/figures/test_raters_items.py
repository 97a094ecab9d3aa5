"""Items: scores, raw means, before and after."""

import numpy as np
import pytest

from backend.errors import AnalysisError
from backend.figures.raters_items import item_scores, measures_before_after, raw_against_measure
from tests.figures.raters_result import raters


def test_the_lowest_and_highest_items_with_intervals():
    result = raters()
    fig = item_scores(result, most=10)
    alike, measure = fig.data
    value = np.sort(result.tables["items"]["measure"].to_numpy())
    assert np.allclose(measure.x, np.r_[value[:5], value[-5:]], atol=1e-5)
    assert (np.array(measure.error_x.array) > 0).all()
    assert "the lowest and highest 10" in fig.layout.title.subtitle.text
    assert alike.name == "raters taken as alike"


def test_the_most_moved_items():
    result = raters()
    fig = item_scores(result, most=5, by="shift")
    gap = np.abs(np.array(fig.data[1].x) - np.array(fig.data[0].x))
    largest = np.sort(np.abs(result.tables["items"]["shift"].to_numpy()))[-5:]
    assert np.allclose(np.sort(gap), largest, atol=1e-5)
    with pytest.raises(AnalysisError, match="no order 'age'"):
        item_scores(result, by="age")


def test_raw_means_are_coloured_by_what_severity_moved():
    result = raters()
    fig = raw_against_measure(result)
    assert np.allclose(
        fig.data[0].marker.color, result.tables["items"]["shift"].to_numpy(), atol=1e-6
    )
    assert fig.data[0].marker.cmin == -fig.data[0].marker.cmax


def test_before_and_after_need_a_second_fit():
    with pytest.raises(AnalysisError, match="no table 'before_after'"):
        measures_before_after(raters())
    result = raters(drop="r1")
    fig = measures_before_after(result)
    table = result.tables["before_after"]
    assert np.allclose(fig.data[1].x, table["before"].to_numpy(), atol=1e-5)
    assert np.allclose(fig.data[1].y, table["after"].to_numpy(), atol=1e-5)
    assert "1 raters dropped" in fig.layout.title.subtitle.text
