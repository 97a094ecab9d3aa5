"""Contributions to a linear head: exact logits, autograd, rules, reconstruction and ablation."""

import numpy as np
import pytest

from backend.complexity.dictionary import encode, learn_pca, neurons, random_directions
from backend.complexity.importance import (
    Head,
    ablation,
    importance,
    orders,
    relative_accuracy,
    top_classes,
)
from backend.errors import AnalysisError


def _made(n: int = 80, k: int = 7, d: int = 5, C: int = 3):
    rng = np.random.default_rng(0)
    Z, D = rng.gamma(0.5, size=(n, k)), rng.gamma(1.0, size=(k, d))
    return Z, D, rng.normal(size=(C, d)), rng.normal(size=C)


def test_contributions_add_up_to_the_logits_and_are_gradient_times_input():
    import torch

    Z, D, W, b = _made()
    head = Head.of(D, W, b)
    assert head.logits(Z) == pytest.approx((Z @ D) @ W.T + b, abs=1e-10)
    z = torch.from_numpy(Z).requires_grad_(True)
    logits = z @ torch.from_numpy(D) @ torch.from_numpy(W).T + torch.from_numpy(b)
    logits[:, 1].sum().backward()
    assert (z.grad * z).detach().numpy() == pytest.approx(Z * head.S[:, 1], abs=1e-10)
    assert (Z * head.S[:, 1]).sum(axis=1) + b[1] == pytest.approx(head.logits(Z)[:, 1], abs=1e-10)


def test_a_centre_and_oblique_directions_still_give_the_models_logits():
    X = np.random.default_rng(1).normal(size=(60, 5)) + 4
    W, b = _made()[2:]
    for found in (learn_pca(X, 5), neurons(5), random_directions(5, 9, seed=0)):
        head = Head.of(found.decoder, W, b, found.centre)
        assert head.logits(encode(found, X)) == pytest.approx(X @ W.T + b, abs=1e-9)


@pytest.mark.parametrize("rule", ["predicted", "true"])
def test_importance_towards_each_rows_class(rule: str):
    Z, D, W, b = _made()
    head = Head.of(D, W, b)
    classes = np.random.default_rng(2).integers(2, size=80)  # the third class never occurs
    found = importance(head, Z, rule=rule, classes=classes)
    each = Z * head.S[:, classes].T
    assert found.signed == pytest.approx(each.mean(axis=0))
    assert found.absolute == pytest.approx(np.abs(each).mean(axis=0))
    assert (found.absolute >= np.abs(found.signed) - 1e-12).all()


def test_importance_towards_a_features_own_class():
    Z, D, W, b = _made()
    Z[:, 0] *= -1
    head = Head.of(D, W, b)
    origin = np.array([0, 1, 2, 0, 1, 2, 0])
    found = importance(head, Z, rule="origin", classes=origin)
    assert found.signed == pytest.approx((Z * head.S[np.arange(7), origin]).mean(axis=0))
    best = importance(head, Z, rule="max")
    assert best.absolute == pytest.approx(
        [np.abs(Z[:, i, None] * head.S[i]).mean(axis=0).max() for i in range(7)]
    )
    assert (best.absolute >= found.absolute).all()


def test_the_scale_shared_by_code_and_direction_does_not_matter():
    Z, D, W, b = _made()
    s = np.array([2.0, 0.5, 10, 1, 3, 0.1, 7])
    one = importance(Head.of(D, W, b), Z, rule="max")
    two = importance(Head.of(D / s[:, None], W, b), Z * s, rule="max")
    assert two.signed == pytest.approx(one.signed)


def test_top_classes_are_those_a_feature_moves_most():
    Z, D, W, b = _made()
    head = Head.of(D, W, b)
    classes, values = top_classes(head, Z, count=2)
    contributions = Z.mean(axis=0)[:, None] * head.S
    assert classes[:, 0].tolist() == np.abs(contributions).argmax(axis=1).tolist()
    assert values == pytest.approx(np.take_along_axis(contributions, classes, axis=1))
    assert top_classes(head, Z, count=9)[0].shape == (7, 3)


def test_relative_accuracy_of_the_same_rows_is_one_and_of_noise_is_chance():
    rng = np.random.default_rng(3)
    X, W = rng.normal(size=(4000, 6)), rng.normal(size=(4, 6))
    b, labels = np.zeros(4), rng.integers(4, size=4000)
    assert relative_accuracy(X, X, W, b) == 1
    assert relative_accuracy(X, X, W, b, labels=labels) == 1
    noise = rng.normal(size=X.shape)
    expected = np.mean((noise @ W.T).argmax(1) == (X @ W.T).argmax(1))
    assert relative_accuracy(X, noise, W, b) == pytest.approx(expected)
    assert expected < 0.4
    wrong = ((X @ W.T).argmax(1) + 1) % 4
    assert np.isnan(relative_accuracy(X, noise, W, b, labels=wrong))


def test_ablation_ends_at_the_bias_and_at_the_whole():
    Z, D, W, b = _made()
    head = Head.of(D, W, b)
    labels = head.logits(Z).argmax(axis=1)
    order = np.random.default_rng(4).permutation(7)
    shares = (0.0, 3 / 7, 1.0)
    got = ablation(head, Z, labels, order, whole=1.0, shares=shares)
    assert got[0] == pytest.approx(np.mean(labels == b.argmax()))
    some = order[:3]
    kept = (Z[:, some] @ head.S[some] + b).argmax(axis=1)
    assert got[1] == pytest.approx(np.mean(kept == labels))
    assert got[2] == 1
    assert ablation(head, Z, labels, order, whole=0.5, shares=shares) == pytest.approx(2 * got)


def test_ablation_by_importance_keeps_what_counts():
    rng = np.random.default_rng(5)
    Z, W = rng.gamma(1.0, size=(500, 10)), np.zeros((3, 10))
    W[:, :3] = 3 * np.eye(3)
    W[:, 3:] = 0.01 * rng.normal(size=(3, 7))
    head = Head.of(np.eye(10), W, np.zeros(3))
    labels = head.logits(Z).argmax(axis=1)
    weight = importance(head, Z, classes=labels).absolute
    by = orders(-weight, weight)
    curves = {n: ablation(head, Z, labels, o, whole=1.0, shares=(0.3,))[0] for n, o in by.items()}
    assert curves["importance"] > 0.97
    assert curves["importance"] == curves["simplest"] > curves["most_complex"]
    assert set(curves) == {"importance", "simplest", "most_complex"} | {
        f"random-{i}" for i in range(5)
    }


def test_orders_put_unknown_complexity_last():
    by = orders(np.array([0.5, np.nan, 0.1]), None, seeds=[7])
    assert by["simplest"].tolist() == [2, 0, 1]
    assert by["most_complex"].tolist() == [0, 2, 1]
    assert sorted(by["random-7"]) == [0, 1, 2]
    assert "importance" not in by


def test_wrong_classes_and_shares_are_refused():
    Z, D, W, b = _made()
    head, labels = Head.of(D, W, b), np.zeros(80, int)
    for call, words in (
        (lambda: importance(head, Z), "needs 80 classes and got none"),
        (lambda: importance(head, Z, rule="origin", classes=labels), "needs 7 classes and got 80"),
        (lambda: importance(head, Z, classes=labels + 3), "Class 3 is not one of the head's 3"),
        (lambda: ablation(head, Z, labels, np.arange(7), whole=0.0), "accuracy is 0.0"),
        (lambda: ablation(head, Z, labels, np.arange(7), whole=1, shares=(0.5, 0.1)), "not rise"),
    ):
        with pytest.raises(AnalysisError, match=words):
            call()
