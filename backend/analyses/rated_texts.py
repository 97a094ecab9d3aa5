"""Can a layer tell the score, without the raters' harshness?  Components first, then the ruler.

Kennedy et al. 2020: a network predicts every criterion's label from a text's vector, and fitted
Rasch parameters turn the predicted labels into one debiased score.
"""

import numpy as np

from backend.analyses.inputs import notes, trunk
from backend.analyses.intervals import Z95, mean_error
from backend.analyses.rated_items import Items, calibrate, rated_items
from backend.analyses.rated_scores import (
    RESAMPLES,
    Agreement,
    Direct,
    Predicted,
    Resamples,
    head_scores,
    interval,
    ridge_scores,
)
from backend.analyses.rated_texts_claims import CLAIMS, reading
from backend.analyses.rated_texts_tables import (
    calibration_table,
    components_table,
    contributions,
    layer_lines,
    layers_table,
    methods_table,
    predictions_table,
    severity_table,
)
from backend.analyses.result import Body, Scalar
from backend.analyses.spec import Parameter, Progress, Spec, register
from backend.analyses.threads import for_each_site
from backend.capture.view import CaptureView
from backend.data.dataset import Dataset
from backend.errors import AnalysisError

_LEAK = (
    "One calibration of all ratings is the ruler: criteria, thresholds, and the measures that "
    "predictions are held against, which for a held-out item rest on its own ratings given its "
    "raters and criteria. Training never sees a held-out item's ratings: severities and the other "
    "items' measures are estimated again without them, with the criteria held fixed."
)
_MEASURED = {
    "components_soft": "expected points of predicted criteria, solved on the ruler",
    "components_hard": "predicted labels of criteria, their total looked up on the ruler",
    "ridge_measure": "direct regression of debiased measures",
    "ridge_raw": "direct regression of raw means, put on the ruler",
    "shuffled": "as components_soft, with vectors dealt to the wrong items",
}


def run(
    views: tuple[CaptureView, ...], *, data: Dataset, also: Dataset | None, seed: int,
    progress: Progress, site: str, folds: int, loss: str, severity: bool, hidden: int,
    dropout: float, epochs: int, at_most: int, levels: str, collapse: str,
) -> Body:  # fmt: skip
    """Predict the debiased scores of held-out items: at every layer directly, at one by criteria.

    `also`, where it is given, holds the texts or images that the views were captured on.
    """
    from backend.rasch.multitask import Settings

    view = views[0]
    progress(0, 0, "putting raters and items on one ruler")
    ruler = calibrate(data, levels=levels, collapse=collapse)
    items = rated_items(view, ruler, at_most=at_most, folds=folds, seed=seed)
    draws = Resamples(items.groups, seed=seed)
    sites = trunk(tuple(s for s in view.sites if s != "head") or view.sites)
    lines, best = _by_layer(view, sites, items, draws, seed=seed, progress=progress)
    chosen = {"": sites[-1], "best": best}.get(site, site)
    X = _vectors(view, chosen, items)
    settings = Settings(loss, severity, hidden, dropout, epochs)  # type: ignore[arg-type]

    def tell(start: int, what: str):
        return lambda fold: progress(start + fold, 2 * folds, f"{what}, fold {fold + 1}")

    head = head_scores(
        X, items, settings=settings, seed=seed, tell=tell(0, f"criteria at {chosen}")
    )
    dealt = X[np.random.default_rng(seed).permutation(items.n)]
    control = head_scores(
        dealt, items, settings=settings, seed=seed, tell=tell(folds, "shuffled vectors")
    )
    direct = ridge_scores(X, items, seed=seed)
    progress(2 * folds, 2 * folds, "done")
    found = _agreements(items, draws, head, direct, control)
    tables = {
        "layers": layers_table(lines),
        "methods": methods_table({m: (_MEASURED[m], a) for m, a in found.items()}, items.n),
        "predictions": predictions_table(items, head, direct),
        "components": components_table(items, head),
        "calibration": calibration_table(items, head),
    } | ({"severity": severity_table(items, head)} if severity else {})
    scalars: dict[str, Scalar] = {
        **_counts(items), "site": chosen, "best_site": best, "folds": folds, "loss": loss,
        "severity_input": severity, "epochs": float(np.median(head.epochs)),
        **_scores(items, draws, found), **_explained(head, items, draws),
        **_slope(head, items, severity),
        "note": _notes(items, site, chosen),
    }  # fmt: skip
    return Body(scalars, tables, reading(scalars))


def _by_layer(
    view: CaptureView, sites: tuple[str, ...], items: Items, draws: Resamples, *, seed: int,
    progress: Progress,
) -> tuple[list[dict], str]:  # fmt: skip
    """Lines of the table `layers`, and the site where the debiased measure is told best."""

    def look(site: str) -> list[dict]:
        direct = ridge_scores(_vectors(view, site, items), items, seed=seed)
        truth = items.measures
        told = draws.agreement(direct.measure, truth)
        raw, own = (draws.agreement(p, t) for p, t in
                    ((direct.raw, truth), (direct.share, items.raw)))  # fmt: skip
        control = draws.agreement(direct.control, truth).r
        found = {"debiased": (told, told.r), "raw": (raw, own.r)}
        return layer_lines(site, sites.index(site), items.n, found, control)

    lines = for_each_site(sites, look, progress=progress, doing="direct regression at")
    r = np.array([two[0]["r"] for two in lines])
    best = sites[int(np.nan_to_num(r, nan=-2).argmax())]
    return [line for two in lines for line in two], best


