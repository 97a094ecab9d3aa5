"""What a small net reads of features beyond the linear probe."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from backend.analyses.complexity_features import Found
from backend.analyses.complexity_inputs import Split, Subject
from backend.analyses.complexity_means import mean_interval
from backend.analyses.intervals import say
from backend.analyses.result import Scalar
from backend.analyses.spec import Progress

if TYPE_CHECKING:
    from backend.complexity.probes import Ladder


def climb(
    subject: Subject, found: Found, split: Split, complexity: np.ndarray, *, count: int, seed: int,
    progress: Progress,
) -> tuple[pa.Table, dict[str, Scalar]]:  # fmt: skip
    """The table `ladder` of `count` features from simple to complex, and what it says."""
    from backend.complexity.probes import probe_ladder, some_features

    layers = list(zip(subject.names, subject.layers, strict=True))
    chosen = some_features(complexity, count)
    ladder = probe_ladder(layers, found.Z, split, features=chosen, seed=seed, progress=progress)
    return _table(ladder), gains(ladder)


def _table(ladder: "Ladder") -> pa.Table:
    layers, count = ladder.linear.shape
    return pa.table({
        "feature": pa.array(np.tile(np.repeat(ladder.features, layers), 2).astype(np.int32)),
        "layer": pa.array(list(ladder.layers) * count * 2, pa.string()),
        "probe": pa.array(["linear"] * (layers * count) + ["mlp"] * (layers * count)),
        "r2": pa.array(np.r_[ladder.linear.T.ravel(), ladder.mlp.T.ravel()], from_pandas=True),
    })  # fmt: skip


def gains(ladder: "Ladder") -> dict[str, Scalar]:
    """Mean gain in R2, clipped to 0..1, over layers and features; and at the layer of the most.

    The mean over layers is what complexity would fall by, were the small net its probe. Intervals
    (95 %) are over features.
    """
    gain = np.clip(ladder.mlp, 0, 1) - np.clip(ladder.linear, 0, 1)  # (L, c)
    gain = gain[:, np.isfinite(gain).all(axis=0)]
    if not gain.size:
        return {"ladder_features": 0}
    most = int(gain.mean(axis=1).argmax())
    mean, top = mean_interval(gain.mean(axis=0)), mean_interval(gain[most])
    out: dict[str, Scalar] = {"ladder_features": gain.shape[1], "ladder_layer": ladder.layers[most]}
    for name, found in (("ladder_gain", mean), ("ladder_most", top)):
        out |= {name: found[0], f"{name}_low": found[1], f"{name}_high": found[2]}
    more = f"{say(*mean)} of their variance more than the linear probe does"
    if mean[1] > 0:
        said = f"reads {more}, on average over layers; complexity by it would be as much lower"
    else:
        said = f"does not surely read more: {more}, on average over layers"
    out["ladder_reading"] = (
        f"Over {gain.shape[1]} features a small net {said}. It adds most at "
        f"{ladder.layers[most]}, of {len(gain)} layers: {say(*top)}."
    )
    return out
