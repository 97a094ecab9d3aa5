from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest

from backend.errors import StoreError
from backend.keys import digest
from backend.store.database import Store
from backend.store.results import (
    delete_result,
    get_result,
    list_results,
    put_result,
    result_tables,
)

SCORES = pa.table(
    {
        "layer": pa.array([2, 0, 1], pa.int32()),
        "Layer": ["final", None, "resid_pre.3"],
        "cka": [0.1 + 0.2, float("nan"), float("-inf")],
        "row": pa.array([[1], [], [2, 3]], pa.list_(pa.int64())),
    }
)


def _put(store: Store, key: str, **changes: object) -> None:
    values = {
        "analysis": "layers",
        "version": 2,
        "scalars": {"n": np.int64(3), "cka": 0.1 + 0.2, "low": float("nan"), "note": None},
        "tables": {"scores": SCORES, "Scores": SCORES.slice(1), "empty": SCORES.slice(0, 0)},
        "reading": "CKA is 0.3 [0.1, 0.5].",
        "provenance": {"models": ["m"], "parameters": {"k": 5}},
    }
    put_result(store, key=key, **(values | changes))


def test_a_result_comes_back_as_it_was(store: Store) -> None:
    key = digest({"a": 1})
    _put(store, key)
    found = get_result(store, key)
    assert found is not None
    assert list(found["tables"]) == ["scores", "Scores", "empty"]
    for name, expected in (("scores", SCORES), ("Scores", SCORES.slice(1))):
        table = found["tables"][name]
        assert table.schema.equals(SCORES.schema)
        assert repr(table.to_pylist()) == repr(expected.to_pylist())
    assert found["tables"]["empty"].num_rows == 0
    assert found["scalars"]["cka"] == 0.1 + 0.2
    assert np.isnan(found["scalars"]["low"])
    assert found["scalars"]["note"] is None
    assert (found["version"], found["reading"]) == (2, "CKA is 0.3 [0.1, 0.5].")
    assert found["provenance"] == {"models": ["m"], "parameters": {"k": 5}}
    assert get_result(store, digest({"a": 2})) is None


def test_putting_again_replaces_everything(store: Store) -> None:
    key = digest({"a": 1})
    _put(store, key)
    _put(store, key, tables={"other": SCORES}, reading="new")
    found = get_result(store, key)
    assert found is not None
    assert (list(found["tables"]), found["reading"]) == (["other"], "new")
    with store.cursor() as cursor:
        names = cursor.execute(
            "select table_name from information_schema.tables where table_name like 'result!_%' "
            "escape '!' and table_name <> 'result_tables'"
        ).fetchall()
    assert names == [(result_tables(store, key)["other"],)] == [(f"result_{key[:12]}_other",)]


def test_listing_and_deleting(store: Store) -> None:
    first, second = digest({"a": 1}), digest({"a": 2})
    _put(store, first)
    _put(store, second, analysis="depth", tables={})
    assert [row["key"] for row in list_results(store)] == [second, first]
    (row,) = list_results(store, analysis="layers")
    assert row["n_rows"] == {"scores": 3, "Scores": 2, "empty": 0}
    assert "tables" not in row
    delete_result(store, first)
    assert get_result(store, first) is None
    assert [row["key"] for row in list_results(store)] == [second]
    assert result_tables(store, first) == {}


def test_a_table_that_cannot_be_kept_leaves_no_trace(store: Store) -> None:
    key = digest({"a": 1})
    bad = pa.table({"x": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int32()))})
    with pytest.raises(StoreError, match="cannot be stored"):
        _put(store, key, tables={"good": SCORES, "bad": bad})
    assert list_results(store) == []
    _put(store, key)


def test_names_cannot_inject(store: Store) -> None:
    key = digest({"a": 1})
    evil = 'x"; drop table results; --'
    _put(store, key, tables={evil: pa.table({evil: [1]})})
    found = get_result(store, key)
    assert found is not None
    assert found["tables"][evil].to_pylist() == [{evil: 1}]
    with pytest.raises(StoreError, match="not the key"):
        _put(store, evil)


def test_writers_of_one_key_take_turns(store: Store) -> None:
    key = digest({"a": 1})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: _put(store, key, reading=str(i)), range(16)))
    found = get_result(store, key)
    assert found is not None
    assert found["tables"]["scores"].num_rows == 3
