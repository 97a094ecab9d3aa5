"""What an analysis may read of a capture: shards on disk, no database; it travels to workers."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from backend.data.dataset import Dataset
from backend.errors import CaptureError
from backend.store.vectors import read_shard


@dataclass(frozen=True)
class CaptureView:
    """The stored vectors of one model on one data set.

    All sites share one row order: the stored order, a fixed seeded permutation of the data set's
    rows, so that the first n rows are a uniform sample. With `tokens` or `spatial` pooling a data
    row has several vectors and `rows()` repeats its id.
    """

    model: str  # the reference that the user gave
    model_id: str  # names the weights: hub commit or content hash
    dataset: Dataset
    pooling: str
    dtype: str
    n: int  # data rows to read; shards may hold more
    shards: dict[str, tuple[Path, ...]]  # site -> shard files in stored order
    whatif: str = ""  # text of the change that the model ran under

    @property
    def sites(self) -> tuple[str, ...]:
        return tuple(self.shards)

    def rows(self) -> np.ndarray:
        """Data set row ids, int64 (n_vectors,), in stored order."""
        parts = [read_shard(path).rows for path in next(iter(self.shards.values()))]
        ids = np.concatenate(parts)
        return ids[: self._stop(ids)]

    def vectors(self, site: str) -> np.ndarray:
        """The vectors at one site, float32 (n_vectors, width), a copy in stored order."""
        if site not in self.shards:
            raise CaptureError(
                f"{self.model} was not captured at {site!r}.",
                f"Captured sites: {', '.join(self.sites)}.",
            )
        shards = [read_shard(path) for path in self.shards[site]]
        stop = self._stop(np.concatenate([s.rows for s in shards]))
        out = np.empty((stop, shards[0].matrix.shape[1]), dtype=np.float32)
        start = 0
        for shard in shards:
            end = min(start + len(shard.rows), stop)
            out[start:end] = shard.matrix[: end - start]
            start = end
        return out

    def table(self) -> pa.Table:
        """The rows' metadata, aligned with `rows()`."""
        return self.dataset.take(self.rows())

    def _stop(self, ids: np.ndarray) -> int:
        """How many stored vectors the first n data rows have."""
        if len(ids) <= self.n:
            return len(ids)
        starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]])
        return len(ids) if len(starts) <= self.n else int(starts[self.n])
