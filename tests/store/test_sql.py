import contextlib
import time
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from backend.errors import StoreError
from backend.store.sql import _answer, _explained, _open, _Request, query, was_truncated


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packed") / "p.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "create table t as select range as i, 'é' || range as s from range(5000)"
        )
        connection.execute("create table v as select [1, 2]::float[2] as vector")
    return path


def test_a_query_is_answered_in_its_order(packed: Path) -> None:
    table = query(packed, "select i, s from t order by i desc", limit=3)
    assert table.to_pylist() == [{"i": i, "s": f"é{i}"} for i in (4999, 4998, 4997)]
    assert was_truncated(table)
    whole = query(packed, "from t", limit=5000)
    assert (whole.num_rows, was_truncated(whole)) == (5000, False)
    np.testing.assert_array_equal(whole["i"].to_numpy(), np.arange(5000))
    vectors = query(packed, "select vector from v;")
    assert pa.types.is_fixed_size_list(vectors.schema.field("vector").type)


@pytest.mark.parametrize("sql", ["show tables", "explain from t", "with x as (select 1) from x"])
def test_other_questions(packed: Path, sql: str) -> None:
    with contextlib.closing(_open(str(packed))) as connection:
        assert _answer(connection, _Request(sql, limit=10, seconds=10)).num_rows > 0


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select * from read_csv('/etc/hostname')", "disabled"),
        ("select * from read_text('/etc/hostname')", "disabled"),
        ("from '/etc/hostname'", "does not exist"),
        ("attach '/tmp/x.duckdb'", "ATTACH"),
        ("copy t to '/tmp/stolen.csv'", "COPY"),
        ("set threads = 8", "SET"),
        ("install httpfs", "LOAD"),
        ("insert into t values (1, 'x')", "INSERT"),
        ("drop table t", "DROP"),
        ("create temp table x as from t", "CREATE"),
        ("select 1; drop table t", "2 statements"),
        ("", "nothing"),
        ("selekt 1", "syntax error"),
        ("select nothing from t", "nothing"),
        ("explain analyze copy t to '/tmp/stolen.csv'", "disabled"),
        ("select repeat('x', 100000) from t", "larger than"),
    ],
)
def test_what_is_not_a_query_is_refused(packed: Path, sql: str, said: str) -> None:
    with contextlib.closing(_open(str(packed))) as connection:
        request = _Request(sql, limit=100_000, seconds=10)
        with pytest.raises((StoreError, duckdb.Error), match=said):
            _answer(connection, request)
    assert not Path("/tmp/stolen.csv").exists()


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select * from read_csv('/etc/hostname')", "disabled"),
        ("select nothing\nfrom t", '"nothing" not found'),
    ],
)
def test_refusals_reach_the_caller_in_one_line(packed: Path, sql: str, said: str) -> None:
    with pytest.raises(StoreError, match=said) as caught:
        query(packed, sql)
    assert "\n" not in caught.value.what
    assert not Path("/tmp/stolen.csv").exists()


@pytest.mark.parametrize(
    "sql",
    [
        "select count(*) from t a, t b, t c, t d where a.i + b.i = d.i",
        "select a.i from t a, t b, t c where (a.i + b.i + c.i) % 7 = 9",
    ],
    ids=["whole", "streaming"],
)
def test_a_runaway_query_is_stopped(packed: Path, sql: str) -> None:
    start = time.monotonic()
    with pytest.raises(StoreError, match="longer than 0.5 seconds"):
        query(packed, sql, seconds=0.5)
    assert time.monotonic() - start < 8


def test_a_query_that_needs_too_much_memory_is_refused(
    packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.store.sql._MEMORY", "50MB")
    request = _Request("select list(a.s order by b.s) from t a, t b", limit=10, seconds=20)
    with contextlib.closing(_open(str(packed))) as connection:
        with pytest.raises((duckdb.Error, pa.ArrowException, OSError)) as caught:
            _answer(connection, request)
        assert "more than 50MB of memory" in _explained(caught.value, request, late=False).what


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        query(tmp_path / "none.duckdb", "select 1")
    (tmp_path / "text.duckdb").write_text("no database" * 100)
    with pytest.raises(StoreError, match="not a valid"):
        query(tmp_path / "text.duckdb", "select 1")
