"""Ordinal outputs of a network: cumulative logits, their probabilities, and their loss.

A label with m + 1 categories 0..m has m cumulative logits z_k, of P(y >= k), k = 1..m. The numpy
functions are the reference; the torch ones train. Losses take counts of labels, so that many
ratings of one text cost what one costs.

Source: Cao, Mirjalili, Raschka 2020 (CORAL); Kennedy et al. 2020 (ordinal softmax and ordinal
cross-entropy).
"""

from typing import TYPE_CHECKING

import numpy as np

from backend.errors import DataError

if TYPE_CHECKING:
    import torch

LEAST = 1e-7  # of a probability


def cumulative(logits: np.ndarray) -> np.ndarray:
    """P(y >= k), k = 1..m, from cumulative logits (..., m), without overflow."""
    e = np.exp(-np.abs(logits))
    return np.where(logits >= 0, 1.0, e) / (1 + e)


def ordinal_softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities (..., m + 1) of the categories from cumulative logits (..., m).

    P(0) = 1 - C_1, P(k) = C_k - C_{k+1}, P(m) = C_m. Where the logits do not fall with k a
    difference is negative: none is let below 1e-7, and they are made to sum to 1.

    Source: Kennedy et al. 2020, the authors' ordinal layer.
    """
    C = cumulative(np.asarray(logits, dtype=np.float64))
    one, zero = np.ones((*C.shape[:-1], 1)), np.zeros((*C.shape[:-1], 1))
    P = np.maximum(-np.diff(np.concatenate([one, C, zero], axis=-1), axis=-1), LEAST)
    return P / P.sum(axis=-1, keepdims=True)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities (..., m + 1) from one logit for each category, which knows no order."""
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def ordinal_cross_entropy(
    logits: np.ndarray, labels: np.ndarray, *, importance: np.ndarray | None = None
) -> float:
    """Mean over rows of -sum_k w_k [t_k log C_k + (1 - t_k) log(1 - C_k)], t_k = [y >= k].

    Parameters
    ----------
    logits : (n, m) cumulative logits; labels : (n,) categories 0..m; importance : (m,) the w_k,
        1 where not given.

    Source: Cao, Mirjalili, Raschka 2020, equation 4.
    """
    labels = _checked(labels, logits.shape[1] + 1)
    at_least = labels[:, None] > np.arange(logits.shape[1])
    loss = np.logaddexp(0, np.where(at_least, -logits, logits))  # -log C or -log(1 - C)
    return float((loss * (1.0 if importance is None else importance)).sum(axis=1).mean())


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Mean of -log softmax(logits)[label]; logits (n, m + 1), labels (n,) categories 0..m."""
    labels = _checked(labels, logits.shape[1])
    top = logits.max(axis=1)
    whole = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    return float((whole - logits[np.arange(len(labels)), labels]).mean())


def predicted_label(logits: np.ndarray) -> np.ndarray:
    """The label that cumulative logits (..., m) speak for: how many C_k are above one half."""
    return (np.asarray(logits) > 0).sum(axis=-1)


def ordered_biases(raw: np.ndarray) -> np.ndarray:
    """Biases (m,) that never rise, from free numbers: b_1 = r_1, b_k = b_{k-1} - softplus(r_k).

    With them the cumulative probabilities fall with k at any weights, so no category's
    probability is negative, during training too.
    """
    steps = np.concatenate([raw[:1], -np.logaddexp(0, raw[1:])])
    return np.cumsum(steps)


def raw_biases(biases: np.ndarray, *, least: float = 1e-3) -> np.ndarray:
    """The free numbers (m,) that give these falling biases; steps below `least` are widened."""
    steps = np.maximum(-np.diff(biases), least)
    return np.concatenate([biases[:1], steps + np.log(-np.expm1(-steps))])


def marginal_biases(counts: np.ndarray) -> np.ndarray:
    """Cumulative logits (m,) of the shares in counts (m + 1,), half a label added to each."""
    counts = np.asarray(counts, dtype=np.float64) + 0.5
    above = np.cumsum(counts[::-1])[::-1][1:]
    return np.log(above / (counts.sum() - above))


def bias_design(steps: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Matrices F, S (K, K) so that F r - S softplus(r) are the ordered biases of several heads.

    `steps` says how many biases each head has; they lie beside each other and sum to K.
    """
    owner = np.repeat(np.arange(len(steps)), steps)
    same = owner[:, None] == owner
    first = np.concatenate([[True], owner[1:] != owner[:-1]])
    return (same & first).astype(float), np.tril(same & ~first).astype(float)


def passed(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of labels counted by category (n, m + 1), how many are >= k and how many < k, each (n, m)."""
    below = np.cumsum(counts, axis=1)[:, :-1]
    return counts.sum(axis=1, keepdims=True) - below, below


def torch_ordered_biases(
    raw: "torch.Tensor", first: "torch.Tensor", steps: "torch.Tensor"
) -> "torch.Tensor":
    """`ordered_biases` of all heads at once, for training; matrices from `bias_design`."""
    from torch.nn.functional import softplus

    return first @ raw - steps @ softplus(raw)


def torch_ordinal_loss(
    logits: "torch.Tensor", above: "torch.Tensor", below: "torch.Tensor"
) -> "torch.Tensor":
    """Sum of the ordinal cross-entropy over counted labels; all (B, K), see `passed`.

    Several criteria may lie beside each other. A row without labels has zeros.
    """
    from torch.nn.functional import softplus

    return (above * softplus(-logits) + below * softplus(logits)).sum()


def torch_softmax_loss(logits: "torch.Tensor", counts: "torch.Tensor") -> "torch.Tensor":
    """Sum of the plain cross-entropy over all labels that were counted; logits (B, m + 1)."""
    return -(counts * logits.log_softmax(dim=1)).sum()


def _checked(labels: np.ndarray, categories: int) -> np.ndarray:
    labels = np.asarray(labels)
    wrong = (labels < 0) | (labels >= categories)
    if wrong.any():
        raise DataError(
            f"The label {labels[wrong][0]} is none of {categories} categories.",
            f"Code labels from 0 to {categories - 1}.",
        )
    return labels
