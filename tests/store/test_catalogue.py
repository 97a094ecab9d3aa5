import numpy as np
import pytest

from backend.errors import StoreError
from backend.store import catalogue
from backend.store.catalogue import ShardEntry
from backend.store.database import Store
from backend.store.vectors import shard_path, write_shard

from .conftest import Stored, add_capture


def test_models_come_back(store: Store) -> None:
    kept = catalogue.put_model(
        store,
        model_id="m1",
        ref="org/name",
        title="A 'model'",
        modality="text",
        description={"layers": np.int64(4), "sites": ["final"]},
        path=store.home,
    )
    found = catalogue.get_model(store, "m1")
    assert found is not None
    assert found.description == {"layers": 4, "sites": ["final"]}
    assert (found.path, found.added) == (store.home, kept.added)
    assert catalogue.list_models(store) == (found,)
    assert catalogue.get_model(store, "m2") is None


def test_a_capture_counts_its_shards(store: Store, captured: Stored) -> None:
    row = catalogue.get_capture(store, captured.key)
    assert row is not None
    assert (row.n_shards, row.n_vectors, row.width, row.max_tokens) == (5, 80, 8, 64)
    paths = catalogue.shards_of(store, captured.key)
    assert row.bytes == sum(path.stat().st_size for path in paths)
    assert paths[1] == shard_path(store.home, captured.key, 1)
    assert catalogue.present(store, [captured.key, "none"]) == {
        captured.key: {0, 1, 2, 3, 4},
        "none": set(),
    }
    assert catalogue.list_captures(store, model_id="m1", dataset=captured.dataset) == (row,)
    assert catalogue.list_captures(store, model_id="m2") == ()


def test_announcing_again_changes_nothing(store: Store, captured: Stored) -> None:
    before = catalogue.get_capture(store, captured.key)
    add_capture(store, captured.dataset, captured.rows, captured.matrix)
    assert catalogue.get_capture(store, captured.key) == before


def test_shards_of_an_unknown_capture_are_refused_together(store: Store, captured: Stored) -> None:
    info = write_shard(
        shard_path(store.home, captured.key, 9), rows=np.zeros(1, int), matrix=np.ones((1, 8))
    )
    entries = [ShardEntry(captured.key, 9, info), ShardEntry("gone", 0, info)]
    with pytest.raises(StoreError, match="no capture gone"):
        catalogue.put_shards(store, entries)
    assert 9 not in catalogue.present(store, [captured.key])[captured.key]


def test_shards_must_lie_in_the_data_folder(store: Store, captured: Stored, tmp_path) -> None:
    info = write_shard(tmp_path / "0.arrow", rows=np.zeros(1, int), matrix=np.ones((1, 8)))
    with pytest.raises(StoreError, match="outside"):
        catalogue.put_shards(store, [ShardEntry(captured.key, 9, info)])


def test_deleting_removes_rows_files_and_relations(store: Store, captured: Stored) -> None:
    from backend.store.slices import relation

    other = add_capture(store, captured.dataset, captured.rows, captured.matrix, site="embed")
    relation(store, captured.key)
    paths = catalogue.shards_of(store, captured.key)
    catalogue.delete_captures(store, [captured.key])
    assert not any(path.exists() for path in paths)
    assert not paths[0].parent.exists()
    assert catalogue.get_capture(store, captured.key) is None
    assert len(store.relations) == 0
    assert len(catalogue.shards_of(store, other)) == 5


def test_deleting_a_model_takes_its_captures(store: Store, captured: Stored) -> None:
    catalogue.put_model(store, model_id="m1", ref="r", title="t", modality="text", description={})
    catalogue.put_check(store, {"top1": 1.0}, model_id="m1", dataset=captured.dataset)
    catalogue.delete_model(store, "m1")
    assert catalogue.list_models(store) == catalogue.list_captures(store) == ()
    assert catalogue.get_check(store, model_id="m1", dataset=captured.dataset) is None
    assert not any((store.home / "vectors").rglob("*.arrow"))


def test_checks_are_told_apart_by_what_if(store: Store) -> None:
    catalogue.put_check(store, {"top1": 1.0}, model_id="m", dataset="d")
    catalogue.put_check(store, {"top1": 0.5}, model_id="m", dataset="d", whatif="skip 3")
    catalogue.put_check(store, {"top1": 0.75}, model_id="m", dataset="d", whatif="skip 3")
    plain = catalogue.get_check(store, model_id="m", dataset="d")
    skipped = catalogue.get_check(store, model_id="m", dataset="d", whatif="skip 3")
    assert plain is not None and skipped is not None
    assert (plain["top1"], skipped["top1"]) == (1.0, 0.75)
    assert catalogue.get_check(store, model_id="m", dataset="d", dtype="float16") is None
