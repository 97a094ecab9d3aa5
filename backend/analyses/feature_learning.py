"""When are features learnt?  Complexity and importance at every checkpoint of a training.

Fel, Bethune, Lampinen, Serre, Hermann 2024.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from backend.analyses.checkpoints import counted_in, find_checkpoints, vectors_at, weights_of
from backend.analyses.complexity_features import Found, find, weigh
from backend.analyses.complexity_inputs import Subject, files_of, split_rows, with_head
from backend.analyses.intervals import number, rank_correlation, say
from backend.analyses.result import Body, Result, Scalar
from backend.analyses.spec import Claim, Measured, Parameter, Progress, Spec, register
from backend.analyses.threads import workers
from backend.capture.view import CaptureView
from backend.errors import AnalysisError

if TYPE_CHECKING:
    from backend.complexity.readability import Split
    from backend.models.loading import LoadedModel

_PAPER = "Fel, Bethune, Lampinen, Serre, Hermann 2024"


@dataclass(frozen=True)
class Moment:
    """One checkpoint: its features, their complexity and importance."""

    epoch: int
    subject: Subject
    found: Found
    complexity: np.ndarray  # (k,)
    importance: np.ndarray  # (k,) NaN without a linear head


def run(
    views: tuple[CaptureView, ...], *, seed: int, progress: Progress, model: "LoadedModel",
    atoms: int, at_most: int,
) -> Body:  # fmt: skip
    """Find features at every checkpoint; read the last one's features from all of them."""
    from backend.capture.request import stored_order
    from backend.complexity.temporal import course, time_to_decode

    view = views[0]
    rows = stored_order(view.dataset.n_rows)[: min(view.n, at_most)]
    split = split_rows(len(rows), seed=seed, groups=files_of(view.dataset.take(rows)))
    moments = [
        _moment(epoch, folder, model, view, rows, split, atoms, seed, progress)
        for epoch, folder in find_checkpoints(model)
    ]
    last = moments[-1]
    read = time_to_decode(
        [(m.epoch, m.subject.layers[-1]) for m in moments], last.found.Z, split, draws=0,
        seed=seed, progress=progress,
    )  # fmt: skip
    alive = np.flatnonzero(np.isfinite(last.complexity) & np.isfinite(read.complexity))
    epochs = [m.epoch for m in moments]
    weights = [m.importance for m in moments]
    everything = course(epochs, [m.complexity for m in moments], seed=seed)
    known = all(np.isfinite(w).any() for w in weights)
    most = course(epochs, [m.complexity for m in moments], importance=weights,
                  seed=seed) if known else None  # fmt: skip
    features = pa.table({
        "feature": pa.array(alive.astype(np.int32)),
        "complexity": last.complexity[alive],
        "importance": pa.array(last.importance[alive], from_pandas=True),
        "time_to_decode": read.complexity[alive],
        "n_active": pa.array(read.active[alive].astype(np.int64)),
    })  # fmt: skip
    scalars = _scalars(rows, moments, features, everything, most)
    scalars["counted_in"] = counted_in(model.source.folder)
    tables = {"features": features, "training": _training(moments)}
    return Body(scalars, tables, _reading(scalars))


def _moment(
    epoch: int, folder, model: "LoadedModel", view: CaptureView, rows: np.ndarray, split: "Split",
    atoms: int, seed: int, progress: Progress,
) -> Moment:  # fmt: skip
    from backend.analyses.inputs import trunk
    from backend.complexity.readability import readability

    last = next(s for s in ("penultimate", "final", *model.sites[::-1]) if s in model.sites)
    sites = (*(s for s in trunk(model.sites) if s not in ("embed", last, "head")), last)
    with weights_of(model, folder):
        found = vectors_at(model, view, rows, sites, progress=progress, doing=folder.name)
        layers = tuple(found[s] for s in sites)
        subject = with_head(Subject(sites, layers, rows, last=layers[-1]), model)
    if not np.isfinite(layers[-1]).all():
        raise AnalysisError(f"{folder.name} gives values that are not finite.",
                            "Leave that checkpoint out.")  # fmt: skip
    features = find(subject, split, kind="auto", atoms=atoms, seed=seed)
    read = readability(list(zip(sites, layers, strict=True)), features.Z, split, draws=0,
                       workers=workers(), seed=seed)  # fmt: skip
    weighed = weigh(subject, features, read.complexity, rule="predicted", seed=seed)
    importance = np.full(features.Z.shape[1], np.nan) if weighed is None else weighed.absolute
    return Moment(epoch, subject, features, read.complexity, importance)


