"""Captures that are made by hand: vectors that are chosen, not computed by a model."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from backend.analyses import load_all
from backend.capture.view import CaptureView
from backend.data.dataset import Dataset, write_dataset
from backend.store.vectors import write_shard

load_all()


def make_view(
    folder: Path,
    layers: dict[str, np.ndarray],
    *,
    columns: dict[str, list] | None = None,
    rows: np.ndarray | None = None,
    name: str = "made",
    pooling: str = "last",
    dataset: Dataset | None = None,
) -> CaptureView:
    """A capture whose stored vectors are `layers`, site -> (n, d), in two shards per site."""
    count = len(next(iter(layers.values())))
    rows = np.arange(count, dtype=np.int64) if rows is None else rows
    n = len(np.unique(rows))
    if dataset is None:
        table = pa.table({"text": [f"text {i}" for i in range(n)]} | (columns or {}))
        dataset = write_dataset(folder / "data", table, kind="text", name=name, text_column="text")
    shards = {}
    for site, X in layers.items():
        half, paths = (len(X) // 2, [])
        for part, index in enumerate((slice(0, half), slice(half, None))):
            path = folder / f"{name}-{site}-{part}.arrow"
            write_shard(path, rows=rows[index], matrix=X[index].astype(np.float32))
            paths.append(path)
        shards[site] = tuple(paths)
    return CaptureView(f"made:{name}", name, dataset, pooling, "float32", n, shards)


@pytest.fixture
def view_of(tmp_path: Path) -> Callable[..., CaptureView]:
    return lambda layers, **options: make_view(tmp_path, layers, **options)


@pytest.fixture
def silent() -> Callable[[int, int, str], None]:
    return lambda done, total, what: None
