"""Debiased CKA against the four-fold sum that defines it, its invariances, and its interval."""

from itertools import permutations

import numpy as np
import pytest

from backend.analyses.cka import align, bounded_interval, expected_biased_null, u_centred_gram


def grams(*layers: np.ndarray) -> list[np.ndarray]:
    return [np.stack([u_centred_gram(X)[0] for X in layers])]


def hsic_by_definition(X: np.ndarray, Y: np.ndarray) -> float:
    """Unbiased HSIC as the mean over all ordered quadruples of different rows, O(n^4)."""
    K, L = X @ X.T, Y @ Y.T
    terms = [
        K[i, j] * (L[i, j] + L[q, r] - 2 * L[i, q]) for i, j, q, r in permutations(range(len(X)), 4)
    ]
    return float(np.mean(terms))


def hsic_by_formula(X: np.ndarray, Y: np.ndarray) -> float:
    """Song et al. 2012, the closed formula, written out."""
    n = len(X)
    K, L = X @ X.T, Y @ Y.T
    np.fill_diagonal(K, 0)
    np.fill_diagonal(L, 0)
    one = np.ones(n)
    return (
        np.trace(K @ L)
        + (one @ K @ one) * (one @ L @ one) / ((n - 1) * (n - 2))
        - 2 / (n - 2) * (one @ K @ L @ one)
    ) / (n * (n - 3))


def cka_by(hsic, X: np.ndarray, Y: np.ndarray) -> float:
    return hsic(X, Y) / np.sqrt(hsic(X, X) * hsic(Y, Y))


def biased_cka(X: np.ndarray, Y: np.ndarray) -> float:
    """The feature-space form of Kornblith et al. 2019."""
    X, Y = X - X.mean(0), Y - Y.mean(0)
    return np.linalg.norm(X.T @ Y) ** 2 / (np.linalg.norm(X.T @ X) * np.linalg.norm(Y.T @ Y))


def related(rng: np.random.Generator, n: int, d: int = 5) -> tuple[np.ndarray, np.ndarray]:
    X = rng.standard_normal((n, d)) * np.arange(1, d + 1)
    return X, X @ rng.standard_normal((d, 7)) + 2 * rng.standard_normal((n, 7)) + 3


def test_equals_the_sum_over_quadruples_that_defines_it():
    X, Y = related(np.random.default_rng(0), 8)
    assert align(grams(X, Y)).cka[0, 1] == pytest.approx(cka_by(hsic_by_definition, X, Y), rel=1e-9)


def test_equals_the_closed_formula_and_is_unbiased_where_the_plain_form_is_not():
    rng = np.random.default_rng(1)
    X, Y = related(rng, 40)
    assert align(grams(X, Y)).cka[0, 1] == pytest.approx(cka_by(hsic_by_formula, X, Y), rel=1e-9)
    A, B = rng.standard_normal((40, 400)), rng.standard_normal((40, 400))
    assert biased_cka(A, B) > 0.8
    assert abs(align(grams(A, B)).cka[0, 1]) < 0.1


def test_many_rows_give_the_plain_form():
    X, Y = related(np.random.default_rng(2), 1200)
    found = align(grams(X, Y), permutations=1)
    assert found.cka[0, 1] == pytest.approx(biased_cka(X, Y), abs=3e-3)


def test_invariant_to_rotation_shift_and_scale_but_not_to_linear_maps():
    rng = np.random.default_rng(3)
    X, Y = related(rng, 60)
    Q = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    plain = align(grams(X, Y)).cka[0, 1]
    assert align(grams(7 * X @ Q + 50, Y)).cka[0, 1] == pytest.approx(plain, rel=1e-9)
    assert abs(align(grams(X @ np.diag([9, 1, 1, 1, 0.1]), Y)).cka[0, 1] - plain) > 0.05


def test_two_models_give_the_same_numbers_as_one_model_with_all_layers():
    X, Y = related(np.random.default_rng(4), 50)
    both, apart = align(grams(X, Y)), align(grams(X), grams(Y))
    for name in ("cka", "low", "high"):
        assert getattr(apart, name)[0, 0] == pytest.approx(getattr(both, name)[0, 1], abs=1e-12)


def test_diagonal_is_exactly_one_and_a_constant_layer_is_undefined():
    X, Y = related(np.random.default_rng(5), 30)
    constant = np.full((30, 4), np.float32(0.1))
    found = align(grams(X, constant, Y))
    assert found.cka[0, 0] == found.low[0, 0] == found.high[0, 0] == 1.0
    assert np.isnan(found.cka[1]).all()
    assert np.isnan(found.cka[:, 1]).all()
    assert np.isfinite(found.cka[0, 2])


