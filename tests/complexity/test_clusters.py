"""Groups of directions, their means, the map and the tree."""

import numpy as np
import pytest

from backend.complexity import clusters
from backend.complexity.clusters import between, branches, cluster, pca_map
from backend.errors import AnalysisError


def _groups(sizes: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    centres = 5 * np.eye(len(sizes), 12)
    member = np.repeat(np.arange(len(sizes)), sizes)
    return centres[member] + 0.1 * rng.normal(size=(sum(sizes), 12)), member


def test_groups_are_found_and_numbered_by_size():
    D, _ = _groups((5, 30, 12))
    order = np.random.default_rng(1).permutation(47)
    found = cluster(D[order], groups=3)
    truth = np.repeat([2, 0, 1], (5, 30, 12))[order]
    assert found.member.tolist() == truth.tolist()
    assert found.sizes.tolist() == [30, 12, 5]


def test_the_number_of_groups_is_a_quarter_of_the_directions_and_at_most_150():
    D = np.random.default_rng(2).normal(size=(700, 3))
    assert len(cluster(D[:41]).sizes) == 10
    assert len(cluster(D[:3]).sizes) == 1
    assert len(cluster(D).sizes) == 150
    assert len(cluster(np.tile(D[:2], (20, 1))).sizes) == 2  # no more than there are directions


def test_means_leave_out_what_is_unknown():
    found = cluster(_groups((4, 3, 2))[0], groups=3)
    values = np.array([1, 3, np.nan, np.nan, 5, 5, 8, np.nan, np.nan])
    got = found.means(values)
    assert got[:2] == pytest.approx([2, 6])
    assert np.isnan(got[2])


def test_too_many_groups_are_refused():
    with pytest.raises(AnalysisError, match="3 groups of 2 different directions"):
        cluster(np.tile(np.eye(2), (3, 1)), groups=3)


def test_the_map_keeps_distances_in_a_plane_and_does_not_flip():
    rng = np.random.default_rng(3)
    plane = rng.normal(size=(20, 2)) * [3, 1]
    Q = np.linalg.qr(rng.normal(size=(9, 9)))[0]
    got = pca_map(plane @ Q[:2] + 4)
    apart = np.linalg.norm(plane[:, None] - plane[None], axis=2)
    assert np.linalg.norm(got[:, None] - got[None], axis=2) == pytest.approx(apart)
    assert np.abs(pca_map(-plane @ Q[:2])) == pytest.approx(np.abs(got))
    for axis in got.T:
        assert axis[np.abs(axis).argmax()] > 0


def test_a_map_of_one_direction_is_a_point():
    assert pca_map(np.ones((1, 5))).tolist() == [[0, 0]]
    assert pca_map(np.array([[0.0], [2.0], [7.0]]))[:, 1].tolist() == [0, 0, 0]


def test_branches_nest_and_find_the_groups():
    D, member = _groups((6, 7, 8, 9))
    tree = branches(D, levels=3)
    assert tree.shape == (3, 30)
    assert [len(np.unique(level)) for level in tree] == [2, 4, 8]
    pairs = {(int(a), int(b)) for a, b in zip(tree[1], member, strict=True)}
    assert len(pairs) == 4
    for upper, lower in zip(tree, tree[1:], strict=False):
        assert len({(int(a), int(b)) for a, b in zip(upper, lower, strict=True)}) == len(
            np.unique(lower)
        )
    assert branches(D[:1]).tolist() == [[0]] * 4
    assert [len(np.unique(level)) for level in branches(D[:3])] == [2, 3, 3, 3]


def test_of_many_directions_the_centres_of_their_groups_are_the_leaves(monkeypatch):
    D, member = _groups((6, 7, 8, 9))
    groups = cluster(D, groups=4)
    plain = branches(D, groups=groups)
    assert [len(np.unique(level)) for level in plain] == [2, 4, 8, 16]  # few: the groups are unused
    monkeypatch.setattr(clusters, "LEAVES_MOST", 20)
    few = branches(D, groups=groups)
    assert [len(np.unique(level)) for level in few] == [2, 4, 4, 4]
    assert len({(int(a), int(b)) for a, b in zip(few[1], member, strict=True)}) == 4
    assert [len(np.unique(level)) for level in branches(D)] == [2, 4, 8, 16]


def test_the_share_between_groups_is_one_where_groups_say_all_and_small_by_chance():
    member = np.repeat([5, 2, 9], 20)
    assert between(member, member * 2.0)[0] == pytest.approx(1)
    values = np.random.default_rng(0).normal(size=60)
    share, chance, high = between(member, values, shuffles=2000)
    means = np.repeat([values[member == g].mean() for g in (5, 2, 9)], 20)
    assert share == pytest.approx(means.var() / values.var())
    assert chance == pytest.approx(2 / 59, abs=0.003)  # (groups - 1) / (k - 1)
    assert chance < high < 0.2
    assert between(member, 3 * values - 7)[0] == pytest.approx(share)
    assert np.isnan(between(member, np.ones(60))).all()
