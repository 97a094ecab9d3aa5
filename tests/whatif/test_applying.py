"""A what-if holds while it is applied, means what it says, and leaves no trace."""

import copy

import pytest
import torch

from backend.errors import ModelError, UserError
from backend.models.hooks import reading
from backend.models.scoring import continue_text
from backend.whatif.applying import applied
from backend.whatif.values import WhatIf
from tests import rigs

IDS = torch.tensor([[5, 6, 7, 8, 9, 10]])
DECODERS = ("llama", "gpt2", "gemma2", "gpt_neox")


@torch.inference_mode()
def logits(model, text: str = "", ids: torch.Tensor = IDS) -> torch.Tensor:
    with applied(model, WhatIf.parse(text)):
        return model.model(input_ids=ids).logits


@pytest.mark.parametrize("family", DECODERS)
def test_a_skipped_layer_is_as_if_it_were_not_there(family):
    model = rigs.open_model(family)
    without = copy.deepcopy(model.model)
    blocks = without.base_model.h if family == "gpt2" else without.base_model.layers
    del blocks[1]
    without.config.num_hidden_layers = 2
    for name in ("layer_types",):
        if getattr(without.config, name, None):
            kept = [k for i, k in enumerate(getattr(without.config, name)) if i != 1]
            setattr(without.config, name, kept)
    with torch.inference_mode():
        expected = without(input_ids=IDS, use_cache=False).logits
    assert torch.allclose(logits(model, "skip:1"), expected, atol=1e-6)
    assert not torch.allclose(logits(model), expected, atol=1e-3)


@pytest.mark.parametrize(
    ("family", "part", "path"),
    [("llama", "attn", "self_attn.o_proj"), ("llama", "mlp", "mlp.down_proj"),
     ("gpt2", "attn", "attn.c_proj"), ("gpt2", "mlp", "mlp.c_proj"),
     ("gpt_neox", "attn", "attention.dense"), ("gpt_neox", "mlp", "mlp.dense_4h_to_h")],
)  # fmt: skip
def test_a_skipped_sublayer_is_as_if_it_wrote_zeros(family, part, path):
    model = rigs.open_model(family)
    silent = copy.deepcopy(model.model)
    base = silent.base_model
    last = (base.h if family == "gpt2" else base.layers)[2].get_submodule(path)
    with torch.no_grad():
        last.weight.zero_()
        if last.bias is not None:
            last.bias.zero_()
    with torch.inference_mode():
        expected = silent(input_ids=IDS).logits
    assert torch.allclose(logits(model, f"skip-{part}:2"), expected, atol=1e-6)


def test_only_the_named_tokens_are_skipped():
    model, seen = rigs.open_model("llama"), {}
    taps = {s: model.taps[s] for s in ("resid_pre.1", "resid_post.1")}
    for text in ("", "skip:1:t2-4"):
        keep = lambda s, h, text=text: seen.__setitem__((text, s), h.clone())  # noqa: E731
        with torch.inference_mode(), applied(model, WhatIf.parse(text)), reading(taps, keep):
            model.trunk(input_ids=IDS)
    came, left = seen["skip:1:t2-4", "resid_pre.1"][0], seen["skip:1:t2-4", "resid_post.1"][0]
    clean = seen["", "resid_post.1"][0]
    assert torch.equal(left[2:4], came[2:4])
    assert torch.equal(left[[0, 1, 4, 5]], clean[[0, 1, 4, 5]])


@pytest.mark.parametrize("text", ["skip:0", "skip-attn:1:t1-", "bits:2=0-2", "skip:1+bits:3=0"])
def test_everything_is_as_before_afterwards_also_after_an_error(text):
    model = rigs.open_model("llama")
    weights = dict(model.model.named_parameters())
    copies = {name: p.clone() for name, p in weights.items()}
    before, count = logits(model), rigs.hooks(model)
    assert not torch.equal(logits(model, text), before)

    def fail(*_):
        raise RuntimeError("in the middle")

    handle = model.blocks[2].register_forward_hook(fail)
    try:
        with pytest.raises(RuntimeError, match="in the middle"):
            logits(model, text)
    finally:
        handle.remove()
    assert rigs.hooks(model) == count
    assert all("forward" not in block.__dict__ for block in model.blocks)
    assert all(p is weights[name] for name, p in model.model.named_parameters())
    assert all(torch.equal(p, copies[name]) for name, p in weights.items())
    assert torch.equal(logits(model), before)


def test_bits_change_the_linear_weights_of_their_layers_and_nothing_else():
    model = rigs.open_model("llama")
    before = dict(model.model.named_parameters())
    with applied(model, WhatIf.parse("bits:4=1:g8")):
        changed = {n for n, p in model.model.named_parameters() if p is not before[n]}
    block = "model.layers.1."
    linear = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    assert changed == {n for n in before if n.startswith(block) and n.split(".")[-2] in linear}


def test_an_encoder_and_a_vision_model_are_changed_too():
    for family, inputs in (
        ("bert", {"input_ids": IDS}), ("vit", {"pixel_values": torch.randn(1, 3, 32, 32)}),
    ):  # fmt: skip
        model = rigs.open_model(family)
        with torch.inference_mode():
            before = model.trunk(**inputs)[0]
            for text in ("skip:1", "skip-mlp:0", "bits:3=0-2"):
                with applied(model, WhatIf.parse(text)):
                    assert not torch.allclose(model.trunk(**inputs)[0], before, atol=1e-4)
            assert torch.equal(model.trunk(**inputs)[0], before)


def test_what_cannot_be_done_is_refused():
    with (
        pytest.raises(UserError, match="names layer 3"),
        applied(rigs.open_model("llama"), WhatIf.parse("skip:3")),
    ):
        pass
    net = rigs.open_model("resnet")
    pixels = torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        with (
            pytest.raises(ModelError, match="turns states of shape.*cannot be skipped"),
            applied(net, WhatIf.parse("skip:2")),
        ):
            net.trunk(pixel_values=pixels)
        with (
            pytest.raises(ModelError, match="names tokens"),
            applied(net, WhatIf.parse("skip:1:t1-")),
        ):
            net.trunk(pixel_values=pixels)
    with (
        pytest.raises(ModelError, match="no module whose output"),
        applied(net, WhatIf.parse("skip-attn:1")),
    ):
        pass


@pytest.mark.parametrize("family", DECODERS)
@pytest.mark.parametrize("text", ["", "skip:1", "skip-mlp:0:t3-7", "bits:3=0-2", "skip:2:t6-"])
def test_a_text_goes_on_with_a_cache_as_it_does_without(family, text):
    model = rigs.open_model(family)
    ids = IDS[0].tolist()
    with applied(model, WhatIf.parse(text)) as place:
        tokens, states = continue_text(model, ids, 6, place)
        done = list(ids)
        for token in tokens:
            assert token == int(model.model(input_ids=torch.tensor([done])).logits[0, -1].argmax())
            done.append(token)
    assert 1 <= len(tokens) <= 6 and states.shape == (6, 16)


def test_weights_rounded_without_gradients_let_them_pass_later():
    model, change = rigs.open_model("llama"), WhatIf.parse("bits:3=0:g4")
    with torch.inference_mode(), applied(model, change):
        model.trunk(input_ids=IDS)
    hidden = torch.randn(1, 6, 16, requires_grad=True)
    with applied(model, change):
        model.blocks[0].mlp(hidden).sum().backward()
    assert hidden.grad is not None and float(hidden.grad.abs().sum()) > 0
