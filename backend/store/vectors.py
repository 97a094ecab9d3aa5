"""Vector shards: Arrow IPC files that any process may write and every process may map."""

import contextlib
import errno
import math
import os
import secrets
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from backend.errors import StoreError

HALF_MAX = 65504.0  # the largest finite float16
TEMPORARY = ".tmp"  # suffix of everything that is not finished; the store sweeps it away
_OWN = ("penultimate.dtype", "penultimate.crc32")  # schema metadata that is ours
_AGAIN = "Delete the capture; it is computed again when it is asked for."
# What Arrow and numpy raise for content that is not what was written.
_DAMAGE = (OSError, pa.ArrowException, KeyError, TypeError, ValueError)
_BLOCK = 1 << 16  # vectors that are converted from half at a time


@dataclass(frozen=True)
class ShardInfo:
    """A shard that was written: what the catalogue keeps of it."""

    path: Path
    n: int  # vectors
    width: int
    bytes: int  # size of the file
    checksum: str  # crc32 of metadata, rows, positions and vectors: 8 hexadecimal digits


@dataclass(frozen=True)
class Shard:
    """A shard that was read; the arrays are read-only views of the mapped file."""

    rows: np.ndarray  # int64 (n,): data set row ids
    matrix: np.ndarray  # float32 or float16 (n, width)
    positions: np.ndarray | None  # int32 (n,): token or place within the row
    meta: dict[str, str]
    checksum: str


def shard_path(home: Path, key: str, shard: int) -> Path:
    """Where shard number `shard` of the capture `key` belongs."""
    return Path(home) / "vectors" / key / f"{shard:06d}.arrow"


def write_shard(
    path: Path,
    *,
    rows: np.ndarray,
    matrix: np.ndarray,
    positions: np.ndarray | None = None,
    half: bool = False,
    meta: Mapping[str, str] | None = None,
) -> ShardInfo:
    """Write one shard under a temporary name, then rename: readers see all of it or nothing.

    Parameters
    ----------
    rows : int64 (n,), data set row ids.
    matrix : (n, width), stored as float32, or as float16 bits when `half`.
    positions : int32 (n,), for captures with several vectors per row.
    half : two bytes a number; float16 input is kept exactly, float32 is rounded to float16.
    meta : text stored in the file's schema.

    Raises
    ------
    StoreError : shapes disagree, a finite value is beyond float16, or the disk is full.
    """
    path = Path(path)
    batch, checksum = _batch(rows, matrix, positions, half=half, meta=dict(meta or {}))
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}{TEMPORARY}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            with pa.ipc.new_file(file, batch.schema) as writer:
                writer.write_batch(batch)
            size = file.tell()
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StoreError(
            f"The disk of {path.parent} is full: {batch.nbytes:,} bytes did not fit.",
            "Free some space (Library, Storage) and resume the job; finished shards are kept.",
        ) from error
    return ShardInfo(path, len(batch), matrix.shape[1], size, checksum)


def read_shard(path: Path, verify: bool = False) -> Shard:
    """Map a shard.

    Parameters
    ----------
    verify : also read all of it and compare the checksum.

    Raises
    ------
    StoreError : the file is missing, damaged, no shard at all, or (verify) its checksum differs.
    """
    path = Path(path)
    try:
        state = path.stat()
        shard = _mapped(path, state.st_ino, state.st_mtime_ns, state.st_size)
    except FileNotFoundError as error:
        raise StoreError(f"The vector shard {path} is missing.", _AGAIN) from error
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno:
            raise  # the system's refusal (permissions, too many files), not Arrow's
        raise StoreError(f"The vector shard {path} is damaged ({error}).", _AGAIN) from error
    if verify:
        found = _checksum(shard.rows, shard.matrix, shard.positions, shard.meta)
        if found != shard.checksum:
            raise StoreError(
                f"The vector shard {path} is damaged: checksum {found}, not {shard.checksum}.",
                _AGAIN,
            )
    return shard


def forget_shards() -> None:
    """Let go of the maps that this process keeps, so that deleted files give back their space."""
    _mapped.cache_clear()


def vectors_table(paths: Sequence[Path]) -> pa.Table:
    """Shards as one table: row int64, [position int32], vector float32[width].

    float32 shards stay mapped (no copy); half shards are converted, which takes
    4 * n * width bytes of memory.
    """
    tables = [_float_table(read_shard(path)) for path in paths]
    if not tables:
        raise StoreError("There are no shards to read.", "Capture this site first.")
    if any(not table.schema.equals(tables[0].schema) for table in tables):
        raise StoreError(
            f"The shards beside {paths[0]} have different widths.",
            _AGAIN,
        )
    return pa.concat_tables(tables)


