"""Hoyer, frequency, CKA, redundancy, sensitivity, top rows: closed forms and invariances."""

import numpy as np
import pytest

from backend.complexity.measures import (
    frequency,
    hoyer,
    linear_cka,
    redundancy,
    sensitivity,
    top_rows,
)
from backend.errors import AnalysisError


def test_hoyer_of_one_neuron_is_one_and_of_all_alike_zero():
    D = np.array([[0, 0, 3.0, 0], [2, 2, 2, 2], [-1, 1, -1, 1], [1, 1, 0, 0], [0, 0, 0, 0]])
    got = hoyer(D)
    assert got[:4] == pytest.approx([1, 0, 0, 2 - np.sqrt(2)])
    assert np.isnan(got[4])
    assert hoyer(7 * D[:4]) == pytest.approx(got[:4])
    assert np.isnan(hoyer(np.ones((2, 1)))).all()


def test_frequency_counts_rows_that_are_not_zero():
    assert frequency(np.array([[0, 1.0], [2, 3], [0, -1], [0, 4]])).tolist() == [0.25, 1.0]


def test_cka_of_a_feature_with_itself_is_one_and_with_what_is_orthogonal_zero():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(50, 1))
    assert linear_cka(z, z) == pytest.approx([1])
    assert linear_cka(z, -4 * z + 9) == pytest.approx([1])
    A = rng.normal(size=(50, 3))
    A -= A.mean(axis=0)
    z -= z.mean()
    z -= A @ np.linalg.lstsq(A, z, rcond=None)[0]
    assert linear_cka(A, z) == pytest.approx([0], abs=1e-12)


@pytest.mark.parametrize("d", [6, 80])  # the second has more columns than rows
def test_cka_is_invariant_to_rotation_scale_and_shift_and_equals_the_definition(d: int):
    rng = np.random.default_rng(1)
    A, Z = rng.normal(size=(40, d)), rng.normal(size=(40, 5))
    Z[:, 0] += A[:, 0]
    got = linear_cka(A, Z)
    Q = np.linalg.qr(rng.normal(size=(d, d)))[0]
    assert linear_cka(3 * A @ Q + 1, 2 * Z - 5) == pytest.approx(got)
    H = np.eye(40) - 1 / 40
    K = H @ A @ A.T @ H
    for i, z in enumerate(Z.T):
        L = H @ np.outer(z, z) @ H
        expected = (K * L).sum() / np.linalg.norm(K) / np.linalg.norm(L)
        assert got[i] == pytest.approx(expected)


def test_cka_of_what_does_not_vary_is_unknown():
    rng = np.random.default_rng(2)
    A, Z = rng.normal(size=(30, 4)), rng.normal(size=(30, 2))
    Z[:, 1] = 0.1
    assert np.isnan(linear_cka(A, Z)).tolist() == [False, True]
    assert np.isnan(linear_cka(np.ones((30, 4)), Z)).all()


def test_redundancy_is_one_where_every_neuron_says_the_same():
    z = np.random.default_rng(3).normal(size=(60, 1))
    got = redundancy(np.tile(z, (1, 20)) * np.linspace(1, 2, 20), z, kept=(0.1, 0.5, 1.0))
    assert got.values == pytest.approx(np.ones((1, 3)))


def test_redundancy_of_one_neuron_is_how_often_it_is_kept_times_the_share_of_size():
    rng = np.random.default_rng(4)
    F = rng.normal(size=(4000, 10))
    F -= F.mean(axis=0)
    F = np.linalg.qr(F)[0]  # orthogonal neurons: |F_m'F_m| = sqrt(kept)
    got = redundancy(F, F[:, :1], kept=(0.5, 1.0), masks=2000)
    assert got.values[0, 0] == pytest.approx(0.5 * np.sqrt(2), abs=4 * got.errors[0, 0])
    assert got.errors[0, 0] < 0.03
    assert got.values[0, 1] == pytest.approx(1)


def test_redundancy_is_the_mean_of_the_ckas_of_masked_layers():
    rng = np.random.default_rng(5)
    F, Z = rng.normal(size=(50, 8)), rng.normal(size=(50, 3))
    got = redundancy(F, Z, kept=(0.5,), masks=3, seed=9)
    again = np.random.default_rng(9).random((3, 8)).argsort(axis=1) < 4
    each = [linear_cka(F * mask, Z) / linear_cka(F, Z) for mask in again]
    assert got.values[:, 0] == pytest.approx(np.mean(each, axis=0))
    assert got.errors[:, 0] == pytest.approx(np.std(each, axis=0, ddof=1) / np.sqrt(3))


def test_redundancy_of_a_feature_that_does_not_vary_is_unknown_and_bad_shares_are_refused():
    F = np.random.default_rng(6).normal(size=(20, 4))
    got = redundancy(F, np.full((20, 1), 0.1))
    assert np.isnan(got.values).all()
    for kept, masks in (((0.0,), 5), ((1.5,), 5), ((0.5,), 0)):
        with pytest.raises(AnalysisError, match="of the neurons say nothing"):
            redundancy(F, F, kept=kept, masks=masks)


def test_sensitivity_of_a_linear_feature_is_its_squared_length_times_the_noise():
    rng = np.random.default_rng(7)
    X, w = rng.normal(size=(40, 3)), np.array([[2.0, 0.0], [1.0, 0.0], [0.0, 0.5]])
    codes = np.stack([(X + 0.1 * rng.normal(size=X.shape)) @ w for _ in range(400)])
    got = sensitivity(codes)
    assert got == pytest.approx([0.05, 0.0025], rel=0.05)
    assert sensitivity(codes + 1000.0) == pytest.approx(got)
    relative = sensitivity(codes, np.array([10.0, 0.0]))
    assert relative[0] == pytest.approx(got[0] / 10)
    assert np.isnan(relative[1])
    with pytest.raises(AnalysisError, match="1 noise draws"):
        sensitivity(codes[:1])


def test_top_rows_are_the_largest_in_order():
    Z = np.random.default_rng(8).normal(size=(30, 4))
    rows, values = top_rows(Z, count=5)
    for i in range(4):
        assert rows[i].tolist() == np.argsort(-Z[:, i])[:5].tolist()
        assert values[i] == pytest.approx(Z[rows[i], i])
    assert top_rows(Z, count=99)[0].shape == (4, 30)
