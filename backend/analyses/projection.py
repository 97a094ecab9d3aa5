"""How does the cloud of rows change through depth?  Layouts of every layer, aligned in sequence."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from backend.analyses.inputs import Sample, notes, sample
from backend.analyses.intervals import Z95, median_interval, number, say
from backend.analyses.layout import (
    pca_layout,
    procrustes,
    standardise,
    travel,
    trustworthiness,
    umap_layout,
)
from backend.analyses.neighbours import unit_rows
from backend.analyses.result import Body
from backend.analyses.spec import Parameter, Progress, Spec, register
from backend.capture.view import CaptureView
from backend.errors import AnalysisError

_CAP = {"pca": 20000, "umap": 2000}
_QUALITY_ROWS, _QUALITY_K = 2000, 15
_FIRST_EPOCHS, _NEXT_EPOCHS = 500, 200  # a layer that starts from the last layout needs fewer


@dataclass(frozen=True)
class Settings:
    """How to lay out a site."""

    method: str
    normalise: bool
    neighbours: int
    min_dist: float
    seed: int


def run(
    views: tuple[CaptureView, ...],
    *,
    seed: int,
    progress: Progress,
    method: str,
    normalise: bool,
    neighbours: int,
    min_dist: float,
    rows: int,
) -> Body:
    """Lay out every site of a capture in two dimensions."""
    one = sample(views[0], rows=min(rows or _CAP[method], _CAP[method]), seed=seed)
    n = len(one.rows)
    if n < 4:
        raise AnalysisError(f"{n} rows are too few to lay out.", "Give at least 4 rows.")
    settings = Settings(method, normalise, min(neighbours, n - 1), min_dist, seed)
    layouts, quality, said, previous = [], [], [], None
    for index, site in enumerate(one.sites):
        progress(index, len(one.sites), f"laying out {site}")
        X = one.vectors(site)
        X = unit_rows(X) if normalise else X
        Z, row = _lay_out(X, previous, settings)
        if row["spread"] == 0:
            said.append(f"{site} does not vary over these rows.")
        else:
            previous = Z
        layouts.append(Z)
        quality.append({"site": site, **row, **_quality(X, Z, one, row["spread"])})
    progress(len(one.sites), len(one.sites), "done")
    scalars = _scalars(layouts, quality, settings, n) | {"note": notes(said)}
    tables = {"projection": _points(one, layouts), "quality": pa.Table.from_pylist(quality)}
    return Body(scalars, tables, _reading(scalars))


def _lay_out(
    X: np.ndarray, previous: np.ndarray | None, settings: Settings
) -> tuple[np.ndarray, dict[str, float]]:
    """Layout (n, 2) with root-mean-square radius 1, turned onto the previous one."""
    Z, shares = pca_layout(X, seed=settings.seed)
    if settings.method == "umap" and np.isfinite(shares).all():
        start = previous if previous is not None else Z
        Z = umap_layout(
            X,
            start=start,
            neighbours=settings.neighbours,
            min_dist=settings.min_dist,
            epochs=_FIRST_EPOCHS if previous is None else _NEXT_EPOCHS,
            seed=settings.seed,
        )
        shares = np.full(2, np.nan)
    Z, spread = standardise(Z)
    if previous is not None and spread > 0:
        Z = procrustes(Z, previous)
    return Z, {"explained_x": shares[0], "explained_y": shares[1], "spread": spread}


def _quality(X: np.ndarray, Z: np.ndarray, one: Sample, spread: float) -> dict[str, float]:
    head = slice(0, min(len(X), _QUALITY_ROWS))
    k = min(_QUALITY_K, (len(X[head]) - 1) // 2)
    if spread == 0 or k < 1:
        return dict.fromkeys(("trustworthiness", "trust_low", "trust_high"), math.nan)
    first = replace(one, rows=one.rows[head])
    value, error = trustworthiness(X[head], Z[head], k=k, groups=first.groups)
    low, high = value - Z95 * error, min(1.0, value + Z95 * error)
    return {"trustworthiness": value, "trust_low": low, "trust_high": high}


def _points(one: Sample, layouts: list[np.ndarray]) -> pa.Table:
    """One row per site and data row."""
    n, count = len(one.rows), len(one.sites)
    index = pa.array(np.repeat(np.arange(count, dtype=np.int32), n))
    sites = pa.DictionaryArray.from_arrays(index, pa.array(one.sites)).cast(pa.string())
    x, y = np.concatenate(layouts).astype(np.float32).T
    return pa.table(
        {"row": np.tile(one.rows.astype(np.int64), count), "site": sites, "x": x, "y": y}
    )


def _scalars(
    layouts: list[np.ndarray], quality: list[dict], settings: Settings, n: int
) -> dict[str, object]:
    trust = np.array([q["trustworthiness"] for q in quality])
    shares = np.array([q["explained_x"] + q["explained_y"] for q in quality])
    varied = [z for z, q in zip(layouts, quality, strict=True) if q["spread"] > 0]
    steps = travel(varied)
    known = np.flatnonzero(np.isfinite(trust))
    worst = int(known[trust[known].argmin()]) if len(known) else 0
    step, low, high = median_interval(steps)
    finite = shares[np.isfinite(shares)]
    return {
        "n": n,
        "method": settings.method,
        "normalise": settings.normalise,
        "trust_median": float(np.median(trust[known])) if len(known) else math.nan,
        "worst_site": quality[worst]["site"],
        "worst": quality[worst]["trustworthiness"],
        "worst_low": quality[worst]["trust_low"],
        "worst_high": quality[worst]["trust_high"],
        "explained_median": float(np.median(finite)) if len(finite) else math.nan,
        "step_median": step,
        "step_low": low,
        "step_high": high,
    }


def _reading(s: dict) -> str:
    name = {"pca": "PCA", "umap": "UMAP"}[s["method"]]
    kept = ""
    if math.isfinite(s["explained_median"]):
        kept = f" and {100 * s['explained_median']:.0f} % of the variance"
    scaled = "rows scaled to length 1" if s["normalise"] else "rows as they are"
    return (
        f"In two dimensions {name} keeps a trustworthiness of {number(s['trust_median'])}{kept} "
        f"(median over layers), least at {s['worst_site']}: "
        f"{say(s['worst'], s['worst_low'], s['worst_high'])}; from layer to layer a point moves "
        f"{say(s['step_median'], s['step_low'], s['step_high'])} of the cloud's radius "
        f"({s['n']} rows, {scaled})."
    )


SPEC = register(
    Spec(
        key="projection",
        title="Projection through depth",
        question="How does the cloud of rows change from layer to layer?",
        source="Pearson 1901 (PCA); McInnes et al. 2018 (UMAP); Venna and Kaski 2001",
        version=1,
        run=run,
        parameters=(
            Parameter("method", str, "pca", "Layout method.", choices=("pca", "umap")),
            Parameter(
                "normalise",
                bool,
                True,
                "Scale rows to length 1: a few rows of the residual stream are far longer.",
            ),
            Parameter("neighbours", int, 15, "UMAP neighbours.", minimum=2, maximum=200),
            Parameter("min_dist", float, 0.1, "UMAP minimum distance.", minimum=0, maximum=1),
            Parameter(
                "rows",
                int,
                0,
                "Rows to lay out; 0 = as many as the method allows (pca 20000, umap 2000).",
                minimum=0,
                maximum=20000,
            ),
        ),
    )
)
