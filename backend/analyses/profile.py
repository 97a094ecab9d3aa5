"""What shape has each layer, and what can be read off it?  One row of numbers per site.

Facco et al. 2017 and Ansuini et al. 2019 (intrinsic dimension), Roy and Vetterli 2007 (effective
rank), Ethayarajh 2019 (anisotropy), Alain and Bengio 2016 (probes).
"""

import math

import numpy as np
import pyarrow as pa

from backend.analyses.geometry import (
    anisotropy,
    effective_rank,
    norms,
    participation_ratio,
    spectrum,
    two_nn,
)
from backend.analyses.inputs import Sample, notes, sample, trunk
from backend.analyses.intervals import number, rank_correlation, say
from backend.analyses.probe import Score, Target, probe
from backend.analyses.result import Body, Result, Scalar
from backend.analyses.spec import Claim, Measured, Parameter, Progress, Spec, register
from backend.analyses.targets import choose_target
from backend.analyses.threads import for_each_site
from backend.capture.view import CaptureView
from backend.errors import AnalysisError

_NO_SCORE = Score(math.nan, math.nan, math.nan, math.nan, math.nan)


def run(
    views: tuple[CaptureView, ...],
    *,
    seed: int,
    progress: Progress,
    at_most: int,
    column: str,
    folds: int,
) -> Body:
    """Measure every site of a capture."""
    view = views[0]
    one = sample(view, rows=at_most, seed=seed)
    n, groups = len(one.rows), one.groups
    if n < 4:
        raise AnalysisError(f"{n} rows are too few to measure.", "Give at least 4 rows.")
    target = choose_target(one.table(), column, text_column=view.dataset.text_column)
    if target is not None and len(np.unique(one.rows[target.known])) < 2 * folds:
        target = None

    def measure(site: str) -> dict[str, object]:
        X, score = one.vectors(site), _NO_SCORE
        if target is not None:
            score = probe(X, target, seed=seed, n_folds=folds, groups=groups)
        index = one.sites.index(site)
        return {"site": site, "index": index, **_shape(X, groups), **_probe(score)}

    lines = for_each_site(one.sites, measure, progress=progress, doing="measuring")
    progress(len(one.sites), len(one.sites), "done")
    table = pa.Table.from_pylist(lines)
    table = table.set_column(1, "index", table["index"].cast(pa.int32()))
    scalars = _scalars(one, table, target)
    return Body(scalars, {"profile": table}, _reading(scalars))


def _shape(X: np.ndarray, groups: np.ndarray | None) -> dict[str, float]:
    mean, low, high = norms(X)
    values = spectrum(X)
    dimension, dropped = two_nn(X)
    cosine = anisotropy(X, groups=groups)
    return {
        "norm_mean": mean,
        "norm_low": low,
        "norm_high": high,
        "effective_rank": effective_rank(values),
        "participation_ratio": participation_ratio(values),
        "intrinsic_dimension": dimension.value,
        "id_low": dimension.low,
        "id_high": dimension.high,
        "duplicates": dropped,
        "anisotropy": cosine.value,
        "anisotropy_low": cosine.low,
        "anisotropy_high": cosine.high,
    }


def _probe(score: Score) -> dict[str, float]:
    return {
        "probe": score.value,
        "probe_low": score.low,
        "probe_high": score.high,
        "probe_control": score.control,
        "probe_majority": score.majority,
    }


def _scalars(one: Sample, table: pa.Table, target: Target | None) -> dict[str, Scalar]:
    columns = {name: table[name].to_numpy() for name in table.column_names if name != "site"}
    said = []
    if columns["duplicates"].any():
        said.append("Rows that repeat another were left out of the intrinsic dimension.")
    if np.isnan(columns["effective_rank"]).any():
        said.append("Some layers do not vary over these rows; their numbers are not defined.")
    if target is None:
        said.append("No metadata column has 2 to 20 classes and rows enough for a probe.")
    if one.groups is not None:
        said.append("Rows have several vectors; intervals of cosine and probe count data rows.")
    return {
        "n": len(one.rows),
        "kind": one.view.dataset.kind,
        "pooling": one.view.pooling,
        "probe_column": target.name if target else None,
        "probe_measure": target.measure if target else None,
        "probe_classes": len(target.classes) if target else 0,
        **_best(one.sites, columns, "probe", ("probe", "probe_low", "probe_high", "probe_control")),
        **_best(
            one.sites, columns, "intrinsic_dimension", ("intrinsic_dimension", "id_low", "id_high")
        ),
        **_best(
            one.sites, columns, "anisotropy", ("anisotropy", "anisotropy_low", "anisotropy_high")
        ),
        "note": notes(said),
    }


def _best(
    sites: tuple[str, ...], columns: dict[str, np.ndarray], key: str, wanted: tuple[str, ...]
) -> dict[str, Scalar]:
    """The numbers at the site where `key` is largest, named `best_...`."""
    values = columns[key]
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return dict.fromkeys((f"best_{key}_site", *(f"best_{name}" for name in wanted)))
    at = int(known[values[known].argmax()])
    out: dict[str, Scalar] = {f"best_{name}": float(columns[name][at]) for name in wanted}
    return {f"best_{key}_site": sites[at]} | out


