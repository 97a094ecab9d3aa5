import math

import numpy as np
import pytest

from backend.analyses import load_all
from backend.analyses.result import Result
from backend.errors import AnalysisError

SPEC = load_all()["similarity"]
COLUMNS = [
    "layer_a", "layer_b", "index_a", "index_b", "cka", "low", "high", "null", "mknn", "mknn_low",
    "mknn_high",
]  # fmt: skip


def drifting(n: int = 80, depth: int = 5) -> dict[str, np.ndarray]:
    """Layers that move away from the first, step by step."""
    rng = np.random.default_rng(0)
    X, layers = rng.standard_normal((n, 8)), {}
    for i in range(depth):
        layers["embed" if i == 0 else f"resid_post.{i - 1}"] = X
        X = X + 0.8 * rng.standard_normal(X.shape)
    return layers


def compare(silent, *views, **given):
    return SPEC.run(views, seed=0, progress=silent, **SPEC.parse(given))


def cell(body, a: str, b: str) -> dict:
    rows = body.tables["similarity"].to_pylist()
    return next(r for r in rows if (r["layer_a"], r["layer_b"]) == (a, b))


def test_one_model_gives_every_pair_with_a_unit_diagonal(view_of, silent):
    body = compare(silent, view_of(drifting()))
    table = body.tables["similarity"]
    assert table.column_names == COLUMNS
    assert table.num_rows == 25
    rows = table.to_pylist()
    for row in rows:
        assert -1 <= row["low"] <= row["cka"] <= row["high"] <= 1
        twin = cell(body, row["layer_b"], row["layer_a"])
        assert (twin["cka"], twin["null"]) == pytest.approx((row["cka"], row["null"]))
    assert all(r["cka"] == 1.0 == r["mknn"] for r in rows if r["index_a"] == r["index_b"])
    near, far = cell(body, "embed", "resid_post.0"), cell(body, "embed", "resid_post.3")
    assert near["low"] > far["high"] > far["null"]
    assert near["mknn"] > far["mknn"] > body.scalars["chance"] == 10 / 79
    assert f"{body.scalars['adjacent']:.3f}" in body.reading


def test_batches_give_nearly_the_same_answer(view_of, silent):
    view = view_of(drifting(n=200))
    whole, parts = compare(silent, view), compare(silent, view, batch=50)
    a, b = (np.array(r.tables["similarity"]["cka"]) for r in (whole, parts))
    assert not np.array_equal(a, b)
    assert np.abs(a - b).max() < 0.1


def test_two_models_on_the_same_rows(view_of, silent):
    layers = drifting()
    a = view_of(layers, name="a")
    Q = np.linalg.qr(np.random.default_rng(1).standard_normal((8, 8)))[0]
    turned = {site: 3 * X @ Q for site, X in layers.items()}
    b = view_of(turned, name="b", dataset=a.dataset)
    body = compare(silent, a, b)
    assert cell(body, "resid_post.1", "resid_post.1")["cka"] == pytest.approx(1, abs=1e-6)
    assert body.scalars["depth_rho"] == pytest.approx(1)
    assert "most alike pair" in body.reading
    assert [c.measure(result(body)).verdict for c in SPEC.claims] == [
        "not testable here", "not testable here", "not testable here", "agrees",
    ]  # fmt: skip


def result(body) -> Result:
    return Result("k", "similarity", body.scalars, body.tables, body.reading)


def test_claims_follow_the_numbers(view_of, silent):
    rng = np.random.default_rng(2)
    drift = result(compare(silent, view_of(drifting())))
    noise = {f"resid_post.{i}": rng.standard_normal((80, 200)) for i in range(5)}
    unrelated = result(compare(silent, view_of(noise, name="noise")))
    claims = {c.key: c.measure for c in SPEC.claims}
    assert claims["neighbours"](drift).verdict == "agrees"
    assert claims["neighbours"](unrelated).verdict == "differs"
    assert claims["block"](unrelated).verdict == "differs"
    assert claims["bias"](unrelated).verdict == "agrees"
    assert "biased CKA 0.7" in claims["bias"](unrelated).value


def test_a_constant_layer_is_undefined_and_said(view_of, silent):
    layers = drifting() | {"embed": np.full((80, 8), 0.1)}
    body = compare(silent, view_of(layers))
    row = cell(body, "embed", "resid_post.1")
    assert all(math.isnan(row[c]) for c in ("cka", "low", "high", "null", "mknn", "mknn_low"))
    assert "embed does not vary" in body.scalars["note"]
    assert math.isfinite(body.scalars["adjacent"])
    only = compare(silent, view_of({"embed": np.ones((9, 2))}, name="c"))
    assert "no path" in only.reading


def test_few_rows_are_refused_or_get_a_wide_interval(view_of, silent):
    with pytest.raises(AnalysisError, match="3 rows are too few"):
        compare(silent, view_of(drifting(n=3)))
    body = compare(silent, view_of(drifting(n=4), name="four"))
    assert (cell(body, "embed", "resid_post.0")["low"], body.scalars["k"]) == (-1, 3)


def test_tokens_of_a_text_count_as_one(view_of, silent):
    layers = drifting(n=30)
    rows = np.repeat(np.arange(30), 4)
    repeated = {
        s: X[rows] + 0.01 * np.random.default_rng(3).standard_normal((120, 8))
        for s, X in layers.items()
    }
    plain = compare(silent, view_of(layers))
    tokens = compare(silent, view_of(repeated, name="tokens", rows=rows))
    width = [
        r["high"] - r["low"] for r in (cell(b, "embed", "resid_post.2") for b in (plain, tokens))
    ]
    assert width[1] > 0.6 * width[0]
    assert "count data rows" in tokens.scalars["note"]
