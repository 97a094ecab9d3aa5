"""Stored vectors: writing, reading a layer, slicing by metadata, and searching.

20 000 rows of 576 numbers at 30 sites, written as captures write them (shards of 256 rows, recorded
in the catalogue), against one .npy file per layer, memory-mapped. Each read takes another layer.
Whole layers are opened anew, as workers do; rows are picked from layers that the server has opened
before, as pages do, and once more from new ones. All files are in the page cache.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from measure import Line, alternate, milliseconds, ratios, seconds_of

from backend.capture import CaptureView
from backend.capture.request import shard_rows, stored_order
from backend.data.dataset import Dataset, write_dataset
from backend.keys import digest
from backend.store import (
    Filter,
    ShardEntry,
    Store,
    forget_shards,
    gather,
    nearest,
    put_capture,
    put_dataset,
    put_shards,
    select,
    shard_path,
    shards_of,
    write_shard,
)
from backend.store.slices import relation

ROWS, WIDTH, LAYERS, TOPICS = 20_000, 576, 30, 10
PICKED, NEAREST = 500, 10
_WHOLE, _SLICE = "one layer to numpy", "10 % by metadata"
_OPENS = (_WHOLE, f"{_SLICE}, new layer")


class Vectors:
    """The same vectors twice: in a store and as .npy files."""

    def __init__(self, folder: Path):
        self.folder, self.store = folder, Store(folder / "home")
        self.random = np.random.default_rng(0)
        self.topic = self.random.integers(0, TOPICS, ROWS)  # of each data set row
        self.dataset = self._add_dataset()
        self.order = stored_order(ROWS)
        self.base = self.random.standard_normal((ROWS, WIDTH), dtype=np.float32)
        self.keys = [digest({"layer": i}) for i in range(LAYERS)]
        self.rates: list[tuple[float, float]] = []  # seconds of ours and of .npy, per layer
        for layer in range(LAYERS):
            matrix = np.roll(self.base, layer, axis=0)
            ours = partial(self._write, layer, matrix)
            plain = partial(np.save, self._npy(layer), matrix)
            first = seconds_of(ours if layer % 2 else plain)
            second = seconds_of(plain if layer % 2 else ours)
            self.rates.append((first, second) if layer % 2 else (second, first))

    def _add_dataset(self) -> Dataset:
        table = pa.table({"topic": [f"topic {t}" for t in self.topic]})
        made = write_dataset(self.folder / "home/data", table, kind="text", name="vectors")
        put_dataset(
            self.store, made.table(), hash=made.hash, ref="vectors", name="vectors", kind="text",
            folder=made.folder, description=made.to_json(),
        )  # fmt: skip
        return made

    def _npy(self, layer: int) -> Path:
        return self.folder / f"layer_{layer}.npy"

    def _write(self, layer: int, matrix: np.ndarray) -> None:
        key, size = self.keys[layer], shard_rows(ROWS)
        put_capture(
            self.store, key=key, model_id="m", ref="m", dataset=self.dataset.hash,
            site=f"resid_post.{layer}", pooling="last", dtype="float32", width=WIDTH,
        )  # fmt: skip
        entries = []
        for shard, start in enumerate(range(0, ROWS, size)):
            part = slice(start, start + size)
            path = shard_path(self.store.home, key, shard)
            info = write_shard(path, rows=self.order[part], matrix=matrix[part])
            entries.append(ShardEntry(key, shard, info))
        put_shards(self.store, entries)

    def view(self, layer: int) -> CaptureView:
        shards = {"site": shards_of(self.store, self.keys[layer])}
        return CaptureView("m", "m", self.dataset, "last", "float32", ROWS, shards)

    def mapped(self, layer: int) -> np.ndarray:
        return np.load(self._npy(layer), mmap_mode="r")


def run(pairs: int, folder: Path) -> list[Line]:
    """Every method reads the same layer in a round, and another one in the next."""
    made = Vectors(folder)
    size = ROWS * WIDTH * 4 / 1e6
    lines = [
        Line("store", "write, MB/s", tuple(size / a for a, _ in made.rates), "MB/s", bar=250,
             at_least=True),
        Line("store", "write / .npy", tuple(a / b for a, b in made.rates)),
    ]  # fmt: skip
    for what, unit_bar, ratio_bar, ours, plain in _reads(made):
        for key in made.keys if what not in _OPENS else ():
            relation(made.store, key)
        times = _by_layer(pairs, ours, plain)
        made.store.relations.clear()
        forget_shards()
        found = milliseconds(times, "ours")
        lines.append(
            Line("store", f"{what} / numpy", ratios(times, "ours", "plain"), bar=ratio_bar)
        )
        lines.append(Line("store", what, found, "ms", bar=unit_bar))
    made.store.close()
    return lines


def _by_layer(pairs: int, ours: Callable, plain: Callable) -> dict[str, list[float]]:
    layers = {"ours": iter(range(LAYERS)), "plain": iter(range(LAYERS))}
    calls = {
        "ours": lambda: ours(next(layers["ours"])),
        "plain": lambda: plain(next(layers["plain"])),
    }
    return alternate(calls, min(pairs, LAYERS - 1))


def _reads(made: Vectors) -> list[tuple[str, float | None, float | None, Callable, Callable]]:
    """What is read, the bars in ms and as a ratio to numpy, ours, and numpy's way."""
    some = made.random.choice(ROWS, PICKED, replace=False)
    place = np.argsort(made.order)  # data set row -> place in the stored order

    def slice_ours(layer: int) -> np.ndarray:
        rows = select(made.store, made.dataset.hash, [Filter("topic", "=", "topic 3")])
        return gather(made.store, made.keys[layer], rows).matrix

    def slice_plain(layer: int) -> np.ndarray:
        return made.mapped(layer)[place[np.flatnonzero(made.topic == 3)]]

    def cosine_plain(layer: int) -> np.ndarray:
        matrix = made.mapped(layer)
        query = matrix[place[7]]
        scores = matrix @ query / (np.linalg.norm(matrix, axis=1) * np.linalg.norm(query))
        return made.order[np.argsort(-scores, kind="stable")[1 : NEAREST + 1]]

    pairs = [
        (_WHOLE, None, 2.5, lambda i: made.view(i).vectors("site"),
         lambda i: np.array(made.mapped(i))),
        (_SLICE, None, 3.0, slice_ours, slice_plain),
        (f"{_SLICE}, new layer", None, None, slice_ours, slice_plain),
        (f"{PICKED} random rows", 10.0, None,
         lambda i: gather(made.store, made.keys[i], some).matrix,
         lambda i: made.mapped(i)[place[some]]),
        (f"cosine top {NEAREST} in SQL", 40.0, None,
         lambda i: nearest(made.store, made.keys[i], row=7, k=NEAREST), cosine_plain),
    ]  # fmt: skip
    for what, _, _, ours, plain in pairs:
        _check(what, ours(LAYERS - 1), plain(LAYERS - 1))
    return pairs


def _check(what: str, ours: np.ndarray | pa.Table, plain: np.ndarray) -> None:
    """Refuse to time reads that differ."""
    found = ours["row"].to_numpy() if isinstance(ours, pa.Table) else ours
    if not np.array_equal(found, plain):
        raise RuntimeError(f"{what}: the store and numpy differ.")
