"""Curves of one criterion."""

import numpy as np
import pytest

from backend.errors import AnalysisError
from backend.figures.raters_curves import criterion_curves
from tests.figures.raters_result import raters


def test_categories_sum_to_one_and_cross_at_their_thresholds():
    result = raters()
    fig = criterion_curves(result, "c2")
    categories = fig.data[:3]
    assert [t.name for t in categories] == ["0", "1", "2"]
    assert np.allclose(sum(np.array(t.y) for t in categories), 1, atol=1e-5)
    steps = [r for r in result.tables["thresholds"].to_pylist() if r["criterion"] == "c2"]
    lines = [s.x0 for s in fig.layout.shapes]
    assert np.allclose(lines, [r["place"] for r in steps], atol=1e-5)
    for k, at in enumerate(lines):
        below, above = (np.interp(at, t.x, t.y) for t in categories[k : k + 2])
        assert below == pytest.approx(above, abs=0.01)


def test_observed_means_have_intervals_and_counts():
    fig = criterion_curves(raters())
    assert fig.data[-1].name == "observed means"
    assert "n " in fig.data[-1].text[0]
    assert (np.array(fig.data[-1].error_y.array) >= 0).all()
    assert "c0" in fig.layout.title.text


def test_an_unknown_criterion_is_refused():
    with pytest.raises(AnalysisError, match=r"no criterion 'z'.*c0, c1"):
        criterion_curves(raters(), "z")
