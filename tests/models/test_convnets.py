"""Our two convolutional nets: shapes, skip paths, pitch, and folders that do not hold one."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from backend.errors import ModelError
from backend.models import convnets
from backend.models.convnets import EFFICIENTNET_LITE0, crepe_config, from_config, from_folder


@pytest.fixture(scope="module")
def lite():
    torch.manual_seed(0)
    return from_config(EFFICIENTNET_LITE0).eval()


@pytest.fixture(scope="module")
def crepe():
    torch.manual_seed(0)
    return from_config(crepe_config("tiny")).eval()


def write(folder, net):
    (folder / "config.json").write_text(json.dumps(net.config))
    save_file(net.state_dict(), folder / "model.safetensors")


def outputs(net, x):
    """Each block's output."""
    kept = []
    hooks = [b.register_forward_hook(lambda _, __, out: kept.append(out)) for b in net.blocks]
    with torch.inference_mode():
        net(x)
    for hook in hooks:
        hook.remove()
    return kept


def test_lite0_has_the_published_geometry(lite):
    states = outputs(lite, torch.randn(1, 3, 224, 224))
    assert len(states) == 16
    shapes = dict.fromkeys((s.shape[1], s.shape[2]) for s in states)
    assert list(shapes) == [(16, 112), (24, 56), (40, 28), (80, 14), (112, 14), (192, 7), (320, 7)]
    assert sum(block.has_skip for block in lite.blocks) == 9
    assert sum(p.numel() for p in lite.parameters()) == 4_652_008


def test_lite0_ends_in_1280_numbers_and_1000_classes(lite):
    kept = []
    hook = lite.pool.register_forward_hook(lambda _, __, out: kept.append(out))
    with torch.inference_mode():
        logits = lite(pixel_values=torch.randn(2, 3, 224, 224))
    hook.remove()
    assert kept[0].shape == (2, 1280)
    assert logits.shape == (2, 1000)


def test_a_skip_block_adds_its_input(lite):
    block = next(b for b in lite.blocks if b.has_skip)
    x = torch.randn(1, block.main[0].in_channels, 8, 8)
    with torch.inference_mode():
        torch.testing.assert_close(block(x) - block.main(x), x, rtol=0, atol=1e-6)
    wide = next(b for b in lite.blocks if not b.has_skip)
    x = torch.randn(1, wide.main[0].in_channels, 8, 8)
    with torch.inference_mode():
        assert torch.equal(wide(x), wide.main(x))


@pytest.mark.parametrize(("size", "kernel", "stride"), [(7, 3, 2), (8, 3, 2), (8, 5, 2), (9, 5, 1)])
def test_same_padding_puts_the_odd_pixel_last(size, kernel, stride):
    conv = convnets.SameConv2d(1, 1, kernel, stride=stride, bias=False)
    torch.nn.init.ones_(conv.weight)
    x = torch.rand(1, 1, size, size)
    with torch.inference_mode():
        y = conv(x)
    n_out = -(-size // stride)
    assert y.shape[-2:] == (n_out, n_out)
    before = max((n_out - 1) * stride + kernel - size, 0) // 2
    start, end = -before, kernel - before  # the window of the first output
    first = x[0, 0, max(start, 0) : end, max(start, 0) : end].sum()
    torch.testing.assert_close(y[0, 0, 0, 0], first)


def test_crepe_shapes(crepe):
    states = outputs(crepe, torch.randn(3, 1024))
    assert [tuple(s.shape[1:3]) for s in states] == [
        (128, 128), (16, 64), (16, 32), (16, 16), (32, 8), (64, 4),
    ]  # fmt: skip
    with torch.inference_mode():
        assert crepe(frames=torch.randn(3, 1024)).shape == (3, 360)
    assert not any(block.has_skip for block in crepe.blocks)


def test_crepe_rows_do_not_see_each_other(crepe):
    frames = torch.randn(4, 1024)
    with torch.inference_mode():
        torch.testing.assert_close(crepe(frames)[[2]], crepe(frames[[2]]), rtol=1e-4, atol=1e-5)


def test_flatten_reads_time_before_channels():
    x = torch.arange(6.0).reshape(1, 2, 3, 1)  # 2 channels, 3 steps
    assert convnets.TimeFirstFlatten()(x).tolist() == [[0, 3, 1, 4, 2, 5]]


def test_pitch_of_one_bin_is_its_frequency():
    logits = torch.full((2, 360), -50.0)
    logits[0, 228], logits[1, 0] = 50.0, 50.0
    hz = convnets.pitch_hz(logits).numpy()
    np.testing.assert_allclose(hz, [441.7, 31.70], rtol=2e-3)
    logits[0, 229] = 50.0  # half way to the next bin, 20 cents on
    np.testing.assert_allclose(convnets.pitch_hz(logits)[0] / hz[0], 2 ** (10 / 1200), rtol=1e-5)


def test_pitch_ignores_a_far_octave():
    logits = torch.full((1, 360), -50.0)
    logits[0, 228] = 5.0
    alone = convnets.pitch_hz(logits)
    logits[0, 288] = 4.0
    torch.testing.assert_close(convnets.pitch_hz(logits), alone)


def test_folder_round_trip(tmp_path, crepe):
    write(tmp_path, crepe)
    again = from_folder(tmp_path)
    assert not again.training
    frames = torch.randn(2, 1024)
    with torch.inference_mode():
        assert torch.equal(again(frames), crepe(frames))


def test_damaged_weights_are_refused(tmp_path, crepe):
    write(tmp_path, crepe)
    (tmp_path / "model.safetensors").write_bytes(b"cut short")
    with pytest.raises(ModelError, match="crepe-tiny.*missing, damaged"):
        from_folder(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="missing"):
        from_folder(tmp_path)


def test_weights_of_another_net_are_refused(tmp_path, crepe):
    write(tmp_path, crepe)
    (tmp_path / "config.json").write_text(json.dumps(EFFICIENTNET_LITE0))
    with pytest.raises(ModelError, match="another model"):
        from_folder(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[1]"])
def test_no_config(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ModelError, match="config.json"):
        from_folder(tmp_path)


def test_unknown_architecture_and_capacity():
    with pytest.raises(ModelError, match="'resnet' is not known.*crepe-tiny"):
        from_config({"architecture": "resnet"})
    with pytest.raises(ModelError, match="'huge'"):
        crepe_config("huge")


@pytest.mark.parametrize("missing", ["stem", "stages", "head", "classes"])
def test_a_config_that_lacks_a_part(missing):
    config = {k: v for k, v in EFFICIENTNET_LITE0.items() if k != missing}
    with pytest.raises(ModelError, match=missing):
        from_config(config)


def test_labels(tmp_path):
    assert convnets.read_labels(tmp_path) == ()
    (tmp_path / "labels.txt").write_text("tench\ncafé\n", encoding="utf-8")
    assert convnets.read_labels(tmp_path) == ("tench", "café")