def _float_table(shard: Shard) -> pa.Table:
    matrix, width = shard.matrix, shard.matrix.shape[1]
    if matrix.dtype != np.float32:
        converted = np.empty(matrix.shape, dtype=np.float32)
        for start in range(0, len(matrix), _BLOCK):
            converted[start : start + _BLOCK] = matrix[start : start + _BLOCK]
        matrix = converted
    columns = {"row": pa.array(shard.rows)}
    if shard.positions is not None:
        columns["position"] = pa.array(shard.positions)
    flat = pa.array(matrix.reshape(-1))
    columns["vector"] = pa.FixedSizeListArray.from_arrays(flat, width)
    return pa.table(columns)


def _batch(
    rows: np.ndarray,
    matrix: np.ndarray,
    positions: np.ndarray | None,
    *,
    half: bool,
    meta: dict[str, str],
) -> tuple[pa.RecordBatch, str]:
    rows = np.ascontiguousarray(rows, dtype=np.int64)
    if matrix.ndim != 2 or matrix.shape[1] == 0 or rows.shape != (len(matrix),):
        raise StoreError(
            f"{len(rows)} row ids do not fit a matrix of shape {matrix.shape}.",
            "Give one row id for each vector, and vectors of at least one number.",
        )
    matrix = _as_half(matrix) if half else np.ascontiguousarray(matrix, dtype=np.float32)
    columns = {"row": pa.array(rows)}
    if positions is not None:
        positions = np.ascontiguousarray(positions, dtype=np.int32)
        if positions.shape != rows.shape:
            raise StoreError(
                f"{positions.shape} positions do not fit {len(rows)} vectors.",
                "Give one position for each vector.",
            )
        columns["position"] = pa.array(positions)
    checksum = _checksum(rows, matrix, positions, meta)
    # Arrow's half floats cannot be scanned by DuckDB and many readers: store their bits.
    flat = pa.array((matrix.view(np.uint16) if half else matrix).reshape(-1))
    columns["vector"] = pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1])
    own = dict(zip(_OWN, (matrix.dtype.name, checksum), strict=True))
    return pa.record_batch(columns).replace_schema_metadata(meta | own), checksum


def _as_half(matrix: np.ndarray) -> np.ndarray:
    if matrix.dtype != np.float16:
        finite = np.where(np.isfinite(matrix), matrix, 0)
        worst = float(finite.flat[np.abs(finite).argmax()]) if finite.size else 0.0
        if math.fabs(worst) > HALF_MAX:
            raise StoreError(
                f"The value {worst:g} does not fit half precision (largest: {HALF_MAX:g}).",
                "Capture with dtype float32.",
            )
    return np.ascontiguousarray(matrix, dtype=np.float16)


def _checksum(
    rows: np.ndarray, matrix: np.ndarray, positions: np.ndarray | None, meta: Mapping[str, str]
) -> str:
    text = "\0".join(f"{k}={meta[k]}" for k in sorted(meta)) + f"\0{matrix.shape}{matrix.dtype}"
    crc = zlib.crc32(text.encode())
    for part in (rows, positions, matrix):
        if part is not None:
            crc = zlib.crc32(part.reshape(-1).view(np.uint8), crc)
    return f"{crc:08x}"


# Mapping and parsing cost more than copying 0.5 MB, and pages come back to the same shards.
@lru_cache(maxsize=128)
def _mapped(path: Path, *_state: int) -> Shard:
    """The shard in a file that has not changed since; raises whatever Arrow finds amiss."""
    # The buffer keeps the map; the file descriptor is given back, as shards are many.
    with pa.memory_map(str(path)) as file:
        content = file.read_buffer()
    reader = pa.ipc.open_file(content)
    batch = reader.get_batch(0)
    batch.validate()
    meta = {k.decode(): v.decode() for k, v in (batch.schema.metadata or {}).items()}
    dtype, checksum = (meta.pop(name) for name in _OWN)
    column = batch.column("vector")
    stored = {"float32": pa.float32(), "float16": pa.uint16()}[dtype]
    expected = {"row": pa.int64(), "position": pa.int32(), "vector": column.type}
    names = batch.schema.names
    if (
        reader.num_record_batches != 1
        or batch.schema.types != [expected[name] for name in names]
        or not pa.types.is_fixed_size_list(column.type)
        or column.type.value_type != stored
        or any(part.null_count for part in (*batch.columns, column.values))
    ):
        raise ValueError(f"unexpected columns {batch.schema.to_string(show_metadata=False)}")
    matrix = column.values.to_numpy().view(dtype).reshape(len(batch), column.type.list_size)
    positions = batch.column("position").to_numpy() if "position" in names else None
    return Shard(batch.column("row").to_numpy(), matrix, positions, meta, checksum)
