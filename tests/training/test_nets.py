"""Nets of recipes: losses by hand, decay by group, and what stays frozen."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from backend.training import Recipe
from backend.training.nets import build, freeze, loss_of, optimiser, train_mode, with_layer
from backend.training.pictures import read_labelled, scaled
from backend.training.train import train
from tests.training.made import dataset, recipe

MLP = Recipe("d", "l", net="mlp", blocks=2, width=5, seed=3)


def make(layers=2, asked=MLP):
    return build(asked, (1, 4, 4), ("a", "b", "c"), layers=layers)


def test_the_squared_error_is_half_the_distance_to_the_one_hot_target():
    logits = torch.tensor([[1.0, 0.0], [0.5, -0.5]], requires_grad=True)
    y = torch.tensor([0, 1])
    each = 0.5 * (0.5**2 + 1.5**2)
    assert loss_of("mse", logits, y, reduction="sum").item() == pytest.approx(each)
    loss = loss_of("mse", logits, y, reduction="mean")
    assert loss.item() == pytest.approx(each / 2)
    loss.backward()
    assert torch.allclose(logits.grad, torch.tensor([[0.0, 0.0], [0.25, -0.75]]))


def test_the_cross_entropy_is_in_nats():
    logits = torch.zeros(3, 4)
    found = loss_of("ce", logits, torch.tensor([0, 1, 2]), reduction="sum")
    assert float(found) == pytest.approx(3 * np.log(4))


def test_a_net_is_drawn_by_its_seed_alone():
    first, again = make(), make()
    other = make(asked=Recipe("d", "l", net="mlp", blocks=2, width=5, seed=4))
    assert torch.equal(first.classifier.weight, again.classifier.weight)
    assert not torch.equal(first.classifier.weight, other.classifier.weight)


def test_an_added_layer_is_fresh_and_what_was_there_is_copied_and_frozen():
    net = make(1)
    with torch.no_grad():
        net.blocks[0][0].weight.add_(1)
        net.blocks[0][1].running_mean.add_(2)
    more = with_layer(net, MLP)
    assert len(more.blocks) == 2 and not torch.equal(more.classifier.weight, net.classifier.weight)
    for name, value in net.blocks[0].state_dict().items():
        assert torch.equal(more.blocks[0].state_dict()[name], value)
    trained = {n for n, p in more.named_parameters() if p.requires_grad}
    assert trained == {"blocks.1.0.weight", "blocks.1.1.weight", "blocks.1.1.bias",
                       "classifier.weight", "classifier.bias"}  # fmt: skip
    assert torch.equal(more.blocks[1][0].weight, make(2).blocks[1][0].weight)


def test_frozen_layers_keep_to_evaluation():
    net = freeze(make(3))
    train_mode(net)
    assert [b.training for b in net.blocks] == [False, False, True] and net.classifier.training
    whole = make(3)
    train_mode(whole)
    assert all(m.training for m in whole.modules())


def test_groups_hold_every_parameter_once():
    net = make(asked=Recipe("d", "l", net="mlp", width=5, head_bias=0))
    assert net.classifier.bias is None
    asked = Recipe("d", "l", weight_decay=0.1, head_decay=2, body_decay=0)
    body, head = optimiser(net, asked).param_groups
    assert (body["weight_decay"], head["weight_decay"]) == (0.0, 0.2)
    assert [id(p) for p in head["params"]] == [id(net.classifier.weight)]
    assert len(body["params"]) + 1 == len(list(net.parameters()))


@pytest.mark.parametrize("loss", ["ce", "mse"])
def test_one_step_decays_head_and_body_as_the_recipe_says(tmp_path, loss):
    """One batch of all rows: p - lr (gradient + decay p), by hand in float64."""
    asked = recipe(net="mlp", features=64, epochs=1, batch=100, lr=0.1, momentum=0.0, loss=loss,
                   weight_decay=0.05, head_decay=2.0, body_decay=0.5)  # fmt: skip
    data = dataset(tmp_path / "data")
    run = train(asked, data, tmp_path / "runs")
    before, after = (load_file(c.folder / "model.safetensors") for c in run.checkpoints)
    held = read_labelled(asked, data, progress=lambda *_: None)
    net = build(asked, held.X.shape[1:], held.classes, layers=2).double()
    assert all(torch.equal(p.float(), before[n]) for n, p in net.named_parameters())
    logits = net(scaled(held.X[held.train]).double())
    y = held.given[held.train]
    shares = torch.nn.functional.one_hot(y, 2).double()
    value = (-(shares * logits.log_softmax(1)).sum(1) if loss == "ce"
             else (logits - shares).square().sum(1) / 2).mean()  # fmt: skip
    value.backward()
    for name, p in net.named_parameters():
        decay = 0.05 * (2.0 if name.startswith("classifier") else 0.5)
        wanted = p - 0.1 * (p.grad + decay * p)
        torch.testing.assert_close(after[name].double(), wanted, atol=2e-6, rtol=1e-5)
