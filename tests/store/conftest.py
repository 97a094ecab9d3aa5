"""A store in a folder of its own, and a small capture in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from backend.keys import digest
from backend.store.catalogue import ShardEntry, put_capture, put_shards
from backend.store.database import Store
from backend.store.datasets import put_dataset
from backend.store.vectors import shard_path, write_shard


@dataclass(frozen=True)
class Stored:
    """What the fixture `captured` put into the store."""

    key: str
    dataset: str
    rows: np.ndarray  # stored order
    matrix: np.ndarray  # float32, in stored order
    table: pa.Table


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "home") as opened:
        yield opened


def add_dataset(store: Store, table: pa.Table, *, name: str = "birds") -> str:
    """Enter a table as a data set; returns its hash."""
    hash_ = digest({"name": name})
    folder = store.home / "data" / hash_
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.arrow").write_bytes(b"rows")
    put_dataset(
        store,
        table,
        hash=hash_,
        ref=f"demo:{name}",
        name=name,
        kind="text",
        folder=folder,
        description={"name": name},
    )
    return hash_


def add_capture(
    store: Store,
    dataset: str,
    rows: np.ndarray,
    matrix: np.ndarray,
    *,
    site: str = "final",
    size: int = 16,
    positions: np.ndarray | None = None,
    half: bool = False,
) -> str:
    """Enter vectors as a capture in shards of `size`; returns its key."""
    key = digest({"dataset": dataset, "site": site, "half": half})
    put_capture(
        store,
        key=key,
        model_id="m1",
        ref="demo:tiny",
        dataset=dataset,
        site=site,
        pooling="last",
        dtype="float16" if half else "float32",
        width=matrix.shape[1],
        max_tokens=64,
    )
    entries = []
    for shard, start in enumerate(range(0, len(rows), size)):
        part = slice(start, start + size)
        info = write_shard(
            shard_path(store.home, key, shard),
            rows=rows[part],
            matrix=matrix[part],
            positions=None if positions is None else positions[part],
            half=half,
            meta={"site": site},
        )
        entries.append(ShardEntry(key, shard, info))
    put_shards(store, entries)
    return key


@pytest.fixture
def captured(store: Store) -> Stored:
    """100 rows of metadata; 80 of them captured, 8 numbers each, in shards of 16."""
    return fill(store)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Stored]]:
    """The same, opened once for the tests of a module that only read."""
    with Store(tmp_path_factory.mktemp("filled")) as opened:
        yield opened, fill(opened)


def fill(store: Store) -> Stored:
    """Enter the small data set and its capture."""
    rng = np.random.default_rng(0)
    ids = np.arange(100)
    table = pa.table(
        {
            "row": ids,
            "topic": [("sea", "sky", None)[i % 3] for i in ids],
            "length": [None if i == 7 else int(i) for i in ids],
            "score": [float("nan") if i % 10 == 0 else i / 10 for i in ids],
            "note": [f'Note {i}: it\'s "quoted"' for i in ids],
        }
    )
    dataset = add_dataset(store, table)
    rows = rng.permutation(100)[:80].astype(np.int64)
    matrix = rng.normal(size=(80, 8)).astype(np.float32)
    return Stored(add_capture(store, dataset, rows, matrix), dataset, rows, matrix, table)
