"""How much of each feature a linear probe reads at each layer, and complexity from that.

Predictive V-information with Gaussians of fixed variance 1/2 is Var(z) - MSE of the best linear
probe; divided by Var(z) it is the probe's R2 on rows that it has not seen.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from backend.complexity.linear_probe import (
    ROUNDING,
    Choice,
    Factors,
    factorise,
    fit_errors,
    target_errors,
)
from backend.errors import AnalysisError

ALPHAS = np.logspace(-6, 2, 9)  # ridge strengths, per fit row of standardised columns
DRAWS = 200
FEW = 30  # active rows below which a feature's numbers are noisy
_LISTED = 4  # layers that a note names one by one
_CHUNK = 1024  # targets at once
_LEVEL = 0.95

Layers = Sequence[tuple[str, np.ndarray]]


@dataclass(frozen=True)
class Split:
    """Rows to fit on, to choose the strength on, and to report on; int64 each."""

    fit: np.ndarray
    valid: np.ndarray
    held: np.ndarray


@dataclass(frozen=True)
class Readability:
    """R2 of k targets at L layers; NaN for a dead target, or one that is constant when held out.

    `raw` is below 0 where a probe does worse than the mean; clipped to 0..1 it is the
    V-information as a share of the target's variance. Intervals (95 %) are of the clipped value
    over resampled held-out rows, the probe being as fitted; NaN when no draws were asked for.
    """

    layers: tuple[str, ...]
    raw: np.ndarray  # (L, k) on held-out rows
    low: np.ndarray  # (L, k)
    high: np.ndarray  # (L, k)
    fit: np.ndarray  # (L, k) on the fit rows, for the gap
    alphas: np.ndarray  # (L, k) chosen strengths; one number a layer unless chosen per target
    complexity_low: np.ndarray  # (k,)
    complexity_high: np.ndarray  # (k,)
    active: np.ndarray  # (k,) rows of the split that are not 0
    dead: np.ndarray  # (k,) bool, constant on the fit rows
    rows: tuple[int, int, int]  # fit, valid, held
    notes: tuple[str, ...]

    @property
    def clipped(self) -> np.ndarray:
        """V-information as a share of the variance, (L, k), 0..1."""
        return np.clip(self.raw, 0, 1)

    @property
    def complexity(self) -> np.ndarray:
        """K (k,): 0 readable at every layer, 1 at none."""
        return complexity(self.raw)

    @property
    def complexity_raw(self) -> np.ndarray:
        """The same without clipping, (k,); above 1 where probes over-fit."""
        return 1 - self.raw.mean(axis=0)


def complexity(values: np.ndarray) -> np.ndarray:
    """K = 1 - mean over layers of R2 clipped to 0..1, from values (L, k): (k,).

    Source: Fel et al. 2024, as reported; dividing by the variance is ours.
    """
    return 1 - np.clip(values, 0, 1).mean(axis=0)


def readability(
    layers: Layers,
    Z: np.ndarray,
    split: Split,
    *,
    alphas: np.ndarray = ALPHAS,
    per_target: bool = False,
    draws: int = DRAWS,
    groups: np.ndarray | None = None,
    workers: int = 1,
    seed: int = 0,
    progress: Callable[[int, int, str], None] = lambda done, total, text: None,
) -> Readability:
    """Ridge probes of every target from every layer, one factorisation a layer.

    Parameters
    ----------
    layers : names and activations (N, d_l) in order of depth.
    Z : (N, k) targets; each is centred and scaled on the fit rows.
    alphas : strengths to choose from, by the squared error on the valid rows; per layer over all
        targets, or `per_target`.
    draws : bootstrap draws over held-out rows; 0 for no intervals.
    groups : (N,) what rows are resampled together (crops of one picture); default each alone.
    workers : layers at once, each on one thread; about 150 MB each at 10,000 targets.

    Raises
    ------
    AnalysisError : shapes disagree, or a value is not finite, or a split is empty.

    Source: Xu et al. 2020 (V-information); Fel et al. 2024. The strength's own rows are ours.
    """
    alphas = np.asarray(alphas, dtype=np.float64)
    _check(layers, Z, split, alphas)
    targets = _Targets.of(Z, split)
    drawn = _Draws.of(split.held if groups is None else groups[split.held], draws, seed, targets)
    k, count = Z.shape[1], len(layers)
    raw, low, high, fit, chosen = (np.full((count, k), np.nan) for _ in range(5))
    sums = np.zeros((draws, k))

    def one(X: np.ndarray) -> tuple[np.ndarray, ...]:
        return _of_layer(_Probe.of(X, split, targets, alphas, per_target), targets, drawn)

    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers) as pool:
        waiting = deque(pool.submit(one, X) for _, X in layers)
        try:
            for index, (name, _) in enumerate(layers):
                progress(index, count, f"probing {name}")
                found = waiting.popleft().result()
                raw[index], low[index], high[index], fit[index], chosen[index] = found[:5]
                sums += found[5]
        finally:
            pool.shutdown(cancel_futures=True)
    lower, upper = _interval(1 - sums / count)
    rows = (len(split.fit), len(split.valid), len(split.held))
    notes = _notes(layers, rows, targets.dead, targets.active, raw, chosen, alphas)
    return Readability(
        tuple(name for name, _ in layers), raw, low, high, fit, chosen, lower, upper,
        targets.active, targets.dead, rows, notes,
    )  # fmt: skip


@dataclass(frozen=True)
class _Targets:
    Z: np.ndarray  # (N, k) as given
    split: Split
    mean: np.ndarray  # (k,) on the fit rows
    std: np.ndarray  # (k,)
    dead: np.ndarray  # (k,)
    active: np.ndarray  # (k,) rows that are not 0

    @classmethod
    def of(cls, Z: np.ndarray, split: Split) -> "_Targets":
        mean, variance = np.empty(Z.shape[1]), np.empty(Z.shape[1])
        active = np.empty(Z.shape[1], np.int64)
        everyone = np.concatenate([split.fit, split.valid, split.held])
        for at in _chunks(Z.shape[1]):
            part = Z[everyone, at].astype(np.float64)
            active[at] = (part != 0).sum(axis=0)
            part = part[: len(split.fit)]
            mean[at], variance[at] = part.mean(axis=0), part.var(axis=0)
        dead = variance <= ROUNDING * (variance + mean**2)
        return cls(Z, split, mean, np.where(dead, 1.0, np.sqrt(variance)), dead, active)

    def chunks(self) -> Iterator[slice]:
        return _chunks(self.Z.shape[1])

    def rows(self, rows: np.ndarray, at: slice) -> np.ndarray:
        """Standardised values (rows, c); NaN for dead targets would spoil products, so 0."""
        out = (self.Z[rows, at].astype(np.float64) - self.mean[at]) / self.std[at]
        out[:, self.dead[at]] = 0.0
        return out


@dataclass(frozen=True)
class _Probe:
    factors: Factors
    P: np.ndarray  # (r, k) U'Y
    T: np.ndarray  # (held, r) scores of the held-out rows
    alphas: np.ndarray  # (k,) chosen

    @classmethod
    def of(
        cls, X: np.ndarray, split: Split, targets: _Targets, alphas: np.ndarray, per_target: bool
    ) -> "_Probe":
        factors = factorise(X[split.fit])
        T, k = factors.scores(X[split.valid]), len(targets.mean)
        shrinkage, choice = factors.shrinkage(alphas), Choice(T)
        P, best = np.empty((len(factors.s), k)), np.empty(k, np.int64)
        for at in targets.chunks():
            P[:, at] = factors.U.T @ targets.rows(split.fit, at)
            Y = targets.rows(split.valid, at)
            if per_target:
                best[at] = target_errors(T, shrinkage, P[:, at], Y).argmin(axis=0)
            else:
                choice.add(P[:, at], Y)
        if not per_target:
            best[:] = choice.errors(shrinkage).argmin()
        return cls(factors, P, factors.scores(X[split.held]), alphas[best])

    def held(self, targets: _Targets, at: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Squared errors (held, c), the targets' variance (c,), R2 on the fit rows (c,)."""
        P, used = self.P[:, at], self.alphas[at]
        shared = used[0] == used[-1] and bool((used == used[0]).all())
        g = self.factors.shrinkage(used[:1])[0] if shared else self.factors.shrinkage(used).T
        Y = targets.rows(targets.split.held, at)
        miss = (self.T * g) @ P if shared else self.T @ (g * P)
        miss -= Y
        np.square(miss, out=miss)
        total = np.where(targets.dead[at], 0.0, float(self.factors.n))
        return miss, Y.var(axis=0), _r2(fit_errors(g, P, total), total)


