"""The workbench: answers that are stored, keys, provenance, suites, neighbours, refusals."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from backend import RunRequest, Workbench, open_workbench
from backend.analyses import load_all
from backend.errors import AnalysisError, CaptureError, UserError
from backend.settings import Settings
from backend.workbench import shutdown
from tests import rigs

LLAMA, BERT, VIT = (str(rigs.model_folder(kind)) for kind in ("llama", "bert", "vit"))


@pytest.fixture
def texts(tmp_path):
    return str(rigs.write_csv(tmp_path / "texts.csv", 40))


@pytest.fixture
def home(tmp_path):
    return Settings(home=tmp_path / "home", scheduler="inline")


@pytest.fixture
def bench(home):
    opened = Workbench(home)
    yield opened
    opened.close()


def request(texts, **changes) -> RunRequest:
    return replace(RunRequest("profile", LLAMA, texts), **changes)


# Stored answers and keys


def test_an_answer_is_computed_once_even_across_a_restart(home, texts, computed):
    first = Workbench(home)
    assert first.stored(request(texts)) is None and first.key_of(request(texts)) is None
    answer = first.run("profile", model=LLAMA, data=texts)
    assert computed == ["shard", "profile"]
    first.close()
    second = Workbench(home)
    try:
        again = second.run("profile", model=LLAMA, data=texts)
        assert computed == ["shard", "profile"]
        assert again == second.stored(request(texts)) == second.result(answer.key)
        assert again.key == answer.key == second.key_of(request(texts))
        assert again.tables["profile"].equals(answer.tables["profile"])
        assert again.scalars == answer.scalars and again.provenance == answer.provenance
        other = second.run("projection", model=LLAMA, data=texts)  # the capture is there already
        assert computed == ["shard", "profile", "projection"] and other.key != answer.key
    finally:
        second.close()


def test_the_key_changes_with_everything_that_decides_the_numbers(bench, texts, tmp_path):
    bench.describe(LLAMA), bench.describe(BERT), bench.add_data(texts)
    other = str(rigs.write_csv(tmp_path / "other.csv", 40, seed=1))
    bench.add_data(other)
    same = [
        request(texts), request(texts, parameters={"folds": "5"}), request(texts, pooling="last"),
        request(texts, sites="embed,resid_post.*"), request(texts, rows=40),
        request(texts, rows=99),
    ]  # fmt: skip
    assert len({bench.key_of(r) for r in same}) == 1
    changed = [
        request(texts), request(texts, seed=1), request(texts, parameters={"folds": 4}),
        request(texts, rows=20), request(texts, model=BERT), request(other),
        request(texts, pooling="mean"), request(texts, sites="final,embed"),
        request(texts, half=True), request(texts, analysis="projection"),
    ]  # fmt: skip
    assert len({bench.key_of(r) for r in changed}) == len(changed)


def test_the_seed_decides_the_numbers(bench, texts):
    a, b = (bench.run("similarity", model=LLAMA, data=texts, seed=s) for s in (0, 1))
    assert a.key != b.key and a.tables["similarity"].equals(b.tables["similarity"]) is False
    again = bench.run("similarity", model=LLAMA, data=texts, seed=0)
    assert again.tables["similarity"].equals(a.tables["similarity"])


def test_a_result_can_be_forgotten_and_computed_again(bench, texts, computed):
    first = bench.run("profile", model=LLAMA, data=texts)
    assert [r["key"] for r in bench.results()] == [first.key]
    bench.remove_result(first.key)
    assert bench.results() == [] and bench.result(first.key) is None
    second = bench.run("profile", model=LLAMA, data=texts)
    assert computed == ["shard", "profile", "profile"]
    assert second.key == first.key and second.scalars == first.scalars


def test_the_provenance_is_complete(bench, texts):
    result = bench.run("profile", model=LLAMA, data=texts, rows=30, seed=3, folds=4)
    said = result.provenance
    names = ("key", "analysis", "pooling", "dtype", "n", "of", "seed")
    assert {name: said[name] for name in names} == {
        "key": result.key, "analysis": "profile", "pooling": "last", "dtype": "float32",
        "n": 30, "of": 40, "seed": 3,
    }  # fmt: skip
    assert said["version"] == load_all()["profile"].version
    assert said["models"][0]["ref"] == LLAMA
    assert said["models"][0]["id"] == rigs.source("llama").model_id
    assert said["data"] == bench.dataset(texts).hash and said["data_name"] == "texts"
    known = {p.name for p in load_all()["profile"].parameters}
    assert said["parameters"]["folds"] == 4 and set(said["parameters"]) == known
    assert said["oracle"][0]["verdict"] == "agrees"
    assert {"python", "penultimate", "torch", "transformers", "numpy"} <= set(said["versions"])
    assert "not installed" not in said["versions"]["penultimate"]
    assert said["seconds"] > 0 and said["created"].endswith("+00:00")


# Two models, suites


def test_two_models_are_compared_on_the_same_rows(bench, texts):
    result = bench.run("similarity", model=LLAMA, other=BERT, data=texts)
    assert [m["ref"] for m in result.provenance["models"]] == [LLAMA, BERT]
    assert len(result.provenance["oracle"]) == 2
    assert result.tables["similarity"].num_rows == 16
    with pytest.raises(AnalysisError, match="Profile.* takes one model|takes one model"):
        bench.run("profile", model=LLAMA, other=BERT, data=texts)


def test_a_suite_holds_its_parts(bench, texts, computed):
    whole = bench.run("layers", model=LLAMA, data=texts)
    parts = list(load_all()["layers"].parts)
    assert computed == ["shard", *parts]
    assert {"similarity", "projection", "profile", "lens"} <= set(whole.tables)
    assert set(whole.provenance["parts"]) == set(parts)
    for part in parts:
        alone = bench.run(part, model=LLAMA, data=texts)
        assert alone.reading in whole.reading
        assert whole.provenance["parts"][part] == alone.provenance
        for name, table in alone.tables.items():
            assert whole.tables[name].equals(table)
        for name, value in alone.scalars.items():
            assert whole.scalars[f"{part}.{name}"] == value
    assert computed == ["shard", *parts]  # the parts were stored under their own keys
    asked = request(texts, analysis="layers")
    assert bench.key_of(asked) == whole.key == bench.stored(asked).key
    assert bench.stored(replace(asked, parameters={"folds": 3})) is None


def test_a_suite_gives_each_part_its_own_parameters(bench, texts, computed):
    bench.run("layers", model=LLAMA, data=texts)
    computed.clear()
    result = bench.run("layers", model=LLAMA, data=texts, folds=3)
    assert computed == ["profile"]  # the one that has folds
    assert result.provenance["parts"]["profile"]["parameters"]["folds"] == 3
    with pytest.raises(AnalysisError, match="no parameter 'speed'"):
        bench.run("layers", model=LLAMA, data=texts, speed=1)


@pytest.mark.parametrize("kind", ["bert", "vit"])
def test_a_suite_leaves_out_what_does_not_suit_the_model_and_says_so(bench, texts, tmp_path, kind):
    data = texts
    if kind == "vit":
        (tmp_path / "pictures" / "a").mkdir(parents=True)
        for i in range(12):
            (tmp_path / "pictures" / "a" / f"{i}.png").write_bytes(rigs.picture(i))
        data = str(tmp_path / "pictures")
    model = str(rigs.model_folder(kind))
    result = bench.run("layers", model=model, data=data)
    assert {"similarity", "projection", "profile"} <= set(result.tables)
    assert "lens" not in result.tables and "is left out" in result.scalars["note"]
    asked = RunRequest("layers", model, data)
    assert bench.stored(asked).key == result.key == bench.key_of(asked)


# Refusals


def test_what_does_not_fit_is_refused_with_one_sentence(bench, texts, tmp_path):
    with pytest.raises(CaptureError, match="vit reads image, and texts holds text rows"):
        bench.run("profile", model=VIT, data=texts)
    with pytest.raises(
        AnalysisError, match="There is no analysis 'magic'. Choose from: similarity"
    ):
        bench.run("magic", model=LLAMA, data=texts)
    with pytest.raises(AnalysisError, match="no parameter 'fold'.*It has: "):
        bench.run("profile", model=LLAMA, data=texts, fold=3)
    with pytest.raises(UserError, match="does not predict next tokens"):
        bench.run("lens", model=BERT, data=texts)
    (tmp_path / "pictures" / "a").mkdir(parents=True)
    (tmp_path / "pictures" / "a" / "1.png").write_bytes(rigs.picture())
    with pytest.raises(CaptureError, match="reads text, and pictures holds image rows"):
        bench.run("profile", model=LLAMA, data=str(tmp_path / "pictures"))
    with pytest.raises(AnalysisError, match="does not read image models"):
        bench.run("lens", model=VIT, data=str(tmp_path / "pictures"))
    assert bench.results() == []


# Rows, neighbours, views, claims


def test_rows_and_their_neighbours(bench, texts):
    from backend import CaptureAsk

    ask = CaptureAsk(LLAMA, texts, "final")
    with pytest.raises(UserError, match="is not captured|not captured"):
        bench.neighbours(ask, "final", 3)
    view = bench.capture(ask)
    found = bench.neighbours(ask, "final", 3, k=5)
    X = view.vectors("final")[np.argsort(view.rows())]
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    cosine = unit @ unit[3]
    cosine[3] = -2
    assert set(found["row"].to_pylist()) == set(np.argsort(-cosine)[:5].tolist())
    np.testing.assert_allclose(found["score"].to_numpy(), np.sort(cosine)[::-1][:5], rtol=1e-5)
    table = bench.rows(texts, [4, 2])
    assert table["row"].to_pylist() == [4, 2] and isinstance(table, pa.Table)
    assert dict(bench.values(texts, "topic")) == {"a": 20, "b": 20}
    with pytest.raises(UserError, match="is not in the store"):
        bench.rows("nothing", [1])


def test_a_view_is_found_again_by_the_key_of_its_figure(bench, texts):
    result = bench.run("profile", model=LLAMA, data=texts)
    assert bench.view_of_key(result.key) is None
    bench.remember_view(result.key, "compare?tab=profile")
    assert bench.view_of_key(result.key[:12]) == "compare?tab=profile"


def test_claims_are_measured_on_what_is_shown(bench, texts):
    shown = [bench.run(name, model=LLAMA, data=texts) for name in ("similarity", "profile")]
    rows = bench.claims(shown)
    specs = load_all()
    assert len(rows) == sum(len(specs[r.analysis].claims) for r in shown) > 0
    assert {row["verdict"] for row in rows} <= {"agrees", "differs", "not testable here"}
    assert {row["model"] for row in rows} == {LLAMA}


# Jobs and the life of a workbench


def test_what_a_server_left_unfinished_is_started_again(home, texts, computed):
    from backend.store import jobs

    first = Workbench(home)
    done = first.run("profile", model=LLAMA, data=texts)
    asked = request(texts, seed=7)
    left = (
        ("r", "run", asked.to_json()), ("d", "data", {"ref": texts}),
        ("o", "run", asked.to_json() | {"a field of another version": 1}),
    )  # fmt: skip
    for name, kind, said in left:
        jobs.put_job(first.store, id=name, kind=kind, title=name, request=said)
        jobs.update_job(first.store, name, state="running")
    first.close()
    second = Workbench(home)
    try:
        assert {j["id"]: j["state"] for j in second.jobs() if j["id"] in "rdo"} == dict.fromkeys(
            "rdo", "interrupted"
        )
        started = second.resume()
        assert [job.id for job in started] == ["r"]
        assert second.runner.wait(started[0]).key != done.key
        assert second.stored(asked) is not None
        states = {j["id"]: j["state"] for j in second.jobs()}
        assert (states["r"], states["d"], states["o"]) == ("done", "interrupted", "failed")
        second.forget_job("d")
        assert "d" not in {j["id"] for j in second.jobs()} and second.resume() == []
    finally:
        second.close()


def test_one_workbench_per_folder_and_process(tmp_path):
    try:
        first = open_workbench(tmp_path / "a")
        assert open_workbench(str(tmp_path / "a")) is first
        assert open_workbench(tmp_path / "b") is not first
    finally:
        shutdown()
    assert open_workbench(tmp_path / "a") is not first
    shutdown()
