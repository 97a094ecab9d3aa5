"""Feature complexity: arrays exactly as given, features of a model's last layer, refusals."""

import numpy as np
import pytest

from backend.analyses import load_all
from backend.analyses.complexity_inputs import split_rows
from backend.data.sources import read_data
from backend.errors import AnalysisError, UserError
from backend.settings import Settings
from backend.workbench import open_workbench, shutdown
from tests.pages.material import write_images
from tests.tiny import write_model

SPEC = load_all()["complexity"]


def arrays(folder, **given):
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "made.npz", **given)
    return read_data(folder / "made.npz", root=folder / "data", settings=Settings(home=folder))


@pytest.fixture
def ask(tmp_path, silent):
    def run(seed=0, set=None, **given):
        asked = SPEC.parse({"bootstrap": 50} | (set or {}))
        data = arrays(tmp_path, **given)
        return SPEC.run((), data=data, also=None, seed=seed, progress=silent, **asked)

    return run


def product(n=1200, seed=0):
    """x1 x2 is nowhere in the first layer, and a column of the others; x3 is everywhere."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5))
    z = x[:, 0] * x[:, 1]
    late = np.c_[x, z]
    return {"layer_0": x, "layer_1": late, "layer_2": late, "layer_3": late,
            "targets": np.c_[z, x[:, 2], rng.normal(size=n)]}  # fmt: skip


def test_the_complexity_of_known_features_is_the_share_of_layers_that_do_not_tell(ask):
    body = ask(**product())
    features = body.tables["features"]
    assert features["feature"].to_pylist() == [0, 1, 2]
    np.testing.assert_allclose(features["complexity"], [0.25, 0, 1], atol=0.03)
    low, high = (features[f"complexity_{e}"].to_numpy() for e in ("low", "high"))
    value = features["complexity"].to_numpy()
    assert (low <= value + 1e-9).all() and (value <= high + 1e-9).all()
    read = body.tables["readability"].to_pylist()
    first = [r["v_information"] for r in read if r["feature"] == 0]
    np.testing.assert_allclose(first, [0, 1, 1, 1], atol=0.05)
    assert [r["layer"] for r in read[:4]] == [f"layer_{i}" for i in range(4)]
    assert "3 features have complexities from" in body.reading and "(feature 1)" in body.reading
    assert "on average over 4 layers (1,200 rows, 300 of them held out)" in body.reading


def test_the_order_of_layers_is_their_number_and_rotation_changes_nothing(ask):
    given = product()
    rng = np.random.default_rng(1)
    Q = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    turned = given | {"layer_0": given["layer_0"] @ Q}
    shuffled = dict(reversed(list(turned.items())))
    one, other = (ask(**g).tables["features"]["complexity"] for g in (given, shuffled))
    np.testing.assert_allclose(one, other, atol=0.01)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"targets": None}, "has no array 'targets'"),
        ({"layer_1": np.zeros((3, 2))}, "different numbers of rows"),
        ({"targets": np.zeros((1200, 2))}, "No feature varies|nothing|constant"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(ask, broken, said):
    given = {k: v for k, v in (product() | broken).items() if v is not None}
    with pytest.raises(AnalysisError, match=said):
        ask(**given)


def test_a_small_net_reads_the_product_where_the_linear_probe_does_not(ask):
    body = ask(**product(), set={"ladder": 3})
    table = body.tables["ladder"].to_pylist()
    assert {r["feature"] for r in table} == {0, 1, 2} and len(table) == 3 * 4 * 2
    at = {(r["feature"], r["layer"], r["probe"]): r["r2"] for r in table}
    read = {(r["feature"], r["layer"]): r["raw"] for r in body.tables["readability"].to_pylist()}
    assert all(at[f, layer, "linear"] == pytest.approx(raw) for (f, layer), raw in read.items())
    assert at[0, "layer_0", "linear"] < 0.1 < 0.7 < at[0, "layer_0", "mlp"]
    s = body.scalars
    assert s["ladder_layer"] == "layer_0" and s["ladder_features"] == 3
    gain = at[0, "layer_0", "mlp"] - max(at[0, "layer_0", "linear"], 0)
    assert s["ladder_most"] == pytest.approx(gain / 3, abs=0.02)
    assert s["ladder_gain"] == pytest.approx(gain / 12, abs=0.01)
    assert s["ladder_gain_low"] < s["ladder_gain"] < s["ladder_gain_high"]
    assert "Over 3 features a small net " in s["ladder_reading"]
    assert "layer_0, of 4 layers" in s["ladder_reading"]


def test_what_was_not_asked_for_is_not_there(ask):
    body = ask(**product())
    assert not {"ladder", "stability"} & set(body.tables)
    assert not [name for name in body.scalars if name.startswith(("ladder", "stability"))]
    assert body.tables["features"]["stability"].null_count == 3


def test_given_features_have_no_stability_and_too_few_for_umap_are_mapped_by_pca(ask):
    body = ask(**product(), set={"stability": 2, "map": "umap"})
    assert "stability" not in body.tables and body.scalars["map"] == "pca"
    note = body.scalars["note"]
    assert "kind 'as given' are not learned from a random start" in note
    assert "The map is by PCA: UMAP takes 8 features, here are 3." in note
    plain = ask(**product())
    assert body.tables["features"].equals(plain.tables["features"])


def groups_of_features(n=400, seed=0):
    """16 targets in four families; those of a family share most, and a family its complexity."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4))
    late = np.c_[x, np.square(x[:, :2])]
    base = np.c_[x[:, 2:], np.square(x[:, :2])]
    targets = np.repeat(base, 4, axis=1) + 0.1 * rng.normal(size=(n, 16))
    return {"layer_0": x, "layer_1": late, "targets": targets}


