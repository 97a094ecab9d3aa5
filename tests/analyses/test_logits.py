"""Distributions that are written down by hand."""

import math

import numpy as np
import pytest
import torch

from backend.analyses.logits import log_probabilities, read_logits, settled_from

LN = math.log


def log_p(*rows: list[float]) -> torch.Tensor:
    return log_probabilities(torch.tensor(rows).log() + 3)  # softmax forgets the shift


def test_known_distributions():
    layer = log_p([0.5, 0.25, 0.125, 0.125], [0.25, 0.25, 0.25, 0.25])
    output = log_p([0.25, 0.25, 0.25, 0.25], [0.5, 0.25, 0.125, 0.125])
    found = read_logits(layer, output, torch.tensor([1, 3]), k=2)
    assert found.top[0].tolist() == [0, 1]
    assert found.top_probability[0] == pytest.approx([0.5, 0.25])
    assert found.actual_rank.tolist() == [2, 1]
    assert found.actual_probability == pytest.approx([0.25, 0.25])
    assert found.entropy == pytest.approx([1.75 * LN(2), 2 * LN(2)], abs=1e-6)
    assert found.kl == pytest.approx([0.25 * LN(2), 0.25 * LN(2)], abs=1e-6)


def test_kl_has_a_direction_and_is_zero_for_equals():
    p, q = log_p([0.9, 0.1]), log_p([0.5, 0.5])
    actual = torch.tensor([0])
    forward, backward = read_logits(p, q, actual, k=1).kl, read_logits(q, p, actual, k=1).kl
    assert forward == pytest.approx([0.9 * LN(1.8) + 0.1 * LN(0.2)], abs=1e-6)
    assert backward == pytest.approx([0.5 * LN(0.5 / 0.9) + 0.5 * LN(5)], abs=1e-6)
    assert read_logits(p, p, actual, k=1).kl == 0


def test_masked_tokens_and_half_precision_do_no_harm():
    masked = log_probabilities(torch.tensor([[1.0, -math.inf, 1.0]]))
    found = read_logits(masked, masked, torch.tensor([1]), k=1)
    assert found.kl == 0
    assert found.entropy == pytest.approx([LN(2)], abs=1e-6)
    assert (found.actual_rank[0], found.actual_probability[0]) == (3, 0)
    half = torch.randn(2, 500, generator=torch.Generator().manual_seed(0)).bfloat16()
    assert log_probabilities(half).exp().sum(-1).tolist() == pytest.approx([1, 1], abs=1e-5)


def test_permuting_the_vocabulary_permutes_tokens_only():
    generator = torch.Generator().manual_seed(1)
    p, q = (log_probabilities(torch.randn(3, 40, generator=generator)) for _ in range(2))
    order = torch.randperm(40, generator=generator)
    actual = torch.tensor([4, 9, 30])
    a = read_logits(p, q, order[actual], k=5)
    b = read_logits(p[:, order], q[:, order], actual, k=5)
    assert np.array_equal(order.numpy()[b.top], a.top)
    for name in ("actual_rank", "entropy", "kl", "top_probability"):
        assert np.allclose(getattr(a, name), getattr(b, name), atol=1e-6)


def test_settled_is_the_first_layer_that_stays():
    first = np.array([[7, 1, 5], [7, 7, 6], [2, 7, 7], [7, 7, 8]])
    assert settled_from(first).tolist() == [3, 1, 3]
    assert settled_from(np.array([[4, 4], [4, 4]])).tolist() == [0, 0]
