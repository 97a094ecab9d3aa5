"""The last linear map of a model, and the names of what it decides between."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from backend.models.loading import LoadedModel


def linear_head(model: "LoadedModel") -> tuple[np.ndarray, np.ndarray] | None:
    """Weight (C, d) and bias (C,), float64, 0 where it has none; None where it is no linear map."""
    weight = getattr(model.head, "weight", None)
    if weight is None or weight.ndim != 2:
        return None
    W = weight.detach().float().cpu().numpy().astype(np.float64)
    bias = getattr(model.head, "bias", None)
    if bias is None:
        return W, np.zeros(len(W))
    return W, bias.detach().float().cpu().numpy().astype(np.float64)


def class_names(model: "LoadedModel", count: int) -> tuple[str, ...]:
    """Names of the head's classes: of its labels file, its config; of tokens none; else numbers."""
    from backend.models.convnets import read_labels

    if model.is_decoder:
        return ()
    known = read_labels(model.source.folder)
    if len(known) == count:
        return known
    named = getattr(getattr(model.model, "config", None), "id2label", None)
    if isinstance(named, dict) and len(named) == count:
        return tuple(str(named[i]) for i in range(count))
    return tuple(map(str, range(count)))
