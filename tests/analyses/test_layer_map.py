"""Maps between layers that are made by hand: which target is best is known."""

import numpy as np
import pytest

from backend.analyses import load_all
from backend.analyses.result import Result
from backend.errors import AnalysisError

SPEC = load_all()["layer_map"]


def sites(n: int) -> list[str]:
    return ["embed", *(f"resid_post.{i}" for i in range(n - 1))]


def walk(n_layers: int, rows: int = 200, d: int = 6, *, seed: int = 0) -> list[np.ndarray]:
    """Layers that drift: each is the one before with a little of something new."""
    rng = np.random.default_rng(seed)
    layers = [rng.standard_normal((rows, d))]
    for _ in range(n_layers - 1):
        layers.append(0.8 * layers[-1] + 0.6 * rng.standard_normal((rows, d)))
    return layers


def run(silent, *views, **given):
    body = SPEC.run(views, seed=0, progress=silent, **SPEC.parse(given))
    error = np.full((body.scalars["source_layers"], body.scalars["target_layers"]), np.nan)
    for row in body.tables["map"].to_pylist():
        error[row["source"], row["target"]] = row["error"]
    return body, error


def test_a_model_maps_to_itself_without_error(view_of, silent):
    layers = dict(zip(sites(5), walk(5), strict=True)) | {"final": np.eye(200)[:, :6]}
    body, error = run(silent, view_of(layers))
    assert error.shape == (5, 5)  # what follows the last block is left out
    assert np.diag(error).max() < 1e-5
    assert (error.argmin(axis=1) == np.arange(5)).all()
    assert body.scalars["slope"] == pytest.approx(1) and body.scalars["offset"] == 0
    result = Result("k", "layer_map", body.scalars, body.tables, body.reading)
    assert SPEC.claims[0].measure(result).verdict == "not testable here"


def test_a_deeper_model_is_matched_at_the_same_relative_depth(view_of, silent):
    deep = walk(9)
    rng = np.random.default_rng(1)
    shallow = [deep[2 * i] @ rng.standard_normal((6, 5)) for i in range(5)]
    one = view_of(dict(zip(sites(5), shallow, strict=True)), name="shallow")
    two = view_of(dict(zip(sites(9), deep, strict=True)), name="deep", dataset=one.dataset)
    body, error = run(silent, one, two)
    assert list(error.argmin(axis=1)) == [0, 2, 4, 6, 8]
    s = body.scalars
    assert s["slope"] == pytest.approx(1) and s["offset"] == pytest.approx(0)
    assert s["p"] <= 0.05 and s["best_error"] < s["control_error"]
    result = Result("k", "layer_map", s, body.tables, body.reading)
    assert SPEC.claims[0].measure(result).verdict == "agrees"
    assert "held-out rows of 200" in body.reading


def test_shuffled_rows_and_other_noise_predict_no_better_than_the_mean(view_of, silent):
    one = view_of(dict(zip(sites(4), walk(4), strict=True)), name="a")
    two = view_of(dict(zip(sites(4), walk(4, seed=9), strict=True)), name="b", dataset=one.dataset)
    body, _ = run(silent, one, two)
    table = body.tables["map"]
    assert np.abs(table["r2"].to_numpy()).max() < 0.2
    assert np.allclose(table["error"].to_numpy(), table["control"].to_numpy(), atol=0.15)
    assert (table["low"].to_numpy() <= table["error"].to_numpy()).all()


def test_few_rows_are_refused_and_fewer_rows_than_dimensions_are_not(view_of, silent):
    wide = {s: np.random.default_rng(i).standard_normal((60, 90)) for i, s in enumerate(sites(4))}
    _, error = run(silent, view_of(wide))
    assert np.isfinite(error).all()
    with pytest.raises(AnalysisError, match="30 rows are too few.*at least 40"):
        run(silent, view_of({s: X[:30] for s, X in wide.items()}, name="few"))
