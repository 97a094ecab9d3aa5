"""Class means against the ideal simplex: angles, and the plane of three classes."""

from dataclasses import dataclass

import numpy as np

from backend.collapse.arrays import Array, library_of
from backend.collapse.metrics import cosine_excess
from backend.collapse.moments import Centre, Moments
from backend.errors import AnalysisError

CORNERS = np.array([[0.0, 1.0], [-(3**0.5) / 2, -0.5], [3**0.5 / 2, -0.5]])
"""(3, 2) corners of the ideal triangle, in the order of the three classes: top, left, right."""

_FLAT = 1e-7  # a triangle narrower than this share of its length has no plane


def angles(moments: Moments, *, centre: Centre = "classes") -> np.ndarray:
    """cos(m_k, m_k') + 1/(K - 1) of centred class means: 0 everywhere for a simplex, (K, K)."""
    M = moments.coordinates(centre)
    return cosine_excess(M @ M.T)


@dataclass(frozen=True)
class Plane:
    """The plane through the means of three classes, with the ideal triangle in a fixed place.

    A point h is at (h - origin) axes' / radius. Turned, mirrored and scaled as a whole, the three
    means lie as near to `CORNERS` as they can, so that a film over epochs does not spin; the
    scale is that of the means, so classes shrink towards the corners as they collapse.
    """

    classes: tuple[int, int, int]
    origin: np.ndarray  # (d,) mean of the three class means
    axes: np.ndarray  # (2, d) orthonormal
    radius: float  # length of the ideal triangle's corners, in units of the features
    misfit: float  # root mean square distance of the three means to CORNERS, 0..1
    weight_scale: float  # |M| / |W|: brings head rows to the size of centred class means

    def points(self, features: Array) -> np.ndarray:
        """(n, 2) places of features (n, d), numpy or torch, read in blocks."""
        library = library_of(features)
        size = max(1, library.values // features.shape[1])
        origin, axes = library.put(self.origin), library.put(self.axes.T / self.radius)
        out = np.empty((len(features), 2))
        for start in range(0, len(features), size):
            X = library.wide(features[start : start + size])
            X -= origin
            out[start : start + size] = library.get(X @ axes)
        return out

    def arrows(self, weight: np.ndarray) -> np.ndarray:
        """(K, 2) tips of head rows (K, d) drawn from the middle; at the class means under NC3.

        They are directions: no origin is taken off, and all are scaled by |M| / |W|.
        """
        scaled = np.asarray(weight, dtype=np.float64) * self.weight_scale
        return scaled @ self.axes.T / self.radius


def plane(moments: Moments, classes: tuple[int, int, int]) -> Plane:
    """The plane of three classes.

    Raises
    ------
    AnalysisError : they are not three classes, or their means lie on one line.

    Source: the orthogonal Procrustes problem (Schoenemann 1966), with a common scale.
    """
    K = len(moments.counts)
    if len(set(classes)) != 3 or not all(0 <= k < K for k in classes):
        raise AnalysisError(f"{classes} are not three of the {K} classes.",
                            f"Choose three different numbers from 0 to {K - 1}.")  # fmt: skip
    corners = moments.centred[list(classes)]
    middle = corners.mean(axis=0)
    U, sizes, axes = np.linalg.svd(corners - middle, full_matrices=False)
    if len(sizes) < 2 or sizes[1] <= _FLAT * sizes[0]:
        raise AnalysisError(f"The means of classes {classes} lie on one line.",
                            "Choose other classes, or a later epoch.")  # fmt: skip
    found = U[:, :2] * sizes[:2]  # (3, 2) in the plane's own axes
    left, strength, right = np.linalg.svd(found.T @ CORNERS)
    turn = left @ right  # found @ turn is nearest to CORNERS
    radius = float(np.square(found).sum() / strength.sum())
    misfit = np.sqrt(np.square(found @ turn / radius - CORNERS).sum(axis=1).mean())
    weight_scale = np.nan
    if moments.head is not None and moments.head.weight.any():
        size = np.linalg.norm(moments.head.weight)
        weight_scale = float(np.linalg.norm(moments.centred) / size)
    mean = moments.means.mean(axis=0) + middle
    return Plane(classes, mean, turn.T @ axes[:2], radius, float(misfit), weight_scale)
