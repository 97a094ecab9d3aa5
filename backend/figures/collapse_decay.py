"""The weight-decay study: which part's decay moves collapse, over the epochs and at the end.

Reads the table `trajectory` of each run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pyarrow.compute as pc
from plotly.subplots import make_subplots

from backend.analyses.result import Result
from backend.figures import palette, theme
from backend.figures.collapse_axes import EpochAxis, mark_epochs, say_zero
from backend.figures.collapse_curves import (
    LOG,
    Curve,
    as_results,
    check_measure,
    collapse_formula,
    curves_of,
    provenance_of,
    said_of,
    sample_of,
    trajectory_of,
)
from backend.figures.collapse_panels import Panel, draw_panels, dress, titles_left
from backend.figures.columns import table_of
from backend.figures.lines import below_title, error_bars

# one family of hues for the head, one for the body
VARIANTS = {
    "base": palette.BASELINE,
    "baseline": palette.BASELINE,
    "head x2": palette.CATEGORIES[9],
    "head 0": palette.CATEGORIES[7],
    "body x2": palette.CATEGORIES[3],
    "body 0": palette.CATEGORIES[8],
}


def collapse_study(
    results: Result | Sequence[Result],
    *,
    labels: Mapping[str, str] | None = None,
    measure: str = "nc1",
    part: str | None = None,
    current: int | None = None,
) -> go.Figure:
    """A measure and NC2 over the epochs for each variant, and where each ends.

    Lines are means over seeds, bands and bars the least to the largest of them; of a single seed
    the 95 % intervals over rows. Small dots are single seeds.

    Parameters
    ----------
    results : a `decay_study`, or a result of `collapse` for each training.
    labels : the variant of each such result by its key; `VARIANTS` have colours of their own,
        results of one variant are repeated seeds.
    """
    if isinstance(results, Result) and labels is None:
        results, labels = _trainings(results)
    found, labels = as_results(results), labels or {}
    shown = list(dict.fromkeys((check_measure(measure), "nc2")))
    curves = curves_of(found, part, labels)
    part = trajectory_of(found[0], part)[1]
    colours = _colours([c.label for c in curves])
    names = [said_of(m, part) for m in shown]
    titles = [t for name in names for t in (f"{name} over the epochs", f"{name} at the end")]
    fig = make_subplots(
        rows=len(shown), cols=2, column_widths=[0.68, 0.32], shared_yaxes=True,
        subplot_titles=titles, horizontal_spacing=0.04, vertical_spacing=0.16,
    )  # fmt: skip
    titles_left(fig, len(titles))
    axis = EpochAxis.of(np.concatenate([c.epochs for c in curves]))
    cells = [(row, 1) for row in range(1, len(shown) + 1)]
    panels = [Panel(name, ((m, "solid"),)) for name, m in zip(names, shown, strict=True)]
    draw_panels(fig, curves, cells, axis, part=part, colours=colours, panels=panels)
    mark_epochs(fig, curves, colours, axis, current=current, cells=cells)
    singles = _single_runs(found, part, labels)
    for (row, _), name in zip(cells, shown, strict=True):
        axis.draw(fig, title=row == len(shown), row=row, col=1)
        _add_ends(fig, curves, singles, name, part, colours, row)
        dress(fig, log=name in LOG, row=row)
    below_title(fig)
    fig.update_layout(
        height=330 * len(shown) + 60, margin={"t": 146}, showlegend=True,
        legend={"y": 1.07, "itemsizing": "trace"}, uirevision="collapse study",
    )  # fmt: skip
    seeds = sorted({c.runs for c in curves})
    each = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    sample = sample_of(found, part, f"{len(curves)} variants", f"{each} seeds each")
    title = "Weight decay of the head against that of the body"
    return theme.finish(fig, title, provenance_of(found), sample=sample, note=say_zero(curves))


def _trainings(study: Result) -> tuple[list[Result], dict[str, str]]:
    """Each training of a study as a result of its own, and its variant by that result's key."""
    table = table_of(study, "trajectory", "variant", "seed", "epoch", "train_error")
    runs = table.group_by(["variant", "seed"], use_threads=False).aggregate([]).to_pylist()
    out, labels = [], {}
    for run in runs:
        mine = table.filter(
            pc.and_(
                pc.equal(table["variant"], run["variant"]), pc.equal(table["seed"], run["seed"])
            )  # type: ignore[attr-defined]
        )
        right = mine.filter(pc.equal(mine["train_error"], 0))["epoch"].to_pylist()  # type: ignore[attr-defined]
        one = replace(study, key=f"{run['variant']}, seed {run['seed']}",
                      scalars=study.scalars | {"zero_epoch": min(right, default=None)},
                      tables={"trajectory": mine})  # fmt: skip
        out.append(one)
        labels[one.key] = run["variant"]
    return out, labels


def _colours(labels: Sequence[str]) -> dict[str, str]:
    """The variants' own colours; other labels take categories that none of these use."""
    spare = iter([c for c in palette.CATEGORIES if c not in VARIANTS.values()])
    return {name: VARIANTS.get(name) or next(spare, palette.CONTROL) for name in labels}


def _single_runs(
    results: Sequence[Result], part: str, labels: Mapping[str, str]
) -> dict[str, list[Curve]]:
    """Each variant's runs one by one."""
    out: dict[str, list[Curve]] = {}
    for result in results:
        for curve in curves_of([result], part, labels):
            out.setdefault(curve.label, []).append(curve)
    return out


def _add_ends(
    fig: go.Figure,
    curves: Sequence[Curve],
    singles: Mapping[str, Sequence[Curve]],
    measure: str,
    part: str,
    colours: Mapping[str, str],
    row: int,
) -> None:
    """The last value of each variant as a dot with its interval, and those of its seeds."""
    place = {"row": row, "col": 2}
    nothing = np.full(1, np.nan)
    name, how = said_of(measure, part), collapse_formula(measure)
    for at, curve in enumerate(curves):
        if measure not in curve.value:
            continue
        said, colour = theme.plain(curve.label, 40), colours[curve.label]
        value, low, high = (
            np.asarray(ends.get(measure, nothing)[-1:], dtype=float)
            for ends in (curve.value, curve.low, curve.high)
        )
        if curve.runs > 1:
            own = singles[curve.label]
            dots = np.concatenate([c.value[measure][c.epochs == curve.epochs[-1]] for c in own])
            fig.add_scatter(
                x=np.full(len(dots), at + 0.22), y=dots, mode="markers", hoverinfo="skip",
                marker={"size": 4.5, "color": colour, "opacity": 0.7}, legendgroup=said,
                name=f"{said}: seeds", showlegend=False, **place,
            )  # fmt: skip
        over = f"<br>mean, least to largest of {curve.runs} seeds" if curve.runs > 1 else ""
        text = theme.interval(*(float(v[0]) for v in (value, low, high)))
        fig.add_scatter(
            x=[at], y=value, mode="markers", name=said, legendgroup=said, showlegend=False,
            marker={"size": 8, "color": colour}, error_y=error_bars(value, low, high),
            hovertemplate=f"{said}, epoch {curve.epochs[-1]}: {name} {text}{over}<br>"
            f"{name} = {how}<extra></extra>",
            **place,
        )  # fmt: skip
    fig.update_xaxes(
        tickvals=list(range(len(curves))),
        ticktext=[theme.plain(c.label, 20).replace(" ", "<br>") for c in curves],
        range=[-0.6, len(curves) - 0.4], tickangle=0, showgrid=False, **place,
    )  # fmt: skip
