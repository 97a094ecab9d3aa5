"""What bits add up to: the paper's own budgets, and the whole of a file."""

from types import SimpleNamespace

import pytest
from torch import nn

from backend.whatif.sizes import sizes_of
from backend.whatif.values import WhatIf, quantize
from tests import rigs


def stack(widths: list[int], *, rest: int = 0):
    """A model of linear blocks with 64 inputs, and `rest` parameters outside them."""
    blocks = [nn.Sequential(nn.Linear(64, w, bias=False)) for w in widths]
    outside = [nn.Linear(rest, 1, bias=False)] if rest else []
    return SimpleNamespace(model=nn.ModuleList([*blocks, *outside]), blocks=blocks)


@pytest.mark.parametrize(
    ("n_high", "n", "high", "low", "expected"),
    [(30, 40, 4, 2, 3.5), (17, 40, 4, 2, 2.85), (0, 12, 8, 4, 4), (12, 12, 8, 4, 8)],
)
def test_average_bits_of_equal_layers(n_high, n, high, low, expected):
    bits = {layer: high if layer < n_high else low for layer in range(n)}
    assert sizes_of(stack([3] * n), quantize(bits)).average_bits == pytest.approx(expected)


def test_average_bits_rise_with_each_high_layer_and_weigh_by_parameters():
    model = stack([1, 3, 2, 4])
    found = [
        sizes_of(model, quantize({i: 4 if i < k else 2 for i in range(4)})).average_bits
        for k in range(5)
    ]
    assert found == pytest.approx([2, 2.2, 2.8, 3.2, 4])


@pytest.mark.parametrize(
    ("options", "stored"),
    [("", 4 + 2 * 16 / 64), (":sym", 4 + 16 / 64), (":g32", 4 + 2 * 2 * 16 / 64),
     (":g0", 4 + 2 * 16 / 64), (":g48", 4 + 2 * 2 * 16 / 64)],
)  # fmt: skip
def test_a_whole_file_counts_scales_and_what_stays_in_full(options, stored):
    found = sizes_of(stack([2, 2], rest=256), WhatIf.parse(f"bits:4=0-1{options}"))
    assert found.file_bits == pytest.approx((stored + 32) / 2)
    assert found.mb == pytest.approx(found.file_bits * 512 / 8e6)
    assert (found.block_weights, found.parameters) == (256, 512)
    assert found.average_bits == 4


def test_a_real_model_adds_up():
    model = rigs.open_model("llama")
    total = sum(p.numel() for p in model.model.parameters())
    block = sum(p.numel() for p in model.blocks[0].parameters())
    whole = sizes_of(model, WhatIf())
    assert whole.base_mb == whole.mb == pytest.approx(4e-6 * total)
    assert (whole.average_bits, whole.file_bits, whole.parameters) == (32, 32, total)
    gone = sizes_of(model, WhatIf.parse("skip:1+bits:4=1"))
    assert gone.mb == pytest.approx(4e-6 * (total - block))
    assert gone.average_bits == pytest.approx(32 * 2 / 3)
    assert sizes_of(model, WhatIf.parse("skip-mlp:0")).mb == whole.mb


def test_transposed_weights_count_their_inputs():
    model = rigs.open_model("gpt2")  # rows of 16 and of 64 inputs
    wide = sizes_of(model, WhatIf.parse("bits:4=0-2:g0")).mb
    assert wide < sizes_of(model, WhatIf.parse("bits:4=0-2:g8")).mb
