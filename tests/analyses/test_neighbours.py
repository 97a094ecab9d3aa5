import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from backend.analyses import neighbours
from backend.analyses.neighbours import mutual_overlap, nearest, unit_rows


def test_agrees_with_scikit_learn_in_euclidean_and_cosine_distance():
    X = np.random.default_rng(0).standard_normal((80, 6)) + 2
    for metric, Z in (("euclidean", X), ("cosine", unit_rows(X))):
        expected = NearestNeighbors(n_neighbors=7, metric=metric).fit(X).kneighbors()
        indices, distances = nearest(Z, 7)
        assert np.array_equal(indices, expected[1])
        if metric == "euclidean":
            assert np.allclose(distances, expected[0])


def test_blocks_do_not_change_the_answer(monkeypatch):
    X = np.random.default_rng(1).standard_normal((50, 4))
    whole = nearest(X, 5)
    monkeypatch.setattr(neighbours, "_BLOCK_BYTES", 50 * 8 * 7)
    pieces = nearest(X, 5)
    assert np.array_equal(pieces[0], whole[0])
    assert np.allclose(pieces[1], whole[1])


def test_small_distances_far_from_the_origin_survive():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((60, 3))
    assert np.array_equal(nearest(X + 1e6, 4)[0], nearest(X, 4)[0])


def test_mutual_overlap_of_all_pairs_equals_counting_sets():
    rng = np.random.default_rng(3)
    spaces = np.stack([nearest(rng.standard_normal((40, 3)), 6)[0] for _ in range(3)])
    found = mutual_overlap(spaces, spaces[1:])
    for row, p, q in ((0, 0, 0), (5, 1, 1), (39, 2, 0)):
        common = set(spaces[p, row]) & set(spaces[1:][q, row])
        assert found[row, p, q] == pytest.approx(len(common) / 6)
    assert (found[:, 1, 0] == 1).all()


def test_unrelated_spaces_share_neighbours_at_the_chance_level():
    rng = np.random.default_rng(4)
    a, b = (
        np.stack([nearest(rng.standard_normal((200, 5)), 10)[0] for _ in range(4)])
        for _ in range(2)
    )
    assert mutual_overlap(a, b).mean() == pytest.approx(10 / 199, abs=0.004)


def test_zero_rows_stay_zero_and_impossible_counts_are_refused():
    assert np.array_equal(unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])), [[0.6, 0.8], [0, 0]])
    with pytest.raises(ValueError, match="k=5 neighbours of 5 rows"):
        nearest(np.eye(5), 5)
