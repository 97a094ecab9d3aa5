"""Captures through the workbench: planned, filled in shard by shard, resumed, checked."""

import threading

import numpy as np
import pytest

from backend import CaptureAsk, Workbench
from backend.capture.request import stored_order
from backend.errors import Cancelled, CaptureError, StoreError
from backend.settings import Settings
from backend.store import catalogue
from tests import rigs

MODEL = "llama"


@pytest.fixture
def texts(tmp_path):
    return str(rigs.write_csv(tmp_path / "texts.csv", 600))


@pytest.fixture
def bench(tmp_path):
    opened = Workbench(Settings(home=tmp_path / "home", scheduler="inline"))
    yield opened
    opened.close()


@pytest.fixture
def ask(texts) -> CaptureAsk:
    return CaptureAsk(str(rigs.model_folder(MODEL)), texts, "embed,final")


@pytest.fixture
def runs(monkeypatch):
    """(shard, sites) of every shard that is run."""
    from backend.capture import shard

    seen, real = [], shard.capture_shard

    def counted(model, dataset, task, **options):
        seen.append((task.shard, task.sites))
        return real(model, dataset, task, **options)

    monkeypatch.setattr(shard, "capture_shard", counted)
    return seen


def files(bench) -> dict[str, bytes]:
    return {
        p.relative_to(bench.store.home).as_posix(): p.read_bytes()
        for p in bench.settings.vectors.rglob("*.arrow")
    }


def test_a_capture_holds_every_row_in_the_stored_order(bench, ask, runs):
    assert bench.plan(ask) is None and bench.view(ask) is None  # model and data are not known yet
    view = bench.capture(ask)
    assert view.sites == ("embed", "final") and view.pooling == "last"
    assert np.array_equal(view.rows(), stored_order(600))
    assert view.vectors("final").shape == (600, 16)
    assert runs == [(i, ("embed", "final")) for i in range(3)]
    assert bench.plan(ask).complete
    assert np.array_equal(bench.view(ask).vectors("embed"), view.vectors("embed"))
    assert not bench.store.verify()


def test_only_what_is_missing_is_run(bench, ask, runs):
    from dataclasses import replace

    few = bench.capture(replace(ask, rows=200))
    assert few.n == 200 and len(few.vectors("final")) == 200
    assert runs == [(0, ("embed", "final"))]
    bench.capture(replace(ask, sites="embed,final,resid_post.1"))
    assert runs[1:] == [(0, ("resid_post.1",))] + [
        (i, ("embed", "resid_post.1", "final")) for i in (1, 2)
    ]
    runs.clear()
    again = bench.capture(ask)
    assert runs == [] and again.n == 600
    assert np.array_equal(again.vectors("final")[:200], few.vectors("final"))
    bench.capture(replace(ask, pooling="mean", rows=1))
    bench.capture(replace(ask, half=True, rows=1))
    assert [shard for shard, _ in runs] == [0, 0]


def test_a_stop_keeps_finished_shards_and_the_rest_is_resumed(bench, ask, runs, monkeypatch):
    whole = bench.capture(ask)
    expected, keys = files(bench), [row.key for row in bench.captures()]
    bench.remove_captures(keys)
    assert files(bench) == {} and whole
    runs.clear()
    record = bench._record

    def stop_after_two(resolved, done):
        record(resolved, done)
        if done.shard == 1:
            bench.cancel(job.id)

    monkeypatch.setattr(bench, "_record", stop_after_two)
    gate = threading.Event()
    fill = bench._fill
    monkeypatch.setattr(bench, "_fill", lambda *a: gate.wait(5) and fill(*a))
    job = bench.submit_capture(ask)
    gate.set()
    with pytest.raises(Cancelled):
        bench.runner.wait(job)
    assert bench.plan(ask).missing == ((2, ("embed", "final")),)
    assert bench.plan(ask).rows == 600 - 512
    monkeypatch.undo()
    bench.capture(ask)
    assert files(bench) == expected  # byte for byte


def test_a_full_disk_fails_the_job_with_the_reason_and_keeps_earlier_shards(
    bench, ask, monkeypatch
):
    import errno

    from backend.store import vectors

    written, replace_ = [], vectors.os.replace

    def full(a, b):
        if str(b).endswith("000001.arrow"):
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(b)
        return replace_(a, b)

    monkeypatch.setattr(vectors.os, "replace", full)
    with pytest.raises(StoreError, match="The disk of .* is full.*finished shards are kept"):
        bench.capture(ask)
    monkeypatch.undo()
    record = bench.jobs()[0]
    assert record["state"] == "failed" and "is full" in record["error"]
    assert [shard for shard, _ in bench.plan(ask).missing] == [1, 2]
    assert not list(bench.settings.vectors.rglob("*.tmp"))
    assert bench.capture(ask).n == 600


