import math

import numpy as np
import pytest

from backend.analyses import load_all
from backend.analyses.layout import travel
from backend.errors import AnalysisError

SPEC = load_all()["projection"]


def turning(n: int = 60, depth: int = 4) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 6)) * [4, 3, 1, 1, 1, 1]
    out = {}
    for i in range(depth):
        Q = np.linalg.qr(rng.standard_normal((6, 6)))[0]
        out[f"resid_post.{i}"] = 10.0**i * (X + 0.1 * rng.standard_normal(X.shape)) @ Q
    return out


def lay_out(silent, view, **given):
    return SPEC.run((view,), seed=0, progress=silent, **SPEC.parse(given))


def layouts(body) -> dict[str, np.ndarray]:
    table = body.tables["projection"].to_pandas()
    return {s: g[["x", "y"]].to_numpy() for s, g in table.groupby("site", sort=False)}


def test_layers_that_only_turn_and_grow_stand_still(view_of, silent):
    body = lay_out(silent, view_of(turning()))
    clouds = layouts(body)
    assert list(clouds) == [f"resid_post.{i}" for i in range(4)]
    assert travel(list(clouds.values())).max() < 0.15
    assert all((c**2).sum(axis=1).mean() == pytest.approx(1, rel=1e-4) for c in clouds.values())
    table = body.tables["projection"]
    assert [str(f.type) for f in table.schema] == ["int64", "string", "float", "float"]
    assert table.num_rows == 240


def test_quality_is_given_per_layer_and_read_out(view_of, silent):
    body = lay_out(silent, view_of(turning()))
    quality = body.tables["quality"].to_pylist()
    assert all(0.5 < q["trust_low"] < q["trustworthiness"] <= q["trust_high"] for q in quality)
    assert all(q["explained_x"] >= q["explained_y"] > 0 for q in quality)
    assert body.scalars["worst_site"] in body.reading
    assert "rows scaled to length 1" in body.reading
    plain = lay_out(silent, view_of(turning(), name="again"), normalise=False)
    assert "rows as they are" in plain.reading


def test_one_very_long_row_does_not_squeeze_the_rest_unless_asked(view_of, silent):
    layers = turning()
    for X in layers.values():
        X[0] *= 1e4
    spread = {
        normalise: layouts(
            lay_out(silent, view_of(layers, name=str(normalise)), normalise=normalise)
        )["resid_post.0"][1:].std()
        for normalise in (True, False)
    }
    assert spread[True] > 5 * spread[False]


def test_a_constant_layer_is_a_point_and_is_said(view_of, silent):
    layers = {"embed": np.ones((60, 6)), **turning()}
    body = lay_out(silent, view_of(layers))
    assert not layouts(body)["embed"].any()
    assert math.isnan(body.tables["quality"].to_pylist()[0]["trustworthiness"])
    assert "embed does not vary" in body.scalars["note"]


def test_rows_are_capped_and_too_few_are_refused(view_of, silent):
    view = view_of(turning())
    assert lay_out(silent, view, at_most=20).scalars["n"] == 20
    with pytest.raises(AnalysisError, match="3 rows are too few"):
        lay_out(silent, view_of(turning(n=3), name="three"))


@pytest.mark.slow
def test_umap_starts_from_the_layer_before_and_is_repeatable(view_of, silent):
    """Compiling takes nearly all of the time, so one test holds all that is asked of UMAP."""
    layers = turning(n=40, depth=2)
    groups = np.repeat([0, 1], 20)
    layers = {s: X / np.abs(X).mean() + 30 * np.eye(2, 6)[groups] for s, X in layers.items()}
    layers = {"embed": np.ones((40, 6)), **layers}
    first, again = (
        lay_out(silent, view_of(layers, name=name), method="umap", neighbours=8) for name in "ab"
    )
    a, b = layouts(first), layouts(again)
    assert all(np.array_equal(a[s], b[s]) for s in a)
    assert not a["embed"].any()
    assert travel([a["resid_post.0"], a["resid_post.1"]])[0] < 0.5
    middle = [a["resid_post.1"][groups == g].mean(axis=0) for g in (0, 1)]
    assert np.linalg.norm(middle[0] - middle[1]) > 1
    quality = first.tables["quality"].to_pylist()[2]
    assert quality["trustworthiness"] > 0.85
    assert math.isnan(quality["explained_x"])
    assert "UMAP" in first.reading
