"""Collapse of the last layer, measured in the pass over the training rows that is made anyway."""

import math

import numpy as np
import torch

from backend.collapse.metrics import measure
from backend.collapse.streaming import summarise

LIVE = ("nc1", "nc1_ratio", "cdnv", "nc2_equinorm", "nc2_equiangular", "nc2", "nc3", "nc4")
_MOST = 20_000  # rows that are measured; beyond, every k-th


class Seen:
    """What the classifier is given while it is watched, gathered row by row."""

    def __init__(self, classifier: torch.nn.Linear, n_rows: int):
        self.classifier, self.step = classifier, -(-n_rows // _MOST)
        self._parts: list[np.ndarray] = []
        self._count = 0

    def __enter__(self) -> "Seen":
        self._hook = self.classifier.register_forward_pre_hook(self._keep)
        return self

    def __exit__(self, *_: object) -> None:
        self._hook.remove()

    def _keep(self, module: torch.nn.Module, inputs: tuple) -> None:
        rows = inputs[0].detach()
        self._parts.append(rows[-self._count % self.step :: self.step].float().cpu().numpy())
        self._count += len(rows)

    def measures(self, labels: torch.Tensor, n_classes: int) -> dict[str, float | None]:
        """`LIVE` of the rows that were seen, labels (n,) in their order; None where undefined.

        All are None where a class has fewer than two of these rows.
        """
        y = labels.cpu().numpy()[:: self.step]
        if np.bincount(y, minlength=n_classes).min() < 2:
            return dict.fromkeys(LIVE)
        head = self.classifier
        bias = torch.zeros(n_classes) if head.bias is None else head.bias
        found = measure(
            summarise(
                np.concatenate(self._parts), y, n_classes=n_classes,
                weight=head.weight.detach().float().cpu().numpy(),
                bias=bias.detach().float().cpu().numpy(),
            ).moments
        )  # fmt: skip
        values = {name: float(getattr(found, name)) for name in LIVE}
        return {name: None if math.isnan(v) else v for name, v in values.items()}
