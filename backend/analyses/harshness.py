"""How much of the raters' differences is only harshness?  Severity taken out before tastes.

Kennedy et al. 2020 (severity), Chen et al. 2024 (tastes); putting one before the other is ours.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from backend.analyses.intervals import number, say
from backend.analyses.result import Body, Result, Scalar
from backend.analyses.spec import Claim, Measured, Parameter, Progress, Spec, register
from backend.capture.view import CaptureView
from backend.data.dataset import Dataset
from backend.errors import AnalysisError
from backend.preferences.accuracy import resampled_means
from backend.preferences.splits import hold_out

ITEMS_MOST = 2000  # each item has a reward of its own under each taste
RATINGS_MOST = 200_000


@dataclass(frozen=True)
class Gains:
    """Nats per held-out rating that tastes save, without and with severity; and the share."""

    raw: tuple[float, float, float]  # with its 95 % interval over raters
    left: tuple[float, float, float]
    share: tuple[float, float, float] | None  # 1 - left / raw; None where raw is not above 0


def run(
    views: tuple[CaptureView, ...], *, data: Dataset, also: Dataset | None, seed: int,
    progress: Progress, k: int, restarts: int, levels: str, collapse: str, test_share: float,
) -> Body:  # fmt: skip
    """Fit raters with and without severity, consistency and tastes; compare on held-out ratings."""
    from backend.preferences.rater_tastes import Part, Rated, fit_raters
    from backend.rasch.reading import read_ratings

    ratings = read_ratings(data.table(), levels=levels, collapse=collapse)
    if ratings.size("item") > ITEMS_MOST or ratings.n > RATINGS_MOST:
        raise AnalysisError(
            f"{ratings.size('item'):,} items and {ratings.n:,} ratings are too many here.",
            f"Take at most {ITEMS_MOST:,} items and {RATINGS_MOST:,} ratings.",
        )
    rated = Rated(*(ratings.codes[n] for n in ("item", "rater", "criterion")), ratings.x,
                  ratings.most)  # fmt: skip
    held = hold_out(rated.rater, test_share, np.random.default_rng(seed))
    if not held.any() or ratings.size("rater") < 3:
        raise AnalysisError("There are too few ratings to hold any out.", "Give 3 raters or more.")
    parts = {
        "items alone": Part(), "and severity": Part(True), "and consistency": Part(True, True),
        "items and tastes": Part(k=k), "tastes and severity": Part(True, k=k),
        "tastes, severity, consistency": Part(True, True, k),
    }  # fmt: skip
    fitted = {}
    for index, (name, part) in enumerate(parts.items()):
        progress(index, len(parts), name)
        fitted[name] = fit_raters(
            rated, np.flatnonzero(~held), part, seed=seed, restarts=restarts,
            check=lambda i=index, n=name: progress(i, len(parts), n),
        )  # fmt: skip
    progress(len(parts), len(parts), "done")
    losses = {name: f.losses[held] for name, f in fitted.items()}
    who = rated.rater[held]
    gains = _gains(losses, who, "items alone", "and severity", "items and tastes",
                   "tastes and severity", seed)  # fmt: skip
    whole = _gains(losses, who, "items alone", "and consistency", "items and tastes",
                   "tastes, severity, consistency", seed)  # fmt: skip
    tables = {
        "steps": _steps(parts, losses, who, seed),
        "raters": _raters(fitted["tastes and severity"], fitted["and consistency"], ratings),
        "items": _items(fitted["tastes and severity"], ratings),
    }
    scalars = _scalars(ratings, gains, whole, k, int(held.sum()))
    return Body(scalars, tables, _reading(scalars))


def _ends(drawn: np.ndarray) -> tuple[float, float]:
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(low), float(high)


def _gains(
    losses: dict[str, np.ndarray], who: np.ndarray, plain: str, severe: str, tastes: str,
    both: str, seed: int,
) -> Gains:  # fmt: skip
    raw, left = losses[plain] - losses[tastes], losses[severe] - losses[both]
    drawn = resampled_means([raw, left], who, seed=seed)
    ends = [_ends(drawn[:, i]) for i in range(2)]
    share = None
    if ends[0][0] > 0:
        share = (1 - float(left.mean() / raw.mean()), *_ends(1 - drawn[:, 1] / drawn[:, 0]))
    return Gains((float(raw.mean()), *ends[0]), (float(left.mean()), *ends[1]), share)


def _steps(parts: dict, losses: dict[str, np.ndarray], who: np.ndarray, seed: int) -> pa.Table:
    first = losses["items alone"]
    rows = []
    for name, part in parts.items():
        low, high = _ends(resampled_means([first - losses[name]], who, seed=seed)[:, 0])
        rows.append({
            "model": name, "severity": part.severity, "consistency": part.consistency,
            "k": part.k, "log_loss": float(losses[name].mean()),
            "saved": float((first - losses[name]).mean()), "low": low, "high": high,
            "n": len(who),
        })  # fmt: skip
    return pa.Table.from_pylist(rows)


def _raters(fitted, steady, ratings) -> pa.Table:  # type: ignore[no-untyped-def]
    weights = {f"weight_{k}": fitted.weights[:, k] for k in range(fitted.weights.shape[1])}
    return pa.table({
        "rater": pa.array([str(v) for v in ratings.labels["rater"]]),
        "severity": fitted.severity, "consistency": steady.consistency, **weights,
    })  # fmt: skip


def _items(fitted, ratings) -> pa.Table:  # type: ignore[no-untyped-def]
    centred = fitted.rewards - fitted.rewards.mean(axis=1, keepdims=True)
    rewards = {f"reward_{k}": centred[:, k] for k in range(centred.shape[1])}
    return pa.table({"item": pa.array([str(v) for v in ratings.labels["item"]]), **rewards})


def _scalars(ratings, gains: Gains, whole: Gains, k: int, held: int) -> dict[str, Scalar]:  # type: ignore[no-untyped-def]
    out: dict[str, Scalar] = {
        "n": ratings.n, "held": held, "raters": ratings.size("rater"),
        "items": ratings.size("item"), "criteria": ratings.size("criterion"), "k": k,
        "note": " ".join(ratings.notes),
    }  # fmt: skip
    for name, values in (("raw", gains.raw), ("left", gains.left), ("share", gains.share),
                         ("whole_share", whole.share)):  # fmt: skip
        for end, value in zip(("", "_low", "_high"), values or (None,) * 3, strict=True):
            out[f"{name}{end}"] = value
    return out


def _reading(s: dict) -> str:
    rest = f"({s['held']:,} held-out ratings of {s['raters']:,} raters)"
    raw = say(1000 * s["raw"], 1000 * s["raw_low"], 1000 * s["raw_high"])
    if s["share"] is None:
        return f"{s['k']} tastes save {raw} millinats a rating: no heterogeneity to explain {rest}."
    left = say(1000 * s["left"], 1000 * s["left_low"], 1000 * s["left_high"])
    saved = f"{s['k']} tastes save {raw} millinats a rating, {left} once severity is taken out"
    if s["left"] <= 0:
        return f"{saved}: all of that heterogeneity was only harshness {rest}."
    if s["left"] >= s["raw"]:
        return f"{saved}: none of that heterogeneity was harshness {rest}."
    share = say(100 * s["share"], 100 * s["share_low"], 100 * s["share_high"])
    return f"{saved}: {share} % of that heterogeneity was only harshness {rest}."


def _claim(result: Result) -> Measured:
    s = result.scalars
    if s["share"] is None:
        return Measured("no heterogeneity on held-out ratings", "not testable here")
    text = (
        f"share that was only harshness {say(s['share'], s['share_low'], s['share_high'])}; "  # type: ignore[arg-type]
        f"tastes left {number(1000 * s['left'])} millinats a rating"  # type: ignore[operator]
    )
    return Measured(text, "agrees" if s["share_low"] > 0.1 else "differs")  # type: ignore[operator]


SPEC = register(
    Spec(
        key="harshness",
        title="Harshness or taste",
        question="How much of the raters' differences is only harshness?",
        source="Kennedy et al. 2020; Chen et al. 2024; one before the other",
        version=1,
        run=run,
        reads="ratings",
        model="none",
        captures=0,
        parameters=(
            Parameter("k", int, 2, "Tastes.", minimum=2, maximum=6),
            Parameter("restarts", int, 2, "Starts of each mixture.", minimum=1, maximum=20),
            Parameter("test_share", float, 0.2, "Of each rater's ratings held out.", minimum=0.05,
                      maximum=0.5),
            Parameter("levels", str, "", "Words from low to high, as in no,perhaps,yes."),
            Parameter("collapse", str, "", "New categories, as in *:0,0,1,2."),
        ),
        claims=(
            Claim("severity", "Kennedy et al. 2020",
                  "Raters differ in how harshly they use the same scale, apart from what they "
                  "judge.", _claim),
        ),
    )
)  # fmt: skip
