"""A small network on frozen vectors that predicts every criterion's label at once.

Standardised vectors -> hidden units with ReLU and dropout -> a rater's severity beside them, if
asked -> one head for each criterion. It trains in torch and predicts in numpy.

Source: Kennedy et al. 2020. As there, the number of epochs is chosen on a fifth of the items and
the network is then fitted to all. Differences: cumulative biases start at the labels' shares and
can never rise, a rater's severity starts with the weight that the Rasch model gives it, and many
labels on one text are counted instead of repeating the text.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from backend.errors import AnalysisError
from backend.rasch.ordinal import (
    bias_design,
    marginal_biases,
    ordered_biases,
    ordinal_softmax,
    passed,
    predicted_label,
    raw_biases,
    softmax,
    torch_ordered_biases,
    torch_ordinal_loss,
    torch_softmax_loss,
)
from backend.threads import one_torch_thread

if TYPE_CHECKING:
    import torch

Loss = Literal["ordinal", "softmax"]
_INNER = 5  # one in this many groups of items picks the number of epochs
_PATIENCE = 8  # epochs without a better loss after which it stops looking
_BATCHES = 25  # of an epoch, where the rows are enough
_SMALLEST, _LARGEST = 8, 512  # rows of a batch


@dataclass(frozen=True)
class LabelRows:
    """Labels as counts: one row per item, or per item and rater.

    `item` (N,) is a row of X, `severity` (N,) the rater's, in logits, and `counts` (N, K) holds
    how many labels of each category of each criterion there are, criteria beside each other.
    """

    item: np.ndarray
    severity: np.ndarray
    counts: np.ndarray  # float32
    categories: tuple[int, ...]  # of each criterion; they add up to K

    def of(self, items: np.ndarray) -> "LabelRows":
        """The rows of some items, given as bool (n,) over the rows of X."""
        keep = items[self.item]
        return LabelRows(
            self.item[keep], self.severity[keep], self.counts[keep], self.categories
        )  # fmt: skip

    def split(self) -> list[np.ndarray]:
        """The counts of each criterion, (N, m_i + 1)."""
        return np.split(self.counts, np.cumsum(self.categories)[:-1], axis=1)


def label_rows(
    item: np.ndarray,
    criterion: np.ndarray,
    x: np.ndarray,
    *,
    categories: tuple[int, ...],
    rater: np.ndarray | None = None,
    severities: np.ndarray | None = None,
) -> LabelRows:
    """Ratings as rows of counted labels.

    Parameters
    ----------
    item, criterion, x : (N,) codes of each rating; x counts from 0.
    rater, severities : (N,) codes and (n_raters,) logits, to keep raters apart; without them all
        ratings of an item are one row.
    """
    key = np.asarray(item, dtype=np.int64)
    n_raters = 1 if rater is None else int(rater.max(initial=0)) + 1
    if rater is not None:
        key = key * n_raters + rater
    rows, place = np.unique(key, return_inverse=True)
    width = int(sum(categories))
    start = np.concatenate([[0], np.cumsum(categories)[:-1]])
    at = place * width + start[criterion] + x
    counts = np.bincount(at, minlength=len(rows) * width).reshape(len(rows), width)
    severity = np.zeros(len(rows))
    if severities is not None:
        severity = np.asarray(severities, dtype=np.float64)[rows % n_raters]
    return LabelRows(rows // n_raters, severity, counts.astype(np.float32), tuple(categories))


@dataclass(frozen=True)
class Settings:
    """How the network is built and trained."""

    loss: Loss = "ordinal"
    severity: bool = False
    hidden: int = 64
    dropout: float = 0.1
    epochs: int = 100  # at the most
    rate: float = 2e-3
    decay: float = 1e-2


@dataclass(frozen=True)
class Head:
    """A trained network as plain arrays, float64."""

    centre: np.ndarray  # (d,)
    scale: np.ndarray  # (d,), infinite where a feature is constant
    W: np.ndarray  # (d, hidden)
    b: np.ndarray  # (hidden,)
    heads: np.ndarray  # (hidden, L), or (hidden, K) for softmax
    strict: np.ndarray  # (L,) or (K,), what a logit of severity adds
    biases: tuple[np.ndarray, ...]  # of each criterion, (m_i,) or (m_i + 1,)
    loss: Loss
    epochs: int

    def probabilities(self, X: np.ndarray, severity: np.ndarray | float = 0.0) -> list[np.ndarray]:
        """P of each category, for each criterion (n, m_i + 1); X (n, d), severity in logits."""
        return [
            ordinal_softmax(z) if self.loss == "ordinal" else softmax(z)
            for z in self._logits(X, severity)
        ]

    def labels(self, X: np.ndarray, severity: np.ndarray | float = 0.0) -> np.ndarray:
        """Predicted labels (n, L): cumulative probabilities above one half, or the likeliest."""
        logits = self._logits(X, severity)
        if self.loss == "ordinal":
            return np.stack([predicted_label(z) for z in logits], axis=1)
        return np.stack([z.argmax(axis=1) for z in logits], axis=1)

    def _logits(self, X: np.ndarray, severity: np.ndarray | float) -> list[np.ndarray]:
        H = np.maximum((np.asarray(X, np.float64) - self.centre) / self.scale @ self.W + self.b, 0)
        Z = H @ self.heads + np.broadcast_to(severity, len(H))[:, None] * self.strict
        if self.loss == "ordinal":
            return [Z[:, [i]] + b for i, b in enumerate(self.biases)]
        parts = np.split(Z, np.cumsum([len(b) for b in self.biases])[:-1], axis=1)
        return [z + b for z, b in zip(parts, self.biases, strict=True)]


def fit_head(
    X: np.ndarray, rows: LabelRows, *, settings: Settings, seed: int, groups: np.ndarray
) -> Head:
    """Train on the given rows; the number of epochs is chosen on held-out groups of items.

    Parameters
    ----------
    X : (n, d) vectors; rows : labels of some of them; groups : (n,) labels of items that must
        stay together.

    Raises
    ------
    AnalysisError : fewer than ten groups of items to train on.
    """
    used = np.unique(groups[rows.item])
    if len(used) < 2 * _INNER:
        raise AnalysisError(
            f"{len(used)} items are too few to train on.", f"Give at least {2 * _INNER}."
        )
    rng = np.random.default_rng(seed)
    held = np.isin(groups, rng.permutation(used)[: len(used) // _INNER])
    with one_torch_thread():
        epochs = _best_epoch(X, rows, held, settings, seed)
        whole = _Trainer(X, rows, settings, seed)
        for _ in range(epochs):
            whole.epoch()
    return whole.head(epochs)


def _best_epoch(
    X: np.ndarray, rows: LabelRows, held: np.ndarray, settings: Settings, seed: int
) -> int:
    """The epoch with the least loss on the items held, bool (n,)."""
    inner = _Trainer(X, rows.of(~held), settings, seed)
    check = inner.batch(rows.of(held))
    best, epochs = np.inf, 1
    for epoch in range(1, settings.epochs + 1):
        inner.epoch()
        if (loss := inner.error(check)) < best:
            best, epochs = loss, epoch
        elif epoch - epochs >= _PATIENCE:
            break
    return epochs


class _Trainer:
    """Parameters, optimiser and data of one training run."""

    def __init__(self, X: np.ndarray, rows: LabelRows, settings: Settings, seed: int):
        import torch

        self.settings, self.categories = settings, rows.categories
        self.ordinal = settings.loss == "ordinal"
        self.chance = torch.Generator().manual_seed(seed)
        own = np.asarray(X[np.unique(rows.item)], dtype=np.float64)
        self.centre, scale = own.mean(axis=0), own.std(axis=0)
        self.scale = np.where(scale > 1e-7 * np.abs(self.centre), scale, np.inf)
        self.X = torch.tensor((np.asarray(X, np.float64) - self.centre) / self.scale).float()
        self.data = self.batch(rows)
        steps = tuple(c - 1 for c in rows.categories)
        self.design = [torch.tensor(part).float() for part in bias_design(steps)]
        self.owner = torch.tensor(np.repeat(np.arange(len(steps)), steps))
        self.body = self._parameters(X.shape[1], rows)
        self.optimiser = torch.optim.AdamW(
            self.body, lr=settings.rate, weight_decay=settings.decay, foreach=True
        )

    def _parameters(self, d: int, rows: LabelRows) -> "list[torch.Tensor]":
        """W, b, heads, the severity's weights and the biases.

        The biases start at the labels' shares. A logit of severity starts as the Rasch model has
        it for two categories, as one logit less: small random weights stay small too long.
        """
        import torch

        hidden, totals = self.settings.hidden, [part.sum(axis=0) for part in rows.split()]
        width = len(totals) if self.ordinal else sum(self.categories)

        def uniform(*shape: int, bound: float) -> torch.Tensor:
            return (2 * torch.rand(*shape, generator=self.chance) - 1) * bound

        W, b = uniform(d, hidden, bound=d**-0.5), uniform(hidden, bound=d**-0.5)
        heads = uniform(hidden, width, bound=(6 / (hidden + width)) ** 0.5)
        if self.ordinal:
            biases = [raw_biases(marginal_biases(t)) for t in totals]
            strict = -np.ones(width)
        else:
            biases = [np.log((t + 0.5) / (t + 0.5).sum()) for t in totals]
            strict = -np.concatenate([np.arange(c) for c in self.categories])
        strict = strict * self.settings.severity  # stays 0 where severity is no input
        rest = (torch.tensor(x).float() for x in (strict, np.concatenate(biases)))
        return [p.requires_grad_() for p in (W, b, heads, *rest)]

    def batch(self, rows: LabelRows) -> "list[torch.Tensor]":
        """Rows as tensors: item, severity (0 where it is no input), n of labels, labels."""
        import torch

        severity = rows.severity if self.settings.severity else np.zeros(len(rows.item))
        labels = [rows.counts]
        if self.ordinal:
            sides = zip(*(passed(part) for part in rows.split()), strict=True)
            labels = [np.concatenate(side, axis=1) for side in sides]
        given = (severity[:, None], rows.counts.sum(axis=1), *labels)
        return [torch.tensor(rows.item), *(torch.tensor(x).float() for x in given)]

    def epoch(self) -> None:
        """One pass over the rows in a new order."""
        import torch

        n = len(self.data[0])
        order = torch.randperm(n, generator=self.chance)
        for part in order.split(min(_LARGEST, max(_SMALLEST, n // _BATCHES))):
            self.optimiser.zero_grad()
            self._loss([t[part] for t in self.data], train=True).backward()
            self.optimiser.step()

    def error(self, data: "list[torch.Tensor]") -> float:
        """Mean loss of a label, without dropout."""
        import torch

        with torch.no_grad():
            return float(self._loss(data, train=False))

    def _loss(self, data: "list[torch.Tensor]", *, train: bool) -> "torch.Tensor":
        import torch

        (item, severity, n, *labels), (W, b, heads, strict, biases) = data, self.body
        H = torch.relu(self.X[item] @ W + b)
        if train and self.settings.dropout > 0:
            kept = torch.rand(H.shape, generator=self.chance) >= self.settings.dropout
            H = H * kept / (1 - self.settings.dropout)
        Z = H @ heads + severity * strict
        if self.ordinal:
            logits = Z[:, self.owner] + torch_ordered_biases(biases, *self.design)
            return torch_ordinal_loss(logits, *labels) / n.sum()
        logits, counts = ((Z + biases).split(self.categories, dim=1),
                          labels[0].split(self.categories, dim=1))  # fmt: skip
        parts = [torch_softmax_loss(z, c) for z, c in zip(logits, counts, strict=True)]
        return torch.stack(parts).sum() / n.sum()

    def head(self, epochs: int) -> Head:
        """The parameters as they are now."""
        W, b, heads, strict, biases = (p.detach().double().numpy().copy() for p in self.body)
        width = [c - self.ordinal for c in self.categories]
        given = np.split(biases, np.cumsum(width)[:-1])
        if self.ordinal:
            given = [ordered_biases(x) for x in given]
        loss = self.settings.loss
        return Head(self.centre, self.scale, W, b, heads, strict, tuple(given), loss, epochs)
