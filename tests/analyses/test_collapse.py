"""Collapse from saved features, over a training, and at the layers of any model."""

import zipfile

import numpy as np
import pyarrow.compute as pc
import pytest

from backend.analyses import load_all
from backend.data.sources import read_data
from backend.errors import AnalysisError, UserError
from backend.settings import Settings
from backend.workbench import open_workbench, shutdown
from tests import rigs
from tests.pages.material import write_images
from tests.tiny import write_model
from tests.training.made import png

SPEC = load_all()["collapse"]
K, D, N = 4, 6, 30


def simplex(k: int = K, d: int = D, seed: int = 0) -> np.ndarray:
    """k corners of a simplex in d dimensions, each of length 1, (k, d)."""
    Q = np.linalg.qr(np.random.default_rng(seed).normal(size=(d, k)))[0]
    return np.sqrt(k / (k - 1)) * (np.eye(k) - 1 / k) @ Q.T


def saved(noise: float = 0.0, **more) -> dict:
    """Features around a simplex that stands away from the origin, with a head to match."""
    M, y = simplex(), np.repeat(np.arange(K), N)
    rng = np.random.default_rng(1)
    H = M[y] + 2 + noise * rng.normal(size=(K * N, D))
    W = 5 * M
    return {"features": H, "labels": y, "weight": W, "bias": -W @ np.full(D, 2.0)} | more


@pytest.fixture
def ask(tmp_path, silent):
    def run(settings=None, **given):
        np.savez(tmp_path / "made.npz", **given)
        home = Settings(home=tmp_path)
        data = read_data(tmp_path / "made.npz", root=tmp_path / "data", settings=home)
        asked = SPEC.parse({"bootstrap": 40} | (settings or {}))
        return SPEC.run((), data=data, also=None, seed=0, progress=silent, **asked)

    return run


def test_a_simplex_has_collapsed_in_every_way(ask):
    line = ask(**saved()).tables["trajectory"].to_pylist()[0]
    assert (line["run"], line["part"], line["epoch"], line["layer"]) == \
        ("made", "all", 0, "features")  # fmt: skip
    for name in ("nc1", "nc1_ratio", "cdnv", "nc2_equinorm", "nc2_equiangular", "nc2", "nc3"):
        assert line[name] == pytest.approx(0, abs=1e-6)  # the file holds float32
    assert line["nc4"] == 0 and line["train_error"] == 0


def test_noise_is_measured_with_an_interval_and_said(ask):
    body = ask(**saved(0.1))
    line = body.tables["trajectory"].to_pylist()[0]
    assert 0 < line["nc1_low"] < line["nc1"] < line["nc1_high"]
    assert line["nc1_ratio"] == pytest.approx(0.01 * D, rel=0.2)  # tr S_W / |m|^2
    assert body.reading.startswith("At features NC1 is 0.0")
    assert "(120 rows (all), 4 classes, 6 wide)" in body.reading
    verdicts = {c.key: c.measure(_result(body)).verdict for c in SPEC.claims}
    assert verdicts.pop("nc4") == "agrees" and set(verdicts.values()) == {"not testable here"}


def _result(body):
    from backend.analyses.result import Result

    return Result("key", "collapse", body.scalars, body.tables, body.reading, {})


def test_without_a_head_what_needs_one_is_null(ask):
    given = {k: v for k, v in saved(0.1).items() if k in ("features", "labels")}
    line = ask(**given).tables["trajectory"].to_pylist()[0]
    assert line["nc3"] is None and line["nc4"] is None and line["train_error"] is None
    assert line["nc1"] is not None


