import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa

from backend.store import catalogue
from backend.store.database import Store
from backend.store.datasets import get_dataset, list_datasets
from backend.store.sweep import Swept
from backend.store.vectors import shard_path, write_shard

from .conftest import Stored, add_capture, add_dataset


def test_nothing_to_do(store: Store, captured: Stored) -> None:
    swept = store.sweep()
    assert swept == Swept()
    assert not swept
    assert len(catalogue.shards_of(store, captured.key)) == 5


def test_leftovers_are_removed_and_what_is_whole_stays(store: Store, captured: Stored) -> None:
    orphan = shard_path(store.home, "f" * 32, 0)
    write_shard(orphan, rows=np.zeros(1, int), matrix=np.ones((1, 2), np.float32))
    temporary = shard_path(store.home, captured.key, 7).with_name(".000007.arrow.1-ab.tmp")
    temporary.write_bytes(b"half")
    part = store.home / "data" / ".part-0123"
    part.mkdir()
    (part / "rows.arrow").write_bytes(b"half")
    swept = store.sweep()
    assert set(swept.temporary) == {
        temporary.relative_to(store.home).as_posix(),
        "data/.part-0123",
    }
    assert swept.orphans == (orphan.relative_to(store.home).as_posix(),)
    assert not any(path.exists() for path in (orphan, orphan.parent, temporary, part))
    assert len(catalogue.shards_of(store, captured.key)) == 5
    assert get_dataset(store, captured.dataset) is not None
    assert not store.sweep()


def test_rows_without_their_files_go(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        dataset = add_dataset(store, pa.table({"row": [0]}))
        rows, matrix = np.arange(48), np.ones((48, 4), np.float32)
        first = add_capture(store, dataset, rows, matrix, site="a")
        second = add_capture(store, dataset, rows, matrix, site="b")
        paths = catalogue.shards_of(store, first)
        folder = get_dataset(store, dataset).folder  # type: ignore[union-attr]
        second_folder = catalogue.shards_of(store, second)[0].parent
    paths[0].unlink()
    os.truncate(paths[2], paths[2].stat().st_size - 1)
    shutil.rmtree(second_folder)
    shutil.rmtree(folder)
    with Store(tmp_path) as store:
        assert set(store.swept.shards) == {(first, 0), (first, 2)} | {
            (second, shard) for shard in range(3)
        }
        assert store.swept.captures == (second,)
        assert store.swept.datasets == (dataset,)
        assert catalogue.present(store, [first, second]) == {first: {1}, second: set()}
        assert list_datasets(store) == ()
        assert not paths[2].exists(), "a shard that was cut short is an orphan now"
        assert not store.sweep()


def test_verify_names_the_damaged_shard(store: Store, captured: Stored) -> None:
    assert store.verify() == ()
    path = catalogue.shards_of(store, captured.key)[3]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    (damage,) = store.verify()
    assert (damage.key, damage.shard, damage.path) == (captured.key, 3, path)
    assert "damaged" in damage.problem


def test_verify_finds_a_shard_that_was_swapped(store: Store, captured: Stored) -> None:
    first, second, *_ = catalogue.shards_of(store, captured.key)
    shutil.copy(second, first)
    (damage,) = store.verify()
    assert "catalogue" in damage.problem
