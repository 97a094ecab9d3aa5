"""Other measures of features: local or spread, how often active, how redundant, how sensitive."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from backend.errors import AnalysisError

KEPT = (0.1, 0.5, 0.9)  # shares of neurons that a random mask keeps
_CHUNK = 1024  # features at once


def hoyer(D: np.ndarray) -> np.ndarray:
    """Sparsity of each row of D (k, d): 1 with one entry, 0 with all alike: (k,).

    (sqrt(d) - |D_i|_1 / |D_i|_2) / (sqrt(d) - 1). NaN for rows of zeros, or d = 1.

    Source: Hoyer 2004.
    """
    D = np.asarray(D, dtype=np.float64)
    root, length = np.sqrt(D.shape[1]), np.linalg.norm(D, axis=1)
    if D.shape[1] < 2:
        return np.full(len(D), np.nan)
    ratio = np.abs(D).sum(axis=1) / np.where(length > 0, length, 1.0)
    return np.where(length > 0, np.clip((root - ratio) / (root - 1), 0, 1), np.nan)


def frequency(Z: np.ndarray) -> np.ndarray:
    """Share of rows (N, k) on which each feature is not 0: (k,)."""
    return np.count_nonzero(Z, axis=0) / len(Z)


@dataclass(frozen=True)
class Redundancy:
    """CKA of a feature with a random part of the neurons over that with all, (k, shares)."""

    kept: tuple[float, ...]  # shares of neurons kept
    values: np.ndarray  # mean over masks
    errors: np.ndarray  # standard errors of that mean


def linear_cka(A: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """Linear CKA of each feature Z (N, k) with a layer A (N, d), in 0..1: (k,).

    |A'z|^2 / (|A'A|_F |z|^2) with centred columns. NaN where feature or layer does not vary.
    Small in wide layers: compare along depth rather than by level.

    Source: Kornblith et al. 2019.
    """
    A = _centred(A)
    n, d = A.shape
    size = float(np.linalg.norm(A.T @ A if d <= n else A @ A.T))
    out = np.full(Z.shape[1], np.nan)
    for at in _chunks(Z.shape[1]):
        z, squares = _feature(Z[:, at])
        there = (squares > 0) & (size > 0)
        top = np.square(A.T @ z).sum(axis=0)
        out[at] = np.where(there, top / np.where(there, size * squares, 1.0), np.nan)
    return out


def redundancy(
    F: np.ndarray,
    Z: np.ndarray,
    *,
    kept: Sequence[float] = KEPT,
    masks: int = 20,
    seed: int = 0,
) -> Redundancy:
    """E over masks of CKA(F masked, z) / CKA(F, z) of features Z (N, k) of a layer F (N, d).

    Each mask keeps a share of the neurons, at least one, drawn without replacement. About 1: the
    part says as much of the feature as the whole. NaN where CKA(F, z) is 0 or unknown.

    Raises
    ------
    AnalysisError : a share is not in (0, 1], or there is no mask.

    Source: Fel et al. 2024, as reported; the shares are ours.
    """
    if masks < 1 or not all(0 < share <= 1 for share in kept):
        raise AnalysisError(f"{masks} masks that keep {list(kept)} of the neurons say nothing.",
                            "Give shares above 0 and at most 1.")  # fmt: skip
    F = _centred(F)
    d = F.shape[1]
    squares = np.square(F.T @ F)  # (d, d): |F_m'F_m|_F^2 = m' squares m
    whole, rng = np.sqrt(squares.sum()), np.random.default_rng(seed)
    M = np.concatenate([_masks(rng, masks, d, share) for share in kept])  # (shares masks, d)
    sizes = np.sqrt(np.einsum("md,md->m", M @ squares, M))
    values, errors = (np.full((Z.shape[1], len(kept)), np.nan) for _ in range(2))
    for at in _chunks(Z.shape[1]):
        each = np.square(F.T @ _feature(Z[:, at])[0])  # (d, c)
        full = each.sum(axis=0)
        usable = (full > 0) & (whole > 0)
        scale = np.where(sizes > 0, whole / np.where(sizes > 0, sizes, 1.0), 0.0)
        ratio = (M @ each) * scale[:, None] / np.where(usable, full, 1.0)
        ratio = ratio.reshape(len(kept), masks, -1)
        values[at] = np.where(usable, ratio.mean(axis=1), np.nan).T
        if masks > 1:
            spread = ratio.std(axis=1, ddof=1) / np.sqrt(masks)
            errors[at] = np.where(usable, spread, np.nan).T
    return Redundancy(tuple(kept), values, errors)


def sensitivity(codes: np.ndarray, variance: np.ndarray | None = None) -> np.ndarray:
    """Variance over noise draws of codes (draws, N, k), averaged over rows: (k,).

    Over the features' own `variance` (k,) where given, so that features of different scale
    compare; NaN where that is 0.

    Raises
    ------
    AnalysisError : there are fewer than two draws.

    Source: Fel et al. 2024, as reported.
    """
    if len(codes) < 2:
        raise AnalysisError(f"{len(codes)} noise draws have no variance.", "Draw two or more.")
    parts = [codes[:, :, at].astype(np.float64) for at in _chunks(codes.shape[2])]
    out = np.concatenate([part.var(axis=0, ddof=1).mean(axis=0) for part in parts])
    if variance is None:
        return out
    return np.where(variance > 0, out / np.where(variance > 0, variance, 1.0), np.nan)


def top_rows(Z: np.ndarray, *, count: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """The rows with the largest value of each feature Z (N, k), largest first.

    Returns rows and values, (k, min(count, N)) each.
    """
    count = min(count, len(Z))
    rows = np.empty((Z.shape[1], count), np.int64)
    for at in _chunks(Z.shape[1]):
        part = np.ascontiguousarray(Z[:, at].T)
        some = np.argpartition(-part, count - 1, axis=1)[:, :count]
        order = np.argsort(-np.take_along_axis(part, some, axis=1), axis=1, kind="stable")
        rows[at] = np.take_along_axis(some, order, axis=1)
    return rows, np.take_along_axis(Z.T, rows, axis=1)


def _masks(rng: np.random.Generator, masks: int, d: int, share: float) -> np.ndarray:
    """(masks, d) of 0 and 1, each with the same number of ones."""
    ones = max(1, round(share * d))
    return (rng.random((masks, d)).argsort(axis=1) < ones).astype(np.float64)


def _centred(A: np.ndarray) -> np.ndarray:
    A = np.asarray(A, dtype=np.float64)
    return A - A.mean(axis=0)


def _feature(Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centred columns and their squared lengths, 0 where what is left is rounding."""
    Z = np.asarray(Z, dtype=np.float64)
    raw = np.square(Z).sum(axis=0)
    z = Z - Z.mean(axis=0)
    squares = np.square(z).sum(axis=0)
    still = squares <= 1e-12 * raw
    z[:, still] = 0.0
    return z, np.where(still, 0.0, squares)


def _chunks(k: int) -> Iterator[slice]:
    return (slice(start, min(start + _CHUNK, k)) for start in range(0, k, _CHUNK))
