import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness as theirs

from backend.analyses import layout
from backend.analyses.layout import (
    pca_layout,
    procrustes,
    standardise,
    travel,
    trustworthiness,
)


def rotation(rng: np.random.Generator, d: int) -> np.ndarray:
    return np.linalg.qr(rng.standard_normal((d, d)))[0]


@pytest.mark.parametrize("shape", [(50, 6), (20, 60)])
@pytest.mark.parametrize("dense", [True, False])
def test_pca_equals_scikit_learn_up_to_sign(shape, dense, monkeypatch):
    if not dense:
        monkeypatch.setattr(layout, "_DENSE_SIDE", 1)
    X = np.random.default_rng(0).standard_normal(shape) * np.linspace(5, 1, shape[1]) + 3
    Z, shares = pca_layout(X)
    expected = PCA(2, svd_solver="full").fit(X)
    assert np.allclose(np.abs(Z), np.abs(expected.transform(X)), atol=1e-6)
    assert np.allclose(shares, expected.explained_variance_ratio_)


def test_pca_of_an_ellipse_is_its_axes_and_ignores_rotation_and_shift():
    rng = np.random.default_rng(1)
    t = np.linspace(0, 2 * np.pi, 100, endpoint=False)
    X = np.c_[3 * np.cos(t), np.sin(t), np.zeros(100)]
    Z, shares = pca_layout(X)
    assert np.allclose(np.abs(Z), np.abs(X[:, :2]), atol=1e-9)
    assert np.allclose(shares, [0.9, 0.1])
    turned, _ = pca_layout(X @ rotation(rng, 3) + 20)
    assert np.allclose(procrustes(turned, Z), Z, atol=1e-9)


def test_clouds_without_variance_and_lines():
    Z, shares = pca_layout(np.full((10, 4), np.float32(0.1)))
    assert not Z.any()
    assert np.isnan(shares).all()
    Z, shares = pca_layout(np.arange(10.0)[:, None])
    assert np.allclose(Z[:, 1], 0)
    assert np.allclose(shares, [1, 0])


def test_procrustes_undoes_rotation_and_reflection_but_not_scale():
    rng = np.random.default_rng(2)
    target = rng.standard_normal((30, 2))
    for R in (rotation(rng, 2), np.array([[1.0, 0], [0, -1]])):
        assert np.allclose(procrustes(target @ R, target), target)
        assert np.allclose(procrustes(2 * target @ R, target), 2 * target)


def test_aligned_points_travel_less():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((100, 5)) * [3, 2, 1, 1, 1]
    layers = [(X + 0.1 * rng.standard_normal(X.shape)) @ rotation(rng, 5) for _ in range(6)]
    loose = [standardise(pca_layout(L)[0] * rng.choice([-1, 1], 2))[0] for L in layers]
    aligned = loose[:1]
    for Z in loose[1:]:
        aligned.append(procrustes(Z, aligned[-1]))
    assert travel(aligned).sum() < 0.5 * travel(loose).sum()
    assert all(np.allclose((Z**2).sum(axis=1).mean(), 1) for Z in aligned)


def test_trustworthiness_equals_scikit_learn():
    rng = np.random.default_rng(4)
    X = rng.standard_normal((90, 6))
    for Z in (X[:, :2], rng.standard_normal((90, 2)), pca_layout(X)[0]):
        value, error = trustworthiness(X, Z, k=7)
        assert value == pytest.approx(theirs(X, Z, n_neighbors=7), abs=1e-12)
        assert error > 0


def test_trustworthiness_of_a_flat_cloud_is_one_and_of_a_shuffle_about_a_half():
    rng = np.random.default_rng(5)
    Z = rng.standard_normal((200, 2))
    flat = np.c_[Z, np.zeros((200, 3))] @ rotation(rng, 5)
    assert trustworthiness(flat, Z)[0] == pytest.approx(1)
    assert trustworthiness(flat, Z[rng.permutation(200)])[0] == pytest.approx(0.5, abs=0.06)
    with pytest.raises(ValueError, match="k=15 of 20 rows"):
        trustworthiness(flat[:20], Z[:20])


def test_travel_of_a_known_step():
    assert travel([np.zeros((4, 2)), np.full((4, 2), 3.0) * [1, 0]]) == pytest.approx([3.0])
