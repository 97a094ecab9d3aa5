"""The multitask head: what it learns of simulated ratings, severity, and one criterion alone."""

import numpy as np
import pytest

from backend.errors import AnalysisError
from backend.rasch.component_score import hard_score, soft_score
from backend.rasch.multitask import Settings, fit_head, label_rows
from backend.rasch.partial_credit import probabilities

DIFFICULTIES = np.array([-0.8, 0.0, 0.8])
THRESHOLDS = [np.array([-0.8, 0.0, 0.8]), np.array([0.0]), np.array([-0.5, 0.5])]
CATEGORIES = (4, 2, 3)


def ratings(seed: int, *, n: int = 80, d: int = 8, n_raters: int = 10, each: int = 4):
    """X (n, d), true measures, severities, and ratings as codes (item, rater, criterion, x)."""
    rng = np.random.default_rng(seed)
    X, w = rng.normal(size=(n, d)), rng.normal(size=d)
    theta = 1.5 * X @ w / np.linalg.norm(w)
    severity = rng.normal(size=n_raters) * 0.9
    severity -= severity.mean()
    item = np.repeat(np.arange(n), each)
    rater = np.concatenate([rng.choice(n_raters, each, replace=False) for _ in range(n)])
    lines = []
    for c, (d_c, taus) in enumerate(zip(DIFFICULTIES, THRESHOLDS, strict=True)):
        P = probabilities(theta[item] - severity[rater], d_c + taus)
        x = (P.cumsum(axis=0) < rng.random(P.shape[1])).sum(axis=0)
        lines.append((item, rater, np.full(len(item), c), x))
    return X, theta, severity, [np.concatenate(column) for column in zip(*lines, strict=True)]


def made(seed: int, *, by_rater: bool):
    X, theta, severity, (item, rater, criterion, x) = ratings(seed)
    raters = {"rater": rater, "severities": severity} if by_rater else {}
    return X, theta, label_rows(item, criterion, x, categories=CATEGORIES, **raters)


def trained(X, rows, *, seed: int = 0, **given):
    known = np.arange(len(X)) < 60
    return fit_head(
        X, rows.of(known), settings=Settings(**given), seed=seed, groups=np.arange(len(X))
    )  # fmt: skip


def test_labels_are_counted_by_item_or_by_item_and_rater():
    item, rater = np.array([2, 2, 2, 0, 2]), np.array([1, 1, 0, 1, 1])
    criterion, x = np.array([0, 1, 0, 1, 0]), np.array([1, 2, 0, 0, 1])
    whole = label_rows(item, criterion, x, categories=(2, 3))
    assert whole.item.tolist() == [0, 2] and whole.severity.tolist() == [0, 0]
    assert whole.counts.tolist() == [[0, 0, 1, 0, 0], [1, 2, 0, 0, 1]]
    apart = label_rows(
        item, criterion, x, categories=(2, 3), rater=rater, severities=np.array([-0.5, 0.5])
    )
    assert apart.item.tolist() == [0, 2, 2] and apart.severity.tolist() == [0.5, -0.5, 0.5]
    assert apart.counts.tolist() == [[0, 0, 1, 0, 0], [1, 0, 0, 0, 0], [0, 2, 0, 0, 1]]
    kept = apart.of(np.array([False, False, True]))
    assert kept.item.tolist() == [2, 2]
    assert [part.shape for part in kept.split()] == [(2, 2), (2, 3)]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("loss", ["ordinal", "softmax"])
def test_the_score_of_unseen_items_is_predicted(loss, seed):
    X, theta, rows = made(seed, by_rater=True)
    head = trained(X, rows, loss=loss, severity=True)
    P = head.probabilities(X[60:])
    assert [p.shape for p in P] == [(20, c) for c in CATEGORIES]
    for p in P:
        assert (p > 0).all() and np.allclose(p.sum(axis=1), 1)
    soft = soft_score(P, DIFFICULTIES, THRESHOLDS)
    hard = hard_score(head.labels(X[60:]), DIFFICULTIES, THRESHOLDS)
    assert np.corrcoef(soft, theta[60:])[0, 1] > 0.8
    assert np.corrcoef(hard, theta[60:])[0, 1] > 0.7


def test_shuffled_vectors_teach_nothing():
    X, theta, rows = made(3, by_rater=False)
    turned = X[np.random.default_rng(0).permutation(len(X))]
    soft = soft_score(trained(turned, rows).probabilities(turned), DIFFICULTIES, THRESHOLDS)
    assert abs(np.corrcoef(soft[60:], theta[60:])[0, 1]) < 0.5


def test_a_stricter_rater_is_predicted_to_give_less():
    X, _, rows = made(4, by_rater=True)
    head = trained(X, rows, severity=True)
    scores = [soft_score(head.probabilities(X, s), DIFFICULTIES, THRESHOLDS) for s in (-1, 0, 1)]
    assert (scores[0] > scores[1]).all() and (scores[1] > scores[2]).all()
    assert -1.6 < np.mean(scores[2] - scores[0]) / 2 < -0.5
    per_row = head.probabilities(X, np.linspace(-1, 1, len(X)))
    assert np.allclose(per_row[0][0], head.probabilities(X, -1.0)[0][0])


def test_without_the_input_severity_changes_nothing():
    X, _, rows = made(4, by_rater=True)
    head = trained(X, rows)
    same = [head.probabilities(X, s) for s in (-2.0, 2.0)]
    assert all(np.array_equal(a, b) for a, b in zip(*same, strict=True))


def test_one_criterion_is_one_ordinal_head():
    X, theta, _, (item, _, criterion, x) = ratings(5)
    own = criterion == 0
    rows = label_rows(item[own], criterion[own], x[own], categories=(4,))
    head = trained(X, rows)
    [P] = head.probabilities(X[60:])
    soft = soft_score([P], DIFFICULTIES[:1], THRESHOLDS[:1])
    assert P.shape == (20, 4) and np.corrcoef(soft, theta[60:])[0, 1] > 0.8
    assert head.labels(X).shape == (80, 1)


def test_the_seed_fixes_everything_and_the_scale_of_a_feature_nothing():
    X, _, rows = made(6, by_rater=False)
    first, again = (trained(X, rows, seed=1).probabilities(X) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    other = trained(X, rows, seed=2).probabilities(X)
    assert not np.array_equal(first[0], other[0])
    moved = X * np.arange(1, 9) * 100 - 7
    same = trained(moved, rows, seed=1).probabilities(moved)
    assert np.allclose(first[0], same[0], atol=1e-3)


def test_a_constant_feature_and_gaps_do_no_harm():
    X, _, _, (item, _, criterion, x) = ratings(7)
    X[:, 3] = 5.0
    seen = (item % 3 != 0) | (criterion != 1)  # every third item has no label of criterion 1
    rows = label_rows(item[seen], criterion[seen], x[seen], categories=CATEGORIES)
    assert rows.counts[0, 4:6].tolist() == [0, 0]
    assert all(np.isfinite(p).all() for p in trained(X, rows).probabilities(X))


def test_too_few_items_are_refused():
    X, _, rows = made(0, by_rater=False)
    with pytest.raises(AnalysisError, match="9 items are too few to train on"):
        fit_head(
            X, rows.of(np.arange(80) < 9), settings=Settings(), seed=0, groups=np.arange(80)
        )  # fmt: skip
