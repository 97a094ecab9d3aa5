"""Angles beside the ideal, and the plane of three classes that does not spin between epochs."""

import numpy as np
import pytest
import torch

from backend.collapse.geometry import CORNERS, angles, plane
from backend.collapse.streaming import summarise
from backend.errors import AnalysisError
from tests.collapse.made import network, noise, simplex

K, D, N = 6, 20, 15
LABELS = np.repeat(np.arange(K), N)


def test_the_ideal_triangle_is_one():
    sides = np.linalg.norm(CORNERS - np.roll(CORNERS, 1, axis=0), axis=1)
    assert sides == pytest.approx(np.full(3, np.sqrt(3)))
    assert CORNERS.mean(axis=0) == pytest.approx([0, 0])


def test_angles_are_cosines_minus_the_ideal():
    assert angles(summarise(simplex(K, D)[LABELS] + 3, LABELS).moments) == pytest.approx(
        np.zeros((K, K)), abs=1e-14
    )
    H, y, _, _ = network()
    means = np.array([H[y == k].mean(axis=0) for k in range(5)])
    M = means - means.mean(axis=0)
    found = angles(summarise(H, y).moments)
    expected = M[1] @ M[3] / np.linalg.norm(M[1]) / np.linalg.norm(M[3]) + 1 / 4
    assert found[[1, 3], [3, 1]] == pytest.approx([expected, expected])
    assert np.diag(found).tolist() == [0] * 5


def test_corners_of_a_simplex_and_its_head_lie_on_the_triangle_and_the_rest_in_the_middle():
    corners = simplex(K, D, radius=3)
    moments = summarise(corners[LABELS] + 7, LABELS, weight=0.2 * corners).moments
    found = plane(moments, (4, 0, 2))
    for points in (found.points(moments.means), found.arrows(moments.head.weight)):
        assert points[[4, 0, 2]] == pytest.approx(CORNERS, abs=1e-12)
        assert points[[1, 3, 5]] == pytest.approx(np.zeros((3, 2)), abs=1e-12)
    assert found.misfit < 1e-12
    assert found.axes @ found.axes.T == pytest.approx(np.eye(2), abs=1e-12)
    assert found.radius == pytest.approx(3 * np.sqrt(K / (K - 1)) * np.sqrt(2 / 3))


def test_points_shrink_to_the_corners_with_the_noise():
    corners, X = simplex(K, D), noise(K, N, D)
    far = []
    for size in (1.0, 0.1):
        H = corners[LABELS] + size * X
        found = plane(summarise(H, LABELS).moments, (0, 1, 2))
        away = found.points(H)[:N] - CORNERS[0]
        far.append(np.sqrt(np.square(away).sum(axis=1).mean()))
    assert far[1] == pytest.approx(far[0] / 10)


def test_distances_in_the_plane_are_those_of_the_features():
    H, y, _, _ = network()
    moments = summarise(H, y).moments
    found = plane(moments, (0, 3, 1))
    points = found.points(moments.means)[[0, 3, 1]]
    means = moments.means[[0, 3, 1]]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        flat = found.radius * np.linalg.norm(points[a] - points[b])
        assert flat == pytest.approx(np.linalg.norm(means[a] - means[b]))


def test_the_fit_to_the_corners_is_the_best_of_all_turns_and_scales():
    H, y, _, _ = network()
    moments = summarise(H, y).moments
    found = plane(moments, (0, 3, 1))
    points = found.points(moments.means)[[0, 3, 1]]
    best = np.square(points - CORNERS).sum()
    assert found.misfit == pytest.approx(np.sqrt(best / 3))
    assert 0 < found.misfit < 1
    assert (points * CORNERS).sum() == pytest.approx(np.square(points).sum())
    for mirror in (1, -1):
        for angle in np.linspace(0, 2 * np.pi, 60):
            c, s = np.cos(angle), np.sin(angle)
            turned = points @ np.array([[c, -s], [mirror * s, mirror * c]])
            for scale in (0.99, 1.0, 1.01):
                assert np.square(scale * turned - CORNERS).sum() >= best - 1e-12


def test_a_film_does_not_spin_when_the_features_do():
    H, y, W, _ = network()
    Q = np.linalg.qr(np.random.default_rng(1).normal(size=(12, 12)))[0]
    Q[:, 0] *= -np.sign(np.linalg.det(Q))  # a mirror too
    first = plane(summarise(H, y, weight=W).moments, (0, 1, 2))
    moved = plane(summarise(5 * H @ Q + 9, y, weight=W @ Q).moments, (0, 1, 2))
    assert moved.points(5 * H @ Q + 9) == pytest.approx(first.points(H), abs=1e-10)
    assert moved.arrows(W @ Q) == pytest.approx(first.arrows(W), abs=1e-10)
    swapped = plane(summarise(H, y).moments, (1, 0, 2))
    top = swapped.points(summarise(H, y).moments.means)
    assert top[1].argmax() == 1  # the first named class is the one at the top


def test_tensors_and_arrays_have_the_same_places():
    H, y, _, _ = network()
    found = plane(summarise(H, y).moments, (0, 1, 2))
    assert found.points(torch.tensor(H)) == pytest.approx(found.points(H), abs=1e-12)
    assert np.isnan(found.weight_scale)


@pytest.mark.parametrize("classes", [(0, 1, 1), (0, 1, 5), (-1, 0, 1)])
def test_three_different_classes_are_needed(classes: tuple[int, int, int]):
    H, y, _, _ = network()
    with pytest.raises(AnalysisError, match="not three of the 5 classes"):
        plane(summarise(H, y).moments, classes)


@pytest.mark.parametrize("d", [1, 4])
def test_means_on_a_line_have_no_plane(d: int):
    H = np.arange(3.0)[np.repeat(np.arange(3), 4), None] * np.ones(d)
    with pytest.raises(AnalysisError, match="lie on one line"):
        plane(summarise(H, np.repeat(np.arange(3), 4)).moments, (0, 1, 2))
