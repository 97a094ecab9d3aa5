"""Numbers of next-token distributions, from logits (torch; workers only)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Reading:
    """What one layer's logits say at t positions."""

    top: np.ndarray  # int64 (t, k) token ids, most probable first
    top_probability: np.ndarray  # float64 (t, k)
    actual_rank: np.ndarray  # int64 (t,), 1 = the first choice
    actual_probability: np.ndarray  # float64 (t,)
    entropy: np.ndarray  # float64 (t,), nats
    kl: np.ndarray  # float64 (t,), nats, KL(this layer || the model's output), 0 = equal


def log_probabilities(logits: torch.Tensor) -> torch.Tensor:
    """Log-softmax in float32 over the last axis, whatever precision the logits have."""
    import torch

    return torch.log_softmax(logits.float(), dim=-1)


def read_logits(
    log_p: torch.Tensor, log_q: torch.Tensor, actual: torch.Tensor, *, k: int
) -> Reading:
    """Compare a layer's distributions with the model's own.

    Parameters
    ----------
    log_p : (t, v) log-probabilities at a layer; log_q : (t, v) of the model's output.
    actual : (t,) token ids whose rank and probability are wanted.
    k : how many of the most probable tokens to list.

    Returns
    -------
    Sums over the vocabulary are taken in float64. A rank counts the tokens that are strictly more
    probable, so ties share the better rank.
    """
    import torch

    p = log_p.exp()
    top, ids = log_p.topk(k, dim=-1)
    chosen = log_p.gather(-1, actual[:, None])
    # 0 * -inf is nan where a logit was masked; such tokens add nothing
    surprise = torch.where(p > 0, p * log_p, 0).sum(-1, dtype=torch.float64)
    gap = torch.where(p > 0, p * (log_p - log_q), 0).sum(-1, dtype=torch.float64)
    return Reading(
        top=ids.cpu().numpy(),
        top_probability=top.double().exp().cpu().numpy(),
        actual_rank=((log_p > chosen).sum(-1) + 1).cpu().numpy(),
        actual_probability=chosen[:, 0].double().exp().cpu().numpy(),
        entropy=(-surprise).clamp(min=0).cpu().numpy(),
        kl=gap.clamp(min=0).cpu().numpy(),
    )


def settled_from(first: np.ndarray) -> np.ndarray:
    """The layer from which on a layer's first choice stays the output's.

    Parameters
    ----------
    first : int (layers, t) token id that each layer ranks first; the last layer is the output.

    Returns
    -------
    (t,) layer numbers; layers - 1 where only the output itself says it.
    """
    same = first == first[-1]
    stays = np.flip(np.logical_and.accumulate(np.flip(same, axis=0), axis=0), axis=0)
    return stays.argmax(axis=0)
