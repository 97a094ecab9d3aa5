"""LIM, ZD, orders and budgets against closed forms, invariances and errors."""

import math

import numpy as np
import pytest
import torch

from backend.analyses.quantization_scores import (
    lim_flattened,
    lim_token_mean,
    low_layers,
    order_by,
    ranks,
    zd,
)
from backend.errors import AnalysisError

LIMS = pytest.mark.parametrize("lim", [lim_token_mean, lim_flattened])
EVERY = np.ones((3, 5), dtype=bool)


def states(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


@LIMS
def test_lim_of_keeping_turning_and_leaving(lim):
    X = states(3, 5, 8)
    assert lim(X, X, EVERY) == pytest.approx([-1, -1, -1])
    assert lim(X, -X, EVERY) == pytest.approx([1, 1, 1])
    Y = np.stack([-X[..., 1::2], X[..., ::2]], axis=-1).reshape(X.shape)  # each pair turned by 90
    assert lim(X, Y, EVERY) == pytest.approx([0, 0, 0], abs=1e-12)
    assert lim(X, X + Y, EVERY) == pytest.approx([-math.sqrt(0.5)] * 3)


@LIMS
def test_lim_is_blind_to_scale_and_rotation(lim):
    X, Y = states(3, 5, 8), states(3, 5, 8, seed=1)
    found = lim(X, Y, EVERY)
    turn, _ = np.linalg.qr(states(8, 8, seed=2))
    assert lim(3 * X, 0.01 * Y, EVERY) == pytest.approx(found)
    assert lim(X @ turn, Y @ turn, EVERY) == pytest.approx(found)
    assert np.all(np.abs(found) < 1)


@LIMS
def test_lim_reads_the_tokens_of_the_mask_and_torch_alike(lim):
    X, Y = states(2, 6, 4), states(2, 6, 4, seed=3)
    mask = np.array([[0, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 0]], dtype=bool)
    found = lim(X, Y, mask)
    X[~mask], Y[~mask] = np.nan, 1e9
    assert np.array_equal(lim(X, Y, mask), found)
    alone = lim(X[:1, 1:4], Y[:1, 1:4], np.ones((1, 3), dtype=bool))
    assert alone == pytest.approx(found[:1])
    tensors = [torch.from_numpy(a) for a in (X, Y, mask)]
    assert np.array_equal(lim(*tensors), found) and found.dtype == np.float64
    half = [torch.from_numpy(np.nan_to_num(a)).to(torch.bfloat16) for a in (X, Y)]
    assert lim(*half, tensors[2].long()) == pytest.approx(found, abs=0.02)


def test_the_two_averages_are_what_they_say():
    x, y = np.array([[1.0, 0], [0, 100]]), np.array([[0, 1.0], [0, 100]])
    mask = np.ones((1, 2), dtype=bool)
    assert lim_token_mean(x[None], y[None], mask) == pytest.approx([-0.5])
    assert lim_flattened(x[None], y[None], mask) == pytest.approx([-10_000 / 10_001])


@LIMS
def test_zero_vectors_count_as_kept_when_both_are_zero(lim):
    X = np.array([[[0.0, 0], [1, 0]]])
    mask = np.array([[True, False]])
    assert lim(X, X, mask) == pytest.approx([-1])
    assert lim(X, X + 1, mask) == pytest.approx([0])
    assert lim(X + 1, X, mask) == pytest.approx([0])


@LIMS
def test_a_text_without_tokens_is_refused(lim):
    X = states(2, 3, 4)
    with pytest.raises(AnalysisError, match="Text 1 has no token"):
        lim(X, X, np.array([[True, True, True], [False, False, False]]))


def test_zd_of_normal_and_uniform_weights():
    generator = torch.Generator().manual_seed(0)
    normal = torch.randn(4096, 4096, generator=generator)
    one, two = zd([normal])
    assert one == pytest.approx(0.1587, abs=3e-4) and two == pytest.approx(0.3173, abs=3e-4)
    uniform = torch.rand(2048, 2048, generator=generator)
    expected = (1 - 1 / math.sqrt(3)) / 2
    one, two = zd([uniform])
    assert one == pytest.approx(expected, abs=5e-4) and two == pytest.approx(2 * expected, abs=1e-3)


def test_zd_takes_all_matrices_as_one_vector():
    parts = [states(30, 40), 3 + 2 * states(7, 5, seed=1), states(1, 9, seed=2)]
    whole = np.concatenate([p.ravel() for p in parts])
    z = (whole - whole.mean()) / whole.std()
    expected = float((z > 1).mean()), float((np.abs(z) > 1).mean())
    assert zd(parts) == expected
    assert zd(iter(parts[::-1])) == expected
    tensors = (torch.nn.Parameter(torch.from_numpy(p)) for p in parts)
    assert zd(tensors) == expected


def test_zd_of_many_pieces_is_that_of_one(monkeypatch):
    weights = 1000 + states(40, 50)
    expected = zd([weights])
    monkeypatch.setattr("backend.analyses.quantization_scores._PIECE", 7)
    assert zd([weights]) == expected


@pytest.mark.parametrize(("a", "b"), [(5, 0), (1e-6, 3), (2, -1e3)])
def test_zd_is_blind_to_scale_and_shift(a, b):
    weights = states(200, 50)
    one, two = zd([weights])
    assert zd([a * weights + b]) == pytest.approx((one, two), abs=1e-12)
    assert zd([-weights])[0] == pytest.approx(two - one, abs=1e-12)
    assert zd([-weights])[1] == two


@pytest.mark.parametrize("value", [0.0, 0.1, -7.3, 1e30])
def test_equal_weights_have_no_outliers(value):
    assert zd([np.full((13, 11), value)]) == (0.0, 0.0)
    assert zd([torch.full((13, 11), value)]) == (0.0, 0.0)


def test_one_outlier_in_a_thousand_is_counted():
    weights = np.zeros(1000)
    weights[3] = 1
    assert zd([weights]) == (0.001, 0.001)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ([], "no weights"),
        ([np.array([1.0, np.nan])], "finite"),
        ([np.array([1, np.inf])], "finite"),
    ],
)
def test_weights_that_cannot_be_counted_are_refused(weights, said):
    with pytest.raises(AnalysisError, match=said):
        zd(weights)


