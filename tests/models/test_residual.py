"""The residual net: geometry, paths that can be read, and folders that open as models."""

import json

import pytest
import torch
from safetensors.torch import save_file

from backend.capture.verify import verify
from backend.errors import ModelError
from backend.models import convnets
from backend.models.describe import describe
from backend.models.loading import load
from backend.models.residual import ResidualCNN, residual_config, stem_stride
from backend.models.sources import from_folder
from tests import rigs

SMALL = dict(size=16, channels=3, blocks=3, width=8, features=12, classes=("a", "b", "c", "d"))


def make(**changes):
    torch.manual_seed(0)
    return ResidualCNN(residual_config(**SMALL | changes)).eval()


def write(folder, net):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(net.config))
    save_file(net.state_dict(), folder / "model.safetensors")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = write(tmp_path_factory.mktemp("residual") / "m", make())
    return load(from_folder(str(folder), folder, settings=rigs.settings()), rigs.settings())


@pytest.mark.parametrize(("size", "stride"), [(8, 1), (16, 1), (17, 2), (28, 2), (33, 4), (64, 4)])
def test_the_stem_brings_the_map_to_16_or_less(size, stride):
    assert stem_stride(size) == stride
    net = make(size=size)
    with torch.inference_mode():
        x = net.stem(torch.randn(2, 3, size, size))
    assert x.shape == (2, 8, -(-size // stride), -(-size // stride)) and x.shape[-1] <= 16


def test_a_block_adds_both_paths_and_cuts_below_zero():
    block = make().blocks[1]
    x = torch.randn(2, 8, 5, 5)
    with torch.inference_mode():
        assert torch.equal(block(x), (block.skip(x) + block.main(x)).clamp(min=0))
        torch.nn.init.zeros_(block.main[-1].weight)
        assert torch.equal(block(x), x.clamp(min=0))


def test_the_head_reads_the_penultimate_layer():
    net, x = make(), torch.randn(5, 3, 16, 16)
    with torch.inference_mode():
        state = net.stem(x)
        for block in net.blocks:
            state = block(state)
        pooled = net.pool(state)
        torch.testing.assert_close(pooled, state.mean((2, 3)))
        features = net.penultimate(pooled)
        assert features.shape == (5, 12) and (features >= 0).all() and (features > 0).any()
        torch.testing.assert_close(net(x), net.classifier(features))
        bare = make(features=0)
        assert torch.equal(bare.penultimate(pooled), pooled) and bare(x).shape == (5, 4)


def test_a_grey_net_reads_grey_and_coloured_pictures():
    net, x = make(channels=1), torch.randn(2, 1, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(net(x.expand(-1, 3, -1, -1)), net(x))
        y = torch.randn(2, 3, 16, 16)
        torch.testing.assert_close(net(y), net(y.mean(1, keepdim=True)))


def test_its_folder_opens_with_every_site(model):
    source = model.source
    facts = describe(source, rigs.settings())
    assert (facts["family"], facts["modality"], facts["blocks"]) == ("Residual CNN", "image", 3)
    assert facts["sites"] == list(model.sites)
    stems = ("skip", "main", "block")
    expected = [f"{stem}.{i}" for i in range(3) for stem in stems]
    assert list(model.sites) == ["embed", *expected, "penultimate", "head"]
    assert facts["parameters"] == sum(p.numel() for p in make().parameters())
    assert model.inputs.size == 16 and model.head is model.model.classifier


def test_what_is_captured_adds_up_and_agrees_with_the_plain_pass(model, tmp_path):
    view = rigs.capture(
        model, rigs.dataset("image"), tmp_path, sites=model.sites, pooling="mean", budget=4
    )
    stored = {site: view.vectors(site) for site in view.sites}
    assert stored["penultimate"].shape == (20, 12) and stored["head"].shape == (20, 4)
    check = verify(model, view.dataset, view.rows(), stored, "mean")
    assert check.verdict == "agrees" and check.sites == len(model.sites)
    whole = rigs.capture(
        model, rigs.dataset("image"), tmp_path, sites=("skip.0", "main.0", "block.0", "embed"),
        pooling="spatial",
    )  # fmt: skip
    skip, main, out = (whole.vectors(f"{stem}.0") for stem in ("skip", "main", "block"))
    assert (skip == whole.vectors("embed")).all() and len(out) == 20 * 256
    assert abs((skip + main).clip(min=0) - out).max() < 1e-6


def test_the_head_of_a_net_without_features_reads_the_pool(tmp_path):
    folder = write(tmp_path / "m", make(features=0))
    bare = load(from_folder("bare", folder, settings=rigs.settings()), rigs.settings())
    assert "penultimate" in bare.sites
    view = rigs.capture(bare, rigs.dataset("image"), tmp_path, sites=("penultimate", "block.2"),
                        pooling="mean")  # fmt: skip
    assert abs(view.vectors("penultimate") - view.vectors("block.2")).max() < 1e-6


def test_a_head_without_a_bias_is_told_by_the_config_and_opens(tmp_path):
    assert "head_bias" not in residual_config(**SMALL)
    opened = convnets.from_folder(write(tmp_path / "m", make(bias=False)))
    assert opened.classifier.bias is None and make().classifier.bias is not None


@pytest.mark.parametrize("missing", ["channels", "stride", "blocks", "width", "features"])
def test_a_config_that_lacks_a_part(missing):
    config = residual_config(**SMALL)
    del config[missing]
    with pytest.raises(ModelError, match=missing):
        convnets.from_config(config)


def test_weights_of_another_size_are_refused(tmp_path):
    folder = write(tmp_path / "m", make())
    (folder / "config.json").write_text(json.dumps(make(width=9).config))
    with pytest.raises(ModelError, match="residual-cnn.*another model"):
        convnets.from_folder(folder)
