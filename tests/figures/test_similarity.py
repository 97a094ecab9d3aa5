"""The map of layers and its rows."""

import numpy as np
import pyarrow as pa
import pytest

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import cka_map, cka_profile, palette


def test_the_map_holds_every_pair_with_interval_and_null(similarity):
    fig = cka_map(similarity)
    heat = fig.data[0]
    assert heat.z.shape == (7, 7)
    assert heat.z.dtype == np.float32
    assert heat.z[2, 5] == pytest.approx(0.7)
    assert np.allclose(heat.z, heat.z.T)
    said = heat.text[2][5]
    assert "block 1 (17 %) and block 4 (67 %)" in said
    assert "CKA 0.700 (0.650 to 0.730)" in said
    assert "rows shuffled 0.0130" in said
    assert "n 10 of 20 000" in fig.layout.title.subtitle.text
    assert "seed 7" in fig.layout.title.subtitle.text


def test_one_triangle_is_enough(similarity):
    table = similarity.tables["similarity"]
    first = table["layer_a"].to_pylist()
    order = sorted(set(first), key=lambda s: (s != "embed", s))
    upper = [
        order.index(a) <= order.index(b)
        for a, b in zip(first, table["layer_b"].to_pylist(), strict=True)
    ]
    half = {"similarity": table.filter(pa.array(upper))}
    result = Result("k", "similarity", {}, half, "", similarity.provenance)
    assert np.allclose(cka_map(result).data[0].z, cka_map(similarity).data[0].z)


def test_the_current_layer_is_framed_in_the_accent(similarity):
    shapes = cka_map(similarity, current="resid_post.2").layout.shapes
    assert [s.line.color for s in shapes] == [palette.SELECTED] * 2
    assert (shapes[0].y0, shapes[0].y1) == (2.5, 3.5)
    assert not cka_map(similarity).layout.shapes


def test_the_colour_range_is_round_and_can_be_fixed(similarity):
    heat = cka_map(similarity).data[0]
    assert heat.zmin <= float(heat.z.min())
    assert heat.zmax == 1
    assert cka_map(similarity, span=(0, 1)).data[0].zmin == 0


def test_mutual_neighbours_have_chance_as_null(similarity):
    fig = cka_map(similarity, value="mknn")
    assert "rows shuffled 0.250" in fig.data[0].text[0][1]
    assert "mutual nearest neighbours" in fig.layout.title.text


def test_two_models_name_their_axes(similarity):
    models = [{"ref": "one", "id": "1"}, {"ref": "two", "id": "2"}]
    said = {**similarity.provenance, "models": models}
    result = Result("k", "similarity", {}, similarity.tables, "", said)
    layout = cka_map(result).layout
    assert layout.yaxis.title.text.startswith("one@1")
    assert layout.xaxis.title.text.startswith("two@2")


def test_a_profile_is_one_row_with_band_null_and_what_if(similarity):
    fig = cka_profile(similarity, "resid_post.1", whatif=similarity)
    lines = {t.name: t for t in fig.data}
    assert np.allclose(lines["baseline"].y, [0.8, 0.9, 1, 0.9, 0.8, 0.7, 0.6])
    band = lines["baseline: interval"].y
    assert np.allclose(band[:7], lines["baseline"].y - 0.05)
    assert np.allclose(band[7:], (lines["baseline"].y + 0.03)[::-1])
    assert lines["baseline"].line.color == palette.BASELINE
    assert lines["what-if"].line.color == palette.WHATIF
    assert np.allclose(lines["rows shuffled"].y, 0.013)
    assert lines["baseline"].customdata[3][0] == "resid_post.2"


def test_a_suite_gives_the_same_map_with_its_parts_provenance(similarity):
    part = {**similarity.provenance, "key": "f" * 32}
    said = {**similarity.provenance, "parts": {"similarity": part}}
    scalars = {"similarity.n": 10, "similarity.chance": 0.25}
    fig = cka_map(Result("k", "layers", scalars, similarity.tables, "", said), value="mknn")
    assert fig.layout.meta["key"] == "f" * 32
    assert "n 10" in fig.layout.title.subtitle.text
    assert "rows shuffled 0.250" in fig.data[0].text[0][1]


def test_what_is_missing_is_named(similarity):
    with pytest.raises(AnalysisError, match=r"no similarities of 'head'.*embed"):
        cka_profile(similarity, "head")
    with pytest.raises(AnalysisError, match="no column wrong"):
        cka_map(similarity, value="wrong")
    empty = Result("k", "profile", {}, {"profile": pa.table({})}, "", {})
    with pytest.raises(AnalysisError, match=r"no table 'similarity'.*profile"):
        cka_map(empty)
