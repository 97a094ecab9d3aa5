"""How a feature moves when its pictures get noise: the model is run again on noisy inputs."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from backend.analyses.spec import Progress
from backend.capture.view import CaptureView

if TYPE_CHECKING:
    from backend.models.loading import LoadedModel

_ROWS = 192  # rows that are shaken; each runs once for each draw
_CHUNK = 32


def sensitivity(
    view: CaptureView, model: "LoadedModel", rows: np.ndarray, site: str,
    encode: Callable[[np.ndarray], np.ndarray], *, noise: float, draws: int, seed: int,
    progress: Progress,
) -> np.ndarray:  # fmt: skip
    """Variance over noise draws of each feature, mean over rows: (k,).

    Parameters
    ----------
    rows : data rows; a random 192 of them are shaken.
    site : where the features live; encode : vectors (n, d) there to features (n, k).
    noise : standard deviation, in the units of the model's standardised pixels.

    Source: Fel et al. 2024 (100 draws on 2,000 pictures there).
    """
    import torch

    from backend.capture.shard import read_items, run_rows
    from backend.complexity.measures import sensitivity as moved
    from backend.models.inputs import Prepared

    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(rows)[:_ROWS])
    generator = torch.Generator().manual_seed(seed)
    total = 0.0
    for start in range(0, len(rows), _CHUNK):
        items = read_items(view.dataset, rows[start : start + _CHUNK], model)
        prepared = model.inputs.prepare(items, max_tokens=model.max_tokens)
        values = []
        for draw in range(draws):
            progress(start * draws + draw * len(items), len(rows) * draws, "shaking the pictures")
            noisy = [s + noise * torch.randn(s.shape, generator=generator)
                     for s in prepared.samples]  # fmt: skip
            one = Prepared(noisy, prepared.lengths)
            collector, _ = run_rows(model, one, (site,), view.pooling)
            values.append(encode(collector.pooled[site]))
        total = total + len(items) * moved(np.stack(values))
    return np.asarray(total) / len(rows)