def _reading(s: dict) -> str:
    parts = []
    if s["best_probe"] is not None:
        best = say(s["best_probe"], s["best_probe_low"], s["best_probe_high"])
        parts.append(
            f"column {s['probe_column']!r} is read best at {s['best_probe_site']}: held-out "
            f"{s['probe_measure']} {best}, {number(s['best_probe_control'])} with shuffled labels"
        )
    if s["best_intrinsic_dimension"] is not None:
        peak = say(s["best_intrinsic_dimension"], s["best_id_low"], s["best_id_high"])
        parts.append(
            f"the intrinsic dimension is largest at {s['best_intrinsic_dimension_site']}: {peak}"
        )
    if s["best_anisotropy"] is not None:
        high = say(s["best_anisotropy"], s["best_anisotropy_low"], s["best_anisotropy_high"])
        parts.append(
            f"two rows are most alike in direction at {s['best_anisotropy_site']}: cosine {high}"
        )
    text = "; ".join(parts) or "No layer varies over these rows"
    return f"{text[0].upper()}{text[1:]} ({s['n']} rows)."


def _path(result: Result) -> dict[str, np.ndarray]:
    """The profile's columns along the main path."""
    table = result.tables["profile"]
    sites = table["site"].to_pylist()
    keep = [sites.index(s) for s in trunk(tuple(sites))]
    return {name: np.asarray(table[name].take(keep)) for name in table.column_names}


def _claim_hunchback(result: Result) -> Measured:
    path = _path(result)
    known = np.flatnonzero(np.isfinite(path["intrinsic_dimension"]))
    if len(known) < 3:
        return Measured("needs three layers with a defined dimension", "not testable here")
    value, low, high = (path[c][known] for c in ("intrinsic_dimension", "id_low", "id_high"))
    peak, last = int(value.argmax()), len(known) - 1
    text = ", ".join(
        f"{path['site'][known[i]]} {say(value[i], low[i], high[i])}" for i in (0, peak, last)
    )
    good = 0 < peak < last and low[peak] > high[0] and low[peak] > high[last]
    return Measured(f"first, peak, last: {text}", "agrees" if good else "differs")


def _claim_anisotropic(result: Result) -> Measured:
    if result.scalars.get("kind") != "text" or result.scalars.get("pooling") in ("mean", "max"):
        return Measured("needs states of single tokens of text", "not testable here")
    path = _path(result)
    inner = np.flatnonzero(np.isfinite(path["anisotropy"]) & (path["site"] != "embed"))
    if not len(inner):
        return Measured("no layer varies", "not testable here")
    at = inner[path["anisotropy_low"][inner].argmin()]
    value, low, high = (
        float(path[c][at]) for c in ("anisotropy", "anisotropy_low", "anisotropy_high")
    )
    text = f"least mean cosine, at {path['site'][at]}: {say(value, low, high)}"
    return Measured(text, "agrees" if low > 0 else "differs")


def _claim_upper(result: Result) -> Measured:
    if result.scalars.get("kind") != "text" or result.scalars.get("pooling") in ("mean", "max"):
        return Measured("needs states of single tokens of text", "not testable here")
    path = _path(result)
    rho, low, high = rank_correlation(np.arange(len(path["site"])), path["anisotropy"])
    if not math.isfinite(rho):
        return Measured("needs four layers that vary", "not testable here")
    text = f"rank correlation of mean cosine with depth {say(rho, low, high)}"
    return Measured(text, "agrees" if low > 0 else "differs")


def _claim_monotone(result: Result) -> Measured:
    path = _path(result)
    known = np.flatnonzero(np.isfinite(path["probe"]))
    if len(known) < 3 or result.scalars.get("probe_measure") != "accuracy":
        return Measured("needs a column of classes and three layers", "not testable here")
    value, low, high = (path[c][known] for c in ("probe", "probe_low", "probe_high"))
    best_low = np.maximum.accumulate(low)
    drops = int((high[1:] < best_low[:-1]).sum())
    ends = " to ".join(say(value[i], low[i], high[i]) for i in (0, -1))
    text = f"accuracy {ends} from first to last; {drops} layers clearly below an earlier one"
    good = drops == 0 and low[-1] > high[0]
    return Measured(text, "agrees" if good else "differs")


SPEC = register(
    Spec(
        key="profile",
        title="Profile of layers",
        question="What shape has each layer, and what can be read off it?",
        source="Ansuini et al. 2019; Ethayarajh 2019; Alain and Bengio 2016; Facco et al. 2017",
        version=1,
        run=run,
        parameters=(
            Parameter(
                "at_most", int, 2000, "Rows to measure, at the most.", minimum=4, maximum=20000
            ),
            Parameter(
                "column",
                str,
                "",
                "Metadata column to probe; empty = the one with the most even classes.",
            ),
            Parameter("folds", int, 5, "Cross-validation folds.", minimum=2, maximum=20),
        ),
        claims=(
            Claim(
                "hunchback",
                "Ansuini et al. 2019",
                "The intrinsic dimension first rises through the layers, then falls.",
                _claim_hunchback,
            ),
            Claim(
                "anisotropic",
                "Ethayarajh 2019",
                "Contextual word states are not isotropic in any layer: two of them have a "
                "positive cosine on average.",
                _claim_anisotropic,
            ),
            Claim(
                "upper",
                "Ethayarajh 2019",
                "They are more anisotropic in higher layers.",
                _claim_upper,
                unconfirmed=True,
            ),
            Claim(
                "monotone",
                "Alain and Bengio 2016",
                "How well classes can be separated linearly rises steadily with depth.",
                _claim_monotone,
            ),
        ),
    )
)
