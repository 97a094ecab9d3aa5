"""What the metrics need to know of features: counts, class means, and spread around them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from backend.errors import AnalysisError

Centre = Literal["classes", "samples"]


@dataclass(frozen=True)
class Moments:
    """Statistics of N features (N, d) of K classes; all in float64.

    `centred` holds the class means minus their unweighted mean. `basis` is an orthonormal basis
    of their span, rows by falling singular value, at most min(K - 1, d) of them: inside it lie
    all differences between class means, so all that NC1 and nearest centres ask of the features.
    """

    counts: np.ndarray  # (K,) int64
    means: np.ndarray  # (K, d)
    centred: np.ndarray  # (K, d)
    basis: np.ndarray  # (r, d)
    spread: np.ndarray  # (K,) mean squared distance to the class mean
    within: np.ndarray  # (r, r) basis Sigma_W basis', Sigma_W being the mean over all rows
    off_centre: np.ndarray  # (K,) int64, rows that are nearer to another class mean
    still_units: int  # units with one value on all rows, as of a dead ReLU
    head: "Head | None" = None

    @property
    def n(self) -> int:
        return int(self.counts.sum())

    @property
    def centre_weights(self) -> np.ndarray:
        """(K,) shares of the classes in the sample mean."""
        return self.counts / self.counts.sum()

    def coordinates(self, centre: Centre = "classes") -> np.ndarray:
        """(K, r) class means in the basis, minus the global mean."""
        inside = self.centred @ self.basis.T
        return inside - self.centre_weights @ inside if centre == "samples" else inside

    def around(self, centre: Centre = "classes") -> np.ndarray:
        """(K, d) class means minus the global mean."""
        M = self.centred
        return M - self.centre_weights @ M if centre == "samples" else M

    def global_mean(self, centre: Centre = "classes") -> np.ndarray:
        """(d,) mean of the class means, or of all rows."""
        return self.centre_weights @ self.means if centre == "samples" else self.means.mean(axis=0)


@dataclass(frozen=True)
class Head:
    """The last linear layer, logits W h + b, and how it decides."""

    weight: np.ndarray  # (K, d)
    bias: np.ndarray  # (K,)
    wrong: np.ndarray  # (K,) int64, rows of each class that it puts elsewhere
    disagree: np.ndarray  # (K,) int64, rows that it puts elsewhere than the nearest class mean


@dataclass(frozen=True)
class Rows:
    """What resampling needs of each row: N rows of a few numbers, around their class means.

    `tilt` is x' (I - P) Sigma_W basis', P the projector on the basis: how the noise of a class
    mean outside the span turns the span towards more or less spread.
    """

    labels: np.ndarray  # (N,) int64
    inside: np.ndarray  # (N, r) x' basis'
    squares: np.ndarray  # (N,) |x|^2
    tilt: np.ndarray  # (N, r)
    logits: np.ndarray | None  # (N, K) W x


def as_labels(labels: np.ndarray, n: int, n_classes: int) -> np.ndarray:
    """Labels (n,) as int64.

    Raises
    ------
    AnalysisError : they are not n integers from 0 to n_classes - 1.
    """
    if labels.dtype.kind not in "iu" or labels.shape != (n,):
        raise AnalysisError(
            f"Labels of type {labels.dtype} and shape {labels.shape} are not {n} class numbers.",
            "Give one integer for each row of the features, from 0.",
        )
    if n and not 0 <= labels.min() <= labels.max() < n_classes:
        bad = labels.min() if labels.min() < 0 else labels.max()
        raise AnalysisError(
            f"Label {bad} is not one of the {n_classes} classes.",
            f"Number the classes 0 to {n_classes - 1}, in the order of the head's rows.",
        )
    return labels.astype(np.int64, copy=False)


def as_head(
    weight: np.ndarray | None, bias: np.ndarray | None, n_classes: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Weight (K, d) and bias (K,) in float64; no bias counts as zeros.

    Raises
    ------
    AnalysisError : shapes disagree, a value is not finite, or there is a bias alone.
    """
    if weight is None:
        if bias is not None:
            raise AnalysisError("There is a head bias without weights.", "Give the weights too.")
        return None
    weight = np.asarray(weight, dtype=np.float64)
    bias = np.zeros(n_classes) if bias is None else np.asarray(bias, dtype=np.float64)
    if weight.ndim != 2 or len(weight) != n_classes or bias.shape != (n_classes,):
        raise AnalysisError(
            f"Head weights {weight.shape} and bias {bias.shape} do not fit {n_classes} classes.",
            "Give one row of weights and one bias for each class: (K, d) and (K,).",
        )
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise AnalysisError("The head holds NaN or infinite values.",
                            "Use a checkpoint from before training diverged.")  # fmt: skip
    return weight, bias


def check_counts(counts: np.ndarray) -> None:
    """Refuse classes without a variance.

    Raises
    ------
    AnalysisError : there are fewer than two classes, or a class has fewer than two rows.
    """
    if len(counts) < 2:
        raise AnalysisError(f"{len(counts)} class has no between-class spread.",
                            "Give two or more classes.")  # fmt: skip
    few = np.flatnonzero(counts < 2)
    if len(few):
        more = f" (and {len(few) - 1} more classes too)" if len(few) > 1 else ""
        raise AnalysisError(
            f"Class {few[0]} has {counts[few[0]]} row(s){more}: no variance within it.",
            "Give two or more rows of each class, or leave the class out and number the rest "
            "from 0.",
        )
