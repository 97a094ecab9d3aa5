"""Non-negative codes in a fixed dictionary: min |x - z D|^2 / 2 + penalty sum(z) over z >= 0."""

from functools import lru_cache

import numpy as np

EXACT_MOST = 1_000_000  # rows x directions up to which the active-set method is used
_CHUNK = 1024
_TOLERANCE, _SWEEPS = 1e-8, 2000


def nonnegative_codes(
    D: np.ndarray,
    X: np.ndarray,
    *,
    penalty: float = 0.0,
    exact: bool | None = None,
) -> np.ndarray:
    """Codes (N, k) >= 0 of rows X (N, d) in directions D (k, d), float64.

    `exact` solves each row by the active-set method; without it coordinates are updated in turn
    (HALS with D fixed) until no code moves by more than 1e-8 of the row's largest, or 2000
    times. Default: exact up to 1e6 codes; a penalty always takes HALS.

    Source: Lawson and Hanson 1974 (NNLS); Cichocki and Phan 2009 (HALS).
    """
    D, X = np.asarray(D, dtype=np.float64), np.asarray(X, dtype=np.float64)
    if exact is None:
        exact = penalty == 0 and len(X) * len(D) < EXACT_MOST
    if exact and penalty == 0:
        return _active_set(D, X)
    G, sweep = D @ D.T, _sweeper()
    out = np.zeros((len(X), len(D)))
    for start in range(0, len(X), _CHUNK):
        at = slice(start, start + _CHUNK)
        sweep(X[at] @ D.T - penalty, G, out[at], _TOLERANCE, _SWEEPS)
    return out


def _active_set(D: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Row by row; tall systems are first turned to k equations, which changes no solution."""
    from scipy.optimize import nnls

    A, B = D.T, X.T  # (d, k), (d, N)
    if A.shape[0] > A.shape[1]:
        Q, A = np.linalg.qr(A)
        B = Q.T @ B
    return np.array([nnls(A, b, maxiter=30 * A.shape[1])[0] for b in B.T])


@lru_cache(1)
def _sweeper():
    """The inner loop, compiled at its first use."""
    from numba import njit

    @njit(nogil=True)
    def sweep(B, G, Z, tolerance, most):  # B (n, k) inner products, G (k, k), Z (n, k) in place
        k = G.shape[0]
        for n in range(B.shape[0]):
            z, down = Z[n], B[n].copy()  # down = -gradient, kept up to date
            for _ in range(most):
                moved, largest = 0.0, 0.0
                for i in range(k):
                    if G[i, i] <= 0.0 or (z[i] == 0.0 and down[i] <= 0.0):
                        continue
                    new = max(0.0, z[i] + down[i] / G[i, i])
                    step = new - z[i]
                    if step != 0.0:
                        z[i] = new
                        for j in range(k):
                            down[j] -= step * G[i, j]
                        moved = max(moved, abs(step))
                    largest = max(largest, new)
                if moved <= tolerance * largest:
                    break

    return sweep
