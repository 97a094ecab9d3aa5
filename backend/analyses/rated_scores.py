"""Scores of held-out items, predicted from vectors: by the multitask head and by ridge."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from backend.analyses.probe import factorise, ridge
from backend.analyses.rated_items import Items
from backend.rasch.component_score import hard_score, points, soft_score
from backend.rasch.multitask import Head, LabelRows, Settings, fit_head, label_rows

RESAMPLES = 1000
STRICT = (-1.0, 0.0, 1.0)  # severities at which held-out items are scored


@dataclass(frozen=True)
class Direct:
    """Ridge predictions of held-out items, logits (n,)."""

    measure: np.ndarray  # trained on debiased measures
    raw: np.ndarray  # trained on raw means, put on the ruler as if nobody were harsh
    share: np.ndarray  # the same as a share of the points
    control: np.ndarray  # trained on measures dealt to the wrong items


@dataclass(frozen=True)
class Predicted:
    """What the multitask head says of held-out items."""

    soft: np.ndarray  # (n,) logits
    hard: np.ndarray
    expected: np.ndarray  # (n, L) points at severity 0
    at_severity: np.ndarray  # (n, 3) soft scores at -1, 0, 1; equal where severity is no input
    rows: LabelRows  # held-out labels
    row_expected: np.ndarray  # (rows, L) points, at the severity of each row's rater
    epochs: tuple[int, ...]


def ridge_scores(X: np.ndarray, items: Items, *, seed: int) -> Direct:
    """Direct regression on the same folds; strengths by leave-one-out inside the training items.

    Source: Hoerl and Kennard 1970.
    """
    dealt = np.random.default_rng(seed).permutation(items.n)
    out = np.empty((items.n, 3))
    for fold in items.folds:
        train = ~fold.held
        known = np.where(train, fold.measures, np.nanmean(fold.measures))
        sets = [v[train][:, None] for v in (known, items.raw, known[dealt])]
        Z, s2, Z_test = factorise(X[train].astype(np.float64), X[fold.held].astype(np.float64))
        out[fold.held] = np.concatenate(ridge(Z, s2, sets, Z_test), axis=1)
    measure, share, control = out.T
    return Direct(measure, items.ruler.measure_of_share(share), share, control)


def head_scores(
    X: np.ndarray, items: Items, *, settings: Settings, seed: int, tell: Callable[[int], None]
) -> Predicted:
    """Train the head on each fold's other items, and score the items held out.

    Raters keep apart only where severity is an input; their severities then come from the
    training items' ratings alone. A rater without any there counts as severity 0.
    """
    ruler, (rows, own) = items.ruler, items.ratings()
    codes = (own, ruler.criterion[rows], ruler.x[rows])
    raters = {"rater": ruler.rater[rows]} if settings.severity else {}
    soft, hard = np.empty(items.n), np.empty(items.n)
    expected, at = np.empty((items.n, len(ruler.criteria))), np.empty((items.n, len(STRICT)))
    epochs, parts, row_parts = [], [], []
    for number, fold in enumerate(items.folds):
        tell(number)
        if settings.severity:
            raters["severities"] = np.nan_to_num(fold.severities)
        labels = label_rows(*codes, categories=ruler.categories, **raters)
        head = fit_head(
            X, labels.of(~fold.held), settings=settings, seed=seed + number, groups=items.groups
        )  # fmt: skip
        held = X[fold.held]
        probabilities = head.probabilities(held)
        expected[fold.held] = points(probabilities)
        soft[fold.held] = _score(probabilities, items)
        hard[fold.held] = hard_score(head.labels(held), ruler.difficulties, ruler.thresholds)
        at[fold.held] = _at_severities(head, held, items)
        test = labels.of(fold.held)
        parts.append(test)
        row_parts.append(points(head.probabilities(X[test.item], test.severity)))
        epochs.append(head.epochs)
    return Predicted(
        soft, hard, expected, at, _joined(parts), np.concatenate(row_parts), tuple(epochs)
    )  # fmt: skip


def _score(probabilities: list[np.ndarray], items: Items) -> np.ndarray:
    ruler = items.ruler
    return soft_score(probabilities, ruler.difficulties, ruler.thresholds, inward=ruler.inward)


def _at_severities(head: Head, X: np.ndarray, items: Items) -> np.ndarray:
    return np.stack([_score(head.probabilities(X, s), items) for s in STRICT], axis=1)


def _joined(parts: list[LabelRows]) -> LabelRows:
    columns = {
        name: np.concatenate([getattr(p, name) for p in parts])
        for name in ("item", "severity", "counts")
    }
    return replace(parts[0], **columns)


@dataclass(frozen=True)
class Agreement:
    """How well predictions fit: Pearson's r with 95 % interval, errors in the truth's unit."""

    r: float
    low: float
    high: float
    rmse: float
    mae: float
    draws: np.ndarray  # r in each resample, paired over all predictions of one `Resamples`


class Resamples:
    """Bootstrap resamples of items; items of one group are drawn together (Efron 1979)."""

    def __init__(self, groups: np.ndarray, *, seed: int):
        self.groups = np.unique(groups, return_inverse=True)[1]
        n = int(self.groups.max()) + 1
        rng = np.random.default_rng(seed)
        drawn = (np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(RESAMPLES))
        self.weights = np.stack([d.astype(np.float32) for d in drawn])

    def agreement(self, predicted: np.ndarray, truth: np.ndarray) -> Agreement:
        """r, RMSE and MAE of predictions (n,); r is NaN where either does not vary."""
        x, y = predicted - predicted.mean(), truth - truth.mean()
        terms = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)
        sums = np.zeros((self.weights.shape[1], terms.shape[1]))
        np.add.at(sums, self.groups, terms)
        draws = _correlation(self.weights.astype(np.float64) @ sums)
        r = float(_correlation(sums.sum(axis=0, keepdims=True))[0])
        low, high = interval(draws)
        apart = predicted - truth
        rmse = float(np.sqrt((apart**2).mean()))
        return Agreement(r, low, high, rmse, float(np.abs(apart).mean()), draws)

    def explained(self, predicted: np.ndarray, truth: np.ndarray) -> tuple[float, float, float]:
        """1 - sum (truth - predicted)^2 / sum truth^2 with its 95 % interval, values (n,)."""
        sums = np.zeros((self.weights.shape[1], 2))
        np.add.at(sums, self.groups, np.stack([(truth - predicted) ** 2, truth**2], axis=1))
        if not sums[:, 1].any():
            return float("nan"), float("nan"), float("nan")
        left, whole = (self.weights.astype(np.float64) @ sums).T
        low, high = interval(1 - left / whole)
        return float(1 - sums[:, 0].sum() / sums[:, 1].sum()), low, high


def interval(draws: np.ndarray) -> tuple[float, float]:
    """2.5 and 97.5 % points of bootstrap draws; NaN where some are not defined."""
    if not np.isfinite(draws).all():
        return float("nan"), float("nan")
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(low), float(high)


def _correlation(sums: np.ndarray) -> np.ndarray:
    """Pearson's r from sums (k, 6) of 1, x, y, xx, yy, xy; NaN where there is no variance."""
    n, x, y, xx, yy, xy = sums.T
    vx, vy = xx / n - (x / n) ** 2, yy / n - (y / n) ** 2
    varies = (vx > 1e-12 * (1 + xx / n)) & (vy > 1e-12 * (1 + yy / n))
    scale = np.sqrt(np.where(varies, vx * vy, 1.0))
    return np.where(varies, (xy / n - x * y / n**2) / scale, np.nan)
