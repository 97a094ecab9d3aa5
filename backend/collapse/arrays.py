"""Where numpy and torch differ: blocks of features, widened to float64 where they lie."""

from typing import Any, Protocol

import numpy as np

from backend.errors import AnalysisError

_CPU_VALUES = 2**19  # float64 values of one block: 4 MB stay in the cache
_DEVICE_VALUES = 2**23  # on a GPU few large steps beat many small ones
_STRIP = 1_000_000  # multiply-adds up to which OpenBLAS multiplies without copying first
_NARROW = 8  # rows below which a strip gains nothing
_FEW = 4096  # sums up to which one product with one-hot rows is the faster way to add

Array = Any  # a numpy array or a torch tensor; the arithmetic below reads the same for both


class Library(Protocol):
    """What the passes need besides operators."""

    values: int  # of one block

    def put(self, array: np.ndarray) -> Array: ...  # to where the features lie
    def get(self, array: Array) -> np.ndarray: ...  # back to numpy
    def wide(self, block: Array) -> Array: ...  # a float64 copy
    def squares(self, X: Array) -> Array: ...  # (n,) squared length of each row
    def times(self, X: Array, D: Array) -> Array: ...  # X @ D, D of few columns
    def beside(self, parts: list[Array]) -> Array: ...  # (n, ...) columns, as float64
    def add_by(self, out: Array, y: Array, X: Array) -> None: ...  # out[y[i]] += X[i]


class Numpy:
    """Features in memory, or mapped from a file."""

    values = _CPU_VALUES

    def put(self, array: np.ndarray) -> np.ndarray:
        return array

    def get(self, array: np.ndarray) -> np.ndarray:
        return array

    def wide(self, block: np.ndarray) -> np.ndarray:
        return np.array(block, dtype=np.float64)

    def squares(self, X: np.ndarray) -> np.ndarray:
        return np.vecdot(X, X)

    def beside(self, parts: list[np.ndarray]) -> np.ndarray:
        return np.column_stack(parts)

    def times(self, X: np.ndarray, D: np.ndarray) -> np.ndarray:
        whole, strip = _strips(len(X), D.size)
        strips = X[:whole].reshape(-1, strip, X.shape[1]) @ D
        return np.concatenate([strips.reshape(whole, D.shape[1]), X[whole:] @ D])

    def add_by(self, out: np.ndarray, y: np.ndarray, X: np.ndarray) -> None:
        if out.size <= _FEW:
            out += np.eye(len(out))[y].T @ X
            return
        order, ones = np.argsort(y, kind="stable"), np.ones(len(y))
        present, starts = np.unique(y[order], return_index=True)
        for k, start, stop in zip(present, starts, [*starts[1:], len(y)], strict=True):
            out[k] += ones[start:stop] @ X[order[start:stop]]


def _strips(n: int, values: int) -> tuple[int, int]:
    """How many of n rows go in strips of how many, a strip by `values` being a small product."""
    strip = min(_STRIP // values, n)
    if strip < _NARROW:
        return 0, 1
    strip = 1 << (strip.bit_length() - 1)
    return n - n % strip, strip


class Torch:
    """Features in a tensor; worked on where it lies, or on the CPU where a device lacks float64."""

    def __init__(self, device: Any):
        self.device = "cpu" if device.type == "mps" else device
        self.values = _CPU_VALUES if device.type == "cpu" else _DEVICE_VALUES

    def put(self, array: np.ndarray) -> Array:
        import torch

        return torch.tensor(array, device=self.device)

    def get(self, array: Array) -> np.ndarray:
        return array.cpu().numpy()

    def wide(self, block: Array) -> Array:
        import torch

        return block.detach().to(self.device).to(torch.float64, copy=True)

    def squares(self, X: Array) -> Array:
        return (X * X).sum(1)

    def beside(self, parts: list[Array]) -> Array:
        import torch

        return torch.column_stack([part.to(torch.float64) for part in parts])

    def times(self, X: Array, D: Array) -> Array:
        return X @ D

    def add_by(self, out: Array, y: Array, X: Array) -> None:
        out.index_add_(0, y, X)


def library_of(features: Array) -> Library:
    """The library that a feature matrix (n, d) belongs to.

    Raises
    ------
    AnalysisError : it is not a matrix of real numbers.
    """
    if is_tensor(features):
        real = not features.dtype.is_complex
    else:
        real = isinstance(features, np.ndarray) and features.dtype.kind in "fiu"
    if not real or features.ndim != 2 or not features.shape[1]:
        shape, kind = getattr(features, "shape", "?"), getattr(features, "dtype", type(features))
        raise AnalysisError(
            f"Features of shape {tuple(shape)} and type {kind} are not a matrix of numbers.",
            "Give one row of numbers for each sample: (n, d).",
        )
    return Torch(features.device) if is_tensor(features) else Numpy()


def is_tensor(array: object) -> bool:
    """Whether this is a torch tensor; asked without importing torch."""
    return type(array).__module__.partition(".")[0] == "torch"


def as_numpy(array: Array) -> np.ndarray:
    """A numpy array of what may be a tensor on any device (weights, labels)."""
    if is_tensor(array):
        array = array.detach().cpu()
        return (array.double() if array.is_floating_point() else array).numpy()
    return np.asarray(array)