def test_orders_put_the_important_layer_first_and_ties_by_depth():
    lim = np.array([-0.9, -0.1, -0.9, -0.5])
    assert order_by(lim, high_is_important=True).tolist() == [1, 3, 0, 2]
    assert ranks(lim, high_is_important=True).tolist() == [3, 1, 4, 2]
    share = np.array([0.15, 0.13, 0.15, 0.14])
    assert order_by(share, high_is_important=False).tolist() == [1, 3, 0, 2]
    assert ranks(share, high_is_important=False).tolist() == [3, 1, 4, 2]
    assert order_by(np.zeros(4), high_is_important=True).tolist() == [0, 1, 2, 3]


def test_orders_keep_under_growing_functions_of_the_scores():
    scores = states(30)
    order = order_by(scores, high_is_important=True)
    assert np.array_equal(order_by(np.exp(3 * scores), high_is_important=True), order)
    assert np.array_equal(order_by(-scores, high_is_important=False), order)
    assert sorted(order) == list(range(30))
    assert np.array_equal(ranks(scores, high_is_important=True)[order], np.arange(1, 31))


def test_a_score_that_is_no_number_is_refused():
    with pytest.raises(AnalysisError, match="Layer 1 has the score nan"):
        order_by(np.array([0.1, np.nan, 0.2]), high_is_important=True)


def test_the_least_important_layers_go_low():
    order = np.array([2, 0, 3, 1])
    assert [low_layers(order, k).tolist() for k in range(5)] == [
        [], [1], [3, 1], [0, 3, 1], [2, 0, 3, 1],
    ]  # fmt: skip
    for k in (-1, 5):
        with pytest.raises(AnalysisError, match=f"{k} layers"):
            low_layers(order, k)
