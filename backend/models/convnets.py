"""Small convolutional nets of our own: EfficientNet-Lite for images, CREPE for pitch.

Two more, which are trained here, are in backend.models.residual and mlp; folders of all open here.

Only workers import this module (torch at the top). A folder with config.json and
model.safetensors opens with `from_folder`; config.json says the geometry and how inputs are made.

* `blocks` is a ModuleList in all; a block with `has_skip` adds its input to what `main` gives.
* `pool` gives the penultimate vector (n, width), `classifier` the logits (n, classes).
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from backend.errors import ModelError
from backend.models import mlp, residual

# repeats, kernel, stride, expansion, width: EfficientNet-Lite0 (Tan and Le 2019; Lite: no
# squeeze-and-excitation, ReLU6 in place of swish, stem and head not scaled)
_LITE_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
EFFICIENTNET_LITE0: dict[str, object] = {
    "architecture": "efficientnet-lite0",
    "modality": "image",
    "stem": 32,
    "stages": [list(stage) for stage in _LITE_STAGES],
    "head": 1280,
    "classes": 1000,
    "preprocess": {
        "size": 224,  # shorter side to 224 (bicubic), then the middle
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
    },
}
_CREPE_WIDTHS = {
    "tiny": [128, 16, 16, 16, 32, 64],
    "full": [1024, 128, 128, 128, 256, 512],
}
PITCH_BINS = 360  # 20 cents each, from C1 (32.70 Hz) up
_FIRST_BIN_CENTS = 1997.3794084376191  # above 10 Hz


def crepe_config(capacity: str) -> dict[str, object]:
    """The config of CREPE (Kim, Salamon, Li, Bello 2018) in capacity `tiny` or `full`."""
    if capacity not in _CREPE_WIDTHS:
        raise ModelError(f"CREPE has no capacity {capacity!r}.", "Choose tiny or full.")
    return {
        "architecture": f"crepe-{capacity}",
        "modality": "audio",
        "widths": _CREPE_WIDTHS[capacity],
        "classes": PITCH_BINS,
        "preprocess": {
            "rate": 16_000,
            "frame": 1024,
            "hop": 160,
        },  # each frame: mean 0, deviation 1
    }


class SameConv2d(nn.Conv2d):
    """Convolution whose output is ceil(input / stride) wide; the odd padding pixel goes last."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        pads = []
        for size, kernel, stride in zip(
            reversed(input.shape[-2:]),
            reversed(self.kernel_size),
            reversed(self.stride),
            strict=True,
        ):
            short = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
            pads += [short // 2, short - short // 2]
        return super().forward(functional.pad(input, pads) if any(pads) else input)


def _conv_norm(
    n_in: int, n_out: int, kernel: int, *, stride: int = 1, groups: int = 1, act: bool = True
) -> list[nn.Module]:
    conv = SameConv2d(n_in, n_out, kernel, stride=stride, groups=groups, bias=False)
    norm = nn.BatchNorm2d(n_out, eps=1e-3, momentum=0.01)
    return [conv, norm, nn.ReLU6()] if act else [conv, norm]


class MBConv(nn.Module):
    """Inverted bottleneck: widen, filter each channel, narrow; adds its input where shapes fit."""

    def __init__(self, n_in: int, n_out: int, *, kernel: int, stride: int, expansion: int):
        super().__init__()
        width = n_in * expansion
        self.main = nn.Sequential(
            *(_conv_norm(n_in, width, 1) if expansion != 1 else []),
            *_conv_norm(width, width, kernel, stride=stride, groups=width),
            *_conv_norm(width, n_out, 1, act=False),
        )
        self.has_skip = stride == 1 and n_in == n_out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.main(x) if self.has_skip else self.main(x)


class EfficientNetLite(nn.Module):
    """Image classifier: pixels (n, 3, size, size) -> logits (n, classes)."""

    def __init__(self, config: Mapping[str, object]):
        super().__init__()
        self.config = dict(config)
        width = int(config["stem"])  # type: ignore[call-overload]
        self.stem = nn.Sequential(*_conv_norm(3, width, 3, stride=2))
        blocks = []
        for repeats, kernel, stride, expansion, n_out in config["stages"]:  # type: ignore[attr-defined]
            for i in range(repeats):
                step = stride if i == 0 else 1
                blocks.append(MBConv(width, n_out, kernel=kernel, stride=step, expansion=expansion))
                width = n_out
        self.blocks = nn.ModuleList(blocks)
        head = int(config["head"])  # type: ignore[call-overload]
        self.head_conv = nn.Sequential(*_conv_norm(width, head, 1))
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(head, int(config["classes"]))  # type: ignore[call-overload]

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        x = self.stem(pixel_values)
        for block in self.blocks:
            x = block(x)
        return self.classifier(self.pool(self.head_conv(x)))


class CrepeBlock(nn.Module):
    """One layer of CREPE along time; no skip path."""

    has_skip = False

    def __init__(self, n_in: int, n_out: int, *, kernel: int, stride: int):
        super().__init__()
        left = (kernel - stride) // 2  # "same" padding; the odd sample goes last
        self.pads = (0, 0, left, kernel - stride - left)
        self.conv = nn.Conv2d(n_in, n_out, (kernel, 1), stride=(stride, 1))
        self.norm = nn.BatchNorm2d(n_out, eps=0.0010000000474974513, momentum=0.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(functional.relu(self.conv(functional.pad(x, self.pads))))
        return functional.max_pool2d(x, (2, 1))


class TimeFirstFlatten(nn.Module):
    """(n, channels, time, 1) -> (n, time * channels), the order that CREPE's classifier reads."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(0, 2, 1, 3).flatten(1)


class Crepe(nn.Module):
    """Pitch of a note: frames (n, 1024) at 16 kHz, each normalised -> logits (n, 360).

    The published net ends in a sigmoid; here `forward` stops before it, as the image net does.
    """

    def __init__(self, config: Mapping[str, object]):
        super().__init__()
        self.config = dict(config)
        widths: list[int] = list(config["widths"])  # type: ignore[call-overload]
        frame = int(config["preprocess"]["frame"])  # type: ignore[index]
        self.blocks = nn.ModuleList(
            CrepeBlock(n_in, n_out, kernel=64 if i else 512, stride=1 if i else 4)
            for i, (n_in, n_out) in enumerate(zip([1, *widths], widths, strict=False))
        )
        self.pool = TimeFirstFlatten()
        steps = frame // 4 // 2 ** len(widths)  # the stride of the first layer, then halvings
        self.classifier = nn.Linear(steps * widths[-1], int(config["classes"]))  # type: ignore[call-overload]

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        x = frames[:, None, :, None]  # (n, 1, 1024, 1)
        for block in self.blocks:
            x = block(x)
        return self.classifier(self.pool(x))


def pitch_hz(logits: torch.Tensor) -> torch.Tensor:
    """Pitch in Hz (n,) of CREPE logits (n, 360): the mean of the bins round the highest one.

    Source: Kim and others 2018, equation 2, over the nine bins nearest the maximum.
    """
    weights = logits.sigmoid()
    bins = torch.arange(PITCH_BINS, device=logits.device)
    near = (bins - weights.argmax(dim=1, keepdim=True)).abs() <= 4
    weights = weights * near
    cents = 20 * bins.to(weights.dtype) + _FIRST_BIN_CENTS
    return 10 * 2 ** ((weights * cents).sum(1) / weights.sum(1) / 1200)


Net = EfficientNetLite | Crepe | residual.ResidualCNN | mlp.MLP
ARCHITECTURES: dict[str, type[Net]] = {
    "efficientnet-lite0": EfficientNetLite,
    "crepe-tiny": Crepe,
    "crepe-full": Crepe,
    residual.ARCHITECTURE: residual.ResidualCNN,
    mlp.ARCHITECTURE: mlp.MLP,
}


def from_config(config: Mapping[str, object]) -> Net:
    """The net that a config describes, with random weights.

    Raises
    ------
    ModelError : the architecture is not known, or a part of its geometry is missing.
    """
    name = config.get("architecture")
    if name not in ARCHITECTURES:
        raise ModelError(
            f"The architecture {name!r} is not known.", f"Known: {', '.join(ARCHITECTURES)}."
        )
    try:
        return ARCHITECTURES[name](config)  # type: ignore[index]
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"The config of {name} does not describe a whole net ({error!r}).",
            "Fetch the demo model again, or choose another folder.",
        ) from error


def from_folder(folder: Path) -> Net:
    """The net in a folder, in eval mode, in the precision of its file.

    Raises
    ------
    ModelError : config.json or the weights are missing, damaged or do not fit together.
    """
    config = _read_config(folder)
    with torch.device("meta"):  # nothing is allocated for what a config claims
        net = from_config(config)
    try:
        net.load_state_dict(load_file(folder / "model.safetensors"), assign=True)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ModelError(
            f"The weights of {config['architecture']} in {folder} are missing, damaged or of "
            f"another model: {str(error).strip().splitlines()[0]}",
            "Fetch the demo model again, or choose another folder.",
        ) from error
    return net.eval()


def read_labels(folder: Path) -> tuple[str, ...]:
    """Class names, one a line of labels.txt; empty if the folder has none."""
    path = folder / "labels.txt"
    return tuple(path.read_text(encoding="utf-8").splitlines()) if path.is_file() else ()


def _read_config(folder: Path) -> dict[str, object]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path} cannot be read.", "Choose a folder that holds a model."
        ) from error
    if not isinstance(config, dict):
        raise ModelError(f"{path} is not a table of settings.", "Fetch the model again.")
    return config
