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
from backend.analyses.result import Body, Scalar
from backend.analyses.spec import Parameter, Progress, Spec, register
from backend.analyses.threads import for_each_site
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
    at_most: int,
) -> Body:
    """Lay out every site of a capture in two dimensions."""
    one = sample(views[0], rows=min(at_most or _CAP[method], _CAP[method]), seed=seed)
    n = len(one.rows)
    if n < 4:
        raise AnalysisError(f"{n} rows are too few to lay out.", "Give at least 4 rows.")
    settings = Settings(method, normalise, min(neighbours, n - 1), min_dist, seed)
    if method == "pca":
        flat = for_each_site(
            one.sites,
            lambda site: _flat(one, site, settings),
            progress=progress,
            doing="laying out",
        )
        layouts = _aligned([Z for Z, _ in flat])
        quality = [row for _, row in flat]
    else:
        layouts, quality = _umap_layouts(one, settings, progress)
    said = [f"{q['site']} does not vary over these rows." for q in quality if q["spread"] == 0]
    scalars = _scalars(layouts, quality, settings, n) | {"note": notes(said)}
    tables = {"projection": _points(one, layouts), "quality": pa.Table.from_pylist(quality)}
    return Body(scalars, tables, _reading(scalars))


def _vectors(one: Sample, site: str, settings: Settings) -> np.ndarray:
    X = one.vectors(site)
    return unit_rows(X) if settings.normalise else X


def _flat(one: Sample, site: str, settings: Settings) -> tuple[np.ndarray, dict[str, object]]:
    """PCA layout (n, 2) of a site, root-mean-square radius 1, and how good it is."""
    X = _vectors(one, site, settings)
    Z, shares = pca_layout(X, seed=settings.seed)
    Z, spread = standardise(Z)
    return Z, _quality(X, Z, one, site, shares, spread)


def _aligned(layouts: list[np.ndarray]) -> list[np.ndarray]:
    """Each layout turned onto the last one before it that varies."""
    out, previous = [], None
    for Z in layouts:
        if Z.any():
            Z = Z if previous is None else procrustes(Z, previous)
            previous = Z
        out.append(Z)
    return out


def _umap_layouts(
    one: Sample, settings: Settings, progress: Progress
) -> tuple[list[np.ndarray], list[dict[str, object]]]:
    """UMAP layouts, each begun from the one before and turned onto it; one after the other."""
    layouts, quality, previous = [], [], None
    for index, site in enumerate(one.sites):
        progress(index, len(one.sites), f"laying out {site}")
        X = _vectors(one, site, settings)
        Z, spread = standardise(pca_layout(X, seed=settings.seed)[0])
        if spread > 0:
            Z = umap_layout(
                X,
                start=Z if previous is None else previous,
                neighbours=settings.neighbours,
                min_dist=settings.min_dist,
                epochs=_FIRST_EPOCHS if previous is None else _NEXT_EPOCHS,
                seed=settings.seed,
            )
            Z, spread = standardise(Z)
            Z = Z if previous is None else procrustes(Z, previous)
            previous = Z
        layouts.append(Z)
        quality.append(_quality(X, Z, one, site, np.full(2, np.nan), spread))
    return layouts, quality


def _quality(
    X: np.ndarray, Z: np.ndarray, one: Sample, site: str, shares: np.ndarray, spread: float
) -> dict[str, object]:
    """One row of the quality table, measured on the first 2000 rows."""
    head = slice(0, min(len(X), _QUALITY_ROWS))
    k = min(_QUALITY_K, (len(X[head]) - 1) // 2)
    value = low = high = math.nan
    if spread > 0 and k >= 1:
        groups = replace(one, rows=one.rows[head]).groups
        value, error = trustworthiness(X[head], Z[head], k=k, groups=groups)
        low, high = value - Z95 * error, min(1.0, value + Z95 * error)
    return {
        "site": site,
        "trustworthiness": value,
        "trust_low": low,
        "trust_high": high,
        "explained_x": float(shares[0]),
        "explained_y": float(shares[1]),
        "spread": spread,
    }


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
) -> dict[str, Scalar]:
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
                "at_most",
                int,
                0,
                "Rows to lay out, at the most; 0 = what the method allows (pca 20000, umap 2000).",
                minimum=0,
                maximum=20000,
            ),
        ),
    )
)
