import numpy as np
import pyarrow as pa
import pytest

from backend.analyses import load_all
from backend.analyses.layers import merge
from backend.analyses.result import Body

SPEC = load_all()["layers"]


def layers(n: int = 40) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {f"resid_post.{i}": rng.standard_normal((n, 4)) for i in range(3)}


def run(silent, view, **given):
    model = given.pop("model", None)
    return SPEC.run((view,), seed=0, progress=silent, model=model, **SPEC.parse(given))


def test_the_suite_gives_every_table_of_its_parts(counter, view_of, silent):
    body = run(silent, view_of(layers()), model=counter(), text="zero one two", rows=30)
    assert set(body.tables) == {"similarity", "projection", "quality", "profile", "lens", "next"}
    assert {"layer_a", "layer_b", "cka", "low", "high"} <= set(
        body.tables["similarity"].column_names
    )
    assert {"row", "site", "x", "y"} <= set(body.tables["projection"].column_names)
    assert {"row", "layer", "rank", "token", "probability"} <= set(body.tables["lens"].column_names)
    assert body.scalars["similarity.n"] == body.scalars["profile.n"] == 30
    for word in ("debiased CKA", "PCA", "intrinsic dimension", "final first choice"):
        assert word in body.reading


def test_a_part_that_does_not_suit_is_left_out_and_said(counter, view_of, silent):
    view = view_of(layers())
    without = run(silent, view)
    assert "lens" not in without.tables
    assert "Logit lens was left out" in without.scalars["note"]
    encoder = counter()
    encoder.is_decoder = False
    assert "does not predict next tokens" in run(silent, view, model=encoder).scalars["note"]


def test_parts_do_not_share_a_table_name():
    one = Body({"n": 1}, {"t": pa.table({"a": [1]})}, "One.")
    with pytest.raises(ValueError, match="two parts have a table 't'"):
        merge({"x": one, "y": one})
    both = merge({"x": one, "y": Body({"n": 2, "note": "N."}, {}, "Two.")}, said=("M.",))
    assert both.scalars == {"x.n": 1, "y.n": 2, "y.note": "N.", "note": "M. N."}
    assert both.reading == "One. Two."