def test_closed_jackknife_equals_leaving_rows_out():
    X, Y = related(np.random.default_rng(6), 20)
    deleted = align(grams(X, Y)).deleted[:, 0, 1]
    for row in (0, 7, 19):
        keep = np.arange(20) != row
        assert deleted[row] == pytest.approx(cka_by(hsic_by_formula, X[keep], Y[keep]), rel=1e-9)


def test_batches_average_hsic_not_ratios():
    X, Y = related(np.random.default_rng(7), 40)
    parts = np.array_split(np.arange(40), 2)
    batches = [np.stack([u_centred_gram(Z[p])[0] for Z in (X, Y)]) for p in parts]

    def mean(A, B):
        return np.mean([hsic_by_formula(A[p], B[p]) for p in parts])

    expected = mean(X, Y) / np.sqrt(mean(X, X) * mean(Y, Y))
    found = align(batches)
    assert found.cka[0, 1] == pytest.approx(expected, rel=1e-9)
    assert found.cka[0, 0] == 1.0


@pytest.mark.parametrize("noise", [1.0, 4.0])
def test_interval_covers_the_true_value_about_as_often_as_it_says(noise):
    """The population value follows from the covariances of a Gaussian model."""
    rng = np.random.default_rng(8)
    scale, W = np.array([3.0, 2.0, 1.0, 1.0]), rng.standard_normal((4, 6))
    Sxx = np.diag(scale**2)
    Sxy, Syy = Sxx @ W, W.T @ Sxx @ W + noise**2 * np.eye(6)
    true = np.linalg.norm(Sxy) ** 2 / (np.linalg.norm(Sxx) * np.linalg.norm(Syy))
    hits, values = 0, []
    for _ in range(300):
        X = rng.standard_normal((60, 4)) * scale
        Y = X @ W + noise * rng.standard_normal((60, 6))
        found = align(grams(X, Y), permutations=1)
        hits += found.low[0, 1] <= true <= found.high[0, 1]
        values.append(found.cka[0, 1])
    assert 0.90 <= hits / 300 <= 0.985
    assert np.mean(values) == pytest.approx(true, abs=0.02)


def test_intervals_of_grouped_rows_are_wider():
    """Every row three times over, with a little noise: a third of the information."""
    rng = np.random.default_rng(9)
    X, Y = related(rng, 40)
    groups = np.repeat(np.arange(40), 3)
    X3, Y3 = (Z[groups] + 0.01 * rng.standard_normal((120, Z.shape[1])) for Z in (X, Y))
    naive, grouped = align(grams(X3, Y3)), align(grams(X3, Y3), groups=groups)
    wide = (grouped.high - grouped.low)[0, 1]
    assert wide > 1.5 * (naive.high - naive.low)[0, 1]


def test_null_is_centred_on_zero_and_covers_unrelated_layers():
    rng = np.random.default_rng(10)
    A, B = rng.standard_normal((50, 30)), rng.standard_normal((50, 20))
    found = align(grams(A), grams(B), permutations=200)
    assert abs(found.null.mean()) < 0.01
    below = []
    for _ in range(100):
        A, B = rng.standard_normal((30, 10)), rng.standard_normal((30, 8))
        one = align(grams(A), grams(B), permutations=40, seed=3)
        below.append(one.cka[0, 0] <= np.quantile(one.null[:, 0, 0], 0.95))
    assert 0.87 <= np.mean(below) <= 0.99


def test_expected_biased_null_is_the_mean_over_shuffles():
    rng = np.random.default_rng(11)
    A, B = rng.standard_normal((25, 40)), rng.standard_normal((25, 60))
    parts = [u_centred_gram(X)[1:] for X in (A, B)]
    trace, square = np.array(parts).T
    expected = expected_biased_null(trace, square)[0, 1] / 24
    shuffled = np.mean([biased_cka(A, B[rng.permutation(25)]) for _ in range(500)])
    assert expected == pytest.approx(shuffled, rel=0.02)


def test_interval_stays_inside_and_says_nothing_when_nothing_is_known():
    low, high = bounded_interval(np.array([0.99, 0.5]), np.array([0.3, np.nan]))
    assert -1 <= low[0] < 0.99 < high[0] <= 1
    assert (low[1], high[1]) == (-1, 1)


def test_four_rows_give_a_number_without_an_interval_and_three_are_refused():
    X, Y = related(np.random.default_rng(12), 4)
    found = align(grams(X, Y))
    assert found.cka[0, 1] == pytest.approx(cka_by(hsic_by_definition, X, Y), rel=1e-9)
    assert (found.low[0, 1], found.high[0, 1]) == (-1, 1)
    with pytest.raises(ValueError, match="at least 4 rows, got 3"):
        u_centred_gram(X[:3])
