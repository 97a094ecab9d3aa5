from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from backend.errors import StoreError
from backend.keys import digest
from backend.store.database import Store
from backend.store.pack import pack
from backend.store.results import put_result

from .conftest import Stored, add_capture, add_dataset


@pytest.fixture
def result(store: Store) -> str:
    key = digest({"result": 1})
    put_result(
        store,
        key=key,
        analysis="layers",
        version=1,
        scalars={"n": 3},
        tables={"similarity": pa.table({"layer_a": ["final"], "cka": [0.5]})},
        reading="CKA is 0.5.",
        provenance={"seed": 0},
    )
    return key


def test_everything_is_in_one_file(
    store: Store, captured: Stored, result: str, tmp_path: Path
) -> None:
    add_capture(
        store,
        captured.dataset,
        captured.rows,
        captured.matrix.astype(np.float16),
        site="embed",
        half=True,
    )
    target = tmp_path / "packs" / "all.duckdb"
    packed = pack(store, target)
    assert (packed.captures, packed.results, packed.bytes) == (2, 1, target.stat().st_size)
    assert [path.name for path in target.parent.iterdir()] == ["all.duckdb"]
    assert {"rows_birds", "vectors_demo_tiny_final", "joined_demo_tiny_embed"} <= set(packed.tables)
    with duckdb.connect(str(target), read_only=True) as connection:
        table = connection.sql("select * from vectors_demo_tiny_final").to_arrow_table()
        np.testing.assert_array_equal(table["row"].to_numpy(), captured.rows)
        flat = table["vector"].combine_chunks().flatten().to_numpy()
        np.testing.assert_array_equal(flat.reshape(80, 8), captured.matrix)
        joined = connection.execute(
            "select count(*), min(topic) from joined_demo_tiny_embed where topic = 'sea'"
        ).fetchall()
        sea = {row["row"] for row in captured.table.to_pylist() if row["topic"] == "sea"}
        assert joined == [(len(sea & set(captured.rows.tolist())), "sea")]
        assert connection.execute(
            "select site, joined_view from captures order by 1"
        ).fetchall() == [
            ("embed", "joined_demo_tiny_embed"),
            ("final", "joined_demo_tiny_final"),
        ]
        name = connection.execute("select table_name from result_tables").fetchall()[0][0]
        assert connection.execute(f"select * from {name}").fetchall() == [("final", 0.5)]
        assert connection.execute("select reading from results").fetchall() == [("CKA is 0.5.",)]


def test_a_selection(store: Store, captured: Stored, result: str, tmp_path: Path) -> None:
    packed = pack(store, tmp_path / "p.duckdb", captures=[captured.key], results=[])
    assert (packed.captures, packed.results) == (1, 0)
    packed = pack(store, tmp_path / "q.duckdb", captures=[], results=[result])
    assert "rows_birds" not in packed.tables
    for wrong in ({"captures": ["x"]}, {"results": ["x"]}):
        with pytest.raises(StoreError, match="'x'"):
            pack(store, tmp_path / "r.duckdb", **wrong)
    assert not (tmp_path / "r.duckdb").exists()
    assert not list(tmp_path.glob(".*"))


def test_an_existing_file_is_not_touched(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "mine.duckdb"
    target.write_text("precious")
    with pytest.raises(StoreError, match="exists already"):
        pack(store, target)
    assert target.read_text() == "precious"


def test_metadata_called_vector_and_same_names(store: Store, tmp_path: Path) -> None:
    rows, matrix = np.arange(3), np.ones((3, 2), np.float32)
    for name in ("same", "Same!"):
        table = pa.table({"row": rows, "vector": ["a", "b", "c"], 'odd "name"': [1, 2, 3]})
        add_capture(store, add_dataset(store, table, name=name), rows, matrix)
    packed = pack(store, tmp_path / "p.duckdb")
    assert {"rows_same", "rows_same_2", "joined_demo_tiny_final_2"} <= set(packed.tables)
    with duckdb.connect(str(packed.path), read_only=True) as connection:
        columns = connection.sql("select * from joined_demo_tiny_final").columns
        assert columns == ["row", "vector_2", 'odd "name"', "vector"]
