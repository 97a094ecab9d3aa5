"""What can be read off a layer linearly: cross-validated ridge probes with a shuffled control.

One eigendecomposition per fold serves every strength of the ridge, every class, and the shuffled
labels; the strength is chosen by exact leave-one-out error inside the training rows.
"""

from dataclasses import dataclass

import numpy as np

from backend.analyses.intervals import Z95, mean_error, wilson
from backend.complexity.linear_probe import thin_factors

STRENGTHS = np.logspace(-3, 3, 7)  # times the number of rows, for features of variance 1
_CONTROLS = 3  # shuffles of the target; their mean is reported


@dataclass(frozen=True)
class Target:
    """What a probe should read: classes as integers 0..n_classes-1, or numbers."""

    name: str
    values: np.ndarray  # (n,) int64 classes or float64 numbers
    known: np.ndarray  # (n,) bool: where the metadata has a value
    classes: tuple[str, ...]  # empty for numbers

    @property
    def measure(self) -> str:
        return "accuracy" if self.classes else "R2"


@dataclass(frozen=True)
class Score:
    """Held-out accuracy or R2 with interval, shuffled control and the share of the largest class
    (for numbers 0: the R2 of always saying the mean)."""

    value: float
    low: float
    high: float
    control: float
    majority: float


def probe(
    X: np.ndarray, target: Target, *, seed: int, n_folds: int = 5, groups: np.ndarray | None = None
) -> Score:
    """Score of a linear probe on rows that it was not trained on.

    Parameters
    ----------
    X : (n, d) float; target : aligned with X; groups : labels (n,) of vectors from one data row,
        which stay in one fold.

    Returns
    -------
    Accuracy with Wilson's interval (n = data rows), or R2 with the linearised interval. The
    control is the mean score of the same pipeline on shuffled targets.

    Source: Alain and Bengio 2016 (probes); Hewitt and Liang 2019 (control task, here a shuffle).
    """
    keep = target.known
    X, values = np.asarray(X[keep], dtype=np.float64), target.values[keep]
    labels = None if groups is None else np.unique(groups[keep], return_inverse=True)[1]
    rng = np.random.default_rng(seed)
    fold = stratified_folds(
        values if target.classes else None, n=len(values), k=n_folds, rng=rng, groups=labels
    )
    sets = [values, *(values[_shuffle(rng, len(values), labels)] for _ in range(_CONTROLS))]
    said = _out_of_fold(X, sets, fold, n_classes=len(target.classes))
    units = len(values) if labels is None else int(labels.max()) + 1
    if target.classes:
        scores = [float((s == v).mean()) for s, v in zip(said, sets, strict=True)]
        low, high = wilson(scores[0] * units, units)
        majority = float(np.bincount(values).max() / len(values))
        return Score(scores[0], low, high, float(np.mean(scores[1:])), majority)
    results = [_r_squared(s, v, labels) for s, v in zip(said, sets, strict=True)]
    (value, error), controls = results[0], [r for r, _ in results[1:]]
    low, high = value - Z95 * error, min(1.0, value + Z95 * error)
    return Score(value, low, high, float(np.mean(controls)), 0.0)


def stratified_folds(
    classes: np.ndarray | None,
    *,
    n: int,
    k: int,
    rng: np.random.Generator,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Fold (n,) of each row, 0..k-1: equal in size, each class spread evenly over them."""
    if groups is not None:
        first = np.unique(groups, return_index=True)[1]
        of_group = stratified_folds(
            None if classes is None else classes[first], n=len(first), k=k, rng=rng
        )
        return of_group[groups]
    order = rng.permutation(n)
    if classes is not None:
        order = order[np.argsort(classes[order], kind="stable")]
    fold = np.empty(n, dtype=np.int64)
    fold[order] = np.arange(n) % k
    return fold


def _shuffle(rng: np.random.Generator, n: int, groups: np.ndarray | None) -> np.ndarray:
    """Places (n,) to take values from; vectors of one data row keep one common value."""
    if groups is None:
        return rng.permutation(n)
    first = np.unique(groups, return_index=True)[1]
    return first[rng.permutation(len(first))][groups]


def _out_of_fold(
    X: np.ndarray, sets: list[np.ndarray], fold: np.ndarray, *, n_classes: int
) -> list[np.ndarray]:
    """Predictions (n,) for each set of target values, from probes that did not see the row."""
    coded = [np.eye(n_classes)[v] if n_classes else v[:, None] for v in sets]
    said = [np.empty(v.shape) for v in coded]
    for held in np.unique(fold):
        test = fold == held
        Z, s2, Z_test = factorise(X[~test], X[test])
        predicted = ridge(Z, s2, [Y[~test] for Y in coded], Z_test)
        for out, values in zip(said, predicted, strict=True):
            out[test] = values
    return [out.argmax(axis=1) if n_classes else out[:, 0] for out in said]


def factorise(X: np.ndarray, X_test: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Principal scores of standardised training rows.

    Parameters
    ----------
    X : (n, d) training rows; X_test : (m, d), scaled by the training rows.

    Returns
    -------
    scores Z (n, r) with Z'Z diagonal, its diagonal s2 (r,), and the test rows' scores (m, r).
    """
    mean, scale = X.mean(axis=0), X.std(axis=0)
    scale = np.where(scale > 1e-7 * np.abs(mean), scale, np.inf)  # constant features count as 0
    X, X_test = (X - mean) / scale, (X_test - mean) / scale
    U, s, V = thin_factors(X)
    return U * s, s**2, X_test @ V


def ridge(
    Z: np.ndarray, s2: np.ndarray, sets: list[np.ndarray], Z_test: np.ndarray
) -> list[np.ndarray]:
    """Ridge predictions, the strength chosen by exact leave-one-out squared error.

    Parameters
    ----------
    Z, s2, Z_test : from `factorise`; sets : targets (n, c), each with its own strength for all its
        columns. The intercept is not penalised.

    Returns
    -------
    For each set the predictions (m, c).
    """
    n, count = len(Z), len(sets)
    Y = np.stack(sets, axis=1)  # (n, sets, c)
    mean = Y.mean(axis=0)
    centred = (Y - mean).reshape(n, -1)
    ZY, Z2 = Z.T @ centred, Z**2
    best, chosen = np.full(count, np.inf), np.zeros((len(s2), *mean.shape))
    for strength in STRENGTHS * n:
        weights = ZY / (s2 + strength)[:, None]
        leverage = Z2 @ (1 / (s2 + strength)) + 1 / n
        left_out = (centred - Z @ weights) / np.maximum(1 - leverage, 1e-12)[:, None]
        error = (left_out.reshape(n, count, -1) ** 2).sum(axis=(0, 2))
        better = error < best
        best = np.where(better, error, best)
        chosen[:, better] = weights.reshape(chosen.shape)[:, better]
    flat = chosen.reshape(len(s2), mean.size)
    predicted = (Z_test @ flat).reshape(-1, *mean.shape) + mean
    return [predicted[:, i] for i in range(count)]


def _r_squared(
    said: np.ndarray, values: np.ndarray, groups: np.ndarray | None
) -> tuple[float, float]:
    """R2 and its standard error as a ratio of means (delta method)."""
    residual, around = (values - said) ** 2, (values - values.mean()) ** 2
    ratio = residual.mean() / around.mean()
    influence = (residual - ratio * around) / around.mean()
    return 1 - float(ratio), float(mean_error(influence, groups=groups))
