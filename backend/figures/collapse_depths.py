"""Collapse over depth at some epochs, and over the epochs at each layer.

Reads the table `trajectory`, as `collapse_grid` does.
"""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.collapse_axes import EpochAxis, log_axis, mark_epochs, say_zero
from backend.figures.collapse_curves import Curve, said_of
from backend.figures.collapse_grid import Grid, finish, grid_of
from backend.figures.collapse_panels import add_curve
from backend.figures.feature_reading import depth_axis
from backend.figures.lines import add_control, add_line, below_title

_EPOCHS_SHOWN = 5
_NAMED = 12  # layers with a legend entry
_SHADES = palette.POINT_RAMP[:5]  # darker lines would be lost on the dark page


def collapse_depth(
    result: Result,
    *,
    measure: str = "nc1_ratio",
    part: str | None = None,
    epochs: Sequence[int] = (),
    current_layer: str | None = None,
) -> go.Figure:
    """A measure over depth at some epochs, light = early.

    With three layers or more, a straight line on the log axis is fitted to the last of the epochs
    and its R² said.

    Parameters
    ----------
    epochs : () for the first, the last, and some between, evenly among those that were kept.
    """
    grid = grid_of(result, measure, part)
    if len(grid.layers) < 2:
        raise AnalysisError("The result has one layer.", "Capture more layers.")
    chosen = _chosen(grid.epochs, epochs)
    fig = go.Figure()
    shades = ramp(len(chosen))
    for at, colour in zip(chosen, shades, strict=True):
        rows = zip(grid.layers, grid.value[:, at], grid.low[:, at], grid.high[:, at], strict=True)
        points = {n: {"value": v, "low": lo, "high": hi} for n, v, lo, hi in rows}
        name = f"epoch {grid.epochs[at]}" if len(grid.epochs) > 1 else grid.part
        look = {"name": name, "colour": colour}
        add_line(fig, grid.layers, points, n_blocks=grid.n_blocks, **look)
    if grid.positive:
        _add_straight(fig, grid.value[:, chosen[-1]])
    name = _measure_axis(fig, grid)
    depth_axis(fig, grid.layers, grid.n_blocks)
    if current_layer in grid.layers:
        at = grid.layers.index(current_layer)
        fig.add_vline(x=at, line={"color": palette.SELECTED, "width": 1.5})
    fig.update_layout(uirevision="collapse depth", hovermode="x")
    below_title(fig)
    fig.update_layout(legend={"itemsizing": "trace"})  # dashes stay dashes
    return finish(fig, result, grid, f"{name} over depth")


def collapse_layers(
    result: Result,
    *,
    measure: str = "nc1",
    part: str | None = None,
    current_epoch: int | None = None,
    current_layer: str | None = None,
) -> go.Figure:
    """A measure over the epochs at each layer, light = shallow; the selected one in the accent."""
    grid = grid_of(result, measure, part)
    curves = [grid.curve(row) for row in range(len(grid.layers))]
    axis, fig = EpochAxis.of(grid.epochs), go.Figure()
    named = set(np.linspace(0, len(curves) - 1, min(_NAMED, len(curves))).round().astype(int))
    for row, (curve, shade) in enumerate(zip(curves, ramp(len(curves)), strict=True)):
        colour = palette.SELECTED if grid.layers[row] == current_layer else shade
        add_curve(fig, curve, measure, axis, part=grid.part, colour=colour, dash="solid",
                  legend=row in named, place={})  # fmt: skip
    zero = result.scalars.get("zero_epoch")
    whole = Curve("", grid.epochs, {}, {}, {}, None if zero is None else int(zero))
    mark_epochs(fig, [whole], {}, axis, current=current_epoch)
    axis.draw(fig)
    name = _measure_axis(fig, grid)
    fig.update_layout(uirevision="collapse layers", showlegend=True)
    return finish(fig, result, grid, f"{name} of each layer over the epochs", say_zero([whole]))


def ramp(n: int) -> list[str]:
    """n colours from shallow or early to deep or late, that read on light and dark pages."""
    if n == 1:
        return [palette.BASELINE]
    given = [[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in _SHADES]
    at = np.linspace(0, len(given) - 1, n)
    parts = [np.interp(at, np.arange(len(given)), channel) for channel in zip(*given, strict=True)]
    return ["#" + "".join(f"{round(v):02X}" for v in rgb) for rgb in zip(*parts, strict=True)]


def _measure_axis(fig: go.Figure, grid: Grid) -> str:
    """Name the y axis, on a log scale where all values have a logarithm; returns the name."""
    name = said_of(grid.measure, grid.part)
    scale = log_axis(grid.value) if grid.positive else {}
    fig.update_yaxes(title_text=name + (" (log scale)" if scale else ""), **scale)
    return name


def _chosen(epochs: np.ndarray, wanted: Sequence[int]) -> list[int]:
    """Places of the epochs that are drawn, in order; AnalysisError for one that was not kept."""
    if not wanted:
        many = min(_EPOCHS_SHOWN, len(epochs))
        return np.linspace(0, len(epochs) - 1, many).round().astype(int).tolist()
    if missing := sorted(set(wanted) - set(epochs.tolist())):
        there = ", ".join(map(str, epochs.tolist()))
        raise AnalysisError(f"Epoch {missing[0]} was not kept.", f"It has: {there}.")
    return sorted({int(np.searchsorted(epochs, e)) for e in wanted})


def _add_straight(fig: go.Figure, value: np.ndarray) -> None:
    x = np.flatnonzero(np.isfinite(value))
    y = np.log10(value[x].astype(float))
    if len(x) < 3 or np.ptp(y) == 0:
        return
    slope, level = np.polyfit(x, y, 1)
    residual = y - (slope * x + level)
    share = 1 - float(residual @ residual) / float(np.square(y - y.mean()).sum())
    name = f"straight line, R² {theme.number(share)}: times {theme.number(10**slope)} a layer"
    add_control(fig, x, 10 ** (slope * x + level), name=name, dash="dot", legend=True, place={})
