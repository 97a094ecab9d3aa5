"""Collapse by layer and epoch: a measure at all of them, and its map.

Reads the table `trajectory`(part, epoch, layer, index, n, the measures with NAME_low, NAME_high).
"""

import math
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.collapse_curves import (
    NAMES,
    Curve,
    check_measure,
    collapse_formula,
    said_of,
    trajectory_of,
)
from backend.figures.columns import blocks_of, integers, numbers, texts
from backend.figures.sites import site_label, site_ticks


@dataclass(frozen=True)
class Grid:
    """A measure at every layer and epoch, float32 (layers, epochs), NaN where there is none."""

    measure: str
    layers: list[str]
    epochs: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    part: str
    n: int
    n_blocks: int

    def curve(self, row: int) -> Curve:
        """A layer over the epochs, without those at which the net did not have it."""
        there = np.isfinite(self.value[row])
        ends = ({self.measure: c[row][there]} for c in (self.value, self.low, self.high))
        return Curve(self.name(row), self.epochs[there], *ends, zero=None)

    @property
    def positive(self) -> bool:
        """Whether all values have a logarithm."""
        return bool((self.value[np.isfinite(self.value)] > 0).all())

    def name(self, row: int) -> str:
        """The layer in words."""
        return site_label(self.layers[row], self.n_blocks)


def grid_of(result: Result, measure: str, part: str | None) -> Grid:
    """Read a measure; AnalysisError where it is defined nowhere."""
    check_measure(measure)
    table, part = trajectory_of(result, part, measure)
    names, index = texts(table, "layer"), integers(table, "index").tolist()
    depth: dict[str, int] = {}
    for name, at in zip(names, index, strict=True):  # nets grow: the deepest place counts
        depth[name] = max(at, depth.get(name, 0))
    layers = sorted(depth, key=lambda name: (depth[name], name))
    epoch = integers(table, "epoch")
    epochs, column = np.unique(epoch, return_inverse=True)
    row = [layers.index(name) for name in names]
    cells = {}
    for end in ("", "_low", "_high"):
        cells[end] = np.full((len(layers), len(epochs)), np.nan, dtype=np.float32)
        if (values := numbers(table, f"{measure}{end}")) is not None:
            cells[end][row, column] = values
    if not np.isfinite(cells[""]).any():
        raise AnalysisError(f"{NAMES[measure]} is not defined in this result.",
                            "See the result's note, or choose another measure.")  # fmt: skip
    n_blocks = blocks_of(result.provenance, layers)
    n = int(table["n"][0].as_py())
    return Grid(measure, layers, epochs, *cells.values(), part, n, n_blocks)


def collapse_heat(
    result: Result,
    *,
    measure: str = "nc1",
    part: str | None = None,
    current_epoch: int | None = None,
    current_layer: str | None = None,
) -> go.Figure:
    """A measure at every layer and epoch, in decades; dark is far from collapse.

    A cell's `customdata` is its epoch and layer. Zeros, which have no logarithm, stay blank.
    """
    grid = grid_of(result, measure, part)
    z = np.log10(grid.value, where=grid.value > 0, out=np.full_like(grid.value, np.nan))
    if not np.isfinite(z).any():
        raise AnalysisError(f"{NAMES[measure]} is 0 at every layer.", "There is nothing to map.")
    at, text = _decades(float(np.nanmin(z)), float(np.nanmax(z)))
    name = said_of(measure, grid.part)
    fig = go.Figure(
        go.Heatmap(
            z=z,
            colorscale=palette.scale(palette.LAYER_RAMP),
            customdata=[[[e, layer] for e in grid.epochs.tolist()] for layer in grid.layers],
            text=_cells(grid),
            hovertemplate="%{text}<extra></extra>",
            colorbar={"title": {"text": name}, "tickvals": at, "ticktext": text},
            xgap=1,
            ygap=1,
        )
    )
    _frame(fig, grid, current_epoch, current_layer)
    quiet = {"showgrid": False, "showline": False, "ticks": ""}
    step = -(-len(grid.epochs) // 16)
    shown = list(range(0, len(grid.epochs), step))
    fig.update_xaxes(
        tickvals=shown, ticktext=[str(grid.epochs[i]) for i in shown], tickangle=0,
        title_text="epoch (equal steps)", **quiet,
    )  # fmt: skip
    at_layers, words = site_ticks(grid.layers, n_blocks=grid.n_blocks)
    fig.update_yaxes(
        tickvals=at_layers, ticktext=[w.replace("<br>", " · ") for w in words],
        title_text="block, depth" if grid.n_blocks else "layer", automargin=True, **quiet,
    )  # fmt: skip
    fig.update_layout(uirevision="collapse heat")
    return finish(fig, result, grid, f"{name} by layer and epoch")


def _decades(low: float, high: float) -> tuple[list[float], list[str]]:
    """Ticks of a logarithmic colour bar: powers of ten, with 2 and 5 between where they are few."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    steps = (1,) if high - low > 3 else (1, 2, 5)
    values = [s * 10.0**p for p in powers for s in steps]
    kept = [v for v in values if low - 1e-6 <= math.log10(v) <= high + 1e-6] or [10**low, 10**high]
    return [math.log10(v) for v in kept], [f"{v:.3g}" for v in kept]


def _cells(grid: Grid) -> list[list[str]]:
    """What each cell says: layer, epoch, the value with its interval, the formula."""
    value, low, high = (c.tolist() for c in (grid.value, grid.low, grid.high))
    name, how = said_of(grid.measure, grid.part), collapse_formula(grid.measure)
    return [
        [
            f"{theme.plain(grid.name(i))}, epoch {epoch}<br>"
            f"{name} {theme.interval(value[i][j], low[i][j], high[i][j])}<br>{name} = {how}"
            for j, epoch in enumerate(grid.epochs.tolist())
        ]
        for i in range(len(grid.layers))
    ]


def _frame(fig: go.Figure, grid: Grid, epoch: int | None, layer: str | None) -> None:
    """Frame the selected epoch's column and the selected layer's row."""
    line = {"color": palette.SELECTED, "width": 2}
    if epoch in grid.epochs:
        at = int(np.searchsorted(grid.epochs, epoch))
        fig.add_vrect(x0=at - 0.5, x1=at + 0.5, line=line)
    if layer in grid.layers:
        at = grid.layers.index(layer)
        fig.add_hrect(y0=at - 0.5, y1=at + 0.5, line=line)


def finish(fig: go.Figure, result: Result, grid: Grid, title: str, note: str = "") -> go.Figure:
    """Title, and small print that counts rows and layers."""
    said = result.provenance
    rest = theme.describe_sample({k: said.get(k) for k in ("pooling", "dtype", "seed")})
    rows = f"n {theme.count(grid.n)} rows" + ("" if grid.part == "all" else f" ({grid.part})")
    sample = [rows, f"{theme.count(len(grid.layers))} layers", *rest]
    return theme.finish(fig, title[0].upper() + title[1:], said, sample=sample, note=note)
