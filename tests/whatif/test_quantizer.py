"""Round to nearest: levels, groups, layouts, what is rounded, and stored bits."""

import numpy as np
import pytest
import torch
from torch import nn

from backend.analyses.quantization_scores import low_layers
from backend.errors import UserError
from backend.whatif.applying import applied
from backend.whatif.quantizer import (
    in_features,
    linear_weights,
    quantized_weight,
    round_to_nearest,
    stored_bits,
)
from backend.whatif.values import quantize
from tests import rigs

WIDTHS = range(2, 9)
KINDS = pytest.mark.parametrize("symmetric", [False, True])


def rows(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def by_hand(weight: torch.Tensor, bits: int, symmetric: bool) -> torch.Tensor:
    """The card's formula on one group, value by value in float64."""
    w = weight.double()
    if symmetric:
        step = w.abs().max() / (2 ** (bits - 1) - 1)
        return torch.clamp((w / step).round(), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1) * step
    step = (w.max() - w.min()) / (2**bits - 1)
    return ((w - w.min()) / step).round() * step + w.min()


@KINDS
@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize(("width", "group"), [(128, 64), (100, 64), (48, 64), (96, 0), (8, 3)])
def test_each_group_is_rounded_as_the_formula_says(width, group, bits, symmetric):
    weight = rows(5, width)
    found = round_to_nearest(weight, bits, group=group, symmetric=symmetric)
    size = group or width
    for row, got in zip(weight, found, strict=True):
        for w, q in zip(row.split(size), got.split(size), strict=True):
            assert torch.allclose(q.double(), by_hand(w, bits, symmetric), atol=1e-5)


def test_an_example_worked_out_on_paper():
    weight = torch.tensor([[0.0, 1.0, 2.0, 6.0]])
    assert round_to_nearest(weight, 2, group=0).tolist() == [[0, 0, 2, 6]]  # 0.5 to even
    assert round_to_nearest(weight, 2, group=0, symmetric=True).tolist() == [[0, 0, 0, 6]]
    assert round_to_nearest(weight, 2, group=2).tolist() == [[0, 1, 2, 6]]


@KINDS
@pytest.mark.parametrize("bits", WIDTHS)
def test_no_weight_moves_by_more_than_half_a_step(bits, symmetric):
    weight = rows(64, 256)
    groups = weight.unflatten(1, (-1, 64))
    low, high = groups.amin(-1), groups.amax(-1)
    step = torch.maximum(high, -low) / (2 ** (bits - 1) - 1)
    step = step if symmetric else (high - low) / (2**bits - 1)
    moved = (round_to_nearest(weight, bits, symmetric=symmetric) - weight).abs()
    worst = (moved.unflatten(1, (-1, 64)).amax(-1) / step).max()
    assert 0.49 < worst <= 0.5 + 1e-4


@pytest.mark.parametrize(("bits", "expected"), [(8, 0.0087), (4, 0.157), (3, 0.367), (2, 0.909)])
def test_the_known_error_of_absmax_on_normal_rows(bits, expected):
    weight = rows(128, 4096, seed=1)
    found = round_to_nearest(weight, bits, group=0, symmetric=True)
    assert float((found - weight).norm() / weight.norm()) == pytest.approx(expected, rel=0.02)


@KINDS
@pytest.mark.parametrize("bits", WIDTHS)
def test_a_second_rounding_changes_nothing(bits, symmetric):
    once = round_to_nearest(rows(16, 200, seed=2), bits, symmetric=symmetric)
    twice = round_to_nearest(once, bits, symmetric=symmetric)
    assert torch.allclose(once, twice, rtol=0, atol=1e-6)


@KINDS
def test_levels_are_few_and_the_extremes_are_kept(symmetric):
    weight = rows(32, 64, seed=3)
    found = round_to_nearest(weight, 3, symmetric=symmetric)
    assert max(len(row.unique()) for row in found) <= (7 if symmetric else 8)
    largest = weight.abs().amax(1) if symmetric else weight.amax(1)
    assert torch.allclose((found.abs() if symmetric else found).amax(1), largest)


@KINDS
def test_groups_of_equal_weights_are_kept(symmetric):
    weight = torch.tensor([[0.0] * 64 + [0.37] * 64 + [-5e4] * 64 + [1e-45] * 64])
    found = round_to_nearest(weight, 4, symmetric=symmetric)
    assert torch.allclose(found, weight, rtol=1e-6, atol=1e-40)


@KINDS
def test_scaling_the_weights_scales_what_is_rounded(symmetric):
    weight = rows(8, 128, seed=4)
    found = round_to_nearest(weight, 4, symmetric=symmetric)
    assert torch.equal(round_to_nearest(weight * 8, 4, symmetric=symmetric), found * 8)
    flipped = round_to_nearest(-weight, 4, symmetric=True)
    assert torch.equal(flipped, -round_to_nearest(weight, 4, symmetric=True))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_dtype_stays_and_the_weight_is_not_changed(dtype):
    weight = nn.Parameter(rows(6, 80, seed=5).to(dtype))
    before = weight.detach().clone()
    found = round_to_nearest(weight, 4)
    assert found.dtype == dtype and found.shape == weight.shape and not found.requires_grad
    assert torch.equal(weight, before)
    assert torch.equal(found, round_to_nearest(before.float(), 4).to(dtype))


def test_pieces_and_strides_make_no_difference():
    weight = rows(1200, 300, seed=6)
    whole = round_to_nearest(weight, 4)
    assert torch.equal(whole[500:503], round_to_nearest(weight[500:503], 4))
    strided = weight.T.contiguous().T
    assert torch.equal(round_to_nearest(strided, 4), whole)


@pytest.mark.parametrize("bits", [0, 1, 9])
def test_other_widths_are_refused(bits):
    with pytest.raises(UserError, match=f"{bits} bits"):
        round_to_nearest(rows(2, 4), bits)


def test_a_negative_group_is_refused():
    with pytest.raises(UserError, match="group of -1"):
        round_to_nearest(rows(2, 4), 4, group=-1)


@pytest.mark.parametrize(
    ("kind", "count"), [("llama", 7), ("gpt2", 4), ("bert", 6), ("vit", 6), ("resnet", 0)]
)
def test_the_linear_modules_of_a_block_are_found(kind, count):
    block = rigs.open_model(kind).blocks[0]
    found = linear_weights(block)
    assert len(found) == count
    assert all(block.get_submodule(name) is module for name, module in found.items())
    assert not [name for name in found if "norm" in name.lower() or "ln_" in name]


def test_shared_and_packed_weights_are_left_out():
    block = nn.ModuleDict({name: nn.Linear(3, 5) for name in ("head", "own", "packed")})
    block["embed"] = nn.Embedding(5, 3)
    block["head"].weight = block["embed"].weight
    block["packed"].weight = nn.Parameter(torch.zeros(5, 3, dtype=torch.uint8), requires_grad=False)
    assert list(linear_weights(block)) == ["own"]


def test_transposed_modules_are_rounded_along_their_inputs():
    module = linear_weights(rigs.open_model("gpt2").blocks[0])["attn.c_attn"]
    assert module.weight.shape == (16, 48) and in_features(module) == 16
    found = quantized_weight(module, 4, group=8, symmetric=False)
    assert torch.equal(found, round_to_nearest(module.weight.T, 4, group=8).T)
    assert found.shape == module.weight.shape and found.is_contiguous()
    linear = nn.Linear(16, 48)
    linear.weight = nn.Parameter(module.weight.T.contiguous())
    assert torch.equal(quantized_weight(linear, 4, group=8, symmetric=False), found.T)


def test_all_high_and_all_low_are_the_same_model_whatever_the_order():
    model = rigs.open_model("llama")
    batch = model.tokenize(["the capital of france is paris ."])

    def logits(order: tuple[int, ...], k: int) -> torch.Tensor:
        low = low_layers(np.array(order), k).tolist()
        bits = {layer: 3 if layer in low else 4 for layer in order}
        with torch.inference_mode(), applied(model, quantize(bits, group=8)):
            return model.model(**batch).logits

    for k, width in ((0, 4), (3, 3)):
        same = quantize(dict.fromkeys(range(3), width), group=8)
        with torch.inference_mode(), applied(model, same):
            uniform = model.model(**batch).logits
        assert torch.equal(logits((0, 1, 2), k), uniform)
        assert torch.equal(logits((2, 0, 1), k), uniform)
    assert not torch.equal(logits((0, 1, 2), 1), logits((2, 0, 1), 1))


def test_stored_bits_count_scales_and_zero_points():
    assert stored_bits(4, 64, False, 576) == 4.5
    assert stored_bits(4, 64, True, 576) == 4.25
    assert stored_bits(3, 0, False, 128) == 3.25
    assert stored_bits(4, 64, False, 100) == pytest.approx(4 + 2 * 32 / 100)
