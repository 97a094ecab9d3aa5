"""A multi-layer perceptron for pictures or vectors, which backend/training trains (workers only).

A folder with config.json and model.safetensors opens through backend.models.convnets.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

ARCHITECTURE = "mlp"


def mlp_config(
    *, shape: Sequence[int], blocks: int, width: int, classes: Sequence[str], bias: bool = True
) -> dict[str, object]:
    """The config of an untrained net.

    Parameters
    ----------
    shape : of one row: (channels, size, size) of a picture, or (d,) of a vector. A net for vectors
        opens with `convnets.from_folder`, but no capture can feed it.
    blocks : hidden layers, each of `width` units.
    classes : their names, in the order of the logits.
    bias : whether the head has one.
    """
    config: dict[str, object] = {
        "architecture": ARCHITECTURE,
        "modality": "arrays",
        "shape": list(shape),
        "blocks": blocks,
        "width": width,
        "classes": list(classes),
        "head_bias": bias,
    }
    if len(shape) == 3:
        pixels = {"size": shape[-1], "mean": [0.5] * 3, "std": [0.5] * 3}  # pixels in -1..1
        config |= {"modality": "image", "preprocess": pixels}
    return config


class HiddenLayer(nn.Sequential):
    """relu(norm(W x)), the norm over the batch; it brings the bias."""

    def __init__(self, n_in: int, width: int):
        super().__init__(nn.Linear(n_in, width, bias=False), nn.BatchNorm1d(width), nn.ReLU())


class MLP(nn.Module):
    """Classifier: pixels (n, channels, size, size) or vectors (n, d) -> logits (n, classes).

    A net for grey pictures takes coloured ones too. `penultimate` gives (n, width) >= 0, the last
    hidden layer, which the classifier reads.
    """

    def __init__(self, config: Mapping[str, object]):
        super().__init__()
        self.config = dict(config)
        self.shape = torch.Size(config["shape"])  # type: ignore[arg-type]
        blocks, width = int(config["blocks"]), int(config["width"])  # type: ignore[call-overload]
        widths = [self.shape.numel(), *[width] * blocks]
        self.blocks = nn.ModuleList(map(HiddenLayer, widths, widths[1:]))
        self.penultimate = nn.Identity()  # a module of its own, so that it can be read
        n_classes = len(config["classes"])  # type: ignore[arg-type]
        self.classifier = nn.Linear(width, n_classes, bias=bool(config["head_bias"]))

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        x = pixel_values
        if len(self.shape) == 3 and self.shape[0] == 1 and x.shape[1] > 1:
            x = x.mean(1, keepdim=True)
        x = x.flatten(1)
        for block in self.blocks:
            x = block(x)
        return self.classifier(self.penultimate(x))
