"""Which features are simple, which need depth?  How early a linear probe reads each feature.

Fel, Bethune, Lampinen, Serre, Hermann 2024 (complexity); Xu et al. 2020 (V-information).
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from backend.analyses.complexity_claims import CLAIMS
from backend.analyses.complexity_inputs import Subject, from_arrays, from_view, split_rows
from backend.analyses.inputs import notes
from backend.analyses.intervals import number, rank_correlation, say
from backend.analyses.result import Body, Scalar
from backend.analyses.spec import Parameter, Progress, Spec, register
from backend.analyses.threads import workers
from backend.capture.view import CaptureView
from backend.data.dataset import Dataset
from backend.errors import AnalysisError

if TYPE_CHECKING:
    from backend.models.loading import LoadedModel

KINDS = ("auto", "nmf", "nmf-per-class", "kmeans", "sparse", "pca", "neurons", "random")


def run(
    views: tuple[CaptureView, ...], *, data: Dataset, also: Dataset | None, seed: int,
    progress: Progress, dictionary: str, atoms: int, rule: str, draws: int, noise: float,
    at_most: int, bootstrap: int, top: int, per_target: bool, ladder: int, stability: int,
    map: str, model: "LoadedModel | None" = None,
) -> Body:  # fmt: skip
    """Find features in the last layer (or take them as given) and read them from every layer."""
    from backend.analyses import complexity_features as features
    from backend.analyses import complexity_measures as measures
    from backend.analyses import complexity_tables as tables
    from backend.analyses.complexity_ladder import climb
    from backend.analyses.complexity_stability import steadiness
    from backend.complexity.readability import readability

    if views:
        subject = from_view(views[0], model, at_most=at_most, seed=seed)
    else:
        subject = from_arrays(data, at_most=at_most, seed=seed)
    split = split_rows(len(subject.rows), seed=seed, groups=subject.groups)
    progress(0, 0, "finding features")
    found = features.find(subject, split, kind=dictionary, atoms=atoms, seed=seed)
    read = readability(
        list(zip(subject.names, subject.layers, strict=True)), found.Z, split, draws=bootstrap,
        per_target=per_target, groups=subject.groups, workers=workers(), seed=seed,
        progress=progress,
    )  # fmt: skip
    alive = np.flatnonzero(np.isfinite(read.complexity))
    if not len(alive):
        raise AnalysisError("No feature varies over these rows.", "Give more rows.")
    progress(0, 0, "what features count for")
    weighed = features.weigh(subject, found, read.complexity, rule=rule, seed=seed)
    measured = measures.measure(subject, found, split, layout=map, seed=seed, progress=progress)
    if draws and model is not None and views:
        shaken = measures.shake(views[0], model, subject, found, noise=noise, draws=draws,
                                seed=seed, progress=progress)  # fmt: skip
        measured = replace(measured, sensitivity=shaken)
    steady, why = None, ""
    if stability:
        steady, why = steadiness(subject, found, split, atoms=atoms, starts=stability, seed=seed,
                                 progress=progress)  # fmt: skip
        measured = replace(measured, stability=None if steady is None else steady.cosine)
    made = tables.build(subject, found, read, weighed, measured, alive, top=top)
    scalars = _scalars(subject, found, read, weighed, measured, made, alive, split, seed)
    if steady is not None:
        made["stability"] = steady.table(alive)
        scalars |= steady.scalars(alive)
    if ladder:
        made["ladder"], said = climb(subject, found, split, read.complexity, count=ladder,
                                     seed=seed, progress=progress)  # fmt: skip
        scalars |= said
    scalars["note"] = notes([*subject.notes, *found.notes, *read.notes, *measured.notes, why])
    progress(1, 1, "done")
    return Body(scalars, made, _reading(scalars))


def _scalars(
    subject: Subject, found, read, weighed, measured, made: dict[str, pa.Table], alive, split, seed
) -> dict:  # type: ignore[no-untyped-def]
    K = read.complexity[alive]
    features = made["features"]
    out: dict[str, Scalar] = {
        "map": measured.layout,
        "n": len(subject.rows), "n_fit": len(split.fit), "n_held": len(split.held),
        "features": len(alive), "dead": int(len(read.complexity) - len(alive)),
        "layers": len(subject.names), "dictionary": found.kind,
        "mean_complexity": float(K.mean()), "least": float(K.min()), "most": float(K.max()),
        "reconstruction": found.r2,
        "relative_accuracy": None if weighed is None else weighed.relative_accuracy,
        "alphas": ", ".join(f"{a:g}" for a in np.nanmedian(read.alphas, axis=1)),
    }  # fmt: skip
    simple, hard = alive[K.argmin()], alive[K.argmax()]
    out |= {"simplest": int(simple), "hardest": int(hard)}
    for end in ("low", "high"):
        values = getattr(read, f"complexity_{end}")
        out |= {f"simplest_{end}": float(values[simple]), f"hardest_{end}": float(values[hard])}
    importance = features["importance"].to_pylist()
    if importance and importance[0] is not None:
        rho, low, high = rank_correlation(K, np.array(importance, float))
        out |= {"rho": rho, "rho_low": low, "rho_high": high}
        scaled = np.array(features["importance_per_spread"].to_pylist(), float)
        out |= dict(zip(("rho_scaled", "rho_scaled_low", "rho_scaled_high"),
                        rank_correlation(K, scaled), strict=True))  # fmt: skip
    else:
        out |= {"rho": None, "rho_low": None, "rho_high": None}
    return out | measured.tree(alive, K, seed=seed)


def _reading(s: dict) -> str:
    simple = say(s["least"], s["simplest_low"], s["simplest_high"])
    hard = say(s["most"], s["hardest_low"], s["hardest_high"])
    text = (
        f"{s['features']} features have complexities from {simple} (feature {s['simplest']}) to "
        f"{hard} (feature {s['hardest']}), {number(s['mean_complexity'])} on average over "
        f"{s['layers']} layers"
    )
    if s["rho"] is not None and np.isfinite(s["rho"]):
        text += (
            f"; complexity and importance go together at rank correlation "
            f"{say(s['rho'], s['rho_low'], s['rho_high'])}, per unit of a feature's spread at "
            f"{say(s['rho_scaled'], s['rho_scaled_low'], s['rho_scaled_high'])}"
        )
    return f"{text} ({s['n']:,} rows, {s['n_held']:,} of them held out)."


SPEC = register(
    Spec(
        key="complexity",
        title="Feature complexity",
        question="Which features are simple, which need depth?",
        source="Fel, Bethune, Lampinen, Serre, Hermann 2024; Xu et al. 2020",
        version=1,
        run=run,
        model="optional",
        arrays=True,
        needs_model=True,
        sites="all,last,~main.*,~skip.*",
        parameters=(
            Parameter("dictionary", str, "auto", "How features are found in the last layer.",
                      choices=KINDS),
            Parameter("atoms", int, 64, "Features to find.", minimum=2, maximum=20_000),
            Parameter("rule", str, "predicted", "Class whose logit importance is measured on.",
                      choices=("predicted", "origin", "max")),
            Parameter("draws", int, 0, "Noise draws for sensitivity, 2 or more; 0: not measured.",
                      minimum=0, maximum=200),
            Parameter("noise", float, 0.1, "Standard deviation of the noise, in the units of the "
                      "model's standardised inputs.", minimum=0.0, maximum=10.0),
            Parameter("at_most", int, 6000, "Rows, at the most.", minimum=40, maximum=100_000),
            Parameter("bootstrap", int, 200, "Draws for the intervals.", minimum=0, maximum=2000),
            Parameter("top", int, 24, "Top rows kept of each feature.", minimum=0, maximum=200),
            Parameter("per_target", bool, False, "Choose the ridge's strength for each feature."),
            Parameter("ladder", int, 0, "Features, from simple to complex, that a small net reads "
                      "too; 0: none.", minimum=0, maximum=64),
            Parameter("stability", int, 0, "Random starts from which the features are learned "
                      "again; 0: none.", minimum=0, maximum=20),
            Parameter("map", str, "pca", "How features are laid out in the plane.",
                      choices=("pca", "umap")),
        ),
        claims=CLAIMS,
    )
)  # fmt: skip
