"""What the pairs of layers say together: along the main path of one model, or between two."""

import math
from dataclasses import dataclass

import numpy as np

from backend.analyses.cka import Alignment, expected_biased_null
from backend.analyses.inputs import trunk
from backend.analyses.intervals import Z95, jackknife_error, rank_correlation
from backend.analyses.result import Scalar


@dataclass(frozen=True)
class Side:
    """What one model brings to the comparison, for its p sites."""

    sites: tuple[str, ...]
    grams: list[np.ndarray]  # per batch (p, n_b, n_b)
    neighbours: np.ndarray  # (p, n, k)
    trace: np.ndarray  # (p,) of the first batch
    square: np.ndarray  # (p,)
    constant: tuple[str, ...]


def controls(a: Side, b: Side, found: Alignment, *, n: int) -> dict[str, float]:
    """What unrelated layers would show: debiased and biased, means over pairs."""
    null = np.nanmean(found.null) if np.isfinite(found.null).any() else math.nan
    biased = math.nan
    if a is b:
        grid = expected_biased_null(a.trace, a.square) / (n - 1)
        biased = float(np.nanmean(grid)) if np.isfinite(grid).any() else math.nan
    return {"null_mean": float(null), "biased_null_mean": biased}


def within(a: Side, found: Alignment, groups: np.ndarray | None) -> dict[str, Scalar]:
    """Neighbouring against distant layers along the main path, with jackknife intervals."""
    path = [a.sites.index(s) for s in trunk(a.sites) if s not in a.constant]
    if len(path) < 3:
        return {"adjacent": None, "lowest_pair": None}
    step = np.array([found.cka[i, j] for i, j in zip(path, path[1:], strict=False)])
    gap = max(2, len(path) // 2)
    pairs = {
        "adjacent": [(i, j) for i, j in zip(path, path[1:], strict=False)],
        "distant": [(i, j) for at, i in enumerate(path) for j in path[at + gap :]],
        "ends": [(path[0], path[-1])],
    }
    out, deleted = {}, {}
    for name, chosen in pairs.items():
        i, j = np.array(chosen).T
        value, deleted[name] = found.cka[i, j].mean(), found.deleted[:, i, j].mean(axis=1)
        out |= _with_interval(name, value, deleted[name], groups)
    change = deleted["adjacent"] - deleted["distant"]
    out |= _with_interval(
        "adjacent_minus_distant", out["adjacent"] - out["distant"], change, groups
    )
    at = int(step.argmin())
    i, j = path[at], path[at + 1]
    return out | {
        "lowest_pair": f"{a.sites[i]} and {a.sites[j]}",
        "lowest": float(found.cka[i, j]),
        "lowest_low": float(found.low[i, j]),
        "lowest_high": float(found.high[i, j]),
        "first": a.sites[path[0]],
        "last": a.sites[path[-1]],
        "block": _largest_block(found.cka[np.ix_(path, path)]) / len(path),
    }


def _with_interval(
    name: str, value: float, deleted: np.ndarray, groups: np.ndarray | None
) -> dict[str, float]:
    error = float(jackknife_error(deleted, groups=groups))
    value = float(value)
    low, high = max(-1.0, value - Z95 * error), min(1.0, value + Z95 * error)
    return {name: value, f"{name}_low": low, f"{name}_high": high}


def _largest_block(cka: np.ndarray, *, least: float = 0.9) -> int:
    """Most layers in a row of which every two have a CKA of at least `least`."""
    best, start = 1, 0
    for stop in range(1, len(cka) + 1):
        while cka[start:stop, start:stop].min() < least:
            start += 1
        best = max(best, stop - start)
    return best


def between(a: Side, b: Side, found: Alignment) -> dict[str, Scalar]:
    """The most alike pair, and whether a layer's best partner lies at its own depth."""
    rows = [a.sites.index(s) for s in trunk(a.sites) if s not in a.constant]
    columns = [b.sites.index(s) for s in trunk(b.sites) if s not in b.constant]
    if not rows or not columns:
        return {"best_pair": None}
    part = found.cka[np.ix_(rows, columns)]
    best = part.argmax(axis=1)
    at = int(part.max(axis=1).argmax())
    i, j = rows[at], columns[best[at]]
    rho, low, high = rank_correlation(np.arange(len(rows)), best)
    return {
        "best_pair": f"{a.sites[i]} and {b.sites[j]}",
        "best": float(found.cka[i, j]),
        "best_low": float(found.low[i, j]),
        "best_high": float(found.high[i, j]),
        "depth_rho": rho,
        "depth_rho_low": low,
        "depth_rho_high": high,
    }
