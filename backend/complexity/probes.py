"""A ladder of probes: what a small network reads of a feature beyond what a linear probe does.

The network predicts what the ridge probe leaves over, so it starts as the linear probe and can
only be chosen over it by rows that neither was fitted on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from backend.complexity.linear_probe import factorise
from backend.complexity.readability import ALPHAS, Layers, Split, readability
from backend.threads import one_torch_thread

MLP = "mlp"
LINEAR = "linear"
_MOST_INPUTS = 128  # principal directions that the network sees


@dataclass(frozen=True)
class Network:
    """Size and training of the small network; one of its own for each feature."""

    hidden: int = 32
    epochs: int = 60
    patience: int = 15  # epochs after which no feature has gained: then training ends
    batch: int = 256
    rate: float = 3e-3
    decay: float = 1e-3


@dataclass(frozen=True)
class Ladder:
    """R2 on held-out rows of some features at L layers, by two kinds of probe; NaN for dead."""

    layers: tuple[str, ...]
    features: np.ndarray  # (c,) columns of the targets
    linear: np.ndarray  # (L, c)
    mlp: np.ndarray  # (L, c)
    epochs: np.ndarray  # (L, c) after which training was best on the valid rows; 0 is linear


def some_features(complexity: np.ndarray, count: int) -> np.ndarray:
    """At most `count` features spread evenly from the simplest to the most complex, ascending.

    Features whose complexity (k,) is unknown (NaN) are never taken.
    """
    order = np.argsort(complexity, kind="stable")
    order = order[np.isfinite(complexity[order])]
    if not len(order):
        return order
    places = np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)
    return np.sort(order[places])


def probe_ladder(
    layers: Layers,
    Z: np.ndarray,
    split: Split,
    *,
    features: Sequence[int] | np.ndarray,
    network: Network = Network(),
    alphas: np.ndarray = ALPHAS,
    seed: int = 0,
    progress: Callable[[int, int, str], None] = lambda done, total, text: None,
) -> Ladder:
    """R2 of a ridge probe, and of the same plus a network with one hidden layer.

    Both are fitted on the fit rows, chosen on the valid rows and scored on the held-out rows. A
    network sees the layer's first 128 principal directions, each scaled to unit variance.

    Raises
    ------
    AnalysisError : see `readability`.

    Source: Xu et al. 2020 (a richer family reads more); the ladder is ours.
    """
    features = np.asarray(features, dtype=np.int64)
    targets = Z[:, features]
    linear = readability(layers, targets, split, alphas=alphas, draws=0)
    live = ~linear.dead
    mlp, best = linear.raw.copy(), np.zeros(linear.raw.shape, np.int64)
    for index, (name, X) in enumerate(layers):
        progress(index, len(layers), f"training probes of {name}")
        if live.any():
            alpha = float(linear.alphas[index, live][0])
            with one_torch_thread():
                found = _of_layer(X, targets[:, live], split, alpha, network, seed)
            mlp[index, live], best[index, live] = found
    return Ladder(linear.layers, features, linear.raw, mlp, best)


def _of_layer(
    X: np.ndarray, Y: np.ndarray, split: Split, alpha: float, network: Network, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Held-out R2 (c,) and best epochs (c,) of features Y (N, c)."""
    factors = factorise(X[split.fit])
    g = factors.shrinkage(np.array([alpha]))[0]
    Y = Y.astype(np.float64)
    mean, std = Y[split.fit].mean(axis=0), Y[split.fit].std(axis=0)
    Y = (Y - mean) / std
    P = factors.U.T @ Y[split.fit]
    seen, left = {}, {}
    for name in ("fit", "valid", "held"):
        rows = getattr(split, name)
        scores = factors.scores(X[rows])
        left[name] = Y[rows] - (scores * g) @ P
        seen[name] = scores[:, -_MOST_INPUTS:] * np.sqrt(factors.n)
    said, best = _trained(seen, left, network, seed)
    variance = Y[split.held].var(axis=0)
    there = variance > 1e-12
    error = np.square(left["held"] - said).mean(axis=0)
    return np.where(there, 1 - error / np.where(there, variance, 1.0), np.nan), best


def _trained(
    seen: dict[str, np.ndarray], left: dict[str, np.ndarray], network: Network, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Predictions (held, c) of what is left over, at each feature's best epoch (c,).

    All features' networks are trained at once, (c, inputs, hidden); none sees another's error.
    """
    import torch

    inputs, count = seen["fit"].shape[1], left["fit"].shape[1]
    if not inputs:
        return np.zeros_like(left["held"]), np.zeros(count, np.int64)
    chance = torch.Generator().manual_seed(seed)
    x, y = ({n: torch.from_numpy(v).float() for n, v in d.items()} for d in (seen, left))
    first = torch.randn(count, inputs, network.hidden, generator=chance) * (2 / inputs) ** 0.5
    weights = [first, torch.zeros(count, 1, network.hidden), torch.zeros(count, network.hidden, 1),
               torch.zeros(count, 1, 1)]  # fmt: skip
    weights[1].uniform_(-1, 1, generator=chance)
    for weight in weights:
        weight.requires_grad_(True)

    def predict(rows: "torch.Tensor") -> "torch.Tensor":  # (m, inputs) -> (m, c)
        hidden = torch.relu(torch.matmul(rows, weights[0]) + weights[1])  # (c, m, hidden)
        return (torch.bmm(hidden, weights[2]) + weights[3])[..., 0].T

    optimizer = torch.optim.AdamW(weights, lr=network.rate, weight_decay=network.decay)
    lowest = y["valid"].square().mean(0)  # epoch 0: nothing added to the linear probe
    said, best = torch.zeros_like(y["held"]), torch.zeros(count, dtype=torch.int64)
    for epoch in range(1, network.epochs + 1):
        for rows in torch.randperm(len(x["fit"]), generator=chance).split(network.batch):
            optimizer.zero_grad()
            (predict(x["fit"][rows]) - y["fit"][rows]).square().mean(0).sum().backward()
            optimizer.step()
        with torch.no_grad():
            error = (predict(x["valid"]) - y["valid"]).square().mean(0)
            better = error < lowest
            lowest = torch.where(better, error, lowest)
            best[better] = epoch
            if better.any():
                said[:, better] = predict(x["held"])[:, better]
            elif epoch - best.max() >= network.patience:
                break
    return said.double().numpy(), best.numpy()
