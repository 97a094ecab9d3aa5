"""Nearest neighbours among the rows of a matrix, exactly, in blocks of bounded memory."""

import numpy as np

_BLOCK_BYTES = 1 << 26


def unit_rows(X: np.ndarray) -> np.ndarray:
    """Rows (n, d) scaled to length 1; rows of length 0 stay 0."""
    norms = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(norms > 0, norms, 1)


def nearest(X: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest other rows of each row in Euclidean distance.

    For cosine, pass `unit_rows(X)`: the order is the same. Columns are centred first and products
    taken in float64 when `X` is float64, because squared distances cancel.

    Parameters
    ----------
    X : (n, d); k : 1 .. n - 1.

    Returns
    -------
    indices (n, k) and distances (n, k), nearest first. Equal distances come in any fixed order.
    """
    n = len(X)
    if not 1 <= k < n:
        raise ValueError(f"k={k} neighbours of {n} rows: give 1 to {n - 1}")
    X = X - X.mean(axis=0)
    squares = np.einsum("ij,ij->i", X, X)
    indices = np.empty((n, k), dtype=np.int64)
    distances = np.empty((n, k), dtype=X.dtype)
    block = max(1, _BLOCK_BYTES // (n * X.itemsize))
    for start in range(0, n, block):
        stop = min(start + block, n)
        d2 = X[start:stop] @ X.T
        d2 *= -2
        d2 += squares
        d2 += squares[start:stop, None]
        d2[np.arange(stop - start), np.arange(start, stop)] = np.inf
        found = np.argpartition(d2, k - 1, axis=1)[:, :k]
        values = np.take_along_axis(d2, found, axis=1)
        order = np.argsort(values, axis=1, kind="stable")
        indices[start:stop] = np.take_along_axis(found, order, axis=1)
        distances[start:stop] = np.sqrt(np.maximum(np.take_along_axis(values, order, axis=1), 0))
    return indices, distances


def mutual_overlap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Share of common neighbours of each row, for all pairs of spaces.

    Parameters
    ----------
    a : (p, n, k) neighbour indices in p spaces; b : (q, n, k) in q spaces.

    Returns
    -------
    (n, p, q) values 0..1; the mean over rows is the mutual k-NN of Huh et al. 2024. Unrelated
    spaces give k / (n - 1) on average.
    """
    n, k = a.shape[1:]
    out = np.empty((n, len(a), len(b)), dtype=np.float32)
    block = max(1, _BLOCK_BYTES // (n * 4 * (len(a) + len(b))))
    for start in range(0, n, block):
        stop = min(start + block, n)
        left, right = (_members(x[:, start:stop], n) for x in (a, b))
        out[start:stop] = left @ right.transpose(0, 2, 1)
    return out / np.float32(k)


def _members(indices: np.ndarray, n: int) -> np.ndarray:
    """Neighbour indices (p, rows, k) as 0/1 membership, float32 (rows, p, n)."""
    p, rows, _ = indices.shape
    member = np.zeros((rows, p, n), dtype=np.float32)
    np.put_along_axis(member, indices.transpose(1, 0, 2), 1, axis=2)
    return member
