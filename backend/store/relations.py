"""Captured vectors as relations: mapped shards, ready for SQL and for picking rows."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from backend.errors import StoreError
from backend.store.vectors import read_shard, vectors_table

_KEPT = 64  # relations; mapped float32 shards take no memory, half ones do
_KEPT_BYTES = 1 << 30  # of converted half precision


@dataclass(frozen=True, eq=False)
class Gathered:
    """Vectors of chosen rows, in stored order within each row."""

    rows: np.ndarray  # int64 (n,)
    positions: np.ndarray | None  # int32 (n,)
    matrix: np.ndarray  # float32 (n, width)


@dataclass(frozen=True, eq=False)
class Relation:
    """All shards of one capture."""

    table: pa.Table  # row, [position], vector
    parts: tuple[np.ndarray, ...] = field(repr=False)  # float32 (n_i, width), one per shard
    converted: bool = False  # from half precision, so it takes memory

    @property
    def width(self) -> int:
        return self.table.schema.field("vector").type.list_size

    @cached_property
    def rows(self) -> np.ndarray:
        """Data set row ids in stored order, int64 (n,)."""
        return self.table["row"].to_numpy()

    @cached_property
    def positions(self) -> np.ndarray | None:
        """Token or place within the row, int32 (n,)."""
        return self.table["position"].to_numpy() if "position" in self.table.schema.names else None

    @cached_property
    def _order(self) -> tuple[np.ndarray, np.ndarray]:
        order = np.argsort(self.rows, kind="stable")
        return order, self.rows[order]

    @cached_property
    def _starts(self) -> np.ndarray:
        return np.cumsum([0, *(len(part) for part in self.parts)])

    def places(self, rows: np.ndarray) -> np.ndarray:
        """Where the vectors of these rows are, int64; rows that were not captured are skipped."""
        order, ids = self._order
        low = np.searchsorted(ids, rows, side="left")
        count = np.searchsorted(ids, rows, side="right") - low
        steps = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        return order[np.repeat(low, count) + steps]

    def pick(self, places: np.ndarray) -> np.ndarray:
        """The vectors at these places, float32 (n, width), a copy in the order given."""
        out = np.empty((len(places), self.width), dtype=np.float32)
        by_place = np.argsort(places, kind="stable")
        cuts = np.searchsorted(places[by_place], self._starts)
        for part, start, low, high in zip(
            self.parts, self._starts, cuts[:-1], cuts[1:], strict=False
        ):
            if low < high:
                chosen = by_place[low:high]
                out[chosen] = part[places[chosen] - start]
        return out


class Relations:
    """The relations used last; a lock, as pages run in threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Relation] = OrderedDict()
        self._lock = threading.Lock()
        self._drops = 0

    def get(self, key: str, paths: Callable[[], Sequence[Path]]) -> Relation:
        """The relation of a capture; `paths` names its shards where it is not kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            drops = self._drops
        relation = _open(key, paths())
        with self._lock:
            if drops == self._drops:  # else it may have grown or gone meanwhile
                self._kept[key] = relation
            while len(self._kept) > _KEPT or self._converted_bytes() > _KEPT_BYTES:
                if len(self._kept) == 1:
                    break
                self._kept.popitem(last=False)
        return relation

    def drop(self, key: str) -> None:
        """Forget a capture: it has grown, or it was deleted."""
        with self._lock:
            self._drops += 1
            self._kept.pop(key, None)

    def clear(self) -> None:
        """Forget everything and let go of the maps."""
        with self._lock:
            self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)

    def _converted_bytes(self) -> int:
        return sum(r.table.nbytes for r in self._kept.values() if r.converted)


def _open(key: str, paths: Sequence[Path]) -> Relation:
    if not paths:
        raise StoreError(f"The capture {key} has no shards.", "Run the capture first.")
    table = vectors_table(paths)
    width = table.schema.field("vector").type.list_size
    chunks = table["vector"].chunks
    parts = tuple(chunk.flatten().to_numpy().reshape(-1, width) for chunk in chunks)
    return Relation(table, parts, converted=read_shard(paths[0]).matrix.dtype != np.float32)
