"""Clouds of known rank, dimension and direction."""

import math

import numpy as np
import pytest

from backend.analyses.geometry import (
    anisotropy,
    effective_rank,
    norms,
    participation_ratio,
    spectrum,
    two_nn,
)


def test_norms_of_known_rows():
    X = np.diag([3.0, 4.0, 5.0, 8.0])
    assert norms(X) == pytest.approx((5.0, 3.75, 5.75))


def test_equal_directions_are_counted():
    values = np.full(7, 2.5)
    assert effective_rank(values) == pytest.approx(7)
    assert participation_ratio(values) == pytest.approx(7)
    assert effective_rank(np.array([4.0, 0, 0])) == pytest.approx(1)


def test_effective_rank_of_a_known_spectrum():
    p = np.array([0.5, 0.25, 0.25])
    assert effective_rank(8 * p) == pytest.approx(2**1.5)
    assert participation_ratio(8 * p) == pytest.approx(1 / 0.375)


def test_isotropic_gaussian_fills_its_space_and_a_line_does_not():
    rng = np.random.default_rng(0)
    cloud = spectrum(rng.standard_normal((5000, 10)))
    assert effective_rank(cloud) == pytest.approx(10, rel=0.01)
    line = spectrum(np.outer(rng.standard_normal(100), np.ones(5)) + 9)
    assert effective_rank(line) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("shape", [(30, 8), (8, 30)])
def test_spectrum_equals_singular_values_and_ignores_rotation_and_shift(shape):
    rng = np.random.default_rng(1)
    X = rng.standard_normal(shape)
    expected = np.linalg.svd(X - X.mean(0), compute_uv=False) ** 2
    Q = np.linalg.qr(rng.standard_normal((shape[1], shape[1])))[0]
    for Z in (X, X @ Q + 3):
        assert np.allclose(np.sort(spectrum(Z)), np.sort(expected), atol=1e-9)


def test_a_constant_cloud_has_no_rank():
    values = spectrum(np.full((10, 3), np.float32(0.1)))
    assert math.isnan(effective_rank(values))
    assert math.isnan(participation_ratio(values))


@pytest.mark.parametrize(("dimension", "tolerance"), [(1, 0.07), (2, 0.07), (5, 0.12)])
def test_two_nn_of_uniform_cubes(dimension, tolerance):
    rng = np.random.default_rng(2)
    cube = rng.random((1500, dimension))
    Q = np.linalg.qr(rng.standard_normal((20, 20)))[0][:dimension]
    found, dropped = two_nn((cube @ Q).astype(np.float32))
    assert found.value == pytest.approx(dimension, rel=tolerance)
    assert found.low < found.value < found.high
    assert dropped == 0


def test_two_nn_interval_covers_on_a_torus_without_border():
    """A circle x circle in four dimensions has dimension 2 everywhere."""
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(60):
        a, b = rng.random((2, 300)) * 2 * np.pi
        found, _ = two_nn(np.c_[np.cos(a), np.sin(a), np.cos(b), np.sin(b)])
        hits += found.low <= 2 <= found.high
    assert hits >= 54


def test_two_nn_counts_duplicates_and_does_not_change_with_them():
    X = np.random.default_rng(4).random((200, 3))
    plain, _ = two_nn(X)
    doubled, dropped = two_nn(np.r_[X, X[:50], X[:10]])
    assert dropped == 60
    assert doubled.value == pytest.approx(plain.value, rel=1e-9)
    few, dropped = two_nn(np.repeat(X[:5], 30, axis=0))
    assert math.isnan(few.value)
    assert dropped == 145


def test_two_nn_ignores_rotation_shift_and_scale():
    rng = np.random.default_rng(5)
    X, Q = rng.random((150, 4)), np.linalg.qr(rng.standard_normal((4, 4)))[0]
    assert two_nn(100 * X @ Q + 1e4)[0].value == pytest.approx(two_nn(X)[0].value, rel=1e-6)


def test_anisotropy_equals_the_mean_over_pairs():
    X = np.random.default_rng(6).standard_normal((30, 5)) + 1
    U = X / np.linalg.norm(X, axis=1, keepdims=True)
    C = U @ U.T
    expected = C[~np.eye(30, dtype=bool)].mean()
    assert anisotropy(X).value == pytest.approx(expected)
    groups = np.repeat(np.arange(10), 3)
    apart = groups[:, None] != groups
    assert anisotropy(X, groups=groups).value == pytest.approx(C[apart].mean())


def test_anisotropy_of_one_direction_and_of_opposites():
    assert anisotropy(np.outer(np.arange(1, 9), [1.0, 2.0])).value == pytest.approx(1)
    pairs = np.r_[np.eye(4), -np.eye(4)]
    assert anisotropy(pairs).value == pytest.approx(-1 / 7)
    assert math.isnan(anisotropy(np.zeros((5, 3))).value)


def test_anisotropy_interval_covers():
    """Unit vectors with mean m have a true mean cosine of |m|^2."""
    rng = np.random.default_rng(7)

    def draw(n):
        X = rng.standard_normal((n, 3)) + [1, 0, 0]
        return X / np.linalg.norm(X, axis=1, keepdims=True)

    mean = draw(400_000).mean(axis=0)
    hits = 0
    for _ in range(300):
        found = anisotropy(draw(60))
        hits += found.low <= mean @ mean <= found.high
    assert 0.90 <= hits / 300 <= 0.985
