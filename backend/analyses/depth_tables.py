"""The tables of a depth analysis, made from one set of numbers per prompt."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from backend.analyses.contributions import COSINES, NORMS, RELATIVE, Contributions
from backend.analyses.prompts import Prompt
from backend.analyses.reductions import Reduced, mean_interval

if TYPE_CHECKING:
    from backend.models.loading import LoadedModel


@dataclass(frozen=True)
class Mode:
    """What skipping did in one mode; arrays begin with the prompts that the mode could use."""

    name: str
    prompts: tuple[Prompt, ...]
    effects: Reduced  # (prompts, skipped, layer)
    output: Reduced | None  # (prompts, skipped); the local modes have none


def layers_table(found: Contributions) -> pa.Table:
    """One line for each layer; means over prompts of means over tokens, with intervals."""
    n_layers = next(iter(found.mean.values())).shape[1]
    columns: dict[str, np.ndarray] = {"layer": np.arange(n_layers, dtype=np.int32)}
    columns |= {name: found.mean[name].mean(axis=0) for name in NORMS}
    for name in (*RELATIVE, *COSINES):
        middle, low, high = mean_interval(found.mean[name])
        if name in COSINES:
            low, high = np.clip(low, -1, 1), np.clip(high, -1, 1)
        columns |= {name: middle, f"{name}_low": low, f"{name}_high": high}
    columns |= {f"{name}_max": found.largest[name].max(axis=0) for name in RELATIVE}
    return pa.table(columns)


def skip_table(modes: Sequence[Mode], model: "LoadedModel") -> pa.Table:
    """Effect of each skipped layer on each layer, in every mode.

    `effect` is the maximum over tokens, positions and prompts, `mean` and `p95` the mean over
    prompts of each one's mean and 95th percentile over its measured tokens, all positions
    together. Where the maximum is not above 0 it has no place.
    """
    return pa.concat_tables([_skip_lines(mode, model) for mode in modes])


def _skip_lines(mode: Mode, model: "LoadedModel") -> pa.Table:
    found = mode.effects
    n_layers = found.mean.shape[1]
    best = found.largest.argmax(axis=0)
    effect = np.take_along_axis(found.largest, best[None], axis=0)[0].ravel()
    at = np.take_along_axis(found.position, best[None], axis=0)[0].ravel()
    holders = [mode.prompts[p] for p in best.ravel()]
    ids = [holder.ids[position] for holder, position in zip(holders, at, strict=True)]
    words = dict(zip(distinct := sorted(set(ids)), model.tokens(distinct), strict=True))
    nowhere = effect <= 0
    return pa.table({
        "skipped": np.repeat(np.arange(n_layers, dtype=np.int32), n_layers),
        "layer": np.tile(np.arange(n_layers, dtype=np.int32), n_layers),
        "mode": [mode.name] * len(effect),
        "effect": effect,
        "mean": found.mean.mean(axis=0).ravel(),
        "p95": found.p95.mean(axis=0).ravel(),
        "row": pa.array([holder.row for holder in holders], pa.int64(), mask=nowhere),
        "position": pa.array(at, pa.int32(), mask=nowhere),
        "token": pa.array([words[i] for i in ids], pa.string(), mask=nowhere),
    })  # fmt: skip


def output_table(modes: Sequence[Mode]) -> pa.Table:
    """Change of the output distribution with each skipped layer, 0 to sqrt 2.

    `change` is the maximum over tokens, positions and prompts; `mean` the mean over prompts of
    each one's mean over tokens and positions, with its interval.
    """
    lines = []
    for mode in modes:
        if mode.output is None:
            continue
        middle, low, high = mean_interval(mode.output.mean)
        lines.append(pa.table({
            "skipped": np.arange(len(middle), dtype=np.int32),
            "mode": [mode.name] * len(middle),
            "change": mode.output.largest.max(axis=0),
            "mean": middle, "low": np.maximum(low, 0), "high": high,
        }))  # fmt: skip
    return pa.concat_tables(lines)


def lens_table(kl: np.ndarray, top5: np.ndarray) -> pa.Table:
    """Layers 0 to L, the last one the output: KL to it in nats, shared five most probable tokens.

    Both (prompts, layers + 1); means over prompts with intervals.
    """
    own = {"kl": (mean_interval(kl), np.inf), "top5": (mean_interval(top5), 1.0)}
    columns: dict[str, np.ndarray] = {"layer": np.arange(kl.shape[1], dtype=np.int32)}
    for name, ((middle, low, high), most) in own.items():
        low, high = np.maximum(low, 0), np.minimum(high, most)
        columns |= {name: middle, f"{name}_low": low, f"{name}_high": high}
    return pa.table(columns)


def prompts_table(prompts: Sequence[Prompt]) -> pa.Table:
    """The texts that were read, in the order in which they were chosen."""
    return pa.table({
        "row": np.array([p.row for p in prompts], dtype=np.int64),
        "text": pa.array([p.text for p in prompts], pa.string()),
        "tokens": np.array([len(p.ids) for p in prompts], dtype=np.int32),
    })  # fmt: skip
