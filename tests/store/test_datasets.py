from pathlib import Path

import pyarrow as pa
import pytest

from backend.errors import StoreError
from backend.store.catalogue import list_captures
from backend.store.database import Store
from backend.store.datasets import (
    delete_dataset,
    get_dataset,
    list_datasets,
    put_dataset,
    rows_table,
)

from .conftest import Stored, add_dataset


def test_a_data_set_comes_back(store: Store, captured: Stored) -> None:
    row = get_dataset(store, captured.dataset)
    assert row is not None
    assert (row.name, row.kind, row.n_rows) == ("birds", "text", 100)
    assert row.description == {"name": "birds"}
    assert row.folder == store.home / "data" / captured.dataset
    assert [name for name, _ in row.columns] == captured.table.column_names
    assert list_datasets(store) == (row,)


def test_rows_are_renewed_not_doubled(store: Store, captured: Stored) -> None:
    add_dataset(store, captured.table.slice(0, 10))
    with store.cursor() as cursor:
        name = rows_table(captured.dataset)
        assert cursor.execute(f"select count(*) from {name}").fetchall() == [(10,)]
    assert len(list_datasets(store)) == 1


def test_columns_that_sql_cannot_hold_are_left_out(store: Store) -> None:
    odd = pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int32()))
    dataset = add_dataset(store, pa.table({"row": [0], "odd": odd, "Row": ["x"]}))
    row = get_dataset(store, dataset)
    assert row is not None
    assert row.columns == (("row", "row"), ("Row", "Row_2"))


@pytest.mark.parametrize("name", ["x", "rows; drop table jobs", "A" * 32, "0" * 31 + '"'])
def test_only_hashes_name_tables(name: str) -> None:
    with pytest.raises(StoreError, match="hash"):
        rows_table(name)


def test_deleting_takes_files_and_captures(store: Store, captured: Stored) -> None:
    delete_dataset(store, captured.dataset)
    delete_dataset(store, captured.dataset)
    assert list_datasets(store) == list_captures(store) == ()
    assert not list((store.home / "data").iterdir())
    assert not list((store.home / "vectors").iterdir())
    with store.cursor() as cursor:
        assert not cursor.execute(
            "select * from information_schema.tables where table_name like 'rows_%'"
        ).fetchall()


def test_folders_elsewhere_are_the_users(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    put_dataset(
        store,
        pa.table({"row": [0]}),
        hash="0" * 32,
        ref="r",
        name="n",
        kind="text",
        folder=folder,
        description={},
    )
    delete_dataset(store, "0" * 32)
    assert folder.is_dir()
