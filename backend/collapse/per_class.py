"""How far each class has collapsed, and how far it stands from the others."""

from dataclasses import dataclass

import numpy as np

from backend.collapse.metrics import pair_variability, squared_distances
from backend.collapse.moments import Centre, Moments


@dataclass(frozen=True)
class PerClass:
    """One row for each class, (K,) each; NaN where class means are alike."""

    n: np.ndarray  # int64, rows
    within: np.ndarray  # mean squared distance to the class mean
    nearest: np.ndarray  # int64, the class whose mean is nearest
    distance: np.ndarray  # to that mean
    cdnv: np.ndarray  # mean over the other classes
    centre_error: np.ndarray  # share of rows that are nearer to another class mean
    head_error: np.ndarray  # share of rows that the head puts elsewhere; NaN without a head
    norm: np.ndarray  # length of the class mean, from the global mean
    norm_excess: np.ndarray  # norm / mean norm - 1


def per_class(moments: Moments, *, centre: Centre = "classes") -> PerClass:
    """The table of classes of one layer.

    The mean of `cdnv` over classes is CDNV. Shares are counts of n: an interval of a proportion
    goes with them.
    """
    M, counts = moments.coordinates(centre), moments.counts
    K = len(counts)
    D = squared_distances(M)
    others = np.where(np.eye(K, dtype=bool), np.inf, D)
    nearest = others.argmin(axis=1)
    pairs = pair_variability(moments.spread, D)
    pairs[np.arange(K), np.arange(K)] = 0.0
    norm = np.sqrt(np.square(M).sum(axis=1))
    mean = norm.mean()
    head_error = np.full(K, np.nan)
    if moments.head is not None:
        head_error = moments.head.wrong / counts
    return PerClass(
        n=counts, within=moments.spread, nearest=nearest,
        distance=np.sqrt(others[np.arange(K), nearest]), cdnv=pairs.sum(axis=1) / (K - 1),
        centre_error=moments.off_centre / counts, head_error=head_error, norm=norm,
        norm_excess=norm / mean - 1 if mean > 0 else np.full(K, np.nan),
    )  # fmt: skip
