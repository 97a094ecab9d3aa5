"""Integrated gradients in closed form, and on tiny models against their definition."""

import numpy as np
import pytest
import torch

from backend.analyses.attribution import attribution_map, integrate
from backend.errors import ModelError
from backend.whatif.applying import applied
from backend.whatif.replay import record
from backend.whatif.values import WhatIf
from tests import rigs

TEXT = [5, 6, 7, 8, 9, 10]
PREDICTS, ANSWER = [3, 5], [9, 12]


def some(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("steps", [1, 3, 50])
def test_a_linear_function_is_attributed_exactly(steps):
    x, w = some(5, 4), some(5, 4, seed=1)
    found, start, end = integrate(lambda p: (p * w).sum((1, 2)) + 2, x, steps=steps, room=2)
    assert found == pytest.approx(((x - x.mean(0)) * w).sum(-1).numpy(), abs=1e-5)
    assert found.sum() == pytest.approx(end - start, abs=1e-5)
    assert end == pytest.approx(float((x * w).sum()) + 2, abs=1e-5)


@pytest.mark.parametrize("room", [1, 7, 64])
def test_a_square_misses_what_left_riemann_points_miss(room):
    """f = sum x^2 has the slope 2 (x0 + r d) at share r, whose mean is (steps - 1) / (2 steps)."""
    x, steps = some(5, 4).double(), 16
    x0 = x.mean(0)
    d = x - x0
    found, start, end = integrate(lambda p: (p**2).sum((1, 2)), x, steps=steps, room=room)
    wanted = (2 * x0 * d + d**2 * (steps - 1) / steps).sum(-1)
    assert found == pytest.approx(wanted.numpy(), abs=1e-5)
    assert end - start - found.sum() == pytest.approx(float((d**2).sum()) / steps, abs=1e-5)


def test_what_the_function_does_not_read_gets_nothing():
    x = some(5, 4)
    found, *_ = integrate(lambda p: p[:, 2].sum(-1) ** 2, x, steps=8, room=8)
    assert np.flatnonzero(found).tolist() == [2]
    found, start, end = integrate(lambda p: torch.ones(len(p)), x, steps=8, room=8)
    assert not found.any() and start == end == 1


def probabilities(model, module, points) -> torch.Tensor:
    """f of points (k, length, width) put in place of what a module gives, one pass each."""
    out = []
    for point in points:

        def instead(m, args, output, point=point):
            return (point[None], *output[1:]) if isinstance(output, tuple) else point[None]

        handle = module.register_forward_hook(instead)
        try:
            logits = model.model(input_ids=torch.tensor([TEXT])).logits[0]
        finally:
            handle.remove()
        out.append(logits.float().softmax(-1)[PREDICTS, ANSWER].sum())
    return torch.stack(out)  # fmt: skip


def given(model, module) -> torch.Tensor:
    seen = []
    handle = module.register_forward_hook(
        lambda m, args, out: seen.append((out[0] if isinstance(out, tuple) else out)[0].clone())
    )
    with torch.no_grad():
        model.model(input_ids=torch.tensor([TEXT]))
    handle.remove()
    return seen[0]


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2", "gpt_neox"])
@pytest.mark.parametrize("site", ["layer", "attention", "mlp"])
def test_maps_equal_whole_forward_passes_with_gradients(family, site):
    model = rigs.open_model(family)
    found = attribution_map(record(model, [TEXT]), PREDICTS, ANSWER, site=site, steps=6, tokens=24)
    assert found.values.shape == (3, 6)
    for layer in range(3):
        tap = {"attention": f"attn_out.{layer}", "mlp": f"mlp_out.{layer}"}.get(site)
        module = model.taps[tap].module if tap else model.blocks[layer]
        x = given(model, module)
        wanted, start, end = integrate(
            lambda p, module=module: probabilities(model, module, p), x, steps=6, room=2
        )
        assert found.values[layer] == pytest.approx(wanted, abs=2e-5), layer
        assert found.start[layer] == pytest.approx(start, abs=1e-5)
        assert found.end[layer] == pytest.approx(end, abs=1e-5)


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_values_add_up_to_what_the_answer_gains(family):
    replay = record(rigs.open_model(family), [TEXT])
    gaps = []
    for steps in (64, 512):
        found = attribution_map(replay, PREDICTS, ANSWER, site="layer", steps=steps)
        gaps.append(np.abs(found.values.sum(1) - found.difference))
    assert (gaps[1] <= 0.03 * np.abs(found.difference) + 1e-4).all(), (gaps, found.difference)
    assert gaps[1].sum() < gaps[0].sum()


def test_the_last_layers_output_matters_only_where_the_answer_is_predicted():
    replay = record(rigs.open_model("llama"), [TEXT])
    found = attribution_map(replay, PREDICTS, ANSWER, site="layer", steps=4)
    assert np.flatnonzero(found.values[-1]).tolist() == PREDICTS
    early = attribution_map(replay, [2], [9], site="layer", steps=4)
    assert not early.values[:, 3:].any() and early.values[0, :3].all()


def test_under_a_what_if_skipped_parts_get_nothing():
    model = rigs.open_model("llama")
    with applied(model, WhatIf.parse("skip-attn:1+skip:2+bits:4=0:g8")):
        replay = record(model, [TEXT])
        by = {site: attribution_map(replay, PREDICTS, ANSWER, site=site, steps=32)
              for site in ("layer", "attention")}  # fmt: skip
    assert (by["attention"].values[0] != 0).any()
    assert not by["attention"].values[1:].any()
    assert np.allclose(by["layer"].values[1], by["layer"].values[2], atol=1e-6)


def test_inside_inference_mode_and_without_a_trace():
    model = rigs.open_model("gpt2")
    with torch.inference_mode():
        replay = record(model, [TEXT])
        inside = attribution_map(replay, PREDICTS, ANSWER, site="mlp", steps=3)
    outside = attribution_map(replay, PREDICTS, ANSWER, site="mlp", steps=3)
    assert np.array_equal(inside.values, outside.values)
    assert all(p.grad is None for p in model.model.parameters())
    assert rigs.hooks(model) == 0


def test_a_part_without_a_module_is_refused(monkeypatch):
    from dataclasses import replace

    model = rigs.open_model("llama")
    replay = record(model, [TEXT])
    monkeypatch.setattr(model, "family", replace(model.family, attention=""))
    with pytest.raises(ModelError, match="what its attention adds"):
        attribution_map(replay, PREDICTS, ANSWER, site="attention", steps=2)
