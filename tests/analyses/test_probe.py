import numpy as np
import pytest
from sklearn.linear_model import Ridge, RidgeClassifierCV
from sklearn.preprocessing import StandardScaler

from backend.analyses.probe import STRENGTHS, Target, factorise, probe, ridge, stratified_folds


def classes(values: np.ndarray) -> Target:
    names = tuple(f"c{i}" for i in range(values.max() + 1))
    return Target("label", values, np.ones(len(values), dtype=bool), names)


def numbers(values: np.ndarray) -> Target:
    return Target("score", values, np.ones(len(values), dtype=bool), ())


@pytest.mark.parametrize("d", [6, 60])
def test_separable_classes_are_read_and_their_shuffle_is_not(d):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 150)
    X = rng.standard_normal((150, d)) + 6 * np.eye(3, d)[y]
    score = probe(X, classes(y), seed=0)
    assert score.value > 0.95
    assert score.low < score.value <= score.high
    assert score.control < 0.5
    assert score.majority == pytest.approx(np.bincount(y).max() / 150)


def test_random_labels_are_read_at_chance():
    rng = np.random.default_rng(1)
    score = probe(rng.standard_normal((400, 20)), classes(rng.integers(0, 2, 400)), seed=0)
    assert score.low < 0.52
    assert abs(score.control - 0.5) < 0.1


@pytest.mark.parametrize("d", [8, 90])
def test_ridge_equals_scikit_learn_at_the_strength_that_it_chooses(d):
    rng = np.random.default_rng(2)
    X = rng.standard_normal((60, d)) * rng.uniform(0.1, 9, d) + 5
    y = (X[:, 0] > 5).astype(int) + (X[:, 1] > 5)
    X_test = X[:10] + 0.5
    scaler = StandardScaler().fit(X)
    theirs = RidgeClassifierCV(alphas=STRENGTHS * 60).fit(scaler.transform(X), y)
    Z, s2, Z_test = factorise(X, X_test)
    coded = np.where(np.eye(3)[y] > 0, 1.0, -1.0)
    ours = ridge(Z, s2, [coded, -coded], Z_test)
    assert np.allclose(ours[0], theirs.decision_function(scaler.transform(X_test)), atol=1e-8)
    assert np.allclose(ours[1], -ours[0])


def test_numbers_give_held_out_r2():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((300, 5))
    y = X @ np.arange(5) + rng.standard_normal(300)
    score = probe(X, numbers(y), seed=0)
    assert score.value == pytest.approx(30 / 31, abs=0.02)
    assert score.low < score.value < score.high
    assert score.control < 0.05
    assert score.majority == 0


def test_r2_interval_covers_the_value_of_a_fixed_relation():
    rng = np.random.default_rng(4)
    hits = 0
    for _ in range(60):
        X = rng.standard_normal((200, 1))
        score = probe(X, numbers(X[:, 0] + rng.standard_normal(200)), seed=0)
        hits += score.low <= 0.5 <= score.high
    assert hits >= 51


def test_scale_and_shift_of_features_do_not_matter_and_constants_do_no_harm():
    rng = np.random.default_rng(5)
    y = rng.integers(0, 2, 80)
    X = rng.standard_normal((80, 3)) + y[:, None]
    changed = np.c_[X * [1e3, 1e-3, 1] + 7, np.full(80, 0.1)]
    assert probe(changed, classes(y), seed=1) == probe(X, classes(y), seed=1)


def test_folds_are_even_in_size_and_class():
    y = np.repeat([0, 1, 2], [50, 25, 7])
    fold = stratified_folds(y, n=82, k=5, rng=np.random.default_rng(6))
    for label in range(3):
        counts = np.bincount(fold[y == label], minlength=5)
        assert np.ptp(counts) <= 1


def test_vectors_of_one_row_stay_together_so_that_a_memory_does_not_count():
    """Each row has its own direction: with its other vectors in training it would be known."""
    rng = np.random.default_rng(7)
    groups = np.repeat(np.arange(60), 6)
    y = rng.integers(0, 2, 60)[groups]
    X = 5 * rng.standard_normal((60, 80))[groups] + rng.standard_normal((360, 80))
    assert probe(X, classes(y), seed=0).value > 0.9
    together = probe(X, classes(y), seed=0, groups=groups)
    assert together.value < 0.75
    assert together.high - together.low > 0.2


def test_rows_without_a_value_are_left_out():
    rng = np.random.default_rng(8)
    y = rng.integers(0, 2, 100)
    X = rng.standard_normal((100, 2)) + 8 * np.eye(2)[y]
    known = np.arange(100) < 80
    target = Target("label", np.where(known, y, 0), known, ("a", "b"))
    assert probe(X, target, seed=0) == probe(X[:80], classes(y[:80]), seed=0)


def test_plain_ridge_at_one_strength_is_the_textbook_solution():
    rng = np.random.default_rng(9)
    X, y = rng.standard_normal((40, 3)), rng.standard_normal((40, 1))
    Z, s2, Z_test = factorise(X, X[:5])
    S = (X - X.mean(0)) / X.std(0)
    fits = [Ridge(alpha=a).fit(S, y).predict(S[:5]).ravel() for a in STRENGTHS * 40]
    ours = ridge(Z, s2, [y], Z_test)[0][:, 0]
    assert min(np.abs(ours - f).max() for f in fits) < 1e-8
