"""Two models' features: a copy, a turned copy, a delayed copy, strangers, and two tiny nets."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from backend.analyses import load_all
from backend.analyses.feature_match_inputs import names_of
from backend.errors import AnalysisError
from backend.workbench import open_workbench, shutdown
from tests.pages.material import write_images
from tests.tiny import write_model

SPEC = load_all()["feature_match"]
QUICK = {"bootstrap": 20, "dictionary": "neurons"}


def layers(n: int = 300, seed: int = 0) -> dict[str, np.ndarray]:
    """The first layer has x; the others its products too, which x does not tell linearly."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4))
    late = np.c_[x, x[:, :2] * x[:, 2:]]
    return {"block.0": x, "block.1": late, "block.2": late, "penultimate": late}


@pytest.fixture
def compare(view_of, silent):
    def run(first, second, *, model=None, other=None, **given):
        a = view_of(first, name="first")
        b = view_of(second, name="second", dataset=a.dataset)
        asked = SPEC.parse(QUICK | given)
        return SPEC.run((a, b), seed=0, progress=silent, model=model, second=other, **asked)

    return run


def column(body, table: str, name: str, **only) -> np.ndarray:
    rows = [r for r in body.tables[table].to_pylist() if all(r[k] == v for k, v in only.items())]
    return np.array([r[name] for r in rows], dtype=float)


def test_a_copy_has_the_same_features_and_complexities(compare):
    body = compare(layers(), layers())
    pairs, s = body.tables["pairs"], body.scalars
    assert pairs["feature_a"].to_pylist() == pairs["feature_b"].to_pylist() == list(range(6))
    np.testing.assert_allclose(column(body, "pairs", "correlation"), 1)
    for name in ("complexity_b", "complexity_in_other"):
        assert pairs[name].to_pylist() == pairs["complexity_a"].to_pylist()
    assert (s["share"], s["gap"], s["further"], s["cosine"]) == (1, 0, 0, pytest.approx(1))
    assert s["correlation_control"] < s["threshold"] < 0.6 and all(pairs["matched"].to_pylist())
    K = column(body, "features", "complexity", model="a")
    np.testing.assert_allclose(K, [0, 0, 0, 0, 0.25, 0.25], atol=0.03)
    assert s["mean_complexity_a"] == pytest.approx(K.mean())
    assert (s["mean_complexity_a_low"], s["mean_complexity_a_high"]) != (None, None)
    assert f"6 of 6 pairs of features, 100% ({s['share_low']:.0%} to 100%)" in body.reading
    assert (
        "in pairs that go together they are 0 (0 to 0) more complex (300 rows, 75" in body.reading
    )


def test_a_turned_copy_is_matched_by_codes_but_not_by_directions(compare):
    rng = np.random.default_rng(1)
    first = {s: X + 3 for s, X in layers().items()}
    Q = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    turned = first | {"penultimate": first["penultimate"] @ Q}
    body = compare(first, turned, dictionary="kmeans", atoms=8)
    s = body.scalars
    np.testing.assert_allclose(column(body, "pairs", "correlation"), 1, atol=1e-4)
    np.testing.assert_allclose(*(column(body, "pairs", f"complexity_{m}") for m in "ab"), atol=0.03)
    assert s["cosine"] < 0.9 and s["same_partner"] < 0.7
    assert s["correlation_again"] < 0.99, "k-means from another start finds other directions"


def test_features_of_another_order_and_width_have_no_cosine(compare):
    first = layers()
    second = first | {"penultimate": first["penultimate"][:, [5, 3, 1]]}
    body = compare(first, second)
    assert body.tables["pairs"]["feature_a"].to_pylist() == [1, 3, 5]
    assert body.tables["pairs"]["feature_b"].to_pylist() == [2, 1, 0]
    assert body.tables["pairs"]["cosine"].null_count == 3 and body.scalars["cosine"] is None
    assert (body.scalars["features_a"], body.scalars["features_b"]) == (6, 3)


def test_a_feature_that_the_other_model_makes_later_is_more_complex_there(compare):
    first = layers()
    late = first | {"block.1": first["block.0"], "block.2": first["block.0"]}
    body = compare(first, late)
    products = [4, 5]
    at = {n: column(body, "pairs", n)[products] for n in ("complexity_a", "complexity_b",
                                                          "complexity_in_other")}  # fmt: skip
    np.testing.assert_allclose(at["complexity_a"], 0.25, atol=0.04)
    np.testing.assert_allclose(at["complexity_b"], 0.75, atol=0.04)
    np.testing.assert_allclose(at["complexity_in_other"], 0.75, atol=0.04)
    assert body.scalars["gap"] == pytest.approx(2 * 0.5 / 6, abs=0.03)
    assert body.scalars["gap"] == pytest.approx(body.scalars["further"], abs=1e-9)
    read = column(body, "readability_in_other", "v_information", model="a", feature=4)
    np.testing.assert_allclose(read, [0, 0, 0, 1], atol=0.08)
    back = column(body, "readability_in_other", "v_information", model="b", feature=4)
    np.testing.assert_allclose(back, [0, 1, 1, 1], atol=0.08)


