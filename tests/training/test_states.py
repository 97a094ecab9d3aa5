"""States of a checkpoint's rows: those of its own forward pass, in order, in batches."""

import numpy as np
import pytest
import torch

from backend.models import convnets
from backend.training import states as module
from backend.training.pictures import read_labelled, scaled
from backend.training.states import state_sites, states
from backend.training.train import train
from tests.training.made import dataset, recipe


@pytest.mark.parametrize("net", ["residual", "mlp"])
def test_states_are_those_of_the_plain_pass(tmp_path, monkeypatch, net):
    monkeypatch.setattr(module, "_AT_ONCE", 7)
    asked = recipe(epochs=1, net=net, features=16 if net == "residual" else 64)
    data = dataset(tmp_path / "data")
    folder = train(asked, data, tmp_path / "runs").checkpoints[-1].folder
    held = read_labelled(asked, data, progress=lambda *_: None)
    sites = state_sites(folder)
    assert set(sites) >= {"embed", "block.0", "block.1", "penultimate", "head"}
    parts = list(states(folder, held, held.train, sites=("block.1", "penultimate", "head")))
    assert np.array_equal(np.concatenate([at for at, _ in parts]), held.train)
    found = {s: torch.cat([kept[s] for _, kept in parts]) for s in parts[0][1]}
    plain = convnets.from_folder(folder)
    with torch.inference_mode():
        x = scaled(held.X[held.train])
        torch.testing.assert_close(found["head"], plain(x))
        torch.testing.assert_close(plain.classifier(found["penultimate"]), found["head"])
        pooled = found["block.1"]
        last = pooled if net == "mlp" else plain.penultimate(pooled)
        torch.testing.assert_close(last, found["penultimate"])
    assert found["penultimate"].shape[1] == (8 if net == "mlp" else 16)
