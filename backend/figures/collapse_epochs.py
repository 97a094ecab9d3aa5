"""NC1 to NC4 over the epochs: of finished runs, and of one that is being trained.

Reads the table `trajectory`, or the history that a training writes epoch by epoch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from backend.analyses.result import Result
from backend.figures import theme
from backend.figures.collapse_axes import EpochAxis, mark_epochs, say_zero
from backend.figures.collapse_curves import (
    Curve,
    as_results,
    colours_of,
    curves_of,
    provenance_of,
    said_of,
    sample_of,
    trajectory_of,
)
from backend.figures.collapse_panels import PANELS, Panel, draw_panels, titles_left
from backend.figures.lines import below_title

_CELLS = ((1, 1), (1, 2), (2, 1), (2, 2))
_LIVE = ("nc1", "nc1_ratio", "nc2_equinorm", "nc2_equiangular", "nc2", "nc3", "nc4")


def collapse_course(
    results: Result | Sequence[Result],
    *,
    part: str | None = None,
    current: int | None = None,
    labels: Mapping[str, str] | None = None,
) -> go.Figure:
    """NC1 to NC4 of the last layer over the epochs, one line for each run.

    Bands are the 95 % intervals over rows; of runs with one label the least to the largest, around
    their mean. Epochs stand on a log axis, epoch 0 at its left edge.

    Parameters
    ----------
    part : `train`, `held out` or `all`; None is the result's first.
    current : the epoch that the page shows.
    labels : names of runs by the key of their result; runs with one label are repeated seeds.
        Without it runs are called as in the table.
    """
    found = as_results(results)
    curves = curves_of(found, part, labels)
    part = trajectory_of(found[0], part)[1]
    axis = EpochAxis.of(np.concatenate([c.epochs for c in curves]))
    fig, colours = _grid(named_panels(part)), colours_of(curves)
    draw_panels(fig, curves, _CELLS, axis, part=part, colours=colours)
    seeds = max(c.runs for c in curves)
    bands = f"bands: least to largest of up to {seeds} seeds" if seeds > 1 else ""
    _dress(fig, curves, colours, axis, current)
    fig.update_layout(uirevision="collapse course")
    title = "Collapse while the net learns"
    note = "; ".join(filter(None, (bands, say_zero(curves))))
    sample = sample_of(found, part)
    return theme.finish(fig, title, provenance_of(found), sample=sample, note=note)


def collapse_live(
    history: Sequence[Mapping],
    *,
    title: str,
    epochs: int,
    provenance: Mapping[str, object],
) -> go.Figure:
    """The same panels of a training that is running, on an axis that holds all its epochs.

    Parameters
    ----------
    history : one entry for each epoch that is done: `epoch`, `train_accuracy`, `test_accuracy`,
        and the measures where they were taken.
    epochs : how many there will be.
    """
    curve = _of_history(history)
    errors = Panel("NC4 (dashed: training error, dotted: held-out)",
                   (*PANELS[3].measures, ("test_error", "dot")))  # fmt: skip
    panels = [*PANELS[:3], errors]
    axis = EpochAxis.of([0, 1, epochs])
    fig, colours = _grid(panels), colours_of([curve])
    draw_panels(fig, [curve], _CELLS, axis, part="train", colours=colours, panels=panels,
                connect=True)  # fmt: skip
    _dress(fig, [curve], colours, axis, None)
    fig.update_layout(uirevision="collapse live")
    done = int(curve.epochs[-1]) if len(curve.epochs) else 0
    first = [f"epoch {theme.count(done)} of {theme.count(epochs)}",
             *theme.describe_sample(provenance)]  # fmt: skip
    return theme.finish(fig, title, provenance, sample=first, note=say_zero([curve]))


def named_panels(part: str) -> list[Panel]:
    """The four panels, with the error of the last one called by its rows."""
    error = said_of("train_error", part)
    return [replace(p, title=p.title.format(error=error)) for p in PANELS]


def _of_history(history: Sequence[Mapping]) -> Curve:
    """A training's record as a curve; shares of errors from accuracies."""
    epochs = np.array([h["epoch"] for h in history], dtype=np.int64)

    def column(name: str) -> np.ndarray:
        given = [h.get(name) for h in history]
        return np.array([np.nan if v is None else v for v in given], dtype=float)

    value = {name: column(name) for name in _LIVE}
    value |= {f"{side}_error": 1 - column(f"{side}_accuracy") for side in ("train", "test")}
    zero = next((int(h["epoch"]) for h in history if h.get("train_accuracy") == 1.0), None)
    return Curve("this run", epochs, value, {}, {}, zero)


def _grid(panels: Sequence[Panel]) -> go.Figure:
    fig = make_subplots(
        rows=2,
        cols=2,
        shared_xaxes="all",
        subplot_titles=[p.title for p in panels],
        vertical_spacing=0.11,
        horizontal_spacing=0.09,
    )
    titles_left(fig, len(panels))
    return fig


def _dress(
    fig: go.Figure,
    curves: Sequence[Curve],
    colours: dict[str, str],
    axis: EpochAxis,
    current: int | None,
) -> None:
    mark_epochs(fig, curves, colours, axis, current=current, cells=_CELLS)
    for row, col in _CELLS:
        axis.draw(fig, title=row == 2, row=row, col=col)
    below_title(fig)
    many = len(curves) > 1
    fig.update_layout(
        height=600 if many else 560,
        showlegend=many,
        legend={"y": 1.06, "itemsizing": "trace"},
        margin={"t": 138 if many else 104},
    )
