import os
import re
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from backend.errors import StoreError
from backend.store import schema
from backend.store.database import Store
from backend.store.jobs import get_job, list_jobs, put_job, update_job

ROOT = Path(__file__).parents[2]


def _child(home: Path, body: str) -> subprocess.Popen:
    """A process that opens the store, runs `body`, says "ready" and waits."""
    code = (
        "import sys; from pathlib import Path\n"
        "from backend.store.database import Store\n"
        "from backend.store.jobs import put_job\n"
        f"store = Store(Path({str(home)!r}))\n{body}\n"
        "print('ready', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def _end(process: subprocess.Popen) -> None:
    process.kill()
    process.communicate()


def test_eight_threads_write_and_read(store: Store) -> None:
    def work(thread: int) -> int:
        for i in range(6):
            put_job(store, id=f"{thread}-{i}", kind="capture", title="t", request={"i": i})
            update_job(store, f"{thread}-{i}", state="running", done=i)
            job = get_job(store, f"{thread}-{i}")
            assert job is not None
            assert (job.done, job.request) == (i, {"i": i})
        return len(list_jobs(store, limit=1000))

    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(work, range(8)))
    assert max(counts) == len(list_jobs(store, limit=1000)) == 48
    assert all(count >= 6 for count in counts)


def test_readers_see_only_what_is_committed(store: Store) -> None:
    with store.transaction() as cursor:
        cursor.execute("insert into views values ('k', 'p', 'q', '2026-01-01')")
        with store.cursor() as other:
            assert other.execute("select count(*) from views").fetchall() == [(0,)]
    with store.cursor() as other:
        assert other.execute("select count(*) from views").fetchall() == [(1,)]


def test_a_failed_transaction_changes_nothing(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.transaction() as cursor:
        cursor.execute("insert into views values ('k', 'p', 'q', '2026-01-01')")
        raise ZeroDivisionError
    with store.cursor() as cursor:
        assert cursor.execute("select count(*) from views").fetchall() == [(0,)]
    put_job(store, id="a", kind="k", title="t", request={})  # the lock was given back


def test_kill_in_a_transaction_keeps_what_was_committed(tmp_path: Path) -> None:
    body = (
        "for i in range(5): put_job(store, id=str(i), kind='k', title='t', request={})\n"
        "held = store.transaction(); cursor = held.__enter__()\n"
        "cursor.execute(\"update jobs set title = 'lost'\")\n"
        "cursor.execute('create table half (x integer)')"
    )
    process = _child(tmp_path, body)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    with Store(tmp_path) as store:
        assert [job.title for job in list_jobs(store)] == ["t"] * 5
        with store.cursor() as cursor, pytest.raises(duckdb.CatalogException):
            cursor.execute("select * from half")


def test_a_locked_file_names_the_process(tmp_path: Path) -> None:
    process = _child(tmp_path, "")
    try:
        for read_only in (False, True):
            with pytest.raises(StoreError) as caught:
                Store(tmp_path, read_only=read_only)
            assert re.search(rf"\b{process.pid}\b", caught.value.what)
            assert "python" in caught.value.what
            assert f"kill {process.pid}" in caught.value.remedy
    finally:
        _end(process)
    Store(tmp_path).close()


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    Store(tmp_path).close()
    with duckdb.connect(str(tmp_path / "store.duckdb")) as connection:
        connection.execute("insert into schema_version values (99, '2030-01-01')")
    with pytest.raises(StoreError, match=f"version 99.*version {schema.VERSION}") as caught:
        Store(tmp_path)
    assert "Update" in caught.value.remedy


def test_an_older_file_is_brought_forward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store(tmp_path) as store:
        put_job(store, id="a", kind="k", title="kept", request={})
    steps = (*schema.MIGRATIONS, "alter table views add column note varchar default 'none'")
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    monkeypatch.setattr(schema, "VERSION", len(steps))
    with pytest.raises(StoreError, match="needs version"):
        Store(tmp_path, read_only=True)
    with Store(tmp_path) as store, store.cursor() as cursor:
        cursor.execute("select note from views")
        assert cursor.execute("select max(version) from schema_version").fetchall() == [
            (len(steps),)
        ]
        assert list_jobs(store)[0].title == "kept"


def test_a_failed_migration_leaves_the_old_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store(tmp_path).close()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "create table x (i int); oops"))
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    with pytest.raises(duckdb.Error):
        Store(tmp_path)
    monkeypatch.undo()
    with Store(tmp_path) as store, store.cursor() as cursor:
        assert not cursor.execute(
            "select * from information_schema.tables where table_name = 'x'"
        ).fetchall()


def test_files_that_are_not_ours_are_refused(tmp_path: Path) -> None:
    (tmp_path / "store.duckdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreError, match="not a database"):
        Store(tmp_path)
    (tmp_path / "store.duckdb").unlink()
    with duckdb.connect(str(tmp_path / "store.duckdb")) as connection:
        connection.execute("create table mine (i integer)")
    with pytest.raises(StoreError, match="none of Penultimate's"):
        Store(tmp_path)


def test_read_only(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store"):
        Store(tmp_path / "none", read_only=True)
    with Store(tmp_path) as store:
        put_job(store, id="a", kind="k", title="t", request={})
        with pytest.raises(StoreError, match="already open|open for writing"):
            Store(tmp_path, read_only=True)
    with Store(tmp_path, read_only=True) as store:
        assert len(list_jobs(store)) == 1
        with pytest.raises(StoreError, match="read only"):
            put_job(store, id="b", kind="k", title="t", request={})


def test_two_stores_of_one_process_share_the_writers_lock(tmp_path: Path) -> None:
    unfinished = tmp_path / "vectors" / "k" / ".x.tmp"
    with Store(tmp_path) as first:
        unfinished.parent.mkdir(parents=True)
        unfinished.touch()
        with Store(tmp_path) as second:
            assert unfinished.exists(), "the second swept away what the first is writing"
            held = threading.Event()
            with first.transaction() as cursor:
                cursor.execute("insert into views values ('k', 'p', 'q', '2026-01-01')")
                writer = threading.Thread(
                    target=lambda: (
                        put_job(second, id="b", kind="k", title="t", request={}),
                        held.set(),
                    )
                )
                writer.start()
                assert not held.wait(0.1)
            writer.join(5)
            assert held.is_set()
        assert get_job(first, "b") is not None


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        list_jobs(store)


def test_the_store_itself_cannot_reach_outside(store: Store) -> None:
    for sql in (
        "select * from read_csv('/etc/hostname')",
        "attach '/tmp/other.duckdb'",
        "copy jobs to '/tmp/x.csv'",
        "install httpfs",
        "set enable_external_access = true",
    ):
        with pytest.raises(duckdb.Error), store.cursor() as cursor:
            cursor.execute(sql).fetchall()
