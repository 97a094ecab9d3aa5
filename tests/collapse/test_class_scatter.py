"""Class means and scatter in principal axes: what they say of features is what features say."""

import numpy as np
import pytest

from backend.collapse.class_scatter import scatter_of
from backend.collapse.streaming import collapse
from backend.collapse.unconstrained import nc1_ratio
from backend.errors import AnalysisError

LABELS = np.repeat([3, 0, 7], (6, 4, 5))


def _features(d: int = 4, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return 2 * rng.normal(size=(8, d))[LABELS] + rng.normal(size=(15, d))


def _covariances(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    means = {k: X[k == LABELS].mean(axis=0) for k in set(LABELS)}
    off = np.array([x - means[k] for x, k in zip(X, LABELS, strict=True)])
    between = np.cov(np.array(list(means.values())).T, bias=True)
    return off.T @ off / len(X), between


@pytest.mark.parametrize("d", [4, 2, 30])
def test_the_metrics_are_those_of_the_covariances(d):
    X = _features(d)
    within, between = _covariances(X)
    found = scatter_of(X, LABELS)
    assert found.within == pytest.approx(np.trace(within))
    assert found.nc1_ratio == pytest.approx(np.trace(within) / np.trace(between))
    inverse = np.linalg.pinv(between, rcond=1e-10, hermitian=True)
    assert found.nc1 == pytest.approx(np.trace(within @ inverse) / 3)
    assert found.second.sum() == pytest.approx((X**2).sum(axis=1).mean())
    assert found.n == 15 and found.shares.tolist() == pytest.approx([4 / 15, 6 / 15, 5 / 15])


def test_the_metrics_are_those_of_the_streaming_pass():
    codes = np.unique(LABELS, return_inverse=True)[1]
    found, streamed = scatter_of(_features(), LABELS), collapse(_features(), codes)
    assert found.nc1 == pytest.approx(streamed.nc1, rel=1e-12)
    assert found.nc1_ratio == pytest.approx(streamed.nc1_ratio, rel=1e-12)


def test_axes_without_features_are_left_out():
    X = _features(4)
    wide = np.concatenate([X, np.zeros((15, 3))], axis=1) @ np.linalg.qr(_features(7)[:7])[0]
    found, narrow = scatter_of(wide, LABELS), scatter_of(X, LABELS)
    assert found.second == pytest.approx(narrow.second)
    assert found.nc1 == pytest.approx(narrow.nc1)


def test_balanced_classes_agree_with_the_model():
    H = np.random.default_rng(1).normal(size=(3, 5, 4))
    found = scatter_of(H.reshape(15, 4), np.repeat(np.arange(3), 5))
    assert found.nc1_ratio == pytest.approx(nc1_ratio(H), rel=1e-12)


def test_scale_changes_the_norm_and_no_metric():
    found = scatter_of(_features().astype(np.float32), LABELS)
    scaled = found.scaled(0.25)
    assert scaled.second.sum() == pytest.approx(0.25)
    assert (scaled.nc1_ratio, scaled.nc1) == pytest.approx((found.nc1_ratio, found.nc1))


@pytest.mark.parametrize(
    ("X", "labels", "said"),
    [
        (np.ones((3, 2)), [0, 0, 0], "There is 1 class"),
        (np.ones((3, 2)), [0, 0, 1], "Class 1 has 1 sample"),
        (np.ones((3, 2)), [0, 0], "do not go with 2 labels"),
        (np.full((4, 2), np.nan), [0, 0, 1, 1], "not finite"),
        (np.zeros((4, 2)), [0, 0, 1, 1], "means are equal"),
        (np.array([[0.1, 1], [0.3, 5], [0.3, 5], [0.1, 1]]), [0, 0, 1, 1], "means are equal"),
    ],
)
def test_features_that_cannot_be_used_are_refused(X, labels, said):
    with pytest.raises(AnalysisError, match=said):
        scatter_of(X, np.array(labels))
