"""The tables of the logit lens, made from one reading per layer."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from backend.analyses.logits import Reading

if TYPE_CHECKING:
    from backend.models.loading import LoadedModel


def word_table(
    model: "LoadedModel",
    sites: tuple[str, ...],
    row: int,
    ids: np.ndarray,
    at: np.ndarray,
    readings: list[Reading],
) -> pa.Table:
    """The most probable tokens of each position and layer."""
    layers, t, k = len(readings), len(at), readings[0].top.shape[1]
    position, layer, rank = (
        np.broadcast_to(axis, (t, layers, k)).ravel()
        for axis in (at[:, None, None], np.arange(layers)[:, None], np.arange(1, k + 1))
    )
    top = np.stack([r.top for r in readings], axis=1).ravel()
    return pa.table(
        {
            "row": np.full(top.size, row, dtype=np.int64),
            "position": position.astype(np.int32),
            "token_in": np.repeat(_words(model, ids[at]), layers * k),
            "layer": layer.astype(np.int32),
            "site": np.tile(np.repeat(np.array(sites, dtype=object), k), t),
            "rank": rank.astype(np.int32),
            "token": _words(model, top),
            "probability": np.stack([r.top_probability for r in readings], axis=1).ravel(),
        }
    )


def next_table(
    model: "LoadedModel",
    sites: tuple[str, ...],
    row: int,
    ids: np.ndarray,
    at: np.ndarray,
    actual: np.ndarray,
    readings: list[Reading],
) -> pa.Table:
    """What each position and layer makes of the token that follows."""
    layers, t = len(readings), len(at)

    def along(name: str) -> np.ndarray:
        return np.stack([getattr(r, name) for r in readings], axis=1).ravel()

    return pa.table(
        {
            "row": np.full(t * layers, row, dtype=np.int64),
            "position": np.repeat(at, layers).astype(np.int32),
            "token_in": np.repeat(_words(model, ids[at]), layers),
            "layer": np.tile(np.arange(layers, dtype=np.int32), t),
            "site": np.tile(np.array(sites, dtype=object), t),
            "actual": np.repeat(_words(model, actual), layers),
            "actual_rank": along("actual_rank").astype(np.int32),
            "actual_probability": along("actual_probability"),
            "entropy": along("entropy"),
            "kl_to_output": along("kl"),
        }
    )


def _words(model: "LoadedModel", ids: np.ndarray) -> np.ndarray:
    """The text of token ids (n,), each distinct id decoded once."""
    distinct, place = np.unique(ids, return_inverse=True)
    words = np.empty(len(distinct), dtype=object)
    words[:] = model.tokens(distinct.tolist())
    return words[place]
