"""What a worker is given of a capture, and what it hands back; free of torch."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.store.vectors import ShardInfo


@dataclass(frozen=True)
class ShardTask:
    """One shard at the sites that are still missing there."""

    shard: int
    rows: np.ndarray  # data set row ids
    sites: tuple[str, ...]
    targets: tuple[Path, ...]  # one file per site
    keys: tuple[str, ...]
    pooling: str
    half: bool = False
    whatif: str = ""  # text of the change that the model runs under


@dataclass(frozen=True)
class ShardDone:
    """What a worker hands back: files and what it cost, no vectors."""

    shard: int
    sites: tuple[str, ...]
    keys: tuple[str, ...]
    files: tuple[ShardInfo, ...]
    tokens: int  # real tokens (or frames, or patches) that were run
    truncated: int  # rows that were longer than allowed
    batch_tokens: int  # the batch size that fitted, in padded tokens
