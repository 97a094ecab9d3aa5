"""Numpy archives (.npz): each array is one row, its .npy file the row's media; no pickles."""

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from backend.data.dataset import Dataset
from backend.data.progress import Progress, report
from backend.data.tables import TableRead
from backend.errors import DataError

NUMBERS, WORDS = "biufc", "SU"  # numpy's letters for kinds of dtype
_BLOCK = 1 << 20  # values looked at at a time


@dataclass(frozen=True)
class ArraysRead:
    """Arrays as read: their facts, and the files that hold them."""

    read: TableRead
    files: tuple[Path, ...]

    def media(self) -> Iterator[bytes]:
        for file in self.files:
            yield file.read_bytes()


def read_arrays(
    folder: Path, others: Sequence[Path], *, where: str, progress: Progress | None = None
) -> ArraysRead:
    """Read a folder of .npy files, which is what an .npz archive unpacks to.

    Columns: `name` (path below the folder without its ending), `shape` (such as "5000 x 512"),
    `dtype`, `rows` (the first dimension; 1 for a single value). Values that are not finite are
    counted in a note; files of other endings are left out by name.

    Parameters
    ----------
    others : the files of the folder.
    where : what the messages call it.

    Raises
    ------
    DataError : an array of Python objects or records, or one that is damaged; the message names it.
    """
    files = sorted(f for f in others if f.suffix.lower() == ".npy")
    rows, notes = [], []
    for done, file in enumerate(files):
        report(progress, done, len(files), "reading arrays")
        name = file.relative_to(folder).as_posix()[: -len(".npy")]
        array = _open(file, f"The array {name!r} in {where}")
        rows.append({
            "name": name, "shape": " x ".join(map(str, array.shape)) or "one value",
            "dtype": str(array.dtype), "rows": array.shape[0] if array.ndim else 1,
        })  # fmt: skip
        if said := _not_finite(array):
            notes.append(f"{name}: {said}.")
    schema = pa.schema([(n, pa.int64() if n == "rows" else pa.string()) for n in rows[0]])
    rejected = [
        (f.relative_to(folder).as_posix(), "is no .npy file") for f in others if f not in files
    ]
    read = TableRead(pa.Table.from_pylist(rows, schema=schema), tuple(notes), tuple(rejected))
    return ArraysRead(read, tuple(files))


def arrays_of(dataset: Dataset, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    """The arrays of a data set by name, in the order asked for; all of them without `names`.

    Raises
    ------
    DataError : the data set holds no arrays, or none of that name.
    """
    if dataset.kind != "arrays":
        raise DataError(
            f"The data set {dataset.name!r} holds {dataset.kind}, no arrays.",
            "Give a file that numpy.savez wrote.",
        )
    known = {name: row for row, name in enumerate(dataset.table()["name"].to_pylist())}
    wanted = list(known) if names is None else list(names)
    for name in wanted:
        if name not in known:
            raise DataError(
                f"{dataset.name!r} has no array {name!r}.", f"It has: {', '.join(known)}."
            )
    found = {}
    for name in wanted:
        data = dataset.media(np.array([known[name]]))[0]
        found[name] = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    return found


def _open(file: Path, what: str) -> np.ndarray:
    """The array as a memory map, once its header has been looked at.

    Its dtype is read first: to open Python objects would be to unpickle them.
    """
    try:
        shape, dtype, size = _header(file)
        if dtype.hasobject:
            raise DataError(
                f"{what} holds Python objects, which can run any program when they are opened, so "
                "it is never opened.",
                "Save it with a dtype of numbers or of text, or leave it out.",
            )
        if dtype.kind not in NUMBERS + WORDS:
            raise DataError(
                f"{what} holds {dtype}, neither numbers nor text.",
                "Save its fields as arrays of their own, or leave it out.",
            )
        expected = dtype.itemsize * math.prod(shape)
        if size != expected:
            raise ValueError(f"it holds {size:,} bytes of the {expected:,} that it states")
        return np.load(file, mmap_mode="r" if size and shape else None, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{what} is damaged: {error}.", "Save it again.") from error


def _header(file: Path) -> tuple[tuple[int, ...], np.dtype, int]:
    """Shape and dtype as the file states them, and how many bytes follow."""
    with open(file, "rb") as opened:
        old = np.lib.format.read_magic(opened) == (1, 0)
        read = np.lib.format.read_array_header_1_0 if old else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(opened)
        return shape, dtype, file.stat().st_size - opened.tell()


def _not_finite(array: np.ndarray) -> str:
    """How many values are not finite, in words; empty if all are, or hold no fractions."""
    if array.dtype.kind not in "fc":
        return ""
    values = array.reshape(-1, order="A")
    missing = infinite = 0
    for start in range(0, values.size, _BLOCK):
        block = values[start : start + _BLOCK]
        missing += int(np.isnan(block).sum())
        infinite += int(np.isinf(block).sum())
    counts = (f"{missing:,} are NaN", missing), (f"{infinite:,} are infinite", infinite)
    said = " and ".join(text for text, count in counts if count)
    return f"of {values.size:,} values {said}" if said else ""
