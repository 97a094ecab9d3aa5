"""The MLP: what each layer is, paths that can be read, and folders that open as models."""

import json

import pytest
import torch

from backend.capture.verify import verify
from backend.errors import ModelError
from backend.models import convnets
from backend.models.describe import describe
from backend.models.loading import load
from backend.models.mlp import MLP, mlp_config
from backend.models.sources import from_folder
from tests import rigs
from tests.models.test_residual import write

SMALL = dict(shape=(3, 8, 8), blocks=3, width=6, classes=("a", "b", "c", "d"))


def make(**changes):
    torch.manual_seed(0)
    net = MLP(mlp_config(**SMALL | changes))
    for block in net.blocks:  # as after some training
        torch.nn.init.uniform_(block[1].running_mean, -0.2, 0.2)
        torch.nn.init.uniform_(block[1].running_var, 0.5, 2)
    return net.eval()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = write(tmp_path_factory.mktemp("mlp") / "m", make())
    return load(from_folder(str(folder), folder, settings=rigs.settings()), rigs.settings())


def test_it_is_a_chain_of_linear_maps_norms_and_cuts():
    net, x = make(), torch.randn(5, 3, 8, 8)
    h = x.reshape(5, 192)
    with torch.inference_mode():
        for block in net.blocks:
            linear, norm = block[0], block[1]
            h = h @ linear.weight.T
            h = (h - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
            h = (h * norm.weight + norm.bias).clamp(min=0)
        wanted = h @ net.classifier.weight.T + net.classifier.bias
        torch.testing.assert_close(net(x), wanted)
        channels_last = x.to(memory_format=torch.channels_last)
        torch.testing.assert_close(net(channels_last), wanted)


def test_a_grey_net_reads_grey_and_coloured_pictures():
    net, x = make(shape=(1, 8, 8)), torch.randn(2, 3, 8, 8)
    with torch.inference_mode():
        torch.testing.assert_close(net(x), net(x.mean(1, keepdim=True)))


def test_a_net_for_vectors_opens_as_a_net(tmp_path):
    net = make(shape=(7,), bias=False)
    opened = convnets.from_folder(write(tmp_path / "m", net))
    x = torch.randn(4, 7)
    with torch.inference_mode():
        assert torch.equal(opened(x), net(x)) and opened(x).shape == (4, 4)
    assert opened.classifier.bias is None and not opened.training
    assert "preprocess" not in net.config and net.config["modality"] == "arrays"


def test_its_folder_opens_with_every_site(model):
    facts = describe(model.source, rigs.settings())
    assert (facts["family"], facts["modality"], facts["blocks"]) == ("MLP", "image", 3)
    assert facts["sites"] == list(model.sites)
    assert list(model.sites) == ["embed", "block.0", "block.1", "block.2", "penultimate", "head"]
    assert facts["parameters"] == sum(p.numel() for p in make().parameters())
    assert model.inputs.size == 8 and model.head is model.model.classifier


def test_what_is_captured_is_its_own_forward_pass(model, tmp_path):
    data = rigs.dataset("image")
    view = rigs.capture(model, data, tmp_path, sites=model.sites, pooling="mean", budget=4)
    stored = {site: view.vectors(site) for site in view.sites}
    check = verify(model, data, view.rows(), stored, "mean")
    assert check.verdict == "agrees" and check.sites == len(model.sites)
    net, h = make(), torch.from_numpy(stored["embed"])
    assert h.shape == (20, 192) and float(h.abs().max()) <= 1
    with torch.inference_mode():
        for i, block in enumerate(net.blocks):
            h = block(h)
            torch.testing.assert_close(torch.from_numpy(stored[f"block.{i}"]), h)
        torch.testing.assert_close(torch.from_numpy(stored["penultimate"]), h)
        torch.testing.assert_close(torch.from_numpy(stored["head"]), net.classifier(h))


@pytest.mark.parametrize("missing", ["shape", "blocks", "width", "classes", "head_bias"])
def test_a_config_that_lacks_a_part(missing):
    config = mlp_config(**SMALL)
    del config[missing]
    with pytest.raises(ModelError, match=missing):
        convnets.from_config(config)


def test_weights_of_another_size_are_refused(tmp_path):
    folder = write(tmp_path / "m", make())
    (folder / "config.json").write_text(json.dumps(make(width=9).config))
    with pytest.raises(ModelError, match="mlp.*another model"):
        convnets.from_folder(folder)
