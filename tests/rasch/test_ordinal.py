"""Ordinal softmax and cross-entropy: card numbers, limits, and torch against numpy."""

import numpy as np
import pytest
import torch

from backend.errors import DataError
from backend.rasch.ordinal import (
    bias_design,
    cross_entropy,
    cumulative,
    marginal_biases,
    ordered_biases,
    ordinal_cross_entropy,
    ordinal_softmax,
    passed,
    predicted_label,
    raw_biases,
    softmax,
    torch_ordered_biases,
    torch_ordinal_loss,
    torch_softmax_loss,
)

LOGITS = np.array([[2.0, 0.0, -1.0]])


def test_the_numbers_of_the_card():
    assert cumulative(LOGITS)[0] == pytest.approx([0.8808, 0.5, 0.2689], abs=5e-5)
    assert ordinal_softmax(LOGITS)[0] == pytest.approx([0.1192, 0.3808, 0.2311, 0.2689], abs=5e-5)
    assert ordinal_cross_entropy(LOGITS, np.array([2])) == pytest.approx(1.1333, abs=5e-5)
    assert predicted_label(LOGITS).tolist() == [1]


def test_two_categories_are_logistic_regression():
    z, y = np.array([[0.3], [-2.0]]), np.array([1, 0])
    p = 1 / (1 + np.exp(-z[:, 0]))
    assert ordinal_softmax(z)[:, 1] == pytest.approx(p)
    wanted = -(np.log(p[0]) + np.log(1 - p[1])) / 2
    assert ordinal_cross_entropy(z, y) == pytest.approx(wanted)
    assert cross_entropy(np.c_[np.zeros(2), z], y) == pytest.approx(wanted)


def test_turning_the_scale_round_turns_the_probabilities_round():
    z = np.array([[1.5, 0.2, -0.7], [0.1, -3.0, -3.5]])
    turned = -z[:, ::-1]
    assert ordinal_softmax(turned) == pytest.approx(ordinal_softmax(z)[:, ::-1])
    y = np.array([1, 3])
    assert ordinal_cross_entropy(turned, 3 - y) == pytest.approx(ordinal_cross_entropy(z, y))


def test_huge_logits_stay_finite():
    z = np.array([[900.0, 800.0, -900.0]])
    assert cumulative(z).tolist() == [[1, 1, 0]]
    assert ordinal_softmax(z)[0] == pytest.approx([0, 0, 1, 0], abs=1e-6)
    assert ordinal_cross_entropy(z, np.array([2])) == 0
    assert ordinal_cross_entropy(z, np.array([0])) == pytest.approx(1700)
    assert softmax(z)[0] == pytest.approx([1, 0, 0])
    assert cross_entropy(z, np.array([1])) == pytest.approx(100)


def test_logits_in_the_wrong_order_still_give_probabilities():
    P = ordinal_softmax(np.array([[-1.0, 2.0]]))
    assert (P > 0).all() and P.sum() == pytest.approx(1)


def test_importance_weighs_the_steps():
    y, w = np.array([2]), np.array([0.0, 2.0, 0.5])
    wanted = 2 * np.log(2) + 0.5 * np.log1p(np.exp(-1.0))
    assert ordinal_cross_entropy(LOGITS, y, importance=w) == pytest.approx(wanted)


def test_ordered_biases_never_rise_and_come_back():
    raw = np.random.default_rng(0).normal(size=6) * 3
    b = ordered_biases(raw)
    assert (np.diff(b) < 0).all()
    assert raw_biases(b) == pytest.approx(raw)
    design = [torch.tensor(x) for x in bias_design((4, 1, 1))]
    heads = np.concatenate([ordered_biases(raw[:4]), raw[4:]])
    assert torch_ordered_biases(torch.tensor(raw), *design).numpy() == pytest.approx(heads)
    assert np.isfinite(raw_biases(np.array([1.0, 1.0, 2.0]))).all()


def test_marginal_biases_give_the_shares_back():
    counts = np.array([40, 0, 1000, 360])
    shares = ordinal_softmax(marginal_biases(counts))
    assert shares == pytest.approx((counts + 0.5) / (counts.sum() + 2))


def test_counts_of_labels_cost_what_the_labels_cost():
    rng = np.random.default_rng(1)
    y, row = rng.integers(0, 4, 50), rng.integers(0, 6, 50)
    counts = np.zeros((6, 4))
    np.add.at(counts, (row, y), 1)
    z, free = rng.normal(size=(6, 3)), rng.normal(size=(6, 4))
    ordinal = torch_ordinal_loss(torch.tensor(z), *map(torch.tensor, passed(counts)))
    assert ordinal.item() == pytest.approx(50 * ordinal_cross_entropy(z[row], y))
    plain = torch_softmax_loss(torch.tensor(free), torch.tensor(counts))
    assert plain.item() == pytest.approx(50 * cross_entropy(free[row], y))


def test_labels_are_counted_on_both_sides_of_each_step():
    above, below = passed(np.array([[2, 0, 5, 1], [0, 0, 0, 0]]))
    assert above.tolist() == [[6, 6, 1], [0, 0, 0]] and below.tolist() == [[2, 2, 7], [0, 0, 0]]


def test_the_loss_falls_fastest_at_the_gradient_s_closed_form():
    z = torch.tensor([[0.4, -0.3]], requires_grad=True)
    torch_ordinal_loss(z, torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])).backward()
    C = 1 / (1 + np.exp(-np.array([0.4, -0.3])))
    assert z.grad.numpy()[0] == pytest.approx(C - [1, 0])


def test_a_label_outside_is_refused():
    with pytest.raises(DataError, match="label 4 is none of 4 categories"):
        ordinal_cross_entropy(LOGITS, np.array([4]))
    with pytest.raises(DataError, match="label -1 is none of 3"):
        cross_entropy(LOGITS, np.array([-1]))
