"""What a checkpoint makes of the rows that it was trained or tested on (workers only)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from backend.models import convnets
from backend.models.families import BY_TYPE
from backend.models.hooks import reading
from backend.models.taps import find_taps
from backend.training.pictures import Labelled, scaled

_AT_ONCE = 512  # rows of one pass


def state_sites(folder: Path) -> tuple[str, ...]:
    """The sites of a checkpoint that `states` can read, in order of depth."""
    net = convnets.from_folder(folder)
    return tuple(find_taps(net, BY_TYPE[str(net.config["architecture"])], net.classifier))


@torch.inference_mode()
def states(
    folder: Path, data: Labelled, at: np.ndarray, *, sites: tuple[str, ...], device: str = "cpu"
) -> Iterator[tuple[np.ndarray, dict[str, torch.Tensor]]]:
    """States of rows at some sites, batch by batch, in the order of `at`.

    Parameters
    ----------
    at : positions in `data`, such as `data.train`.
    sites : some of `state_sites`; maps are averaged over their positions.

    Yields
    ------
    The positions of the batch, and site -> (rows, width) float32 on the device.
    """
    net = convnets.from_folder(folder).to(device)
    taps = find_taps(net, BY_TYPE[str(net.config["architecture"])], net.classifier)
    kept: dict[str, torch.Tensor] = {}

    def keep(site: str, state: torch.Tensor) -> None:
        kept[site] = (state.mean((2, 3)) if state.ndim == 4 else state.flatten(1)).clone()

    for start in range(0, len(at), _AT_ONCE):
        batch = at[start : start + _AT_ONCE]
        with reading({s: taps[s] for s in sites}, keep, stop=True):
            net(scaled(data.X[torch.from_numpy(batch)].to(device)))
        yield batch, dict(kept)
