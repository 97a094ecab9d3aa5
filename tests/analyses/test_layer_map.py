import numpy as np
import pytest

import backend.analyses.layer_map
from backend.analyses.result import Result
from backend.errors import AnalysisError

SPEC = backend.analyses.layer_map.SPEC
COLUMNS = [
    "source", "target", "error", "low", "high", "r2", "r2_low", "r2_high", "control", "strength",
]  # fmt: skip


def stack(X: np.ndarray, blocks: int, step: float, *, seed: int = 0) -> dict[str, np.ndarray]:
    """The stream of a model whose every block turns some of X away and adds something new."""
    rng = np.random.default_rng(seed)
    layers = {"embed": X}
    for i in range(blocks):
        X = np.sqrt(1 - step) * X + np.sqrt(step) * rng.standard_normal(X.shape)
        layers[f"resid_post.{i}"] = X
    return layers


def states(n: int = 200, d: int = 10) -> np.ndarray:
    return np.random.default_rng(7).standard_normal((n, d))


def mapped(silent, *views, seed: int = 0, progress=None, **given):
    return SPEC.run(views, seed=seed, progress=progress or silent, **SPEC.parse(given))


def grid(body, column: str) -> np.ndarray:
    """A column as a matrix, source by target."""
    table = body.tables["map"]
    p, q = (len(set(table[name].to_pylist())) for name in ("source", "target"))
    return np.asarray(table[column]).reshape(p, q)


def pair(view_of, shallow: dict, deep: dict):
    a = view_of(shallow, name="shallow")
    return a, view_of(deep, name="deep", dataset=a.dataset)


def result(body) -> Result:
    return Result("k", "layer_map", body.scalars, body.tables, body.reading)


def verdict(body) -> str:
    return SPEC.claims[0].measure(result(body)).verdict


def shallow_and_deep(blocks: int = 5, n: int = 300) -> tuple[dict, dict]:
    """Block i of the shallow model holds, turned, what block 2i + 1 of the deep one holds."""
    deep = stack(states(n), 2 * blocks, 0.2)
    rng = np.random.default_rng(8)
    shallow = {"embed": deep["embed"]}
    for i in range(blocks):
        shallow[f"resid_post.{i}"] = deep[f"resid_post.{2 * i + 1}"] @ rng.standard_normal((10, 14))
    return shallow, deep


def test_a_model_maps_to_itself_without_error_on_the_diagonal(view_of, silent):
    body = mapped(silent, view_of(stack(states(), 5, 0.3)))
    table = body.tables["map"]
    assert table.column_names == COLUMNS
    assert table["source"].to_pylist() == [k for k in range(6) for _ in range(6)]
    assert table["target"].to_pylist() == list(range(6)) * 6
    error, r2 = grid(body, "error"), grid(body, "r2")
    off = ~np.eye(6, dtype=bool)
    assert error.diagonal().max() < 1e-5 < 0.1 < error[off].min()
    assert np.allclose(r2.diagonal(), 1)
    assert np.all((grid(body, "low") <= error) & (error <= grid(body, "high")))
    assert np.all((grid(body, "r2_low") <= r2) & (r2 <= grid(body, "r2_high")))
    s = body.scalars
    assert (s["n"], s["n_train"], s["n_validation"], s["n_test"]) == (200, 120, 40, 40)
    assert (s["source_layers"], s["target_layers"], s["models"]) == (5, 5, 1)
    assert (s["slope"], s["mean_offset"]) == (pytest.approx(1), 0)
    assert verdict(body) == "not testable here"


def test_the_layer_of_which_a_target_is_a_linear_function_is_found(view_of, silent):
    shallow, deep = shallow_and_deep()
    body = mapped(silent, *pair(view_of, shallow, deep))
    error, control = grid(body, "error")[1:, 1:], grid(body, "control")[1:, 1:]
    assert np.array_equal(error.argmin(axis=1), 2 * np.arange(5) + 1)
    assert error.min(axis=1).max() < 1e-4
    assert control.min() > 0.9
    s = body.scalars
    assert (s["slope"], s["mean_offset"]) == (pytest.approx(1), pytest.approx(0))
    assert (s["slope_r2"], s["mean_offset_r2"]) == (pytest.approx(1), pytest.approx(0))
    assert s["offset_p"] == pytest.approx(1 / 120)
    assert s["absolute_minus_relative_low"] > 0
    assert verdict(body) == "agrees"
    assert "slope of 1.0" in body.reading
    assert f"{s['best_control']:.2f} with shuffled rows" in body.reading
    assert f"({s['n_test']} held-out rows of {s['n']})" in body.reading


def test_unrelated_models_give_the_error_of_the_shuffled_rows_and_no_agreement(view_of, silent):
    rng = np.random.default_rng(9)
    shallow, deep = (
        {f"resid_post.{i}": rng.standard_normal((300, 10)) for i in range(blocks)}
        for blocks in (6, 9)
    )
    body = mapped(silent, *pair(view_of, shallow, deep))
    assert np.abs(grid(body, "error") - grid(body, "control")).max() < 0.05
    assert grid(body, "r2_low").max() < 0.05
    assert verdict(body) == "differs"


def test_the_match_is_by_relative_depth_not_by_number_of_blocks(view_of, silent):
    deep = stack(states(300), 10, 0.2)
    shallow = {site: deep[site] for site in list(deep)[:6]}
    body = mapped(silent, *pair(view_of, shallow, deep))
    assert body.scalars["slope"] == pytest.approx(0.5)
    assert body.scalars["absolute_minus_relative_high"] < 0
    assert verdict(body) == "differs"


