"""Two-dimensional layouts of a cloud of points, aligned from layer to layer, and how far to trust
them. PCA exactly; UMAP seeded; orthogonal Procrustes with reflection; trustworthiness.
"""

from typing import Any

import numpy as np

from backend.analyses.intervals import mean_error
from backend.analyses.neighbours import nearest

_DENSE_SIDE = 512  # up to here a dense eigensolver is quicker than Lanczos


def pca_layout(X: np.ndarray, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """First two principal components.

    Parameters
    ----------
    X : (n, d).

    Returns
    -------
    coordinates (n, 2) float64 and their shares of the variance (2,). A cloud without variance has
    coordinates 0 and shares nan; a missing second direction has share 0.
    """
    n, d = X.shape
    Xc = np.asarray(X, dtype=np.float64)
    raw = np.einsum("ij,ij->", Xc, Xc)
    Xc = Xc - Xc.mean(axis=0)
    total = np.einsum("ij,ij->", Xc, Xc)
    if total <= 1e-13 * raw or total == 0:
        return np.zeros((n, 2)), np.full(2, np.nan)
    wide = d > n
    values, vectors = _top_two(Xc @ Xc.T if wide else Xc.T @ Xc, seed)
    Z = vectors * np.sqrt(values) if wide else Xc @ vectors
    if Z.shape[1] == 1:
        Z, values = np.c_[Z, np.zeros(n)], np.r_[values, 0.0]
    return Z, values / total


def _top_two(C: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two largest eigenvalues of a symmetric matrix, not below 0, and their vectors, signed so
    that each vector's largest entry is positive."""
    from scipy.linalg import eigh
    from scipy.sparse.linalg import eigsh

    size = len(C)
    if size <= _DENSE_SIDE:
        values, vectors = eigh(C, subset_by_index=[max(0, size - 2), size - 1])
    else:
        start = np.random.default_rng(seed).standard_normal(size)
        values, vectors = eigsh(C, k=2, v0=start)
    order = np.argsort(values)[::-1]
    values, vectors = np.maximum(values[order], 0), vectors[:, order]
    largest = np.abs(vectors).argmax(axis=0)
    return values, vectors * np.where(vectors[largest, np.arange(len(order))] < 0, -1, 1)


def umap_layout(
    X: np.ndarray, *, start: np.ndarray, neighbours: int, min_dist: float, epochs: int, seed: int
) -> np.ndarray:
    """UMAP coordinates (n, 2) float64 of X (n, d), beginning from the layout `start` (n, 2).

    One thread, seeded: the same input gives the same layout on the same machine.

    Source: McInnes, Healy, Melville 2018.
    """
    import umap

    span = np.ptp(start, axis=0).max()
    begin: Any = (start * (10 / span if span > 0 else 1)).astype(np.float32)
    reducer = umap.UMAP(
        n_neighbors=neighbours,
        min_dist=min_dist,
        n_epochs=epochs,
        init=begin,
        random_state=seed,
        n_jobs=1,
    )
    return np.asarray(reducer.fit_transform(X), dtype=np.float64)


def standardise(Z: np.ndarray) -> tuple[np.ndarray, float]:
    """Layout (n, 2) centred, with root-mean-square radius 1; and the radius that it had."""
    Z = Z - Z.mean(axis=0)
    radius = float(np.sqrt((Z**2).sum(axis=1).mean()))
    return (Z / radius if radius > 0 else Z), radius


def procrustes(Z: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Z (n, 2) rotated, reflected if that is nearer, onto the target (n, 2) in least squares.

    Source: Schonemann 1966.
    """
    U, _, Vt = np.linalg.svd(Z.T @ target)
    return Z @ (U @ Vt)


def travel(layouts: list[np.ndarray]) -> np.ndarray:
    """Mean distance that points move from each layout (n, 2) to the next, (len - 1,)."""
    return np.array(
        [np.linalg.norm(b - a, axis=1).mean() for a, b in zip(layouts, layouts[1:], strict=False)]
    )


def trustworthiness(
    X: np.ndarray, Z: np.ndarray, *, k: int = 15, groups: np.ndarray | None = None
) -> tuple[float, float]:
    """How many of the layout's neighbours are true ones, and its standard error over rows.

    Parameters
    ----------
    X : (n, d) the space; Z : (n, 2) its layout; k : neighbours, less than n / 2.

    Returns
    -------
    1 = every neighbour in the layout is one of the k nearest in the space; about 0.5 = chance.

    Source: Venna and Kaski 2001.
    """
    n = len(X)
    if not 1 <= k < n / 2:
        raise ValueError(f"k={k} of {n} rows: trustworthiness needs k below half of the rows")
    Xc = np.asarray(X, dtype=np.float64)
    Xc = Xc - Xc.mean(axis=0)
    found, _ = nearest(np.asarray(Z, dtype=np.float64), k)
    squares = np.einsum("ij,ij->i", Xc, Xc)
    d2 = squares[:, None] + squares - 2 * (Xc @ Xc.T)
    np.fill_diagonal(d2, np.inf)
    excess = np.zeros(n)
    for column in range(k):
        chosen = np.take_along_axis(d2, found[:, column : column + 1], axis=1)
        rank = 1 + np.count_nonzero(d2 < chosen, axis=1)
        excess += np.maximum(rank - k, 0)
    scores = 1 - excess * (2 / (k * (2 * n - 3 * k - 1)))
    return float(scores.mean()), float(mean_error(scores, groups=groups))
