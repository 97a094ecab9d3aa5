"""Captures that are made by hand: vectors that are chosen, not computed by a model."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch

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


WORDS = ["zero", "one", "two", "three"]


class Counter:
    """Says the next number. Its stream turns from this word's direction to the next one's."""

    is_decoder = True
    source = SimpleNamespace(ref="made:counter")
    sites = ("embed", "resid_pre.0", *(f"resid_post.{i}" for i in range(4)), "final", "head")

    def __init__(self, padding: int = 0):
        self.padding = padding

    def tokenize(self, texts):
        ids = [WORDS.index(w) for w in texts[0].split()]
        pad = [0] * self.padding
        return {
            "input_ids": torch.tensor([pad + ids]),
            "attention_mask": torch.tensor([[0] * self.padding + [1] * len(ids)]),
        }

    def tokens(self, ids):
        return [WORDS[i] for i in ids]

    def states(self, texts, sites):
        batch = self.tokenize(texts)
        here, turn = torch.eye(4)[batch["input_ids"]], torch.eye(4).roll(-1, 0)
        after = turn[batch["input_ids"]]
        stream = {"embed": here, "final": 8 * after}
        for i in range(4):
            share = (i + 1) / 4
            stream[f"resid_post.{i}"] = (1 - share) * here + share * after
        return {s: stream[s] for s in sites}, batch["attention_mask"].bool()

    def head_logits(self, hidden):
        return hidden

    def lens_logits(self, hidden):
        return 8 * hidden


@pytest.fixture
def counter() -> type[Counter]:
    return Counter