def test_the_tree_parts_families_and_says_what_complexity_they_share(ask):
    body = ask(**groups_of_features())
    table = body.tables["branches"].to_pylist()
    assert len(table) == 16 * 4 and {r["level"] for r in table} == {1, 2, 3, 4}
    second = {r["feature"]: r["branch"] for r in table if r["level"] == 2}
    assert len({(f // 4, b) for f, b in second.items()}) == 4
    s = body.scalars
    assert s["tree_level"] == 2 and s["tree_share"] > 0.95
    assert s["tree_chance"] == pytest.approx(3 / 15, abs=0.05)
    assert s["tree_chance"] < s["tree_chance_high"] < s["tree_share"]
    assert "4 branches of level 2" in s["tree_reading"]


def test_a_map_by_umap_starts_from_the_plane_and_is_turned_onto_it(ask, monkeypatch):
    from backend.analyses import layout

    asked = {}

    def laid_out(X, **given):
        asked.update(given, X=X)
        return 5 * given["start"] @ np.array([[0.0, 1.0], [-1.0, 0.0]]) + 3

    monkeypatch.setattr(layout, "umap_layout", laid_out)
    given = groups_of_features()
    body, flat = ask(**given, set={"map": "umap"}, seed=4), ask(**given, seed=4)
    assert body.scalars["map"] == "umap" and flat.scalars["map"] == "pca"
    assert (asked["neighbours"], asked["seed"], asked["X"].shape) == (15, 4, (16, 400))
    np.testing.assert_allclose(np.linalg.norm(asked["X"], axis=1), 1, rtol=1e-6)
    places, plane = (
        np.c_[b.tables["features"]["x"], b.tables["features"]["y"]] for b in (body, flat)
    )
    scale = np.sqrt(np.square(plane - plane.mean(axis=0)).sum(axis=1).mean())
    np.testing.assert_allclose(places, (plane - plane.mean(axis=0)) / scale, atol=1e-8)
    one, other = (b.tables["features"].drop_columns(["x", "y"]) for b in (body, flat))
    assert one.equals(other)


def test_few_rows_are_refused(ask):
    with pytest.raises(AnalysisError, match="too few"):
        ask(**product(n=30))


def test_rows_of_one_file_are_held_out_together():
    groups = np.repeat(np.arange(20), 10)
    split = split_rows(200, seed=0, groups=groups)
    parts = [set(groups[p]) for p in (split.fit, split.valid, split.held)]
    assert not (parts[0] & parts[2]) and not (parts[0] & parts[1]) and not (parts[1] & parts[2])
    assert [len(p) for p in (split.fit, split.valid, split.held)] == [120, 30, 50]
    few = split_rows(200, seed=0, groups=np.repeat(np.arange(4), 50))
    assert [len(p) for p in (few.fit, few.valid, few.held)] == [120, 30, 50]


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("complexity")
    workbench = open_workbench(folder / "home")
    write_model("vit", folder / "vit")
    write_images(folder / "images.zip", 120)
    yield workbench, str(folder / "vit"), str(folder / "images.zip")
    shutdown()


def test_a_models_features_are_found_read_and_weighed(bench):
    workbench, model, data = bench
    result = workbench.run("complexity", model=model, data=data, atoms=6, bootstrap=20, draws=2)
    features = result.tables["features"]
    assert 1 <= len(features) <= 6 and result.scalars["dictionary"] == "kmeans"
    value = features["complexity"].to_numpy()
    assert ((value >= 0) & (value <= 1)).all()
    assert features["sensitivity"].null_count == 0
    top = result.tables["top"].to_pylist()
    assert {r["rank"] for r in top} == set(range(1, 25))
    again = workbench.run("complexity", model=model, data=data, atoms=6, bootstrap=20, draws=2)
    assert again.key == result.key


def test_without_a_model_rows_are_refused(bench):
    workbench, _, data = bench
    with pytest.raises(UserError, match="needs a model to read image data"):
        workbench.run("complexity", data=data)


def test_features_are_found_again_from_other_starts_or_it_is_said_why_not(bench):
    workbench, model, data = bench
    result = workbench.run("complexity", model=model, data=data, atoms=6, bootstrap=0, stability=2)
    table, s = result.tables["stability"], result.scalars
    cosine, chance = table["cosine"].to_numpy(), table["chance"].to_numpy()
    assert table["feature"].equals(result.tables["features"]["feature"])
    assert result.tables["features"]["stability"].to_pylist() == cosine.tolist()
    assert (cosine <= 1 + 1e-9).all() and cosine.mean() > chance.mean()
    assert s["stability"] == pytest.approx(cosine.mean()) and s["stability_seeds"] == 2
    assert s["stability_low"] < s["stability"] < s["stability_high"]
    assert s["stability_chance"] == pytest.approx(chance.mean())
    assert "Learned again from 2 random starts" in s["stability_reading"]
    assert "stability" in result.tables["correlations"]["measure"].to_pylist()
    fixed = workbench.run("complexity", model=model, data=data, atoms=6, bootstrap=0, stability=2,
                          dictionary="pca")  # fmt: skip
    assert "stability" not in fixed.tables
    assert "features of the kind 'pca' are not learned" in fixed.scalars["note"]


@pytest.mark.parametrize("kind", ["pca", "neurons", "random", "sparse"])
def test_other_features_of_the_same_capture(bench, kind):
    workbench, model, data = bench
    result = workbench.run("complexity", model=model, data=data, atoms=4, bootstrap=0,
                           dictionary=kind)  # fmt: skip
    assert result.scalars["dictionary"] == kind and len(result.tables["features"]) > 0