def test_turning_and_scaling_a_model_changes_no_error(view_of, silent):
    shallow, deep = shallow_and_deep()
    rng = np.random.default_rng(1)
    noisy = {site: X + 0.3 * rng.standard_normal(X.shape) for site, X in deep.items()}
    Q = np.linalg.qr(np.random.default_rng(2).standard_normal((10, 10)))[0]
    turned = {site: 50 * X @ Q for site, X in noisy.items()}
    a = view_of(shallow, name="a")
    bodies = [
        mapped(silent, a, view_of(layers, name=name, dataset=a.dataset))
        for name, layers in (("b", noisy), ("c", turned))
    ]
    assert np.allclose(grid(bodies[0], "error"), grid(bodies[1], "error"), rtol=1e-4)
    back = [
        mapped(silent, view_of(layers, name=f"{name}2", dataset=a.dataset), a)
        for name, layers in (("b", noisy), ("c", turned))
    ]
    assert np.allclose(grid(back[0], "error"), grid(back[1], "error"), rtol=1e-4)


def test_fewer_rows_than_dimensions_are_mapped_and_said(view_of, silent):
    rng = np.random.default_rng(3)
    few = states(60, 4) @ rng.standard_normal((4, 80))
    layers = {f"resid_post.{i}": few + 0.1 * i * rng.standard_normal(few.shape) for i in range(4)}
    body = mapped(silent, view_of(layers))
    assert grid(body, "error")[0, 0] < 1e-4
    assert np.isfinite(grid(body, "error")).all()
    assert "36 training rows are no more than the 80 dimensions" in body.scalars["note"]
    deep = {f"resid_post.{i}": few for i in range(6)}
    assert verdict(mapped(silent, *pair(view_of, layers, deep))) == "not testable here"


def test_what_cannot_be_mapped_is_refused(view_of, silent):
    a = view_of(stack(states(19), 3, 0.3), name="a")
    with pytest.raises(AnalysisError, match="19 rows are too few .* at least 20"):
        mapped(silent, a)
    other = view_of(
        stack(states(19), 3, 0.3), name="b", columns={"tag": [str(i) for i in range(19)]}
    )
    with pytest.raises(AnalysisError, match="on different data"):
        mapped(silent, a, other)
    with pytest.raises(AnalysisError, match="captured at head, after none of its blocks"):
        mapped(silent, view_of({"head": states(40)}, name="c"))
    with pytest.raises(AnalysisError, match="out of range"):
        SPEC.parse({"at_most": 19})


def test_tokens_of_a_text_stay_together_and_the_first_one_is_left_out(view_of, silent):
    rows = np.repeat(np.arange(40), 5)
    rng = np.random.default_rng(4)
    layers = stack(states(40)[rows] + 0.5 * rng.standard_normal((200, 10)), 4, 0.3)
    for X in layers.values():
        X[::5] *= 1000
    body = mapped(silent, view_of(layers, rows=rows, pooling="tokens"))
    s = body.scalars
    assert (s["n"], s["n_train"], s["n_validation"], s["n_test"]) == (160, 96, 32, 32)
    assert grid(body, "error")[1, 2] < 1
    assert "count data rows" in s["note"]
    some = mapped(silent, view_of(layers, name="some", rows=rows, pooling="tokens"), at_most=120)
    assert 80 < some.scalars["n"] < 115


def test_layers_that_do_not_vary_are_said_and_harm_nothing(view_of, silent):
    layers = stack(states(), 4, 0.3) | {"embed": np.full((200, 10), 0.1)}
    body = mapped(silent, view_of(layers))
    assert "embed does not vary" in body.scalars["note"]
    assert np.all(grid(body, "error")[:, 0] < 1e-6)
    assert np.isnan(grid(body, "r2")[:, 0]).all()
    assert np.allclose(grid(body, "r2")[0, 1:], 0, atol=0.2)
    assert body.scalars["slope"] == pytest.approx(1)
    flat = mapped(silent, view_of({f"resid_post.{i}": np.ones((40, 3)) for i in range(3)}))
    assert flat.scalars["slope_r2"] is None and flat.scalars["mean_offset_r2"] is None
    assert (grid(flat, "error") == 0).all() and "slope of 0" in flat.reading


def test_too_few_layers_for_a_line_still_give_the_map(view_of, silent):
    body = mapped(silent, view_of({"embed": states(), "resid_post.0": states() ** 3}))
    assert body.scalars["slope"] is None
    assert body.reading.startswith("There are too few layers for a line")
    assert body.tables["map"].num_rows == 4


def test_progress_names_each_source_layer_and_the_seed_decides(view_of, silent):
    view = view_of(stack(states(), 3, 0.3))
    said = []
    first = mapped(silent, view, progress=lambda *step: said.append(step))
    assert [what for _, _, what in said[:4]] == [
        "mapping from embed", *(f"mapping from resid_post.{i}" for i in range(3)),
    ]  # fmt: skip
    assert said[-1][:2] == (4, 4)
    again, other = mapped(silent, view), mapped(silent, view, seed=1)
    assert again.tables["map"].equals(first.tables["map"])
    assert not other.tables["map"].equals(first.tables["map"])
