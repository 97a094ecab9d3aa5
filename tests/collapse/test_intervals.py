"""Intervals from a few numbers a row against measuring resampled features all over again."""

import math
from dataclasses import replace

import numpy as np
import pytest

from backend.collapse.intervals import bootstrap, resampled
from backend.collapse.metrics import FORMULAS, measure
from backend.collapse.streaming import collapse, summarise
from backend.errors import AnalysisError
from tests.collapse.made import network, noise, simplex

K, D, N, DRAWS = 5, 12, 60, 40


def layer(seed: int = 1):
    """Features with noise that is larger in some directions, in and out of the span of means."""
    rng = np.random.default_rng(seed)
    y, means = np.repeat(np.arange(K), N), rng.normal(size=(K, D))
    H = means[y] + 0.7 * noise(1, len(y), D, seed)
    return H, y, means + 0.3 * rng.normal(size=(K, D)), 0.1 * rng.normal(size=K)


def measured_again(H, y, W, b, seed: int) -> dict[str, np.ndarray]:
    """The measures of the same draws, from features picked row by row."""
    rng = np.random.default_rng(seed)
    own = [np.flatnonzero(y == k) for k in range(K)]
    picks = [rows[rng.integers(len(rows), size=(DRAWS, len(rows)))] for rows in own]
    found = []
    for draw in range(DRAWS):
        rows = np.concatenate([pick[draw] for pick in picks])
        found.append(collapse(H[rows], y[rows], weight=W, bias=b))
    return {name: np.array([getattr(f, name) for f in found]) for name in FORMULAS}


def test_draws_follow_the_measures_of_resampled_features():
    H, y, W, b = layer()
    kept, full = summarise(H, y, weight=W, bias=b, keep=True), collapse(H, y, weight=W, bias=b)
    found = resampled(kept.moments, kept.rows, draws=DRAWS, seed=4)
    again = measured_again(H, y, W, b, seed=4)
    for name in ("bias", "nc3_zhu"):  # what head rows read is followed exactly
        assert found[name] == pytest.approx(again[name], rel=1e-9)
    for name, drawn in found.items():
        assert np.corrcoef(drawn, again[name])[0, 1] > 0.9, name
        assert drawn.std() == pytest.approx(again[name].std(), rel=0.2), name
        # Resampling adds the noise of the means once more; what is left out is that, not spread.
        shift = abs(drawn.mean() - getattr(full, name))
        assert shift < max(abs(again[name].mean() - getattr(full, name)), 0.4 * drawn.std()), name


def test_inside_the_span_draws_are_exact():
    H, y, W, b = layer()
    corners = np.linalg.svd(W - W.mean(axis=0), full_matrices=False)[2][: K - 1]
    flat = H @ corners.T  # d = K - 1: nothing lies outside
    kept = summarise(flat, y, keep=True)
    found = resampled(kept.moments, kept.rows, draws=DRAWS, seed=4)
    again = measured_again(flat, y, None, None, seed=4)
    for name in ("nc1_ratio", "cdnv", "nc2", "nc2_equinorm", "nc2_equiangular"):
        assert found[name] == pytest.approx(again[name], rel=1e-9)
    # NC1 is exact but for S_W and S_B moving together.
    assert np.corrcoef(found["nc1"], again["nc1"])[0, 1] > 0.99
    assert found["nc1"].mean() == pytest.approx(again["nc1"].mean(), rel=0.005)


def test_the_tilt_of_the_span_counts():
    """Noise that goes along with a direction outside the span moves NC1 by turning the span."""
    rng = np.random.default_rng(2)
    y, corners = np.repeat(np.arange(3), 400), simplex(3, 40, seed=2)
    aside = np.linalg.svd(corners)[2][-1]
    X = rng.normal(size=(len(y), 1)) * (0.1 * corners[0] + 1.0 * aside)
    H = corners[y] + X + 0.01 * rng.normal(size=(len(y), 40))
    kept = summarise(H, y, keep=True)
    found = resampled(kept.moments, kept.rows, draws=DRAWS, seed=3)["nc1"]
    blind = replace(kept.rows, tilt=np.zeros_like(kept.rows.tilt))
    without = resampled(kept.moments, blind, draws=DRAWS, seed=3)["nc1"]
    rng = np.random.default_rng(3)
    picks = [400 * k + rng.integers(400, size=(DRAWS, 400)) for k in range(3)]
    again = [collapse(H[rows], y[rows]).nc1 for rows in np.concatenate(picks, axis=1)]
    assert found.std() == pytest.approx(np.std(again), rel=0.25)
    assert np.corrcoef(found, again)[0, 1] > 0.9
    assert without.std() < 0.5 * np.std(again)


