"""The tree of features: branches as wide as their features are many, low means left."""

import numpy as np
import pyarrow as pa
import pytest

from backend.errors import AnalysisError
from backend.figures import palette, read_provenance, to_html
from backend.figures.feature_tree import feature_tree_map
from tests.figures.feature_results import K, branches, complexity, features


def named(fig) -> dict:
    return {trace.name: trace for trace in fig.data}


def spans(fig) -> dict[tuple[int, float, float], float]:
    """Mean by depth, left and right end of each branch."""
    bars = named(fig)["branches"]
    return {
        (int(base), x - w / 2, x + w / 2): colour
        for base, x, w, colour in zip(bars.base, bars.x, bars.width, bars.marker.color, strict=True)
    }


def test_each_branch_is_as_wide_as_its_features_and_says_their_mean():
    fig = feature_tree_map(complexity())
    assert spans(fig) == {
        (0, 0, 6): pytest.approx(0.25), (0, 6, 10): pytest.approx(0.75),
        (1, 0, 2): pytest.approx(0.05), (1, 2, 6): pytest.approx(0.35),
        (1, 6, 10): pytest.approx(0.75),
    }  # fmt: skip
    leaves = named(fig)["features"]
    assert list(leaves.customdata) == list(range(10)) and np.allclose(leaves.marker.color, K)
    assert set(leaves.base) == {2}
    assert fig.layout.yaxis.ticktext == ("level 1", "level 2", "features")
    bars = named(fig)["branches"]
    assert (bars.marker.cmin, bars.marker.cmax) == pytest.approx((0.05, 0.75))
    assert (leaves.marker.cmin, leaves.marker.cmax) == (bars.marker.cmin, bars.marker.cmax)
    assert bars.text[0] == "0.250"
    first = dict(zip(bars.x, bars.hovertext, strict=True))[3.0].split("<br>")
    assert first == ["level 1: 6 features", "mean complexity 0.250",
                     "middle half 0.125 to 0.375", "features 0, 1, 2, 3, 4, 5"]  # fmt: skip


def test_by_importance_the_branches_turn_around():
    fig = feature_tree_map(complexity(), by="importance")
    assert list(named(fig)["features"].customdata) == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert spans(fig)[(0, 0, 4)] == pytest.approx(0.25)


def test_a_measure_that_some_features_lack_is_averaged_over_the_others():
    fig = feature_tree_map(complexity(), by="redundancy")
    found = spans(fig)
    assert found[(0, 0, 4)] == pytest.approx(0.25)  # of 0.4, 0.3, 0.2, 0.1
    assert found[(0, 4, 10)] == pytest.approx(0.5)
    assert [np.isnan(v) for (depth, *_), v in found.items() if depth == 1].count(True) == 1
    with pytest.raises(AnalysisError, match="column 'sensitivity' .* is empty"):
        feature_tree_map(complexity(), by="sensitivity")


def test_branches_of_equal_means_stay_whole():
    flat = features(complexity=np.full(10, 0.5))
    ids = list(named(feature_tree_map(complexity(features=flat)))["features"].customdata)
    assert sorted(map(sorted, (ids[:4], ids[4:]))) in (
        [[0, 1, 2, 3], [4, 5, 6, 7, 8, 9]], [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9]],
        [[6, 7, 8, 9], [0, 1, 2, 3, 4, 5]],
    )  # fmt: skip
    assert len(spans(feature_tree_map(complexity(features=flat)))) == 5


def test_the_selected_feature_and_its_branches_are_framed():
    fig = feature_tree_map(complexity(), current=1)
    frames = [(s.x0, s.x1, s.y0) for s in fig.layout.shapes]
    assert frames == [(0, 6, 0), (0, 2, 1), (1, 2, 2)]
    assert {s.line.color for s in fig.layout.shapes} == {palette.SELECTED}
    assert not feature_tree_map(complexity(), current=77).layout.shapes


def test_a_dead_feature_leaves_the_tree_and_a_lost_branch_is_said():
    fig = feature_tree_map(complexity(features=features().slice(0, 9)))
    assert list(named(fig)["features"].customdata) == list(range(9))
    lost = branches().filter(pa.array(np.asarray(branches()["feature"]) != 3))
    with pytest.raises(AnalysisError, match="have no branch"):
        feature_tree_map(complexity(branches=lost))
    with pytest.raises(AnalysisError, match="have no tree"):
        feature_tree_map(complexity(branches=branches().slice(0, 0)))


def test_the_small_print_and_the_file_say_where_it_comes_from():
    result = complexity()
    fig = feature_tree_map(result)
    assert "n 1 234 rows · 308 held out · 10 features" in fig.layout.title.subtitle.text
    assert read_provenance(to_html(fig).encode(), "a.html") == result.provenance
