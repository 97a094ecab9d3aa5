"""Pairs of features against all permutations, their correlations against numpy, and chance."""

from itertools import permutations

import numpy as np
import pytest

from backend.complexity.matching import match_codes, match_directions, moved
from backend.errors import AnalysisError

N = 400
CHOSEN, HELD = np.arange(300), np.arange(300, N)


def codes(k: int, seed: int = 0, n: int = N) -> np.ndarray:
    return np.maximum(np.random.default_rng(seed).normal(size=(n, k)), 0)


def matched(A, B, **given):
    return match_codes(A, B, CHOSEN, HELD, **{"draws": 50} | given)


def test_codes_in_another_order_and_scale_are_found_with_correlation_one():
    A, order = codes(6), np.array([3, 0, 5, 1, 4, 2])
    found = matched(A, 3 * A[:, order] + 1)
    assert np.array_equal(order[found.b], found.a) and np.array_equal(found.a, np.arange(6))
    np.testing.assert_allclose([found.r, found.low, found.high], 1)
    assert found.mean == pytest.approx((1, 1, 1))
    assert found.threshold < 0.4 < found.strength.min()


@pytest.mark.parametrize("sizes", [(4, 4), (3, 5), (5, 3)])
def test_the_pairs_are_the_best_of_all_permutations_on_the_chosen_rows(sizes):
    rng = np.random.default_rng(1)
    shared = codes(3)
    A, B = (shared @ rng.random((3, k)) + codes(k, seed=k + 10) for k in sizes)
    found = matched(A, B)
    R = np.corrcoef(A[CHOSEN].T, B[CHOSEN].T)[: sizes[0], sizes[0] :]
    small = R if sizes[0] <= sizes[1] else R.T
    best = max(sum(small[i, j] for i, j in enumerate(p))
               for p in permutations(range(small.shape[1]), len(small)))  # fmt: skip
    assert R[found.a, found.b].sum() == pytest.approx(best)
    held = np.corrcoef(A[HELD].T, B[HELD].T)[: sizes[0], sizes[0] :]
    np.testing.assert_allclose(found.r, held[found.a, found.b])
    assert len(found.r) == min(sizes) and (found.low <= found.r).all()
    assert (found.r <= found.high).all()


def test_a_code_and_its_negative_are_one_feature_only_where_signs_are_free():
    A = np.random.default_rng(2).normal(size=(N, 3))
    free = matched(A, -A, either_sign=True)
    np.testing.assert_allclose(free.r, -1)
    np.testing.assert_allclose(free.strength, 1)
    assert free.mean[0] == pytest.approx(1)
    assert matched(A, -A).r.max() < 0.5


def test_unrelated_codes_are_within_chance_and_no_more_alike_than_chance():
    found = matched(codes(40), codes(40, seed=1), shuffles=40)
    assert abs(found.mean[0]) < 0.06 and found.mean[1] < 0 < found.mean[2]
    assert abs(found.chance.mean()) < 0.02
    assert (found.strength > found.threshold).mean() < 0.2
    spread = 1 / np.sqrt(len(HELD))
    assert found.threshold == pytest.approx(1.645 * spread, rel=0.25)


def test_the_interval_has_the_width_of_the_usual_one():
    rng = np.random.default_rng(3)
    A = rng.normal(size=(N, 1))
    found = matched(A, 0.6 * A + 0.8 * rng.normal(size=(N, 1)), draws=600)
    z, half = np.arctanh(found.r[0]), 1.96 / np.sqrt(len(HELD) - 3)
    ends = np.tanh([z - half, z + half])
    np.testing.assert_allclose([found.low[0], found.high[0]], ends, atol=0.06)


def test_rows_of_one_group_widen_interval_and_chance_alike():
    groups = np.repeat(np.arange(N // 10), 10)
    A, B = (np.repeat(codes(8, seed=s, n=N // 10), 10, axis=0) for s in (5, 6))
    alone, whole = matched(A, B), matched(A, B, groups=groups)
    assert (whole.high - whole.low).mean() > 1.8 * (alone.high - alone.low).mean()
    assert whole.threshold > 1.8 * alone.threshold


def test_draws_that_never_meet_a_rare_code_do_not_spoil_the_mean():
    A = codes(3)
    A[HELD, 0] = 0
    A[HELD[0], 0] = 1.0
    found = matched(A, A[:, ::-1], draws=100)
    assert np.isfinite([found.low, found.high]).all() and np.isfinite(found.mean).all()


def test_without_draws_or_shuffles_there_is_no_interval_and_no_threshold():
    found = matched(codes(3), codes(3), draws=0, shuffles=0)
    assert np.isnan([found.low, found.high, *[[v] * 3 for v in found.mean[1:]]]).all()
    assert found.chance.shape == (0, 3) and np.isnan(found.threshold)


def test_a_constant_code_is_refused():
    A = codes(3)
    A[HELD, 1] = 0.0
    with pytest.raises(AnalysisError, match="1 features are constant on 100 of the rows"):
        matched(A, codes(3))


@pytest.mark.parametrize("size", [1, 5])
def test_no_group_keeps_its_place_when_groups_are_moved(size):
    groups = np.repeat(np.arange(12), size)
    np.random.default_rng(0).shuffle(groups)
    for seed in range(20):
        to = moved(groups, np.random.default_rng(seed))
        assert sorted(to) == list(range(len(groups)))
        assert (groups[to] != groups).all()
        partner = {g: set(groups[to][groups == g]) for g in range(12)}
        assert all(len(p) == 1 for p in partner.values())
    assert moved(np.zeros(3, int), np.random.default_rng(0)).tolist() == [0, 1, 2]


def test_directions_are_matched_by_cosine_against_shuffled_coordinates():
    D = codes(5, n=64).T
    order = np.array([4, 2, 0, 1, 3])
    partner, mean, control = match_directions(D, 2 * D[order])
    assert np.array_equal(order[partner], np.arange(5))
    assert mean == pytest.approx(1) and 0.2 < control < 0.6
    fewer, _, _ = match_directions(D, D[:3])
    assert fewer.tolist() == [0, 1, 2, -1, -1]