def test_strangers_are_within_chance_and_cannot_be_read(compare):
    body = compare(layers(), layers(seed=9))
    s = body.scalars
    assert s["matched"] <= 1 and s["correlation_low"] < 0.1
    assert s["complexity_in_other"] > 0.95
    assert s["gap"] is None or s["matched"] == 1


def test_codes_below_zero_are_matched_without_their_sign(compare):
    first = layers()
    second = first | {"penultimate": -first["penultimate"]}
    assert compare(first, second).scalars["matched_by"] == "|r|"
    positive = {s: np.maximum(X, 0) for s, X in first.items()}
    assert compare(positive, positive).scalars["matched_by"] == "r"
    body = compare(positive, first, dictionary="auto", atoms=3)
    assert (body.scalars["dictionary"], body.scalars["matched_by"]) == ("kmeans", "r")


def test_both_heads_weigh_their_own_features(compare):
    def linear(classes: int) -> SimpleNamespace:
        torch.manual_seed(classes)
        config = SimpleNamespace(id2label=None)
        return SimpleNamespace(head=torch.nn.Linear(6, classes), is_decoder=True,
                               model=SimpleNamespace(config=config))  # fmt: skip

    alone = compare(layers(), layers(), model=linear(3))
    assert column(alone, "features", "importance", model="a").min() > 0
    assert np.isnan(column(alone, "features", "importance", model="b")).all()
    assert "second: The head was not read" in alone.scalars["note"]
    both = compare(layers(), layers(), model=linear(3), other=linear(4))
    weights = [column(both, "features", "importance", model=m) for m in "ab"]
    assert np.isfinite(weights).all() and not np.allclose(*weights)


def test_one_model_or_other_data_are_refused(view_of, silent):
    a = view_of(layers())
    asked = {"seed": 0, "progress": silent, **SPEC.parse(QUICK)}
    with pytest.raises(AnalysisError, match="made:made alone leaves nothing to compare"):
        SPEC.run((a,), **asked)
    b = view_of(layers(n=200), name="other")
    with pytest.raises(AnalysisError, match="captured on different data"):
        SPEC.run((a, b), **asked)
    same = view_of(layers(), name="third", dataset=a.dataset)
    with pytest.raises(AnalysisError, match="Not both models name classes"):
        SPEC.run((a, same), **asked | {"dictionary": "nmf-per-class"})


def test_rows_that_one_model_lacks_are_left_out(view_of, silent):
    whole, keep = layers(), np.sort(np.random.default_rng(0).permutation(300)[:280])
    a = view_of(whole, name="first")
    some = {s: X[keep] for s, X in whole.items()}
    b = view_of(some, name="second", rows=keep, dataset=a.dataset)
    body = SPEC.run((a, b), seed=0, progress=silent, **SPEC.parse(QUICK))
    assert body.scalars["n"] < 281
    np.testing.assert_allclose(column(body, "pairs", "correlation"), 1)


@pytest.mark.parametrize(
    ("refs", "whatifs", "names"),
    [
        (("demo:a", "org/b"), ("", ""), ("demo:a", "org/b")),
        (("demo:a", "demo:a"), ("skip:1", ""), ("demo:a, skip:1", "demo:a, as it is")),
        (("demo:a", "demo:a"), ("", ""), ("demo:a, first", "demo:a, second")),
        (("/x/0123456789abcdef0/epoch-1", "/y/run/epoch-1"), ("", "skip:2"),
         ("0123456/epoch-1", "run/epoch-1, skip:2")),
        (("/x/run/epoch-1", "/y/run/epoch-1"), ("", ""), ("/x/run/epoch-1", "/y/run/epoch-1")),
    ],
)  # fmt: skip
def test_names_tell_the_two_apart(refs, whatifs, names):
    views = tuple(SimpleNamespace(model=r, whatif=w) for r, w in zip(refs, whatifs, strict=True))
    assert names_of(views) == names  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("matched")
    workbench = open_workbench(folder / "home")
    write_model("vit", folder / "vit")
    write_images(folder / "images.zip", 120)
    yield workbench, str(folder / "vit"), str(folder / "images.zip")
    shutdown()


def test_a_changed_model_is_compared_with_itself_as_it_is(bench):
    workbench, model, data = bench
    asked = {"model": model, "other": model, "data": data, "atoms": 4, "bootstrap": 10}
    same = workbench.run("feature_match", **asked)
    np.testing.assert_allclose(same.tables["pairs"]["correlation"].to_numpy(), 1)
    assert same.scalars["gap"] == same.scalars["further"] == 0 and same.scalars["changed"] == "b"
    assert "head was not read" not in same.scalars["note"], "one model, one head"
    changed = workbench.run("feature_match", whatif="skip:1", **asked)
    assert changed.scalars["changed"] == "a" and changed.key != same.key
    assert changed.scalars["name_b"].endswith("as it is")
    own = workbench.run("complexity", model=model, data=data, atoms=4, bootstrap=10)
    K = [r["complexity"] for r in changed.tables["features"].to_pylist() if r["model"] == "b"]
    np.testing.assert_allclose(K, own.tables["features"]["complexity"].to_numpy(), atol=1e-12)
