import numpy as np
import pytest

from backend.analyses.matched_depth import match, resampling_weights


def errors_at(best: np.ndarray, q: int, *, n: int = 40, noise: float = 0.0) -> np.ndarray:
    """Errors (n, p, q) that are least at target `best[i]` for source i."""
    rng = np.random.default_rng(0)
    away = 1 + np.abs(np.arange(q)[None] - best[:, None])
    return away[None] + noise * rng.standard_normal((n, len(best), q))


def measure(errors, p_depth, q_depth, *, scale=None, groups=None):
    n, p, q = errors.shape
    weights = resampling_weights(np.arange(n) if groups is None else groups, seed=0)
    return match(
        errors, np.ones((n, q)) if scale is None else scale, weights,
        source=np.arange(1, p + 1), target=np.arange(1, q + 1), source_depth=p_depth,
        target_depth=q_depth, seed=0,
    )  # fmt: skip


def test_equal_relative_depth_has_slope_one_and_no_distance():
    found = measure(errors_at(2 * np.arange(1, 5) - 1, 8), 4, 8)
    assert (found.slope.value, found.offset.value) == (pytest.approx(1), pytest.approx(0))
    assert found.slope.low == pytest.approx(1) == found.slope.high
    # absolute depth: blocks 1, 2, 3, 4 of 8, away by 1/8, 2/8, 3/8, 4/8
    assert found.absolute_minus_relative.value == pytest.approx(10 / 32)
    own = np.arange(1, 5) / 4
    assert found.permuted == pytest.approx(np.abs(own - own[:, None]).mean())
    assert found.p == pytest.approx(1 / 24)


def test_equal_block_numbers_are_told_apart_from_equal_relative_depth():
    found = measure(errors_at(np.arange(8), 16), 8, 16)
    assert found.slope.value == pytest.approx(0.5)
    assert found.absolute_minus_relative.value < 0


def test_one_target_that_is_best_for_all_is_no_match():
    found = measure(errors_at(np.full(10, 9), 10), 10, 10)
    assert found.slope.value == pytest.approx(0)
    assert found.p == 1
    assert found.permuted == pytest.approx(found.offset.value)


def test_many_layers_are_permuted_at_random():
    found = measure(errors_at(np.arange(12), 12), 12, 12)
    assert found.p == pytest.approx(1 / 2001, rel=0.01)


def test_noise_over_rows_widens_the_interval_and_it_holds_the_value():
    best = np.arange(6)
    small, large = (measure(errors_at(best, 6, noise=s), 6, 6).offset for s in (0.5, 8.0))
    assert small.high - small.low < large.high - large.low
    assert large.low <= large.value <= large.high


def test_groups_are_resampled_whole():
    groups = np.repeat(np.arange(10), 3)
    weights = resampling_weights(groups, seed=1)
    assert np.array_equal(weights[0], np.ones(30))
    assert np.array_equal(weights[:, ::3], weights[:, 2::3])
    assert np.all(weights[1:, ::3].sum(axis=1) == 10)


def test_a_target_without_scale_is_never_the_best():
    errors = errors_at(np.zeros(5, dtype=int), 5)
    scale = np.ones((40, 5))
    scale[:, 0], errors[:, :, 0] = 0, 0
    found = measure(errors, 5, 5, scale=scale)
    own = np.arange(1, 6) / 5
    assert found.offset.value == pytest.approx(np.abs(2 / 5 - own).mean())
