"""V-information and complexity: the known answers of the method, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from backend.complexity.readability import ALPHAS, Readability, Split, complexity, readability
from backend.errors import AnalysisError


def thirds(n: int, seed: int = 0) -> Split:
    order = np.random.default_rng(seed).permutation(n)
    return Split(order[: n // 2], order[n // 2 : n * 3 // 4], order[n * 3 // 4 :])


def probed(layers: list[np.ndarray], Z: np.ndarray, **options) -> Readability:
    named = [(f"layer_{i}", X) for i, X in enumerate(layers)]
    return readability(named, Z, thirds(len(Z)), **({"draws": 0} | options))


def rotation(rng: np.random.Generator, d: int) -> np.ndarray:
    return np.linalg.qr(rng.normal(size=(d, d)))[0]


def test_the_difference_of_likelihoods_is_the_variance_less_the_error():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 5))
    X -= X.mean(axis=0)
    z = X @ rng.normal(size=5) + rng.normal(size=500)
    z -= z.mean()
    miss = z - X @ np.linalg.lstsq(X, z, rcond=None)[0]

    def surprise(residual: np.ndarray) -> float:  # of a Gaussian with variance 1/2
        return float(np.mean(residual**2 / (2 * 0.5) + 0.5 * np.log(2 * np.pi * 0.5)))

    information = surprise(z) - surprise(miss)
    assert information == pytest.approx(z.var() - np.mean(miss**2), abs=1e-12)
    rows = np.arange(500)
    got = readability([("all", X)], z[:, None], Split(rows, rows, rows), alphas=np.array([1e-13]))
    assert got.raw[0, 0] * z.var() == pytest.approx(information, abs=1e-10)
    assert got.fit[0, 0] == pytest.approx(got.raw[0, 0], abs=1e-12)


@pytest.mark.parametrize("noise", [0.0, 0.3, 0.8])
def test_a_linear_target_with_noise_is_read_up_to_the_noise(noise: float):
    rng = np.random.default_rng(1)
    w = rng.normal(size=5)
    X = rng.normal(size=(20_000, 5))
    z = np.sqrt(1 - noise) * X @ (w / np.linalg.norm(w)) + np.sqrt(noise) * rng.normal(size=20_000)
    got = probed([X], np.column_stack([z, 9 * z - 100]))
    assert got.raw[0, 0] == pytest.approx(1 - noise, abs=0.02)
    assert got.raw[0, 1] == pytest.approx(got.raw[0, 0], abs=1e-9)  # shift and scale change nothing


def test_linear_in_invertible_layers_is_complexity_zero():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(4000, 12))
    layers = [X := X @ rotation(rng, 12) for _ in range(4)]
    got = probed(layers, X @ rng.normal(size=(12, 3)), alphas=np.array([1e-9, 1e-8]))
    assert got.complexity == pytest.approx(0, abs=1e-6)
    assert got.complexity_raw == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("late", [0, 1, 2, 3, 4])
def test_a_feature_that_steps_in_late_has_the_share_of_layers_without_it(late: int):
    rng = np.random.default_rng(3)
    z = rng.normal(size=20_000)
    layers = []
    for index in range(4):
        X = rng.normal(size=(20_000, 6))
        if index >= late:
            X[:, index] = z
        layers.append(X)
    got = probed(layers, z[:, None])
    assert got.complexity[0] == pytest.approx(late / 4, abs=0.02)
    assert (got.raw[:late, 0] < 0.01).all()
    assert (got.raw[late:, 0] > 0.99).all()


def test_a_product_is_read_only_where_it_is_a_column():
    X = np.random.default_rng(4).normal(size=(20_000, 4))
    product = X[:, 0] * X[:, 1]
    got = probed([X, np.column_stack([X, product])], product[:, None])
    assert got.clipped[:, 0] == pytest.approx([0, 1], abs=0.01)
    assert got.complexity[0] == pytest.approx(0.5, abs=0.01)


def test_noise_has_complexity_one_and_the_raw_value_lies_above():
    rng = np.random.default_rng(5)
    got = probed([rng.normal(size=(4000, 30)) for _ in range(3)], rng.normal(size=(4000, 40)),
                 alphas=np.array([1e-6]))  # fmt: skip
    assert got.complexity.mean() == pytest.approx(1, abs=0.02)
    assert got.complexity_raw.mean() > 1
    assert (got.fit > got.raw).mean() > 0.95  # the probe fits its own rows better


def test_a_wide_layer_takes_the_dual_form_and_a_strong_ridge():
    rng = np.random.default_rng(6)
    X = rng.normal(size=(300, 180))
    Z = rng.normal(size=(300, 3))
    loose, chosen = probed([X], Z, alphas=np.array([1e-5])), probed([X], Z)
    assert chosen.raw.mean() > loose.raw.mean() + 0.05
    assert chosen.alphas[0, 0] > 0.1
    assert "fewer than 5 times the width of layer_0 (180)" in chosen.notes[0]


def test_values_are_those_of_scikit_learn():
    from sklearn.linear_model import Ridge
    from sklearn.metrics import r2_score
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(7)
    X = (rng.normal(size=(400, 9)) * 3 + 1).astype(np.float32)
    Z = np.maximum(X @ rng.normal(size=(9, 5)) + rng.normal(size=(400, 5)), 0).astype(np.float32)
    split = thirds(400)
    got = readability([("one", X)], Z, split, draws=0)
    scaler = StandardScaler().fit(X[split.fit])
    peer = Ridge(alpha=got.alphas[0, 0] * len(split.fit))
    peer.fit(scaler.transform(X[split.fit]).astype(float), Z[split.fit].astype(float))
    for rows, ours in ((split.held, got.raw), (split.fit, got.fit)):
        said = peer.predict(scaler.transform(X[rows]).astype(float))
        expected = r2_score(Z[rows], said, multioutput="raw_values")
        assert ours[0] == pytest.approx(expected, abs=1e-5)


def test_a_strength_of_its_own_serves_each_target_better_on_the_valid_rows():
    rng = np.random.default_rng(8)
    X = rng.normal(size=(160, 40))
    Z = np.column_stack([X[:, 0], rng.normal(size=160)])
    own = probed([X], Z, per_target=True)
    alone = [probed([X], Z[:, [i]]) for i in range(2)]
    assert own.alphas[0].tolist() == [one.alphas[0, 0] for one in alone]
    assert own.alphas[0, 0] < own.alphas[0, 1]
    assert own.raw[0] == pytest.approx([one.raw[0, 0] for one in alone])
    assert own.fit[0] == pytest.approx([one.fit[0, 0] for one in alone])


def test_chunks_of_targets_change_nothing(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(9)
    X, Z = rng.normal(size=(200, 6)), rng.normal(size=(200, 11))
    Z[:, :4] += X[:, :4]
    whole = probed([X], Z, draws=20)
    monkeypatch.setattr("backend.complexity.readability._CHUNK", 3)
    parts = probed([X], Z, draws=20)
    for name in ("raw", "fit", "low", "high", "alphas", "complexity_low"):
        assert getattr(parts, name) == pytest.approx(getattr(whole, name))


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    hits, widths = [], []
    rng = np.random.default_rng(10)
    for seed in range(6):
        X = rng.normal(size=(1200, 3))
        Z = np.sqrt(0.6) * X[:, [0]] + np.sqrt(0.4) * rng.normal(size=(1200, 60))
        got = probed([X, rng.normal(size=(1200, 3))], Z, draws=200, seed=seed)
        hits.append((got.complexity_low <= 0.7) & (got.complexity_high >= 0.7))
        widths.append(got.complexity_high - got.complexity_low)
        assert (got.low <= got.clipped + 0.02).all()
    assert 0.88 < np.mean(hits) < 0.99
    assert np.mean(widths) < 0.1


def test_rows_of_one_group_are_resampled_together():
    rng = np.random.default_rng(11)
    X = np.repeat(rng.normal(size=(100, 2)), 10, axis=0)
    Z = np.repeat(rng.normal(size=(100, 20)), 10, axis=0) + X[:, [0]]
    groups = np.repeat(np.arange(100), 10)
    order = rng.permutation(100)
    rows = [np.flatnonzero(np.isin(groups, part)) for part in np.split(order, [40, 60])]
    split = Split(rows[0], rows[1], rows[2])
    apart = readability([("a", X)], Z, split)
    whole = readability([("a", X)], Z, split, groups=groups)
    wider = (whole.high - whole.low) / (apart.high - apart.low)
    assert np.median(wider) == pytest.approx(np.sqrt(10), rel=0.25)
    assert whole.raw == pytest.approx(apart.raw)


def test_dead_and_rare_features_are_said():
    rng = np.random.default_rng(12)
    X, Z = rng.normal(size=(400, 4)), np.zeros((400, 4))
    split = thirds(400)
    Z[:, 0] = X[:, 0]
    Z[split.fit[:10], 1] = 1.0  # never on when held out
    Z[:, 2] = 0.1
    Z[split.held[:3], 3] = 1.0  # constant on the fit rows
    got = readability([("one", X)], Z, split)
    assert got.dead.tolist() == [False, False, True, True]
    assert np.isfinite(got.complexity).tolist() == [True, False, False, False]
    assert np.isnan(got.low[0]).tolist() == [False, True, True, True]
    assert got.active.tolist() == [400, 10, 400, 3]
    said = " ".join(got.notes)
    assert "1 features are active on fewer than 30 rows" in said
    assert "2 features are constant on the fit rows" in said
    assert "1 features are constant on the held-out rows" in said


def test_complexity_by_hand():
    values = np.array([[0.5, -2.0], [1.0, 0.4]])
    assert complexity(values) == pytest.approx([0.25, 0.8])


def test_progress_names_each_layer():
    heard = []
    rng = np.random.default_rng(13)
    X = rng.normal(size=(60, 2))
    probed([X, X], X, progress=lambda done, total, text: heard.append((done, total, text)))
    assert heard == [(0, 2, "probing layer_0"), (1, 2, "probing layer_1")]


def test_what_cannot_be_probed_is_refused():
    X = np.random.default_rng(14).normal(size=(40, 3))
    bad = X.copy()
    bad[3, 1] = np.nan
    split = thirds(40)
    for layers, Z, rows, alphas, words in (
        ([("a", X[:39])], X, split, ALPHAS, "a has 39 rows"),
        ([("a", bad)], X, split, ALPHAS, "a has values that are not finite"),
        ([("a", X)], bad, split, ALPHAS, "targets has values"),
        ([], X, split, ALPHAS, "0 layers"),
        ([("a", X)], X[:, :0], split, ALPHAS, "0 features"),
        ([("a", X)], X, replace(split, valid=split.valid[:0]), ALPHAS, "The valid rows are 0"),
        ([("a", X)], X, split, np.array([0.0, 1.0]), "not all above 0"),
    ):
        with pytest.raises(AnalysisError, match=words):
            readability(layers, Z, rows, alphas=alphas)


@pytest.mark.parametrize(
    ("count", "said"),
    [(2, "width of l0 (9), l1 (9):"), (6, "width of 6 layers from l0 (9) to l5 (9):")],
)
def test_many_wide_layers_are_named_by_the_first_and_the_last(count, said):
    rng = np.random.default_rng(0)
    X, Z = rng.normal(size=(60, 9)), rng.normal(size=(60, 2))
    found = readability([(f"l{i}", X) for i in range(count)], Z, thirds(60), draws=0)
    assert any(said in note for note in found.notes)
