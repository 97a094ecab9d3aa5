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
    def run(seed=0, **given):
        asked = SPEC.parse({"bootstrap": 50})
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


@pytest.mark.parametrize("kind", ["pca", "neurons", "random", "sparse"])
def test_other_features_of_the_same_capture(bench, kind):
    workbench, model, data = bench
    result = workbench.run("complexity", model=model, data=data, atoms=4, bootstrap=0,
                           dictionary=kind)  # fmt: skip
    assert result.scalars["dictionary"] == kind and len(result.tables["features"]) > 0
