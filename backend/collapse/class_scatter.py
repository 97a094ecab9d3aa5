"""What the tethered model needs to know of a layer: the classes' means and all samples' scatter.

Its minimiser moves all deviations from class means by one matrix, so it depends on the N samples
only through these. In the scatter's own axes the scatter is diagonal, and a step costs K^2 d.
"""

from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from backend.collapse.metrics import DROP
from backend.errors import AnalysisError

_NO_AXIS = 1e-12  # share of the largest second moment, below which an axis has no features
_FLAT = 1e-7  # share of the features' size, below which class means do not differ


@dataclass(frozen=True)
class Scatter:
    """Of features (N, d) in K classes, in their r principal axes around the origin."""

    shares: np.ndarray  # (K,) of the samples
    means: np.ndarray  # (K, r)
    second: np.ndarray  # (r,) mean square along each axis
    within: float  # tr(Sigma_W), over all samples
    n: int  # samples

    @property
    def nc1_ratio(self) -> float:
        """NC1~ = tr(Sigma_W) / tr(Sigma_B); each class counts once in Sigma_B."""
        return ratio(self.within, self.means)

    @property
    def nc1(self) -> float:
        """NC1 = tr(Sigma_W Sigma_B^+) / K."""
        axes, sizes = span(self.means)
        return float((self.within_along(axes) / sizes**2).sum())

    def within_along(self, axes: np.ndarray) -> np.ndarray:
        """a Sigma_W a^T for each row a of axes (m, r): (m,)."""
        return axes**2 @ self.second - (axes @ self.means.T) ** 2 @ self.shares

    def scaled(self, squared_norm: float) -> "Scatter":
        """The same features on the scale where their mean squared norm is `squared_norm`."""
        factor = squared_norm / float(self.second.sum())
        return replace(
            self, means=sqrt(factor) * self.means, second=factor * self.second,
            within=factor * self.within,
        )  # fmt: skip


def scatter_of(features: np.ndarray, labels: np.ndarray) -> Scatter:
    """Means and scatter of features (N, d) with labels (N,), in float64.

    Classes may be of unequal size.

    Raises
    ------
    AnalysisError : fewer than 2 classes, a class with fewer than 2 samples, lengths that differ,
        features that are not finite, or class means that are all equal.
    """
    X = np.asarray(features, dtype=np.float64)
    _check(X, labels)
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    order = np.argsort(codes, kind="stable")
    if len(X) < X.shape[1]:
        X = np.linalg.qr(X.T, mode="r").T  # the same samples, in axes of the space they span
    X, starts = X[order], np.concatenate([[0], np.cumsum(counts)[:-1]])
    means = np.add.reduceat(X, starts) / counts[:, None]
    shares = counts / len(X)
    off = X - np.repeat(means, counts, axis=0)
    scatter = off.T @ off / len(X) + (means.T * shares) @ means
    apart = means - means.mean(axis=0)
    if (apart**2).sum() <= _FLAT**2 * np.trace(scatter):
        raise AnalysisError("All class means are equal.", "Choose a layer where classes differ.")
    second, axes = np.linalg.eigh(scatter)
    kept = second > _NO_AXIS * second[-1]
    within = float(np.vecdot(off, off).mean())
    return Scatter(shares, means @ axes[:, kept], second[kept], within, len(X))


def ratio(within: float, means: np.ndarray) -> float:
    """tr(Sigma_W) / tr(Sigma_B) from the trace and the class means (K, r)."""
    return within / float(((means - means.mean(axis=0)) ** 2).sum(axis=1).mean())


def span(means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Axes (m, r) and sizes (m,) of the centred class means: their singular vectors and values."""
    _, sizes, axes = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)
    kept = sizes > DROP * sizes[0]
    return axes[kept], sizes[kept]


def _check(X: np.ndarray, labels: np.ndarray) -> None:
    if X.ndim != 2 or len(X) != len(labels):
        raise AnalysisError(f"Features of shape {X.shape} do not go with {len(labels)} labels.",
                            "Give one row of features for each label.")  # fmt: skip
    names, counts = np.unique(labels, return_counts=True)
    if len(names) < 2:
        raise AnalysisError(f"There is {len(names)} class.", "Give two classes or more.")
    if counts.min() < 2:
        raise AnalysisError(f"Class {names[counts.argmin()]} has 1 sample.",
                            "Give at least two of each class.")  # fmt: skip
    if not np.isfinite(X).all():
        raise AnalysisError("Some features are not finite.", "Leave those rows out.")