def _chunks(k: int) -> Iterator[slice]:
    return (slice(start, min(start + _CHUNK, k)) for start in range(0, k, _CHUNK))


def _r2(error: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """1 - error / variance of standardised targets; NaN where nothing varies."""
    there = variance > ROUNDING
    return np.where(there, 1 - error / np.where(there, variance, 1.0), np.nan)


@dataclass(frozen=True)
class _Draws:
    """Bootstrap draws over held-out rows."""

    weights: np.ndarray  # (draws, held) how often each row is drawn; each draw sums to 1
    variance: np.ndarray  # (draws, k) of the targets; 0 where a draw has none

    @classmethod
    def of(cls, groups: np.ndarray, draws: int, seed: int, targets: _Targets) -> "_Draws":
        _, member = np.unique(groups, return_inverse=True)
        count = int(member.max()) + 1
        rng = np.random.default_rng(seed)
        times = rng.multinomial(count, np.full(count, 1 / count), size=draws)[:, member]
        weights = times / times.sum(axis=1, keepdims=True)
        variance = np.empty((draws, len(targets.mean)))
        for at in targets.chunks():
            Y = targets.rows(targets.split.held, at)
            Y -= Y.mean(axis=0)
            drawn = weights @ Y**2 - (weights @ Y) ** 2
            variance[:, at] = np.where(drawn > ROUNDING * Y.var(axis=0), drawn, 0.0)
        return cls(weights, variance)


def _of_layer(probe: _Probe, targets: _Targets, draws: _Draws) -> tuple[np.ndarray, ...]:
    """R2, its interval, R2 on the fit rows and strengths (k,) each; drawn values (draws, k)."""
    k = len(targets.mean)
    raw, low, high, fit = (np.full(k, np.nan) for _ in range(4))
    values = np.empty((len(draws.weights), k))
    for at in targets.chunks():
        squares, variance, fit[at] = probe.held(targets, at)
        raw[at] = _r2(squares.mean(axis=0), variance)
        drawn = _r2(draws.weights @ squares, draws.variance[:, at])
        values[:, at] = np.clip(drawn, 0, 1)
        low[at], high[at] = _interval(values[:, at])
    return raw, low, high, fit, np.where(targets.dead, np.nan, probe.alphas), values


def _interval(drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval (c,), (c,) of draws (draws, c); draws without variance do not count."""
    if not len(drawn):
        return (np.full(drawn.shape[1], np.nan),) * 2
    ends = [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2]
    out = np.quantile(drawn, ends, axis=0)  # NaN where any is
    gaps = np.isnan(drawn)
    some = gaps.any(axis=0) & ~gaps.all(axis=0)
    if some.any():
        out[:, some] = np.nanquantile(drawn[:, some], ends, axis=0)
    return out[0], out[1]


def _check(layers: Layers, Z: np.ndarray, split: Split, alphas: np.ndarray) -> None:
    if not len(layers) or not Z.shape[1]:
        raise AnalysisError(f"{len(layers)} layers and {Z.shape[1]} features leave nothing to "
                            "probe.", "Give at least one of each.")  # fmt: skip
    if not len(alphas) or not (alphas > 0).all():
        raise AnalysisError(f"Ridge strengths {alphas.tolist()} are not all above 0.",
                            "Give positive numbers.")  # fmt: skip
    for name, X in (*layers, ("targets", Z)):
        if len(X) != len(Z):
            raise AnalysisError(f"{name} has {len(X)} rows and the features have {len(Z)}.",
                                "Give every layer the same rows.")  # fmt: skip
        if not np.isfinite(X.sum(dtype=np.float64)):
            raise AnalysisError(f"{name} has values that are not finite.", "Leave those rows out.")
    for name, rows, least in (("fit", split.fit, 2), ("valid", split.valid, 1),
                              ("held", split.held, 2)):  # fmt: skip
        if len(rows) < least:
            raise AnalysisError(f"The {name} rows are {len(rows)}, fewer than {least}.",
                                "Give more rows.")  # fmt: skip


def _notes(
    layers: Layers, rows: tuple[int, int, int], dead: np.ndarray, active: np.ndarray,
    raw: np.ndarray, chosen: np.ndarray, alphas: np.ndarray,
) -> tuple[str, ...]:  # fmt: skip
    """What a reader must know before believing the numbers."""
    notes = []
    wide = [f"{name} ({X.shape[1]})" for name, X in layers if rows[0] < 5 * X.shape[1]]
    if len(wide) > _LISTED:
        wide = [f"{len(wide)} layers from {wide[0]} to {wide[-1]}"]
    if wide:
        notes.append(
            f"{rows[0]} rows to fit on are fewer than 5 times the width of {', '.join(wide)}: "
            "complexity there also says how much data there was."
        )
    if few := int(((active < FEW) & ~dead).sum()):
        notes.append(f"{few} features are active on fewer than {FEW} rows: their values are noisy.")
    if dead.any():
        notes.append(f"{int(dead.sum())} features are constant on the fit rows and have no value.")
    if still := int((np.isnan(raw).any(axis=0) & ~dead).sum()):
        notes.append(f"{still} features are constant on the held-out rows and have no value.")
    top = [n for (n, _), a in zip(layers, chosen, strict=True) if (a == alphas.max()).any()]
    if top:
        notes.append(f"The strongest ridge was chosen at {', '.join(top)}.")
    return tuple(notes)