def test_an_interval_holds_the_measure_and_narrows_with_rows():
    widths = []
    for n in (50, 800):
        y = np.repeat(np.arange(4), n)
        H = simplex(4, 10)[y] + noise(4, n, 10)
        kept = summarise(H, y, keep=True)
        found, value = bootstrap(kept.moments, kept.rows, draws=100), measure(kept.moments)
        for name in ("nc1", "nc1_ratio", "cdnv"):
            assert found.low[name] < getattr(value, name) < found.high[name]
        widths.append(found.high["nc1_ratio"] - found.low["nc1_ratio"])
    assert widths[1] == pytest.approx(widths[0] / 4, rel=0.5)


def test_ninety_five_in_a_hundred_intervals_hold_what_is_expected_of_a_sample():
    rng, values, found = np.random.default_rng(5), [], []
    y, means = np.repeat(np.arange(4), 40), rng.normal(size=(4, 10))
    for seed in range(60):
        H = means[y] + 0.4 * rng.normal(size=(len(y), 10))
        kept = summarise(H, y, keep=True)
        values.append(measure(kept.moments).nc1_ratio)
        found.append(bootstrap(kept.moments, kept.rows, draws=60, seed=seed))
    held = [i.low["nc1_ratio"] <= np.mean(values) <= i.high["nc1_ratio"] for i in found]
    assert sum(held) >= 50


def test_collapsed_features_have_no_interval_to_speak_of():
    corners, y = simplex(K, D), np.repeat(np.arange(K), N)
    kept = summarise(corners[y], y, weight=corners, keep=True)
    found = bootstrap(kept.moments, kept.rows, draws=20)
    assert all(abs(value) < 1e-14 for value in (*found.low.values(), *found.high.values()))


def test_a_seed_gives_the_same_draws_and_another_gives_others():
    H, y, W, b = layer()
    kept = summarise(H, y, weight=W, bias=b, keep=True)
    one = bootstrap(kept.moments, kept.rows, draws=20, seed=1)
    assert one == bootstrap(kept.moments, kept.rows, draws=20, seed=1)
    assert one.low != bootstrap(kept.moments, kept.rows, draws=20, seed=2).low
    assert (one.draws, one.seed) == (20, 1)


def test_draws_in_parts_are_draws(monkeypatch):
    from backend.collapse import intervals

    H, y, _, _ = layer()
    kept = summarise(H, y, keep=True)
    whole = resampled(kept.moments, kept.rows, draws=200)
    monkeypatch.setattr(intervals, "_VALUES", 7 * N)
    parts = resampled(kept.moments, kept.rows, draws=200)
    assert {name: len(drawn) for name, drawn in parts.items()} == dict.fromkeys(whole, 200)
    for name, drawn in parts.items():
        assert drawn.mean() == pytest.approx(whole[name].mean(), abs=0.3 * drawn.std())


def test_what_is_not_defined_has_no_interval():
    H, y, W, b = network(K=2)
    kept = summarise(H, y, weight=W, bias=b, keep=True)
    found = bootstrap(kept.moments, kept.rows, draws=20)
    assert set(found.low) == {"nc1", "nc1_ratio", "cdnv", "bias", "nc3", "nc3_zhu"}
    flat = summarise(np.ones((8, 3)), np.repeat(np.arange(4), 2), keep=True)
    assert bootstrap(flat.moments, flat.rows, draws=20).low == {}
    H, y, _, _ = network(K=6, d=4)
    kept = summarise(H, y, keep=True)
    assert set(bootstrap(kept.moments, kept.rows, draws=20).low) == {"nc1", "nc1_ratio", "cdnv"}


def test_too_few_draws_are_refused():
    H, y, _, _ = layer()
    kept = summarise(H, y, keep=True)
    with pytest.raises(AnalysisError, match="19 draws give no 95 % interval"):
        bootstrap(kept.moments, kept.rows, draws=19)
    assert math.isfinite(bootstrap(kept.moments, kept.rows, draws=20).low["nc1"])
