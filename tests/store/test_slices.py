import math
from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest

from backend.errors import StoreError
from backend.store.database import Store
from backend.store.slices import Filter, gather, relation, select, values_of

from .conftest import Stored, add_capture, add_dataset


def _value(x: object) -> bool:
    return x is not None and not (isinstance(x, float) and math.isnan(x))


@pytest.mark.parametrize(
    ("filters", "holds"),
    [
        ([], lambda r: True),
        ([Filter("topic", "=", "sea")], lambda r: r["topic"] == "sea"),
        ([Filter("topic", "!=", "sea")], lambda r: r["topic"] == "sky"),
        ([Filter("topic", "is null")], lambda r: r["topic"] is None),
        ([Filter("topic", "is not null")], lambda r: r["topic"] is not None),
        ([Filter("topic", "in", ["sky", "x"])], lambda r: r["topic"] == "sky"),
        ([Filter("topic", "in", [])], lambda r: False),
        ([Filter("length", "<", 10)], lambda r: _value(r["length"]) and r["length"] < 10),
        ([Filter("length", ">=", "90")], lambda r: _value(r["length"]) and r["length"] >= 90),
        ([Filter("length", "in", {1, 2, np.int64(3)})], lambda r: r["length"] in (1, 2, 3)),
        ([Filter("score", ">", 5)], lambda r: _value(r["score"]) and r["score"] > 5),
        ([Filter("score", "<=", 5.5)], lambda r: _value(r["score"]) and r["score"] <= 5.5),
        ([Filter("score", "!=", 5.5)], lambda r: _value(r["score"]) and r["score"] != 5.5),
        ([Filter("score", "is null")], lambda r: not _value(r["score"])),
        ([Filter("score", "is not null")], lambda r: _value(r["score"])),
        ([Filter("note", "contains", "NOTE 5: it's \"")], lambda r: r["row"] == 5),
        ([Filter("note", "contains", "%")], lambda r: False),
        (
            [Filter("topic", "=", "sky"), Filter("length", ">", 50)],
            lambda r: r["topic"] == "sky" and r["row"] > 50,
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, list) else None,
)
def test_filters_agree_with_python(filled: tuple[Store, Stored], filters, holds) -> None:
    store, captured = filled
    expected = [row["row"] for row in captured.table.to_pylist() if holds(row)]
    found = select(store, captured.dataset, filters)
    assert found.dtype == np.int64
    assert found.tolist() == expected


EVIL = 'x" or 1=1; drop table jobs; --'


def test_column_names_cannot_inject(store: Store) -> None:
    names = [EVIL, "Topic", "topic", "a.b", "'"]
    table = pa.table(
        {"row": [0, 1, 2]} | {name: [f"{name}{i}" for i in range(3)] for name in names}
    )
    dataset = add_dataset(store, table)
    for name in names:
        assert select(store, dataset, [Filter(name, "=", f"{name}1")]).tolist() == [1]
        assert values_of(store, dataset, name, limit=1) == [(f"{name}0", 1)]
    with store.cursor() as cursor:
        assert cursor.execute("select count(*) from jobs").fetchall() == [(0,)]


@pytest.mark.parametrize("value", [EVIL, "' or '1'='1", "sea'; drop table jobs"])
def test_values_cannot_inject(filled: tuple[Store, Stored], value: str) -> None:
    store, captured = filled
    for op in ("=", "contains"):
        assert not len(select(store, captured.dataset, [Filter("topic", op, value)]))
    assert not len(select(store, captured.dataset, [Filter("topic", "in", [value])]))
    with store.cursor() as cursor:
        assert cursor.execute("select count(*) from jobs").fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (Filter(EVIL, "=", 1), "no column"),
        (Filter("TOPIC", "=", 1), "no column"),
        (Filter("topic", "= 1 or 1 =", 1), "not an operator"),  # type: ignore[arg-type]
        (Filter("topic", "=", None), "needs a value"),
        (Filter("score", "<", float("nan")), "needs a value"),
        (Filter("length", "=", "long"), "does not fit"),
        (Filter("topic", "in", "sea"), "several"),
    ],
)
def test_bad_filters_say_what_is_wrong(
    filled: tuple[Store, Stored], part: Filter, said: str
) -> None:
    store, captured = filled
    with pytest.raises(StoreError, match=said):
        select(store, captured.dataset, [part])