def test_the_plane_and_the_cosines_are_those_of_the_classes(ask):
    body = ask({"classes": "3,0,1"}, **saved(0.05))
    plane = body.tables["plane"].to_pylist()
    means = {r["class"]: (r["x"], r["y"]) for r in plane if r["kind"] == "mean"}
    assert list(means) == ["3", "0", "1"]
    assert means["3"] == pytest.approx((0, 1), abs=0.05)
    assert sum(r["kind"] == "sample" for r in plane) == 3 * N
    cosines = body.tables["cosines"]
    assert cosines.num_rows == K * (K - 1)
    assert max(map(abs, cosines["excess"].to_pylist())) < 0.05


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"features": np.zeros((4, 2))}, "has no array 'labels'"),
        ({"features": np.zeros((4, 2)), "labels": np.arange(3)}, r"features \(4, 2\) do not go"),
        (saved(weight=np.zeros((3, D))), "weight has 3 rows for 4 classes"),
        ({"features": np.eye(4), "labels": np.array([0, 0, 1, 2])}, "fewer than two rows|has 1"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(ask, given, said):
    with pytest.raises(AnalysisError, match=said):
        ask(**given)


def test_classes_that_are_not_there_are_refused(ask):
    with pytest.raises(AnalysisError, match="classes='0,7,1' does not name three"):
        ask({"classes": "0,7,1"}, **saved(0.1))


def test_some_classes_are_measured_as_if_there_were_no_others(ask):
    whole = saved(0.3)
    body = ask({"only": "3, 1,0"}, **whole)
    kept = np.isin(whole["labels"], (0, 1, 3))
    alone = {k: whole[k][kept] for k in ("features", "labels")} | {
        k: whole[k][[0, 1, 3]] for k in ("weight", "bias")
    }
    line, expected = (b.tables["trajectory"].to_pylist()[0] for b in (body, ask(**alone)))
    assert line["n"] == 90 and line == expected
    assert line["nc1"] != ask(**whole).tables["trajectory"]["nc1"][0].as_py()
    assert "Only 3 of 4 classes: 0, 1, 3." in body.scalars["note"]


@pytest.mark.parametrize(("only", "said"), [("0,9", "names 9"), ("2", "is one class")])
def test_classes_that_cannot_be_measured_are_refused(ask, only, said):
    with pytest.raises(AnalysisError, match=said):
        ask({"only": only}, **saved(0.1))


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A workbench with pictures of three colours, and a tiny MLP trained on them."""
    folder = tmp_path_factory.mktemp("collapse")
    data = str(write_images(folder / "images.zip", 90))
    workbench = open_workbench(folder / "home")
    text = f"data={data}&label=label&net=mlp&epochs=25&blocks=2&width=16&batch=16&lr=0.02"
    run = workbench.runner.wait(workbench.submit_training(text))
    yield workbench, run, data, text
    shutdown()


def test_a_training_is_followed_layer_by_layer_on_both_parts(bench):
    workbench, run, data, _ = bench
    last = run["checkpoints"][-1]["folder"]
    result = workbench.run("collapse", model=last, data=data, bootstrap=40)
    table = result.tables["trajectory"]
    assert set(table["part"].to_pylist()) == {"train", "held out"}
    assert sorted(set(table["epoch"].to_pylist())) == [c["epoch"] for c in run["checkpoints"]]
    assert list(dict.fromkeys(table["layer"].to_pylist())) == ["block.0", "penultimate"]
    train = table.filter(pc.equal(table["part"], "train"))
    assert set(train["n"].to_pylist()) == {len(run["train"])}
    measured = {h["epoch"]: h for h in run["history"]}
    for line in train.to_pylist():
        if line["layer"] == "penultimate":  # what was measured while it trained, from its file
            live = measured[line["epoch"]]
            assert line["nc1"] == pytest.approx(live["nc1"], rel=1e-4)
            assert line["train_error"] == pytest.approx(1 - live["train_accuracy"], abs=1e-9)
    zero = [h["epoch"] for h in run["history"] if h["train_accuracy"] == 1]
    assert result.scalars["zero_epoch"] == zero[0]
    assert f"Training error first was 0 at epoch {zero[0]}" in result.reading
    assert result.tables["steps"]["target"].to_pylist() == ["penultimate"]


def test_the_layers_of_any_model_can_be_asked_and_changed(bench, tmp_path):
    workbench, _, data, _ = bench
    vit = write_model("vit", tmp_path / "vit")
    plain = workbench.run("collapse", model=str(vit), data=data, label="label", bootstrap=0)
    table = plain.tables["trajectory"]
    assert set(table["part"].to_pylist()) == {"all"} and set(table["epoch"].to_pylist()) == {0}
    assert list(dict.fromkeys(table["layer"].to_pylist()))[-1] == "final"  # what the head reads
    assert "over the layers NC1~ goes from" in plain.reading
    skipped = workbench.run("collapse", model=str(vit), data=data, label="label", bootstrap=0,
                            whatif="skip:0")  # fmt: skip
    deepest = [t.tables["trajectory"].to_pylist()[-1]["nc1"] for t in (plain, skipped)]
    assert deepest[0] != deepest[1]


def test_without_the_layer_that_the_head_reads_nothing_is_said_of_the_head(bench):
    workbench, run, data, _ = bench
    result = workbench.run("collapse", model=run["checkpoints"][-1]["folder"], data=data,
                           sites="block.0", course=False, bootstrap=0)  # fmt: skip
    lines = result.tables["trajectory"].to_pylist()
    assert {r["layer"] for r in lines} == {"block.0"}
    assert {(r["nc3"], r["nc4"], r["train_error"]) for r in lines} == {(None, None, None)}


def test_several_vectors_a_row_are_refused(bench, tmp_path):
    bert, texts = str(rigs.model_folder("bert")), str(rigs.write_csv(tmp_path / "texts.csv", 40))
    with pytest.raises(UserError, match="tokens pooling gives several vectors a row"):
        bench[0].run("collapse", model=bert, data=texts, pooling="tokens")


def test_data_without_classes_are_refused(bench, tmp_path):
    workbench, run, _, _ = bench
    other = tmp_path / "plain.zip"
    with zipfile.ZipFile(other, "w") as archive:
        for i in range(30):
            archive.writestr(f"{i}.png", png(np.full((32, 32), 8 * i, np.uint8)))
    with pytest.raises(UserError, match="has no column of classes"):
        workbench.run("collapse", model=run["checkpoints"][-1]["folder"], data=str(other))


def test_a_watched_training_is_read_from_its_statistics():
    from backend.analyses.collapse import of_records
    from backend.collapse.streaming import summarise

    found = {}
    for epoch, noise in ((1, 0.4), (9, 0.1)):
        given = saved(noise)
        found[epoch] = summarise(given["features"], given["labels"], weight=given["weight"],
                                 bias=given["bias"]).moments  # fmt: skip
    body = of_records("mine", tuple("abcd"), [(e, {"penultimate": m}) for e, m in found.items()])
    lines = body.tables["trajectory"].to_pylist()
    assert [(r["run"], r["part"], r["epoch"]) for r in lines] == [("mine", "all", 1),
                                                                  ("mine", "all", 9)]  # fmt: skip
    assert lines[1]["nc1"] < lines[0]["nc1"] and lines[0]["nc1_low"] is None
    assert {r["kind"] for r in body.tables["plane"].to_pylist()} == {"mean", "head"}
    assert body.tables["classes"]["class"].to_pylist()[:4] == list("abcd")
    assert body.scalars["last_epoch"] == 9 and body.tables["steps"].num_rows == 0
