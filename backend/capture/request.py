"""What is asked for, how it is named, and how it is cut into shards."""

from dataclasses import asdict, dataclass, replace

import numpy as np

from backend.errors import CaptureError
from backend.keys import digest

ORDER_SEED = 20_221_122  # fixes the stored order of every data set


@dataclass(frozen=True)
class CaptureRequest:
    """Vectors of one model on one data set at some sites."""

    model_id: str
    dataset: str  # content hash
    sites: tuple[str, ...]
    pooling: str
    rows: int  # how many rows of the stored order; a multiple of the shard is captured
    of: int  # rows in the data set
    max_tokens: int = 512
    half: bool = False
    whatif: str = ""  # names a change to the model; empty: the model as it is

    def key(self, site: str) -> str:
        """Names one site's vectors; equal keys hold equal numbers."""
        parts = asdict(replace(self, sites=(), rows=0, of=0))
        return digest(parts | {"site": site, "format": 1})

    @property
    def dtype(self) -> str:
        return "float16" if self.half else "float32"

    def shards(self) -> tuple[int, ...]:
        """The shards that hold the first `rows` rows of the stored order."""
        size = shard_rows(self.of)
        return tuple(range(-(-min(self.rows, self.of) // size)))


def shard_rows(n_rows: int) -> int:
    """Rows in a shard: 256, doubled until a data set has at most 512 shards."""
    size = 256
    while n_rows > size * 512:
        size *= 2
    return size


def stored_order(n_rows: int) -> np.ndarray:
    """The fixed permutation in which a data set is captured, int64 (n_rows,).

    Because it is random, any number of leading shards is a uniform sample of the data.
    """
    return np.random.default_rng(ORDER_SEED).permutation(n_rows).astype(np.int64)


def rows_of_shard(n_rows: int, shard: int) -> np.ndarray:
    """Data set row ids of one shard, int64."""
    size = shard_rows(n_rows)
    return stored_order(n_rows)[shard * size : (shard + 1) * size]


def check_pooling(pooling: str, modality: str) -> None:
    """CaptureError for a pooling that this kind of model does not have."""
    allowed = {
        "text": ("last", "mean", "cls", "max", "tokens"),
        "image": ("mean", "cls", "max", "spatial"),
        "audio": ("mean", "max", "last", "tokens"),
    }[modality]
    if pooling not in allowed:
        raise CaptureError(
            f"Pooling {pooling!r} does not fit a {modality} model.",
            f"Choose from: {', '.join(allowed)}.",
        )
