"""Debiased linear CKA for all pairs of layers at once, with interval and shuffled null.

Everything follows from one identity: with U-centred Gram matrices A and B (zero diagonal, zero row
sums), the unbiased HSIC of Song et al. 2012 is <A, B> / (n (n - 3)), so all pairs of layers are one
matrix product; and leaving row i out changes it by the row's own product q_i = sum_j A_ij B_ij:

    HSIC without i = (<A, B> - 2 q_i (n - 2) / (n - 3)) / ((n - 1) (n - 4))

Hence |CKA| <= 1 always, and the delete-one jackknife costs nothing. A bootstrap of rows is not
used: doubled rows would put large off-diagonal entries into the Gram matrix.
"""

from dataclasses import dataclass

import numpy as np

from backend.analyses.intervals import Z95, jackknife_error

_PAIRS_AT_ONCE = 1 << 13  # pairs of rows x layers x 4 bytes stay in the cache


def u_centred_gram(X: np.ndarray) -> tuple[np.ndarray, float, float]:
    """U-centred Gram matrix of the rows of X, in float64.

    Parameters
    ----------
    X : (n, d) with n >= 4.

    Returns
    -------
    (n, n) matrix with zero diagonal and zero row sums; the trace and the squared Frobenius norm of
    the doubly centred Gram matrix, which the biased estimate needs. All zero when the rows are
    equal up to float32 rounding.

    Source: Song et al. 2012; U-centring after Szekely and Rizzo 2014.
    """
    n = len(X)
    if n < 4:
        raise ValueError(f"unbiased HSIC needs at least 4 rows, got {n}")
    Xc = np.asarray(X, dtype=np.float64)
    raw = np.einsum("ij,ij->", Xc, Xc)
    Xc = Xc - Xc.mean(axis=0)
    K = Xc @ Xc.T
    trace = float(np.trace(K))
    if trace <= 1e-13 * raw or trace == 0:
        return np.zeros((n, n)), 0.0, 0.0
    square = float(np.einsum("ij,ij->", K, K))
    np.fill_diagonal(K, 0)
    sums = K.sum(axis=1)
    K -= (sums / (n - 2))[:, None]
    K -= sums / (n - 2)
    K += sums.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(K, 0)
    return K, trace, square


@dataclass(frozen=True)
class Alignment:
    """CKA of every pair of layers; nan where a layer does not vary."""

    cka: np.ndarray  # (p, q)
    deleted: np.ndarray  # (n, p, q) without row i
    low: np.ndarray  # (p, q) 95 % interval
    high: np.ndarray
    null: np.ndarray  # (permutations, p, q) with the rows of one side shuffled


