from pathlib import Path

import pytest

from backend.errors import StoreError
from backend.store.database import Store
from backend.store.jobs import (
    delete_job,
    get_job,
    interrupted,
    list_jobs,
    put_job,
    update_job,
)


def _put(store: Store, id: str) -> None:
    put_job(store, id=id, kind="capture", title=f"job {id}", request={"rows": 5}, total=10)


def test_a_job_from_start_to_end(store: Store) -> None:
    _put(store, "a")
    job = get_job(store, "a")
    assert job is not None
    assert (job.state, job.done, job.total, job.request) == ("submitted", 0, 10, {"rows": 5})
    assert job.created.utcoffset() is not None
    assert job.started is job.finished is None
    update_job(store, "a", state="running")
    update_job(store, "a", done=4, message="shard 4")
    job = get_job(store, "a")
    assert job is not None
    assert (job.state, job.done, job.message, job.finished) == ("running", 4, "shard 4", None)
    assert job.started is not None and job.started >= job.created
    update_job(store, "a", state="done", done=10, result_key="k")
    job = get_job(store, "a")
    assert job is not None
    assert (job.state, job.result_key) == ("done", "k")
    assert job.finished is not None and job.finished >= job.started


def test_listing_by_state(store: Store) -> None:
    for id in "abc":
        _put(store, id)
    update_job(store, "b", state="failed", error="the disk is full")
    assert [job.id for job in list_jobs(store)] == ["c", "b", "a"]
    assert [job.id for job in list_jobs(store, states=["failed"])] == ["b"]
    assert [job.id for job in list_jobs(store, states=["failed", "submitted"], limit=2)] == [
        "c",
        "b",
    ]
    delete_job(store, "b")
    update_job(store, "b", done=3)  # deleted meanwhile: nothing comes back
    assert get_job(store, "b") is None


def test_what_a_server_left_is_interrupted(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        for id in "abcd":
            _put(store, id)
        update_job(store, "b", state="running", done=3)
        update_job(store, "c", state="done")
        update_job(store, "d", state="cancelled")
    with Store(tmp_path) as store:
        left = interrupted(store)
        assert [(job.id, job.state, job.done) for job in left] == [
            ("a", "interrupted", 0),
            ("b", "interrupted", 3),
        ]
        assert left[0].request == {"rows": 5}
        assert interrupted(store) == ()
        assert [job.state for job in list_jobs(store)] == [
            "cancelled",
            "done",
            "interrupted",
            "interrupted",
        ]


def test_unknown_changes_are_refused(store: Store) -> None:
    _put(store, "a")
    with pytest.raises(StoreError, match="'finished'"):
        update_job(store, "a", state="finished")
    with pytest.raises(TypeError, match="id"):
        update_job(store, "a", **{"id = 'x' --": 1})
    update_job(store, "a")
