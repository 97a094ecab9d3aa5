"""torchao as the quantizer: its weights compute, come close to ours, and refusals say why."""

import sys

import pytest
import torch
from torch import nn

from backend.errors import UserError
from backend.whatif.applying import applied
from backend.whatif.quantizer import linear_weights, round_to_nearest
from backend.whatif.torchao_quantizer import available, torchao_weight
from backend.whatif.values import quantize
from tests import rigs

needs_torchao = pytest.mark.skipif(bool(available()), reason=available() or "torchao is there")


def normal_linear(width: int = 256) -> nn.Linear:
    """A linear module with normal weights, as trained ones nearly have."""
    torch.manual_seed(0)
    module = nn.Linear(width, 128).requires_grad_(False)
    module.weight.copy_(torch.randn(128, width))
    return module


def output_error(module: nn.Linear, weight: torch.Tensor) -> float:
    x = torch.randn(64, module.in_features, generator=torch.Generator().manual_seed(1))
    wanted = x @ module.weight.T
    return float((nn.functional.linear(x, weight) - wanted).norm() / wanted.norm())


@needs_torchao
@pytest.mark.parametrize(
    ("bits", "expected"), [(8, 0.006), (4, 0.100), (3, 0.205), (2, 0.469)]
)  # fmt: skip
@pytest.mark.parametrize("symmetric", [False, True])
def test_its_error_is_of_the_known_order_and_near_ours(bits, expected, symmetric):
    module = normal_linear()
    theirs = output_error(module, torchao_weight(module, bits, group=32, symmetric=symmetric))
    ours = output_error(module, round_to_nearest(module.weight, bits, group=32))
    assert theirs == pytest.approx(expected, rel=0.35)
    assert 0.7 < theirs / ours < 1.5


@needs_torchao
@pytest.mark.parametrize("group", [32, 0, 64, 1000])
def test_a_swapped_weight_computes_through_it_and_the_module_is_as_before(group):
    module = normal_linear(64)
    original = module.weight
    weight = torchao_weight(module, 4, group=group, symmetric=False)
    assert module.weight is original and type(weight).__module__.startswith("torchao")
    assert isinstance(weight, nn.Parameter) and not weight.requires_grad
    x = torch.randn(3, 64)
    module.weight = weight
    with torch.inference_mode():
        found = module(x)
    assert torch.allclose(found, x @ weight.dequantize().T + module.bias, atol=1e-5)
    assert weight.shape == original.shape
    assert max(len(row.unique()) for row in weight.dequantize()) <= 16 * max(1, 64 // (group or 64))


@needs_torchao
def test_a_whole_model_computes_with_it_and_is_given_back():
    model = rigs.open_model("llama")
    batch = model.tokenize(["the capital of france is paris ."])
    with torch.inference_mode():
        before = model.model(**batch).logits
        changed = {}
        for quantizer in ("torchao", "rtn"):
            with applied(model, quantize({0: 8, 1: 8, 2: 8}, quantizer=quantizer)):
                changed[quantizer] = model.model(**batch).logits
        after = model.model(**batch).logits
    assert torch.equal(before, after)
    assert not torch.equal(before, changed["torchao"])
    assert torch.allclose(changed["torchao"], changed["rtn"], atol=0.05 * float(before.std()))


@needs_torchao
def test_what_it_cannot_do_is_refused_with_a_remedy():
    with pytest.raises(UserError, match="24 does not divide 256"):
        torchao_weight(normal_linear(), 4, group=24, symmetric=False)
    transposed = linear_weights(rigs.open_model("gpt2").blocks[0])["mlp.c_fc"]
    with pytest.raises(UserError, match="transposed weights.*rtn"):
        torchao_weight(transposed, 4, group=0, symmetric=False)
    with pytest.raises(UserError, match="cannot round this weight.*rtn"):
        torchao_weight(normal_linear().double(), 4, group=0, symmetric=False)
    with pytest.raises(UserError, match="1 bits"):
        torchao_weight(normal_linear(), 1, group=0, symmetric=False)


def test_without_it_the_refusal_says_how_to_get_it(monkeypatch):
    for name in [n for n in sys.modules if n.split(".")[0] == "torchao"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torchao", None)
    assert "torchao" in available()
    with pytest.raises(UserError, match="cannot be used: .*pip install"):
        torchao_weight(normal_linear(), 4, group=32, symmetric=False)