def _training(moments: list[Moment]) -> pa.Table:
    parts = []
    for m in moments:
        at = np.flatnonzero(np.isfinite(m.complexity))
        parts.append(pa.table({
            "epoch": pa.array(np.full(len(at), m.epoch), pa.int64()),
            "feature": pa.array(at.astype(np.int32)),
            "complexity": m.complexity[at],
            "importance": pa.array(m.importance[at], from_pandas=True),
            "n_active": pa.array((m.found.Z[:, at] != 0).sum(axis=0).astype(np.int64)),
        }))  # fmt: skip
    return pa.concat_tables(parts).combine_chunks()


def _scalars(rows, moments, features: pa.Table, everything, most) -> dict[str, Scalar]:  # type: ignore[no-untyped-def]
    K, A = (features[n].to_numpy() for n in ("complexity", "time_to_decode"))
    rho, low, high = rank_correlation(K, A)
    out: dict[str, Scalar] = {
        "n": len(rows), "features": len(features), "checkpoints": len(moments),
        "first_epoch": moments[0].epoch, "last_epoch": moments[-1].epoch,
        "rho": rho, "rho_low": low, "rho_high": high,
    }  # fmt: skip
    for name, one in (("all", everything), ("top", most)):
        for place, at in (("first", 0), ("last", -1)):
            for end in ("mean", "low", "high"):
                out[f"{name}_{place}_{end}"] = None if one is None else float(getattr(one, end)[at])
    return out


def _ends(s: dict, name: str) -> str:
    return " to ".join(
        say(*(s[f"{name}_{place}_{end}"] for end in ("mean", "low", "high")))
        for place in ("first", "last")
    )


def _reading(s: dict) -> str:
    text = (
        f"From {s['counted_in']} {s['first_epoch']} to {s['last_epoch']} the mean complexity of "
        f"all features goes {_ends(s, 'all')}"
    )
    if s["top_last_mean"] is not None:
        text += f", of the top tenth by importance {_ends(s, 'top')}"
    if np.isfinite(s["rho"]):
        rho = say(s["rho"], s["rho_low"], s["rho_high"])
        text += f"; complexity and time to decode go together at rank correlation {rho}"
    return f"{text} ({s['features']} features, {s['n']:,} rows)."


def _claim_late(result: Result) -> Measured:
    s = result.scalars
    if not np.isfinite(s["rho"]):  # type: ignore[arg-type]
        return Measured("needs four features that vary", "not testable here")
    text = f"rank correlation with time to decode {say(s['rho'], s['rho_low'], s['rho_high'])}"  # type: ignore[arg-type]
    return Measured(text, "agrees" if s["rho_low"] > 0 else "differs")  # type: ignore[operator]


def _claim_sediment(result: Result) -> Measured:
    s = result.scalars
    if s["top_last_mean"] is None:
        return Measured("needs a model with a linear head", "not testable here")
    gap = float(s["top_last_mean"]) - float(s["all_last_mean"])  # type: ignore[arg-type]
    text = (
        f"top tenth {number(s['top_first_mean'])} to {number(s['top_last_mean'])}, all "  # type: ignore[arg-type]
        f"{number(s['all_first_mean'])} to {number(s['all_last_mean'])}; at the end {number(gap)} "  # type: ignore[arg-type]
        "apart"
    )
    good = s["top_last_high"] < s["top_first_mean"] and gap < 0  # type: ignore[operator]
    return Measured(text, "agrees" if good else "differs")


SPEC = register(
    Spec(
        key="feature_learning",
        title="Features over training",
        question="When are features learnt?",
        source=_PAPER,
        version=2,
        run=run,
        kinds=("image", "text", "audio"),
        captures=0,
        needs_model=True,
        parameters=(
            Parameter("atoms", int, 64, "Features to find at each checkpoint.", minimum=2,
                      maximum=2000),
            Parameter("at_most", int, 2000, "Rows, at the most.", minimum=40, maximum=50_000),
        ),
        claims=(
            Claim("late", _PAPER, "Complex features become readable later in training.",
                  _claim_late),
            Claim("sediment", _PAPER, "The features that count most become simpler over training "
                  "(here: the top tenth).", _claim_sediment),
        ),
    )
)  # fmt: skip
