"""Tastes of raters inside a Rasch model: how much of their differences was only harshness.

Every rating x of item i by rater j on criterion c has adjacent-category logits
alpha_j (theta_i + sum_k w_jk r_k(i) - d_c - a_j) - tau_ck. Severity a_j, consistency alpha_j and
the tastes r_k with weights w_j on the simplex can each be left out. The mixture is PAL's (Chen et
al. 2024), the rest Kennedy et al. 2020; putting them together is ours.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from backend.threads import one_torch_thread

SPREADS = (0.05, 0.25, 0.5, 1.0, 2.0)  # of the priors of what raters differ in, tried in turn


@dataclass(frozen=True)
class Rated:
    """n ratings as codes; category x from 0 to most[criterion]."""

    item: np.ndarray  # (n,)
    rater: np.ndarray
    criterion: np.ndarray
    x: np.ndarray
    most: np.ndarray  # (criteria,) highest category

    @property
    def sizes(self) -> tuple[int, int, int]:
        """How many items, raters, criteria."""
        return int(self.item.max()) + 1, int(self.rater.max()) + 1, len(self.most)


@dataclass(frozen=True)
class Part:
    """Which differences between raters the model has."""

    severity: bool = False
    consistency: bool = False
    k: int = 1


@dataclass(frozen=True)
class Width:
    """Standard deviations of the priors: of severity (half of it for consistency), of tastes."""

    severity: float
    taste: float


@dataclass(frozen=True)
class Fitted:
    """What each rater is like, and the loss of every rating, nats."""

    part: Part
    losses: np.ndarray  # (n,) of all ratings, learned from or not
    severity: np.ndarray  # (raters,)
    consistency: np.ndarray  # (raters,) 1 is average
    weights: np.ndarray  # (raters, K)
    rewards: np.ndarray  # (items, K)


def fit_raters(
    rated: Rated, rows: np.ndarray, part: Part, *, seed: int, restarts: int = 2, steps: int = 150,
    check: Callable[[], None] = lambda: None,
) -> Fitted:  # fmt: skip
    """Posterior mode under Gaussian priors, by L-BFGS; how wide, a tenth of the rows decides.

    Severity's width is chosen first, then that of tastes: one width for both would give tastes
    the room that severity needs, and they would learn noise.

    Parameters
    ----------
    rows : ratings to learn from; the losses of all are given back.
    restarts : starts of the mixture; without tastes the fit does not depend on the start.
    """
    starts = range(restarts if part.k > 1 else 1)

    def best(learned: np.ndarray, wide: Width) -> Fitted:
        check()
        found = [_fit(rated, learned, part, wide, seed=1000 * seed + s, steps=steps)
                 for s in starts]  # fmt: skip
        return min(found, key=lambda f: f[0])[1]

    order = np.random.default_rng(seed).permutation(rows)
    held, rest = order[: len(rows) // 10], order[len(rows) // 10 :]
    wide = Width(1.0, SPREADS[0])
    for name in [*(["severity"] if part.severity else []), *(["taste"] if part.k > 1 else [])]:
        tried = [replace(wide, **{name: spread}) for spread in SPREADS]
        wide = min(tried, key=lambda w: best(rest, w).losses[held].mean())
    return best(rows, wide)


def _fit(
    rated: Rated, rows: np.ndarray, part: Part, wide: Width, *, seed: int, steps: int
) -> tuple[float, Fitted]:
    items, raters, criteria = rated.sizes
    generator = torch.Generator().manual_seed(seed)
    high = int(rated.most.max())
    free: dict[str, torch.Tensor] = {
        "theta": torch.zeros(items, dtype=torch.float64),
        "d": torch.zeros(criteria, dtype=torch.float64),
        "tau": torch.zeros(criteria, high, dtype=torch.float64),
    }
    if part.severity:
        free["a"] = torch.zeros(raters, dtype=torch.float64)
    if part.consistency:
        free["alpha"] = torch.zeros(raters, dtype=torch.float64)
    if part.k > 1:
        shape = (items, part.k), (raters, part.k)
        for name, size, width in zip(("R", "omega"), shape, (0.1, 1.0), strict=True):
            start = torch.randn(*size, generator=generator, dtype=torch.float64)
            free[name] = width * start
    for tensor in free.values():
        tensor.requires_grad_(True)
    codes = [torch.from_numpy(np.asarray(v, np.int64))
             for v in (rated.item, rated.rater, rated.criterion, rated.x)]  # fmt: skip
    learned = [c[torch.from_numpy(rows)] for c in codes]
    closed = torch.arange(high)[None] >= torch.from_numpy(np.asarray(rated.most))[:, None]
    optimiser = torch.optim.LBFGS(list(free.values()), max_iter=steps, history_size=10,
                                  tolerance_change=1e-9, line_search_fn="strong_wolfe")  # fmt: skip

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        value = (_losses(free, learned, closed).sum() + _prior(free, wide)) / len(rows)
        value.backward()
        return value

    with one_torch_thread(len(rows)):
        optimiser.step(closure)  # type: ignore[arg-type]
    with torch.no_grad():
        value = float((_losses(free, learned, closed).sum() + _prior(free, wide)) / len(rows))
        losses = _losses(free, codes, closed).numpy()
    plain = {name: tensor.detach().numpy() for name, tensor in free.items()}
    weights = np.ones((raters, 1))
    if part.k > 1:
        shifted = np.exp(plain["omega"] - plain["omega"].max(axis=1, keepdims=True))
        weights = shifted / shifted.sum(axis=1, keepdims=True)
    return value, Fitted(
        part, losses, plain.get("a", np.zeros(raters)),
        np.exp(plain.get("alpha", np.zeros(raters))), weights,
        plain.get("R", np.zeros((items, 1))),
    )  # fmt: skip


def _losses(
    free: dict[str, torch.Tensor], codes: list[torch.Tensor], closed: torch.Tensor
) -> torch.Tensor:
    """-log P(x) of each rating, nats, (n,)."""
    item, rater, criterion, x = codes
    eta = free["theta"][item] - free["d"][criterion]
    if "R" in free:
        W = torch.softmax(free["omega"], dim=1)[rater]
        eta = eta + (W * free["R"][item]).sum(1)
    if "a" in free:
        eta = eta - free["a"][rater]
    if "alpha" in free:
        eta = eta * torch.exp(free["alpha"][rater])
    steps = eta[:, None] - free["tau"][criterion]  # (n, m) adjacent-category logits
    steps = steps.masked_fill(closed[criterion], -torch.inf)
    sums = torch.cumsum(steps, dim=1)
    logits = torch.cat([torch.zeros_like(eta)[:, None], sums], dim=1)
    return torch.logsumexp(logits, dim=1) - logits.gather(1, x[:, None])[:, 0]


def _prior(free: dict[str, torch.Tensor], wide: Width) -> torch.Tensor:
    """-log of the Gaussian priors; their widths are 3 for items and thresholds."""
    widths = {
        "theta": 3.0, "d": 3.0, "tau": 3.0, "omega": 2.0, "a": wide.severity,
        "alpha": wide.severity / 2, "R": wide.taste,
    }  # fmt: skip
    total = torch.zeros((), dtype=torch.float64)
    for name, tensor in free.items():
        total = total + tensor.square().sum() / (2 * widths[name] ** 2)
    return total