def test_moments(store: Store) -> None:
    moments = pa.array([datetime(2024, 1, day) for day in (1, 2, 3)])
    dataset = add_dataset(store, pa.table({"row": [0, 1, 2], "at": moments}))
    assert select(store, dataset, [Filter("at", ">", datetime(2024, 1, 2))]).tolist() == [2]
    assert select(store, dataset, [Filter("at", "<=", "2024-01-02")]).tolist() == [0, 1]


def test_unknown_data_sets_are_refused(filled: tuple[Store, Stored]) -> None:
    store, _ = filled
    for name in ("0" * 32, "rows; drop table jobs"):
        with pytest.raises(StoreError, match="no data set"):
            select(store, name)
        with pytest.raises(StoreError, match="no data set"):
            values_of(store, name, "topic")


def test_values_are_counted(filled: tuple[Store, Stored]) -> None:
    store, captured = filled
    assert values_of(store, captured.dataset, "topic") == [("sea", 34), ("sky", 33), (None, 33)]


@pytest.mark.parametrize("half", [False, True])
def test_gather_equals_numpy(store: Store, captured: Stored, half: bool) -> None:
    matrix = captured.matrix.astype(np.float16) if half else captured.matrix
    key = add_capture(store, captured.dataset, captured.rows, matrix, site="g", half=half)
    wanted = np.array([captured.rows[3], captured.rows[70], captured.rows[0], captured.rows[3]])
    found = gather(store, key, wanted)
    np.testing.assert_array_equal(found.rows, wanted)
    np.testing.assert_array_equal(found.matrix, matrix[[3, 70, 0, 3]].astype(np.float32))
    assert found.matrix.dtype == np.float32
    assert found.positions is None
    everything = gather(store, key, captured.rows)
    np.testing.assert_array_equal(everything.matrix, matrix.astype(np.float32))


def test_rows_that_were_not_captured_are_skipped(filled: tuple[Store, Stored]) -> None:
    store, captured = filled
    found = gather(store, captured.key, np.arange(-5, 200))
    np.testing.assert_array_equal(found.rows, np.sort(captured.rows))
    np.testing.assert_array_equal(found.matrix, captured.matrix[np.argsort(captured.rows)])
    assert gather(store, captured.key, np.empty(0, int)).matrix.shape == (0, 8)


def test_a_row_with_several_vectors(store: Store, captured: Stored) -> None:
    rows = np.repeat([5, 2, 9], [3, 1, 2])
    positions = np.array([0, 1, 2, 0, 0, 1], dtype=np.int32)
    matrix = np.arange(12, dtype=np.float32).reshape(6, 2)
    key = add_capture(store, captured.dataset, rows, matrix, site="t", size=4, positions=positions)
    found = gather(store, key, np.array([9, 5]))
    assert found.rows.tolist() == [9, 9, 5, 5, 5]
    assert found.positions is not None
    assert found.positions.tolist() == [0, 1, 0, 1, 2]
    np.testing.assert_array_equal(found.matrix, matrix[[4, 5, 0, 1, 2]])


def test_a_relation_is_kept_until_the_capture_grows(store: Store, captured: Stored) -> None:
    first = relation(store, captured.key)
    assert relation(store, captured.key) is first
    more = np.setdiff1d(np.arange(100), captured.rows)
    rows = np.concatenate([captured.rows, more])
    matrix = np.concatenate([captured.matrix, np.ones((20, 8), np.float32)])
    add_capture(store, captured.dataset, rows, matrix)
    assert len(relation(store, captured.key).rows) == 100
    assert len(store.relations) == 1


def test_a_capture_without_shards_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="no shards"):
        gather(store, "none", np.arange(3))