def align(
    left: list[np.ndarray],
    right: list[np.ndarray] | None = None,
    *,
    permutations: int = 20,
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> Alignment:
    """Debiased CKA between all layers of two models, or within one.

    Parameters
    ----------
    left : per batch of rows, U-centred Gram matrices (p, n_b, n_b).
    right : the same for the other model (q, n_b, n_b); None compares `left` with itself, and then
        the diagonal is exactly 1.
    permutations : shuffles of the rows of one side, shared by all pairs.
    groups : labels (n,) of rows that belong together.

    HSIC terms, not ratios, are averaged over batches, weighted by their rows.

    Source: Nguyen, Raghu, Kornblith 2021 (minibatch CKA); Song et al. 2012.
    """
    same = right is None
    right = left if same else right
    sizes = [g.shape[1] for g in left]
    cross, across = _terms(left, right, sizes)
    aa, along_a = _self_terms(left, sizes)
    bb, along_b = (aa, along_a) if same else _self_terms(right, sizes)
    cka = _ratio(cross, aa, bb)
    deleted = _ratio(across, along_a, along_b)
    if same:
        index = np.arange(len(cka))
        varies = np.isfinite(cka[index, index])
        cka[index[varies], index[varies]] = 1.0
        deleted[:, index[varies], index[varies]] = 1.0
    low, high = bounded_interval(cka, jackknife_error(deleted, groups=groups))
    null = _shuffled(left, right, sizes, permutations, np.random.default_rng(seed))
    return Alignment(cka, deleted, low, high, _ratio(null, aa, bb))


def bounded_interval(value: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % interval inside [-1, 1] by Fisher's z; nothing known (nan error) gives all of it."""
    inside = np.clip(value, -1 + 1e-12, 1 - 1e-12)
    half = Z95 * error / (1 - inside**2)
    low, high = np.tanh(np.arctanh(inside) - half), np.tanh(np.arctanh(inside) + half)
    unknown = ~np.isfinite(error) & np.isfinite(value)
    low, high = np.where(unknown, -1.0, low), np.where(unknown, 1.0, high)
    certain = (np.abs(value) >= 1 - 1e-12) & (error <= 1e-9)
    return np.where(certain, value, low), np.where(certain, value, high)


def expected_biased_null(trace: np.ndarray, square: np.ndarray) -> np.ndarray:
    """Mean of the *biased* CKA over all shuffles of the rows, for all pairs of layers, times n - 1.

    Parameters
    ----------
    trace, square : (p,) from `u_centred_gram`.

    Returns
    -------
    (p, p): tr(K) tr(L) / (|K| |L|); divide by n - 1. It is the mean over permutations because
    doubly centred matrices have zero row sums.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = trace / np.sqrt(square)
    return np.outer(ratio, ratio)


def _hsic(products: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """HSIC (...) and its delete-one changes (n, ...) from row products (n, ...)."""
    total = products.sum(axis=0)
    whole = total / (n * (n - 3))
    if n < 5:
        return whole, np.full(products.shape, np.nan)
    without = (total - 2 * products * ((n - 2) / (n - 3))) / ((n - 1) * (n - 4))
    return whole, without - whole


def _gather(batches: list[np.ndarray], sizes: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Average HSIC over batches, and its value without each row, from row products."""
    n = sum(sizes)
    parts = [_hsic(products, size) for products, size in zip(batches, sizes, strict=True)]
    shares = [whole * (size / n) for (whole, _), size in zip(parts, sizes, strict=True)]
    mean = np.sum(shares, axis=0)
    changes = [change * (size / n) for (_, change), size in zip(parts, sizes, strict=True)]
    return mean, mean + np.concatenate(changes)


def _terms(
    left: list[np.ndarray], right: list[np.ndarray], sizes: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    products = [
        np.matmul(a.transpose(1, 0, 2), b.transpose(1, 2, 0)).astype(np.float64)
        for a, b in zip(left, right, strict=True)
    ]  # (n_b, p, q): row i's product for every pair of layers
    return _gather(products, sizes)


def _self_terms(side: list[np.ndarray], sizes: list[int]) -> tuple[np.ndarray, np.ndarray]:
    products = [np.einsum("pij,pij->ip", g, g).astype(np.float64) for g in side]
    return _gather(products, sizes)


def _ratio(cross: np.ndarray, aa: np.ndarray, bb: np.ndarray) -> np.ndarray:
    """Cross terms (..., p, q) over the geometric mean of the layers' own; nan where those are 0."""
    a, b = np.maximum(aa, 0)[..., :, None], np.maximum(bb, 0)[..., None, :]
    scale = np.sqrt(a) * np.sqrt(b)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip(np.where(scale > 0, cross / scale, np.nan), -1, 1)


def _shuffled(
    left: list[np.ndarray],
    right: list[np.ndarray],
    sizes: list[int],
    permutations: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Average HSIC (permutations, p, q) with the right side's rows shuffled within batches."""
    total = np.zeros((permutations, len(left[0]), len(right[0])))
    rows = sum(sizes)
    for a, b, n in zip(left, right, sizes, strict=True):
        i, j = np.triu_indices(n, 1)
        place = np.zeros((n, n), dtype=np.int32)
        place[i, j] = place[j, i] = np.arange(len(i), dtype=np.int32)
        upper_a = _pairs(a, i, j)
        upper_b = upper_a if b is a else _pairs(b, i, j)
        for number in range(permutations):
            order = rng.permutation(n)
            to = place[order[i], order[j]]
            products = np.zeros(total.shape[1:])
            for start in range(0, len(to), _PAIRS_AT_ONCE):
                block = slice(start, start + _PAIRS_AT_ONCE)
                products += upper_a[block].T @ upper_b[to[block]]
            total[number] += products * (2 / (n * (n - 3)) * n / rows)
    return total


def _pairs(grams: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Entries (i, j) of all layers' Gram matrices side by side, float32 (pairs, p): one pair is
    then one short read, where a shuffle would else jump through memory once per layer."""
    return np.ascontiguousarray(grams[:, i, j].T, dtype=np.float32)
