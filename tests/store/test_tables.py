import duckdb
import numpy as np
import pyarrow as pa
import pytest

from backend.errors import StoreError
from backend.store.tables import (
    create_table,
    from_text,
    quote,
    read_table,
    slug,
    sql_names,
    to_text,
)

EVIL = 'x"; drop table t; --'


@pytest.mark.parametrize("name", [EVIL, '"', "a.b", "select", "línea", "new\nline", "'", "%s"])
def test_quoted_names_stand_for_themselves(name: str) -> None:
    connection = duckdb.connect()
    connection.execute("create table t (i integer)")
    create_table(connection, name, pa.table({name: [1, 2]}))
    answer = connection.execute(f"select {quote(name)} from {quote(name)}").fetchall()
    assert answer == [(1,), (2,)]
    assert connection.execute("select count(*) from t").fetchall() == [(0,)]


def test_sql_names_are_distinct_in_any_case() -> None:
    assert sql_names(["a", "A", "a_2", "", "\0", "a"]) == (
        "a",
        "A_2",
        "a_2_2",
        "column",
        "column_2",
        "a_3",
    )


def test_slug() -> None:
    assert slug("HuggingFaceTB/SmolLM2-135M@main") == "huggingfacetb_smollm2_135m_main"
    assert slug("…") == "x"


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1.5, float("nan"), None, float("inf"), -float("inf"), -0.0, 5e-324, 1 / 3]),
        pa.array(np.array([1, np.nan, 65504], dtype=np.float16)),
        pa.array([2**63 - 1, -(2**63), None]),
        pa.array([2**64 - 1, 0], pa.uint64()),
        pa.array([-128, 127], pa.int8()),
        pa.array(["", None, "é\0'\""], pa.large_string()),
        pa.array(["a", None, "a"]).dictionary_encode(),
        pa.array([b"\0\xff", None], pa.binary()),
        pa.array([True, None, False]),
        pa.nulls(3),
        pa.array([[1, None], [], None]),
        pa.array([[1.0, 2.0], None], pa.list_(pa.float32(), 2)),
        pa.array([{"a": 1, "b": "x"}, None]),
        pa.array([1, None, 3], pa.timestamp("ns", "UTC")),
        pa.array([1, None], pa.date32()),
        pa.array([1, None], pa.duration("ms")),
        pa.array([], pa.float32()),
    ],
    ids=lambda values: str(values.type),
)
def test_values_and_types_come_back(values: pa.Array) -> None:
    table = pa.table({"x": values, "X": values})
    connection = duckdb.connect()
    create_table(connection, "t", table)
    back = read_table(connection, "t", table.schema)
    assert back.schema.equals(table.schema)
    assert repr(back["X"].to_pylist()) == repr(values.to_pylist())  # repr: NaN and -0.0 too


def test_order_is_kept() -> None:
    x = np.random.default_rng(0).permutation(300_000)
    connection = duckdb.connect()
    create_table(connection, "t", pa.table({"x": x}))
    back = read_table(connection, "t", pa.schema([("x", pa.int64())]))
    np.testing.assert_array_equal(back["x"].to_numpy(), x)


def test_what_cannot_be_kept_is_refused() -> None:
    connection = duckdb.connect()
    with pytest.raises(StoreError, match="'bad' is of type map"):
        column = pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int32()))
        create_table(connection, "t", pa.table({"bad": column}))
    with pytest.raises(StoreError, match="no columns"):
        create_table(connection, "t", pa.table({}))


def test_json_text_keeps_numbers() -> None:
    value = {"a": np.float32(0.5), "b": float("inf"), "c": [np.int64(3), None, True], "d": "é"}
    assert from_text(to_text(value)) == {
        "a": 0.5,
        "b": float("inf"),
        "c": [3, None, True],
        "d": "é",
    }
    assert np.isnan(from_text(to_text(float("nan"))))
    with pytest.raises(TypeError):
        to_text(object())
