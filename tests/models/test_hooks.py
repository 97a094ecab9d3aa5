"""Reading module inputs and outputs: the right tensors, an early stop, and no hook left behind."""

import pytest
import torch
from torch import nn

from backend.models.hooks import reading, tensor_of
from backend.models.taps import Tap, find_blocks, find_module
from tests import rigs


@pytest.fixture
def net():
    return nn.Sequential(*(nn.Linear(3, 3) for _ in range(4))).eval()


def taps_of(net, *sides):
    return {f"{i}": Tap(m, side, i) for i, (m, side) in enumerate(zip(net, sides, strict=False))}


def count_hooks(module: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in module.modules())


def test_inputs_and_outputs_are_read(net):
    kept, x = {}, torch.randn(2, 3)
    with reading(taps_of(net, "output", "input"), kept.__setitem__):
        net(x)
    assert torch.equal(kept["0"], net[0](x)) and torch.equal(kept["1"], net[0](x))
    assert count_hooks(net) == 0


def test_the_forward_stops_after_the_deepest_site(net):
    runs = []
    for i, layer in enumerate(net):
        layer.register_forward_pre_hook(lambda *_, i=i: runs.append(i))
    kept = {}
    with reading(taps_of(net, "output", "output"), kept.__setitem__, stop=True):
        net(torch.zeros(1, 3))
    assert runs == [0, 1] and set(kept) == {"0", "1"}


def test_without_sites_nothing_is_stopped(net):
    with reading({}, lambda *_: pytest.fail("read"), stop=True):
        out = net(torch.zeros(1, 3))
    assert out.shape == (1, 3)


def test_hooks_are_removed_after_an_error(net):
    def keep(site, hidden):
        raise RuntimeError("full")

    with pytest.raises(RuntimeError, match="full"), reading(taps_of(net, "output", "input"), keep):
        net(torch.zeros(1, 3))
    assert count_hooks(net) == 0


def test_tensors_are_found_in_what_modules_give():
    x = torch.zeros(1)
    from types import SimpleNamespace

    assert tensor_of(x) is x and tensor_of(((x, 1), 2)) is x
    assert tensor_of(SimpleNamespace(last_hidden_state=x)) is x
    with pytest.raises(TypeError, match="dict, which holds no tensor"):
        tensor_of({})


def test_paths_walk_modules_lists_and_stages():
    trunk = rigs.open_model("resnet").trunk
    blocks = find_blocks(trunk, "encoder.stages.*.layers")
    assert len(blocks) == 4 and blocks[2] is trunk.encoder.stages[1].layers[0]
    assert find_module(trunk, "encoder.stages.1.layers.0") is blocks[2]
    assert find_module(trunk, "encoder.nothing") is None and find_blocks(trunk, "no.such") == []
