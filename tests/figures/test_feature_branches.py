"""Simple and complex features along the skip and the main branch."""

import numpy as np
import pyarrow as pa
import pytest

from backend.errors import AnalysisError
from backend.figures import feature_flow, palette
from tests.figures.feature_results import complexity, features, flow


def panel(fig, number: int) -> dict:
    axis = "x" if number == 1 else f"x{number}"
    return {t.name: t for t in fig.data if t.xaxis == axis}


def test_each_panel_has_the_median_of_its_end_by_branch():
    fig = feature_flow(complexity(), share=0.3)  # features 0, 1, 2 and 7, 8, 9
    simple, hard = panel(fig, 1), panel(fig, 2)
    up = np.arange(1, 4) / 3
    assert np.allclose(simple["main branch"].y, 0.1 * up)
    assert np.allclose(hard["main branch"].y, 0.8 * up)
    assert np.allclose(simple["skip branch"].y[1:], 0.9 * up[1:])
    assert np.isnan(simple["skip branch"].y[0])  # block 0 has none
    band = hard["main branch: interval"]
    assert np.allclose([band.y[2], band.y[3]], [0.75, 0.85])  # quartiles of 0.7, 0.8, 0.9
    texts = [a.text for a in fig.layout.annotations]
    assert texts[:2] == ["simplest 30 %, 3 features", "most complex 30 %, 3 features"]
    assert simple["skip branch"].line.color != simple["main branch"].line.color
    assert [t.name for t in fig.data if t.showlegend] == ["skip branch", "main branch"]


def test_cka_is_shown_with_its_caution():
    fig = feature_flow(complexity(), measure="cka", share=0.3)
    assert np.allclose(panel(fig, 2)["main branch"].y, 0.08)
    assert "compare shapes" in fig.layout.title.subtitle.text
    assert "compare shapes" not in feature_flow(complexity()).layout.title.subtitle.text


def test_ends_never_share_a_feature_and_have_one_at_least():
    three = flow().filter(pa.array(np.asarray(flow()["feature"]) < 3))
    for share in (0.01, 0.5):
        fig = feature_flow(complexity(flow=three), share=share)
        assert np.allclose(panel(fig, 1)["main branch"].y, 0)
        assert np.allclose(panel(fig, 2)["main branch"].y, 0.2 * np.arange(1, 4) / 3)
        assert "1 features" in fig.layout.annotations[0].text
        assert "3 of 10 features" in fig.layout.title.subtitle.text


def test_the_output_of_a_block_is_quiet():
    table = flow()
    at = table.column_names.index("branch")
    out = table.set_column(at, "branch", [["out" if b == "main" else b
                                           for b in table["branch"].to_pylist()]])  # fmt: skip
    drawn = panel(feature_flow(complexity(flow=out)), 1)
    assert drawn["block's output"].line.color == palette.CONTROL and "main branch" not in drawn


def test_what_cannot_be_drawn_is_said():
    with pytest.raises(AnalysisError, match="no measure of flow 'r2'. Use: v_information, cka"):
        feature_flow(complexity(), measure="r2")
    for share in (0, 0.51):
        with pytest.raises(AnalysisError, match="above 0, at most 0.5"):
            feature_flow(complexity(), share=share)
    with pytest.raises(AnalysisError, match="no blocks with a skip"):
        feature_flow(complexity(flow=flow().slice(0, 0)))
    with pytest.raises(AnalysisError, match="The flow of 1 features is known"):
        feature_flow(complexity(features=features().slice(0, 1)))
    empty = flow().set_column(3, "cka", pa.nulls(flow().num_rows, pa.float64()))
    with pytest.raises(AnalysisError, match="no known branch or no cka"):
        feature_flow(complexity(flow=empty), measure="cka")
