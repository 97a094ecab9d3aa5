"""Joint maximum likelihood for many-facet partial credit and rating scale models.

Source: Linacre 1989; Masters 1982; Andrich 1978; Wright and Panchapakesan 1969 (its bias).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from backend.errors import DataError
from backend.rasch.ascent import Climb, State, climb
from backend.rasch.connected import Subsets, find_subsets
from backend.rasch.extremes import EXTREME, Split, set_aside, solve_elements, solve_extremes
from backend.rasch.fit import Fit, sum_by_criterion
from backend.rasch.layout import Layout, Preconditioner, start_point
from backend.rasch.ratings import CRITERION, ITEM, Ratings

RUNAWAY = 15.0  # logits from the middle: odds of three millions to one
Anchors = Mapping[str, Mapping[str, float]]


def fit_jmle(
    ratings: Ratings,
    *,
    scale: str = "partial_credit",
    correct: bool = False,
    anchors: Anchors | None = None,
    extreme: float = EXTREME,
    tolerance: float = 1e-4,
    max_iterations: int = 500,
    progress: Callable[[int, int], None] | None = None,
) -> Fit:
    """Estimate all facets together.

    Parameters
    ----------
    scale : "partial_credit" (own thresholds for each criterion) or "rating_scale" (shared; the
        ratings must have been read with `shared`).
    correct : shrink steps and severities by (L - 1) / L, L = harmonic mean of ratings per item,
        and measure the items anew. It is exact for two dichotomous criteria and one rater, a rule
        of thumb elsewhere, and hardly matters when items have many ratings.
    anchors : facet -> element -> logits, held fixed. A facet with anchors is not centred.
    extreme : points that lowest and highest scores are moved inward.
    tolerance : largest block Newton step at the end, logits.

    Raises
    ------
    DataError : nothing can be estimated, an unknown anchor, scales that cannot be shared, or
        anchors beside `correct`.
    """
    if (scale == "rating_scale") != ratings.shared and len(ratings.most) > 1:
        raise DataError(
            f"The ratings were not read for scale={scale}.", "Read them with shared to fit it."
        )
    if correct and anchors:
        raise DataError("Anchored measures cannot be shrunk.", "Set correct=false.")
    fixed = anchor_values(ratings, anchors or {})
    subsets, split = find_subsets(ratings), set_aside(ratings)
    layout = make_layout(split.ratings, subsets, fixed, shared=scale == "rating_scale")
    end = _climb(split, layout, fixed, tolerance, max_iterations, progress)
    measures = {facet: values.copy() for facet, values in layout.measures(end.state.point).items()}
    steps = [s.copy() for s in layout.steps(end.state.point)]
    runaway = check_finite(split, measures, steps)
    centre(layout, split, measures, steps)
    factor = _correct(split, measures, steps) if correct else 1.0
    solve_extremes(split, measures, steps, inward=extreme)
    for facet, values in fixed.items():
        if facet in measures:
            measures[facet][np.isfinite(values)] = values[np.isfinite(values)]
    notes = _notes(split, subsets, end, runaway)
    fit = Fit(
        split.ratings, measures, {}, steps, [], split.extreme, split.used, subsets, "jmle", scale,
        end.iterations, end.converged and not runaway, end.largest_step, end.state.value,
        notes, factor=factor,
    )  # fmt: skip
    return with_errors(fit)


def _climb(
    split: Split,
    layout: Layout,
    fixed: dict[str, np.ndarray],
    tolerance: float,
    max_iterations: int,
    progress: Callable[[int, int], None] | None,
) -> Climb:
    part = split.ratings.keep(split.used)
    return climb(
        lambda point: _evaluate(part, layout, point),
        start_point(layout, part, fixed),
        tolerance=tolerance,
        max_iterations=max_iterations,
        limit=layout.limit,
        progress=progress,
    )


def _notes(split: Split, subsets: Subsets, end: Climb, runaway: int) -> tuple[str, ...]:
    notes = [*split.ratings.notes, *subsets.notes, *extreme_notes(split)]
    if runaway:
        notes.append(
            f"Items or raters without a finite estimate, since no rating around them contradicts "
            f"an order: {runaway}. Their measures are stretched without bound; use method=mml."
        )
    if subsets.number > 1:
        notes.append("The raters of each subset are centred on their own.")
    if not end.converged:
        notes.append(
            f"Not converged after {end.iterations} iterations: the largest step is "
            f"{end.largest_step:.2g} logits."
        )
    return tuple(dict.fromkeys(notes))


def make_layout(
    ratings: Ratings, subsets: Subsets, fixed: dict[str, np.ndarray], *, shared: bool
) -> Layout:
    """Which parameters there are; all facets but the first free one are centred."""
    facets = (*ratings.facets, CRITERION)
    free = [facet for facet in facets if facet not in fixed]
    anchored = {f: np.isfinite(fixed.get(f, np.full(ratings.size(f), np.nan))) for f in facets}
    gauge = {facet: np.maximum(subsets.of[facet], 0) for facet in free[1:] if facet != CRITERION}
    sizes = {facet: ratings.size(facet) for facet in ratings.facets}
    centred = CRITERION in free[1:]
    return Layout(sizes, ratings.most, shared, anchored, gauge, centred)


def check_finite(split: Split, measures: dict[str, np.ndarray], steps: list[np.ndarray]) -> int:
    """How many elements have run off; DataError when a criterion's steps have.

    Where ratings are few, the likelihood may rise for ever as some measures part.
    """
    middle = float(np.median(np.concatenate(steps)))
    if max(np.abs(s - middle).max() for s in steps) > RUNAWAY:
        raise DataError(
            "The ratings are too few for joint estimation: steps between categories part without "
            "bound.",
            "Use method=mml, merge categories with collapse, or give more ratings of each item.",
        )
    count = 0
    for facet, values in measures.items():
        plain = values[~split.extreme[facet]]
        count += int((np.abs(plain - np.median(plain)) > RUNAWAY).sum())
    return count


def anchor_values(ratings: Ratings, anchors: Anchors) -> dict[str, np.ndarray]:
    """Anchors by facet, (elements,) with NaN for free elements; DataError names unknown ones."""
    out = {}
    for facet, given in anchors.items():
        if facet not in ratings.codes:
            raise DataError(
                f"There is no facet {facet!r} to anchor.", f"Facets: {', '.join(ratings.codes)}."
            )
        place = {name: i for i, name in enumerate(ratings.labels[facet])}
        values = np.full(len(place), np.nan)
        for name, value in given.items():
            if name not in place:
                raise DataError(f"There is no {facet} {name!r} to anchor.", "Check its name.")
            values[place[name]] = value
        out[facet] = values
    return out


def centre(
    layout: Layout, split: Split, measures: dict[str, np.ndarray], steps: list[np.ndarray]
) -> None:
    """Means of 0 for centred facets, subset by subset; the first free facet takes the shift."""
    floating = next((f for f in measures if f not in layout.gauge and not layout.fixed[f].any()),
                    None)  # fmt: skip
    if floating is None:
        return
    subset_of = find_subsets(split.ratings).of[floating]
    for facet, subset in layout.gauge.items():
        plain = ~split.extreme[facet]
        n = np.bincount(subset[plain], minlength=subset.max() + 1)
        mean = np.bincount(subset[plain], weights=measures[facet][plain], minlength=len(n))
        mean = mean / np.maximum(n, 1)
        measures[facet] -= mean[subset]
        shift = mean[np.maximum(subset_of, 0)] if len(mean) > 1 else mean[0]
        measures[floating] += -shift if floating == ITEM else shift
    if layout.centred:
        mean = float(np.mean([s.mean() for s in steps]))
        for own in steps:
            own -= mean
        measures[floating] += -mean if floating == ITEM else mean


def with_errors(fit: Fit) -> Fit:
    """The fit with difficulties taken out of its steps, and standard errors of everything."""
    ratings, steps = fit.ratings, fit.thresholds  # whole steps as yet
    _, V, _, _, informations = sum_by_criterion(ratings, fit.measures, steps)
    errors, used = {}, fit.used
    for facet in fit.measures:
        own, size = ratings.codes[facet], ratings.size(facet)
        plain = np.bincount(own[used], weights=V[used], minlength=size)
        whole = np.bincount(own, weights=V, minlength=size)
        total = np.where(fit.extreme[facet], whole, plain)
        errors[facet] = 1 / np.sqrt(np.maximum(total, 1e-12))
    difficulty = np.array([s.mean() for s in steps])
    spread = [_step_errors(H) for H in informations]
    errors[CRITERION] = np.array([1 / np.sqrt(max(H.sum(), 1e-12)) for H in informations])
    return replace(
        fit,
        measures={**fit.measures, CRITERION: difficulty},
        errors=errors,
        thresholds=[s - d for s, d in zip(steps, difficulty, strict=True)],
        threshold_errors=spread,
        extreme={**fit.extreme, CRITERION: np.zeros(len(difficulty), dtype=bool)},
    )


def _step_errors(H: np.ndarray) -> np.ndarray:
    """Standard errors (m,) of thresholds from the information of the steps."""
    m = len(H)
    away = np.eye(m) - 1 / m
    return np.sqrt(np.maximum(np.diag(away @ np.linalg.pinv(H, hermitian=True) @ away), 0))


def _evaluate(part: Ratings, layout: Layout, point: np.ndarray) -> State:
    residual, V, value, gradients, informations = sum_by_criterion(
        part, layout.measures(point), layout.steps(point)
    )
    out, information = np.empty(layout.length), {}
    for facet, size in layout.sizes.items():
        own = part.codes[facet]
        total = np.bincount(own, weights=residual, minlength=size)
        out[layout.at[facet]] = total if facet == ITEM else -total
        information[facet] = np.bincount(own, weights=V, minlength=size)
    out[layout.at[CRITERION]] = layout.from_steps(gradients)
    return State(point, value, out, Preconditioner(layout, information, informations))


def _correct(split: Split, measures: dict[str, np.ndarray], steps: list[np.ndarray]) -> float:
    """Shrink everything but the items in place, measure the items anew; returns the factor."""
    ratings = split.ratings
    counts = np.bincount(ratings.codes[ITEM][split.used], minlength=ratings.size(ITEM))
    there = counts > 0
    length = 1 / float(np.mean(1 / counts[there]))
    factor = (length - 1) / length
    for facet in measures:
        if facet != ITEM:
            measures[facet] *= factor
    for own in steps:
        own *= factor
    known = {facet: ~flags for facet, flags in split.extreme.items()}
    solve_elements(ratings, measures, steps, ITEM, there, known, inward=0.0)
    return factor


def extreme_notes(split: Split) -> list[str]:
    """How many elements of each facet are extreme, in words."""
    said = []
    for facet, flags in split.extreme.items():
        if flags.any():
            said.append(
                f"Extreme {facet}s, all lowest or all highest, placed by rule and kept out of the "
                f"other estimates: {int(flags.sum())}."
            )
    return said