def test_two_jobs_never_run_the_same_shard(bench, ask, runs):
    from dataclasses import replace

    bench.describe(ask.model), bench.add_data(ask.data)
    jobs = [bench.submit_capture(ask), bench.submit_capture(replace(ask, sites="final,embed"))]
    assert jobs[0] is not jobs[1]
    for job in jobs:
        bench.runner.wait(job)
    assert sorted(runs) == [(i, ("embed", "final")) for i in range(3)]


def test_every_capture_is_held_against_the_plain_forward(bench, ask):
    from dataclasses import replace

    bench.capture(ask)
    check = bench.oracle(bench.resolve(ask))
    assert check["verdict"] == "agrees" and check["top1"] == 1.0 and check["rows"] == 8
    assert check["sites_checked"] == ["embed", "final"]
    more = replace(ask, sites="resid_post.0", rows=300)
    bench.capture(more)
    check = bench.oracle(bench.resolve(more))
    assert check["sites_checked"] == ["embed", "resid_post.0", "final"]
    assert check["verdict"] == "agrees" and check["sites"] == 3


def test_a_wrong_hook_is_found_by_the_check(bench, ask, monkeypatch):
    from backend.models.loading import SHELF

    model = SHELF.get(rigs.source(MODEL), bench.settings)
    monkeypatch.setitem(model.taps, "final", model.taps["resid_post.1"])
    bench.capture(ask)
    assert bench.oracle(bench.resolve(ask))["verdict"] == "differs"


def test_a_check_survives_the_removal_of_other_sites(bench, ask):
    from dataclasses import replace

    bench.capture(ask)
    gone = [row.key for row in bench.captures() if row.site == "embed"]
    bench.remove_captures(gone)
    bench.capture(replace(ask, sites="resid_post.0"))
    assert bench.oracle(bench.resolve(ask))["sites_checked"] == ["resid_post.0", "final"]


def test_the_pace_of_this_machine_is_learnt(bench, ask):
    from dataclasses import replace

    bench.describe(ask.model), bench.add_data(ask.data)
    assert not bench.plan(ask).measured
    bench.capture(replace(ask, rows=1))
    plan = bench.plan(ask)
    assert plan.measured and plan.rows == 600 - 256 and 0 < plan.seconds < 600
    assert plan.n_bytes == (600 - 256) * 2 * 16 * 4


def test_long_texts_are_cut_and_the_job_says_so(tmp_path):
    data = rigs.write_csv(tmp_path / "long.csv", 30, width=9)
    opened = Workbench(Settings(home=tmp_path / "home", scheduler="inline", max_tokens=16))
    try:
        job = opened.submit_capture(CaptureAsk(str(rigs.model_folder(MODEL)), str(data), "final"))
        messages = []
        move = type(job).move
        job.move = lambda *a: messages.append(a[2] if len(a) > 2 else "") or move(job, *a)
        opened.runner.wait(job)
        assert any("rows cut short" in text for text in messages)
    finally:
        opened.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": -1}, "-1 rows cannot be captured"),
        ({"sites": "resid_post.7"}, "no site 'resid_post.7'. It has: embed, resid_pre.0-2"),
        ({"pooling": "spatial"}, "'spatial' does not fit a text model"),
    ],
)
def test_what_cannot_be_captured_is_said(bench, ask, change, said):
    from dataclasses import replace

    with pytest.raises(CaptureError, match=said):
        bench.capture(replace(ask, **change))


def test_a_model_and_data_that_do_not_fit_are_refused_before_the_model_is_opened(
    bench, texts, monkeypatch
):
    monkeypatch.setattr("backend.work.capture_shard", lambda *_: pytest.fail("it was run"))
    with pytest.raises(CaptureError, match="vit reads image, and texts holds text rows"):
        bench.capture(CaptureAsk(str(rigs.model_folder("vit")), texts))


def test_a_model_whose_weights_change_is_captured_anew(bench, texts, tmp_path, runs):
    from safetensors.numpy import load_file, save_file

    folder = rigs.copy_model(MODEL, tmp_path / "m")
    ask = CaptureAsk(str(folder), texts, "final", rows=10)
    first = bench.capture(ask)
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"] += 1
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    second = bench.capture(ask)
    assert len(runs) == 2 and first.model_id != second.model_id
    assert not np.allclose(first.vectors("final"), second.vectors("final"))
    assert len(catalogue.list_captures(bench.store)) == 2
