"""Linear probes of one layer: one factorisation serves every target and every ridge strength.

With standardised fit rows A = U diag(s) V' the fitted values at strength a are U diag(g) U'Y with
g = s^2 / (s^2 + a n), so a target costs one product U'Y and a strength only the r numbers g.
"""

from dataclasses import dataclass

import numpy as np

ROUNDING = 1e-12  # a variance below this share of the mean square is float32 rounding
_NOISE = 1e-12  # smaller eigenvalues, relative to the largest, are rounding


@dataclass(frozen=True)
class Factors:
    """Standardised fit rows (n, d) as U diag(s) V', with r directions; r = 0 if none varies."""

    n: int
    centre: np.ndarray  # (d,) of the columns that vary
    scale: np.ndarray  # (d,)
    columns: np.ndarray  # (d,) which columns vary
    U: np.ndarray  # (n, r)
    s: np.ndarray  # (r,) ascending
    V: np.ndarray  # (d, r)

    def scores(self, X: np.ndarray) -> np.ndarray:
        """Other rows (m, all columns) along the directions, divided by s: (m, r).

        For the fit rows themselves this is U.
        """
        A = (X[:, self.columns].astype(np.float64) - self.centre) / self.scale
        return A @ self.V / self.s

    def shrinkage(self, alphas: np.ndarray) -> np.ndarray:
        """g (a, r) of strengths (a,), each a multiple of the n fit rows."""
        squares = self.s**2
        return squares / (squares + np.asarray(alphas, float)[:, None] * self.n)


def factorise(X: np.ndarray) -> Factors:
    """Factors of fit rows X (n, d) in float64, from the eigenvectors of the smaller Gram matrix.

    Columns are centred and scaled to unit variance; those that do not vary are left out.

    Source: Hoerl and Kennard 1970.
    """
    A = np.array(X, dtype=np.float64)
    mean, variance = A.mean(axis=0), A.var(axis=0)
    columns = np.flatnonzero(variance > ROUNDING * (variance + mean**2))
    if len(columns) < A.shape[1]:
        A = A[:, columns]
    centre, scale = mean[columns], np.sqrt(variance[columns])
    A -= centre
    A /= scale
    return Factors(len(A), centre, scale, columns, *thin_factors(A))


def thin_factors(A: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A (n, d) float64 as U (n, r) diag(s) V' (r, d), s (r,) ascending; r = 0 if all are zero.

    From the eigenvectors of the smaller Gram matrix; squares below 1e-12 of the largest are left
    out as rounding. For n < d that is the dual form of a ridge regression on A.

    Source: Saunders, Gammerman, Vovk 1998 (dual form).
    """
    from scipy.linalg import eigh

    n, d = A.shape
    values, vectors = eigh(A.T @ A if d <= n else A @ A.T) if d else (np.zeros(0), np.zeros((0, 0)))
    keep = values > _NOISE * values.max(initial=0)
    s, vectors = np.sqrt(values[keep]), vectors[:, keep]
    return (A @ vectors / s, s, vectors) if d <= n else (vectors, s, A.T @ vectors / s)


@dataclass
class Choice:
    """Squared errors on validation rows, gathered over chunks of targets; T (m, r) are scores.

    Summed over targets the errors at strength g are |Y|^2 - 2 g.diag(P Y'T) + g'(T'T * P P')g
    with P = U'Y, so no predictions are made.
    """

    T: np.ndarray
    total: float = 0.0
    along: np.ndarray | float = 0.0  # (r,)
    outer: np.ndarray | float = 0.0  # (r, r)

    def add(self, P: np.ndarray, Y: np.ndarray) -> None:
        """Count targets with projections P (r, c) and validation values Y (m, c)."""
        self.total += float(np.einsum("ij,ij->", Y, Y))
        self.along = self.along + np.einsum("rc,rc->r", P, self.T.T @ Y)
        self.outer = self.outer + P @ P.T

    def errors(self, shrinkage: np.ndarray) -> np.ndarray:
        """Sums of squared errors (a,) at shrinkages (a, r)."""
        around = (self.T.T @ self.T) * self.outer
        linear = shrinkage @ np.asarray(self.along)
        return self.total - 2 * linear + np.einsum("ar,ar->a", shrinkage @ around, shrinkage)


def target_errors(T: np.ndarray, shrinkage: np.ndarray, P: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Sums of squared errors (a, c) of every target at every strength, by predicting."""
    out = np.empty((len(shrinkage), Y.shape[1]))
    for row, g in zip(out, shrinkage, strict=True):
        miss = (T * g) @ P
        miss -= Y
        np.einsum("ij,ij->j", miss, miss, out=row)
    return out


def fit_errors(g: np.ndarray, P: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Sums of squared errors (c,) on the fit rows, whose targets have sums of `squares` (c,).

    g is (r,), or (r, c) with a strength for each target.
    """
    kept = 2 * g - g**2
    explained = kept @ P**2 if g.ndim == 1 else np.einsum("rc,rc->c", kept, P**2)
    return np.maximum(squares - explained, 0)
