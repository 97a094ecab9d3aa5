"""A small residual net for pictures, which backend/training trains (workers only).

A folder with config.json and model.safetensors opens through backend.models.convnets.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.nn import functional

ARCHITECTURE = "residual-cnn"
SMALLEST, LARGEST = 8, 64  # pixels of a side
_MAP = 16  # the stem's stride brings a side down to this or less


def residual_config(
    *, size: int, channels: int, blocks: int, width: int, features: int, classes: Sequence[str],
    bias: bool = True,
) -> dict[str, object]:  # fmt: skip
    """The config of an untrained net for square pictures of `size` pixels.

    Parameters
    ----------
    channels : 1 for grey pictures, 3 for coloured ones.
    features : width of the layer before the head; 0 leaves it out, and the head reads the pool.
    classes : their names, in the order of the logits.
    bias : whether the head has one; the config has `head_bias` only where it has none.
    """
    config: dict[str, object] = {
        "architecture": ARCHITECTURE,
        "modality": "image",
        "channels": channels,
        "stride": stem_stride(size),
        "blocks": blocks,
        "width": width,
        "features": features,
        "classes": list(classes),
        "preprocess": {"size": size, "mean": [0.5] * 3, "std": [0.5] * 3},  # pixels in -1..1
    }
    return config if bias else config | {"head_bias": False}


def stem_stride(size: int) -> int:
    """The smallest power of two that brings a side of `size` pixels to at most 16."""
    stride = 1
    while size > _MAP * stride:
        stride *= 2
    return stride


class ResidualBlock(nn.Module):
    """relu(skip + main), main two 3 x 3 convolutions with batch norms; the map keeps its shape.

    Source: He, Zhang, Ren and Sun 2016, figure 2, with the identity as the skip path.
    """

    has_skip = True

    def __init__(self, width: int):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.skip = nn.Identity()  # a module of its own, so that it can be read

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.skip(x) + self.main(x))


class ResidualCNN(nn.Module):
    """Picture classifier: pixels (n, 3, size, size), or (n, 1, ...) if grey -> logits (n, classes).

    `pool` gives (n, width), `penultimate` (n, features) >= 0; without features it is the pool.
    """

    def __init__(self, config: Mapping[str, object]):
        super().__init__()
        self.config = dict(config)
        names = ("channels", "stride", "blocks", "width", "features")
        channels, stride, blocks, width, features = (int(config[n]) for n in names)  # type: ignore[call-overload]
        self.channels = channels
        self.stem = nn.Sequential(
            nn.Conv2d(channels, width, 2 * stride + 1, stride, padding=stride, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(blocks))
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.penultimate: nn.Module = nn.Identity()
        if features:
            self.penultimate = nn.Sequential(nn.Linear(width, features), nn.ReLU())
        n_classes = len(config["classes"])  # type: ignore[arg-type]
        bias = bool(config.get("head_bias", True))
        self.classifier = nn.Linear(features or width, n_classes, bias=bias)

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        x = pixel_values
        if self.channels == 1 and x.shape[1] > 1:
            x = x.mean(1, keepdim=True)
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.classifier(self.penultimate(self.pool(x)))
