"""How much of a score is the rater?  Many-facet Rasch measurement of ordinal ratings.

Linacre 1989 (many facets), Masters 1982 (partial credit), Andrich 1978 (rating scale), as used
by Kennedy, Bacon, Sahn, von Vacano 2020 to take annotators' severity out of a score.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from backend.analyses.inputs import notes
from backend.analyses.intervals import Z95, number, say, wilson
from backend.analyses.raters_claims import CLAIMS
from backend.analyses.raters_parameters import PARAMETERS
from backend.analyses.raters_tables import Bounds, Measured, measure, tables_of
from backend.analyses.result import Body, Scalar
from backend.analyses.spec import Progress, Spec, register
from backend.errors import AnalysisError, DataError

if TYPE_CHECKING:
    from backend.data.dataset import Dataset
    from backend.rasch.fit import Fit
    from backend.rasch.interactions import Interactions
    from backend.rasch.ratings import Ratings
    from backend.rasch.scores import Adjustment


@dataclass(frozen=True)
class Asked:
    """How to estimate."""

    scale: str
    method: str
    correct: bool
    anchors: dict[str, dict[str, float]]
    extreme: float
    max_iterations: int


def run(
    views: tuple, *, data: "Dataset", also: "Dataset | None" = None, seed: int,
    progress: Progress, scale: str, method: str, correct: bool, infit_low: float,
    infit_high: float, infit_z: float, min_ratings: int, refit: bool, drop: str, levels: str,
    collapse: str, facet: str, interaction: str, anchors: str, extreme: float,
    max_iterations: int,
) -> Body:  # fmt: skip
    """Fit the ratings, perhaps once more without some raters, and tell facets apart."""
    from backend.analyses import raters_views
    from backend.rasch.interactions import find_interactions, parse_pair
    from backend.rasch.ratings import only_enough
    from backend.rasch.reading import read_ratings

    if correct and method == "mml":
        raise AnalysisError("correct=true mends the bias of jmle, which mml has not.",
                            "Set correct=false.")  # fmt: skip
    pair = parse_pair(interaction) if interaction else None
    ratings = read_ratings(
        data.table(), levels=levels, collapse=collapse, facet=facet,
        columns=_columns(pair, facet), shared=scale == "rating_scale",
    )  # fmt: skip
    ratings = only_enough(ratings, min_ratings)
    asked = Asked(scale, method, correct, parse_anchors(anchors), extreme, max_iterations)
    bounds = Bounds(infit_low, infit_high, infit_z)
    m = first = measure(_fit(ratings, asked, progress, "estimating"), bounds)
    named = _named(ratings, drop)
    dropped = named | (first.flagged if refit else False)
    tables: dict[str, pa.Table] = {}
    if dropped.any():
        m = _again(first, ratings, dropped, asked, bounds, progress)
        tables["before_after"] = raters_views.before_after(first.fit, m.fit)
        tables["dropped"] = raters_views.dropped_table(first, dropped, named)
    tables |= tables_of(m, inward=extreme)
    tables["curves"] = raters_views.curves(m)
    tables["residuals"], unexpected = raters_views.unexpected(m)
    tables["cells"] = raters_views.cells(m)
    scalars = _scalars(m, tables, seed) | {
        "unexpected": unexpected, "dropped": int(dropped.sum()), "method": method, "scale": scale,
        **_contrast(m, tables), **_compared(tables, dropped),
    }  # fmt: skip
    if pair:
        found = find_interactions(m.fit, *pair)
        tables["interactions"] = raters_views.interaction_table(m.fit, found)
        scalars |= _interaction(found, interaction)
    scalars["note"] = notes([*m.fit.notes, *_notes(m, refit, dropped)])
    progress(1, 1, "done")
    return Body(scalars, tables, _reading(scalars))


def parse_anchors(text: str) -> dict[str, dict[str, float]]:
    """Anchors of text such as "criterion:respect=-2.26 | rater:ann=0"; AnalysisError if not."""
    out: dict[str, dict[str, float]] = {}
    for part in filter(None, (p.strip() for p in text.split("|"))):
        facet, colon, rest = part.partition(":")
        name, equals, value = rest.rpartition("=")
        try:
            number_ = float(value)
        except ValueError:
            number_ = float("nan")
        if not (colon and equals and np.isfinite(number_)):
            raise AnalysisError(
                f"anchors: {part!r} is not understood.",
                "Write, for example, criterion:respect=-2.26 | criterion:insult=-0.94.",
            )
        out.setdefault(facet.strip(), {})[name.strip()] = number_
    return out


def _columns(pair: tuple[str, str] | None, facet: str) -> list[str]:
    """The further columns that an interaction needs."""
    return [name for name in pair or () if name not in ("item", "rater", "criterion", facet)]


def _fit(ratings: "Ratings", asked: Asked, progress: Progress, doing: str) -> "Fit":
    def tell(done: int, total: int) -> None:
        progress(done, total, doing)

    if asked.method == "mml":
        from backend.rasch.mml import fit_mml

        return fit_mml(
            ratings, scale=asked.scale, anchors=asked.anchors, extreme=asked.extreme,
            max_iterations=asked.max_iterations, progress=tell,
        )  # fmt: skip
    from backend.rasch.jmle import fit_jmle

    return fit_jmle(
        ratings, scale=asked.scale, correct=asked.correct, anchors=asked.anchors,
        extreme=asked.extreme, max_iterations=asked.max_iterations, progress=tell,
    )  # fmt: skip


def _again(
    first: Measured, ratings: "Ratings", dropped: np.ndarray, asked: Asked, bounds: Bounds,
    progress: Progress,
) -> Measured:  # fmt: skip
    """The fit without some raters; items keep the place of zero, as raters are centred anew."""
    from backend.rasch.ratings import without_raters

    left = without_raters(ratings, dropped)
    lost = ratings.size("item") - left.size("item")
    if lost:
        left = left.say(f"Items that nobody else rated, lost with the dropped raters: {lost}.")
    return measure(_fit(left, asked, progress, "estimating without them"), bounds)


def _named(ratings: "Ratings", drop: str) -> np.ndarray:
    """Raters to drop by name, bool (raters,); DataError where one is not there."""
    place = {name: i for i, name in enumerate(ratings.labels["rater"])}
    out = np.zeros(len(place), dtype=bool)
    for name in filter(None, (part.strip() for part in drop.split("|"))):
        if name not in place:
            raise DataError(f"There is no rater {name!r} to drop.", "Check its name.")
        out[place[name]] = True
    return out


def _scalars(m: Measured, tables: dict[str, pa.Table], seed: int) -> dict[str, Scalar]:
    from backend.rasch.scores import severity_share

    fit, items = m.fit, m.ratings.size("item")
    plain = ~fit.extreme["item"]
    shift = m.moved.shift[plain]
    moved = int((np.abs(m.moved.shift) > fit.errors["item"]).sum())
    share = severity_share(_plain(m, plain), seed=seed)
    low, high = wilson(moved, items)
    out: dict[str, Scalar] = {
        "n": m.ratings.n, "items": items, "raters": m.ratings.size("rater"),
        "criteria": m.ratings.size("criterion"), "subsets": fit.subsets.number,
        "converged": fit.converged, "iterations": fit.iterations,
        "largest_step": fit.largest_step, "log_likelihood": fit.log_likelihood,
        "correction": fit.factor, "flagged": int(m.flagged.sum()),
        "extreme_items": int(fit.extreme["item"].sum()),
        "extreme_raters": int(fit.extreme["rater"].sum()),
        "severity_share": share[0], "severity_share_low": share[1], "severity_share_high": share[2],
        "shift_sd": float(shift.std()) if len(shift) else None,
        "shift_error": float(np.sqrt(np.mean(m.moved.error[plain] ** 2))) if len(shift) else None,
        "moved": moved, "moved_share": moved / items, "moved_low": low, "moved_high": high,
    }  # fmt: skip
    if fit.spread is not None:
        out |= {"item_mean": fit.spread[0], "item_sd": fit.spread[1]}
    for line in tables["facets"].to_pylist():
        if line["facet"] in ("item", "rater", "criterion"):
            for name in ("rmse", "spread", "separation", "strata", "reliability", "chi2", "df",
                         "p"):  # fmt: skip
                value = line[name]
                known = value is not None and np.isfinite(value)
                out[f"{line['facet']}_{name}"] = value if known else None
    return out


def _plain(m: Measured, plain: np.ndarray) -> "Adjustment":
    from backend.rasch.scores import Adjustment

    return Adjustment(m.moved.shift[plain], m.moved.error[plain], m.moved.raw[plain])


def _contrast(m: Measured, tables: dict[str, pa.Table]) -> dict[str, Scalar]:
    """Adds the table of residual correlations where there are criteria to correlate."""
    from backend.analyses.raters_views import correlations
    from backend.rasch.residuals import MOST_CRITERIA, first_contrast, residual_correlations

    if not 2 <= m.ratings.size("criterion") <= MOST_CRITERIA:
        return {"contrast": None}
    matrix, pairs = residual_correlations(m.fit, m.expected)
    tables["correlations"] = correlations(m, matrix, pairs)
    value = first_contrast(matrix)
    return {"contrast": value if np.isfinite(value) else None}


def _compared(tables: dict[str, pa.Table], dropped: np.ndarray) -> dict[str, Scalar]:
    """Correlation of items' measures before and after raters were left out, Fisher's interval."""
    if "before_after" not in tables:
        return {"before_after": None}
    table = tables["before_after"]
    plain = ~table["extreme"].to_numpy()
    before, after = (table[c].to_numpy()[plain] for c in ("before", "after"))
    if len(before) < 4 or before.std() == 0 or after.std() == 0:
        return {"before_after": None}
    r = float(np.clip(np.corrcoef(before, after)[0, 1], -1 + 1e-12, 1 - 1e-12))
    half = Z95 / np.sqrt(len(before) - 3)
    low, high = (float(np.tanh(np.arctanh(r) + sign * half)) for sign in (-1, 1))
    change = float(np.sqrt(np.mean((after - before - (after - before).mean()) ** 2)))
    return {"before_after": r, "before_after_low": low, "before_after_high": high,
            "before_after_change": change}  # fmt: skip


def _interaction(found: "Interactions", pair: str) -> dict[str, Scalar]:
    chi2, df, p = found.all_zero()
    return {"interaction": pair, "interaction_cells": df, "interaction_chi2": chi2,
            "interaction_p": p, "interaction_marked": int(found.marked.sum())}  # fmt: skip


def _notes(m: Measured, refit: bool, dropped: np.ndarray) -> list[str]:
    said = []
    n = m.misfit["rater"].n
    if len(n) > 1 and (typical := int(np.median(n))) < 30:
        said.append(f"Half of the raters gave {typical} ratings or fewer: their severity and fit "
                    "are uncertain.")  # fmt: skip
    if m.ratings.size("criterion") > 1:
        said.append("Ratings of one item by one rater on several criteria are not independent: "
                    "errors are too small, reliabilities too high (see correlations).")  # fmt: skip
    if refit and not dropped.any():
        said.append("No rater is outside the bounds; nothing was fitted again.")
    if m.ratings.size("rater") == 1:
        said.append("There is one rater, so severity is 0: a plain partial credit model.")
    return said


def _reading(s: dict) -> str:
    if s["raters"] < 2:
        return (
            f"One rater, so nothing of a score can be told to be the rater's: {s['items']} items "
            f"on {s['criteria']} criteria, reliability of their order "
            f"{number(s['item_reliability'])} ({s['n']} ratings)."
        )
    share = [100 * s[f"severity_share{end}"] for end in ("", "_low", "_high")]
    moved = [100 * s[f"moved{end}"] for end in ("_share", "_low", "_high")]
    text = (
        f"Who rated which item makes {say(*share)} % of the variance of items' raw scores; taking "
        f"severity out moves {say(*moved)} % of {s['items']} items by more than their standard "
        "error. "
        f"Severities of {s['raters']} raters spread by {number(s['rater_spread'])} logits (items "
        f"by {number(s['item_spread'])}), "
        f"reliability {number(s['rater_reliability'])}; {s['flagged']} misfit"
    )
    if s["before_after"] is not None:
        ends = [s[f"before_after{end}"] for end in ("", "_low", "_high")]
        text += f"; without {s['dropped']} raters the measures correlate {say(*ends)} with before"
    if not s["converged"]:
        text += "; the estimation did not converge"
    return f"{text} ({s['n']} ratings)."


SPEC = register(
    Spec(
        key="raters",
        title="Raters",
        question="How much of a score is the rater?",
        source="Linacre 1989; Masters 1982; Kennedy, Bacon, Sahn, von Vacano 2020",
        version=1,
        run=run,
        reads="ratings",
        model="none",
        captures=0,
        parameters=PARAMETERS,
        claims=CLAIMS,
    )
)
