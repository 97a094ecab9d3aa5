"""The ladder of probes: what only a network reads, and that it adds nothing where nothing is."""

import numpy as np
import pytest

from backend.complexity.probes import Network, probe_ladder, some_features
from backend.complexity.readability import Split, readability

QUICK = Network(epochs=40, rate=1e-2)


def _split(n: int) -> Split:
    return Split(np.arange(n // 2), np.arange(n // 2, n * 3 // 4), np.arange(n * 3 // 4, n))


def _made(n: int = 3000):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 4))
    Z = np.column_stack([X[:, 0] * X[:, 1], X[:, 2], rng.normal(size=n), np.full(n, 0.1)])
    return X, Z


def test_a_network_reads_a_product_that_a_linear_probe_does_not():
    X, Z = _made()
    got = probe_ladder([("one", X)], Z, _split(3000), features=[0, 1, 2, 3], network=QUICK)
    assert got.linear[0, :3] == pytest.approx([0, 1, 0], abs=0.04)
    assert got.mlp[0, 0] > 0.9
    assert got.mlp[0, 1] == pytest.approx(1, abs=0.01)
    assert got.mlp[0, 2] == pytest.approx(0, abs=0.03)
    assert np.isnan([got.linear[0, 3], got.mlp[0, 3]]).all()
    assert got.epochs[0, 0] > 0
    assert got.layers == ("one",)


def test_the_linear_rung_is_the_readability_of_those_features():
    X, Z = _made(400)
    split = _split(400)
    got = probe_ladder([("one", X)], Z, split, features=[2, 0], network=Network(epochs=0))
    alone = readability([("one", X)], Z[:, [2, 0]], split, draws=0)
    assert got.linear == pytest.approx(alone.raw)
    assert got.mlp == pytest.approx(alone.raw)  # no epoch: the linear probe itself
    assert (got.epochs == 0).all()


def test_a_feature_does_not_see_the_others_and_scale_does_not_matter():
    X, Z = _made(600)
    split, short = _split(600), Network(epochs=5)
    one = probe_ladder([("one", X)], Z[:, :1], split, features=[0], network=short)
    moved = probe_ladder([("one", X * 5 + 2)], 9 * Z[:, :1] - 4, split, features=[0], network=short)
    assert moved.mlp == pytest.approx(one.mlp, abs=1e-3)


def test_a_layer_that_does_not_vary_says_nothing():
    Z = _made(200)[1][:, :2]
    got = probe_ladder([("still", np.ones((200, 3)))], Z, _split(200), features=[0, 1])
    assert (got.mlp <= 0).all()
    assert got.mlp == pytest.approx(got.linear)


def test_features_are_spread_over_complexity():
    K = np.array([0.5, np.nan, 0.1, 0.9, 0.3, 0.7])
    assert some_features(K, 3).tolist() == [0, 2, 3]
    assert some_features(K, 99).tolist() == [0, 2, 3, 4, 5]
    assert some_features(np.full(3, np.nan), 2).tolist() == []


def test_training_ends_when_no_feature_gains_and_threads_are_given_back(monkeypatch):
    import torch

    epochs, shuffle, held = [], torch.randperm, torch.get_num_threads()

    def counted(*args, **more):
        epochs.append(torch.get_num_threads())
        return shuffle(*args, **more)

    monkeypatch.setattr(torch, "randperm", counted)
    rng = np.random.default_rng(3)
    X, noise = rng.normal(size=(400, 4)), rng.normal(size=(400, 2))
    torch.set_num_threads(2)
    try:
        got = probe_ladder([("one", X)], noise, _split(400), features=[0, 1],
                           network=Network(patience=3))  # fmt: skip
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(held)
    assert len(epochs) == got.epochs.max() + 3 < 60
    assert set(epochs) == {1}