def _vectors(view: CaptureView, site: str, items: Items) -> np.ndarray:
    X = view.vectors(site)[items.pick]
    if not np.isfinite(X).all():
        raise AnalysisError(
            f"{view.model} has values at {site!r} that are not finite.",
            "Capture it again with dtype float32, or leave this site out.",
        )
    return X


def _agreements(
    items: Items, draws: Resamples, head: Predicted, direct: Direct, control: Predicted
) -> dict[str, Agreement]:
    predicted = (head.soft, head.hard, direct.measure, direct.raw, control.soft)
    pairs = zip(_MEASURED, predicted, strict=True)
    return {method: draws.agreement(p, items.measures) for method, p in pairs}


def _counts(items: Items) -> dict[str, Scalar]:
    ruler, (rows, _) = items.ruler, items.ratings()
    return {
        "n": items.n, "ratings": len(rows), "raters": len(np.unique(ruler.rater[rows])),
        "criteria": len(ruler.criteria), "points": ruler.points,
        "extreme": int(ruler.extreme[items.place].sum()),
    }  # fmt: skip


def _scores(items: Items, draws: Resamples, found: dict[str, Agreement]) -> dict[str, Scalar]:
    """Agreement of each way and its differences, paired over the same resampled items."""
    out: dict[str, Scalar] = {}
    names = {"r": "components_soft", "hard_r": "components_hard", "direct_r": "ridge_measure",
             "direct_raw_r": "ridge_raw", "control_r": "shuffled"}  # fmt: skip
    for name, method in names.items():
        a = found[method]
        out |= {name: a.r, f"{name}_low": a.low, f"{name}_high": a.high}
    soft = found["components_soft"]
    out |= {"rmse": soft.rmse, "mae": soft.mae, "direct_rmse": found["ridge_measure"].rmse,
            "direct_raw_rmse": found["ridge_raw"].rmse}  # fmt: skip
    for name, method in (("gain_raw", "ridge_raw"), ("gain_measure", "ridge_measure"),
                         ("over_control", "shuffled")):  # fmt: skip
        low, high = interval(soft.draws - found[method].draws)
        out |= {name: soft.r - found[method].r, f"{name}_low": low, f"{name}_high": high}
    ruler, measures = items.ruler, items.measures
    error = float((ruler.errors[items.place] ** 2).mean())
    reliability = max(0.0, 1 - error / max(float(measures.var()), 1e-12))
    harsh = draws.agreement(ruler.measure_of_share(items.raw), measures)
    return out | {"reliability": reliability, "ceiling": reliability**0.5,
                  "raw_mean_r": harsh.r, "sd": float(measures.std())}  # fmt: skip


def _explained(head: Predicted, items: Items, draws: Resamples) -> dict[str, Scalar]:
    """Share of the predicted scores' spread that the criteria's contributions add up to."""
    reference, parts = contributions(items, head)
    found = draws.explained(parts.sum(axis=1), head.soft - reference)
    return dict(zip(("explained", "explained_low", "explained_high"), found, strict=True))


def _slope(head: Predicted, items: Items, severity: bool) -> dict[str, Scalar]:
    """Change of the predicted score for each logit of severity, mean over items."""
    if not severity:
        return dict.fromkeys(("slope", "slope_low", "slope_high"))
    each = (head.at_severity[:, -1] - head.at_severity[:, 0]) / 2
    value, error = float(each.mean()), float(mean_error(each, groups=items.groups))
    return {"slope": value, "slope_low": value - Z95 * error, "slope_high": value + Z95 * error}


def _notes(items: Items, site: str, chosen: str) -> str:
    said = [*items.ruler.notes, *items.notes, _LEAK]
    if site == "best":
        said.append(
            f"{chosen} was chosen on the items that it is scored on, so its numbers flatter it."
        )
    said.append(
        f"Intervals are 95 % of {RESAMPLES} bootstrap resamples of items, with the trained "
        "networks as they are."
    )
    return notes(said)


SPEC = register(
    Spec(
        key="rated_texts",
        title="Scores from a layer",
        question="Can a layer tell the score, without the raters' harshness?",
        source="Kennedy, Bacon, Sahn, von Vacano 2020; Cao, Mirjalili, Raschka 2020",
        version=1,
        run=run,
        reads="ratings",
        model="required",
        captures=1,
        parameters=(
            Parameter("site", str, "", "Layer for the criteria; empty = the last, or best."),
            Parameter("folds", int, 5, "Parts of the items, each held out once.", minimum=2,
                      maximum=20),
            Parameter("loss", str, "ordinal", "Of each criterion's labels.",
                      choices=("ordinal", "softmax")),
            Parameter("severity", bool, True, "Give the network each rater's severity."),
            Parameter("hidden", int, 64, "Hidden units.", minimum=1, maximum=1024),
            Parameter("dropout", float, 0.1, "Share of hidden units left out in training.",
                      minimum=0, maximum=0.9),
            Parameter("epochs", int, 100, "Passes over the ratings, at the most.", minimum=1,
                      maximum=1000),
            Parameter("at_most", int, 2000, "Items to predict, at the most.", minimum=30,
                      maximum=20000),
            Parameter("levels", str, "", "Ratings that are words, low to high: no,perhaps,yes."),
            Parameter("collapse", str, "", "Categories to merge: respect:0,1,1,2,3; *:0,0,1,2."),
        ),
        claims=CLAIMS,
    )
)  # fmt: skip
