"""How alike the layers are: the map of all pairs, and one layer against the rest.

Reads the table `similarity`(layer_a, layer_b, cka, low, high, ...). A second measure `m` brings
`m`, `m_low`, `m_high`. What shuffled rows reach is read from `null` (95 % point, for CKA), `m_null`
or, for mutual neighbours, the scalar `chance`.
"""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.columns import blocks_of, numbers, scalar_of, source_of, table_of, texts
from backend.figures.lines import add_line, below_title, layer_axis
from backend.figures.sites import site_label, site_ticks, sort_sites

NAMES = {"cka": "CKA", "mknn": "mutual nearest neighbours"}


@dataclass(frozen=True)
class _Pairs:
    """All pairs of sites; each array (n_rows, n_columns), NaN where there is no number."""

    rows: list[str]
    columns: list[str]
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    null: np.ndarray
    blocks: tuple[int, int]  # of the model of the rows, of the model of the columns


def _pairs(result: Result, value: str) -> _Pairs:
    table = table_of(result, "similarity", "layer_a", "layer_b", value)
    first, second = texts(table, "layer_a"), texts(table, "layer_b")
    rows, columns = sort_sites(first), sort_sites(second)
    fields = {"value": numbers(table, value)}
    for field in ("low", "high", "null"):
        bare = [field] if value == "cka" else []
        fields[field] = numbers(table, f"{value}_{field}", *bare)
    chance = scalar_of(result, "similarity", "chance")
    if value == "mknn" and fields["null"] is None and chance is not None:
        fields["null"] = np.full(len(first), chance, dtype=np.float32)
    at_row = [rows.index(site) for site in first]
    at_column = [columns.index(site) for site in second]
    grids = {}
    for field, given in fields.items():
        grid = np.full((len(rows), len(columns)), np.nan, dtype=np.float32)
        if given is not None:
            grid[at_row, at_column] = given
            if rows == columns:  # a table may hold one triangle only
                grid = np.where(np.isnan(grid), grid.T, grid)
        grids[field] = grid
    said, _ = source_of(result, "similarity")
    last = len(theme.model_refs(said)) - 1
    blocks = blocks_of(said, rows), blocks_of(said, columns, model=max(last, 0))
    return _Pairs(rows, columns, **grids, blocks=blocks)


def cka_map(
    result: Result,
    current: str | None = None,
    value: str = "cka",
    *,
    span: tuple[float, float] | None = None,
) -> go.Figure:
    """Every layer against every layer as a heatmap.

    Parameters
    ----------
    current : the site that the page shows; it is marked on both axes.
    value : `cka`, `mknn` or another measure of the table.
    span : the colour range; default from a round number below the smallest value to 1.
    """
    pairs = _pairs(result, value)
    name = NAMES.get(value, value)
    low = np.floor(float(np.nanmin(pairs.value)) * 10) / 10
    span = span or (min(float(low), 0.9), 1.0)
    gap = 1 if len(pairs.columns) <= 16 else 0
    fig = go.Figure(
        go.Heatmap(
            z=pairs.value,
            zmin=span[0],
            zmax=span[1],
            colorscale=palette.scale(palette.LAYER_RAMP),
            text=_hover(pairs, name),
            hovertemplate="%{text}<extra></extra>",
            colorbar={"title": {"text": name}},
            xgap=gap,
            ygap=gap,
        )
    )
    _square_axes(fig, pairs)
    if current is not None:
        _mark(fig, pairs, current)
    said, n = source_of(result, "similarity")
    models = theme.model_names(said)
    if len(models) == 2:
        fig.update_xaxes(title_text=f"{models[1]}: block, depth")
        fig.update_yaxes(title_text=f"{models[0]}: block")
    fig.update_layout(uirevision=f"{value} map")
    return theme.finish(fig, f"Similarity of layers: {name}", said, n=n)


def _square_axes(fig: go.Figure, pairs: _Pairs) -> None:
    at, text = site_ticks(pairs.columns, n_blocks=pairs.blocks[1])
    fig.update_xaxes(
        tickvals=at, ticktext=text, title_text="block, depth", showgrid=False, tickangle=0
    )
    at, text = site_ticks(pairs.rows, depth=False)
    fig.update_yaxes(tickvals=at, ticktext=text, title_text="block", showgrid=False)
    fig.update_xaxes(
        constrain="domain", constraintoward="right", range=[-0.5, len(pairs.columns) - 0.5]
    )
    fig.update_yaxes(
        scaleanchor="x", constrain="domain", range=[-0.5, len(pairs.rows) - 0.5], showline=False
    )
    fig.update_xaxes(showline=False)


def _mark(fig: go.Figure, pairs: _Pairs, current: str) -> None:
    """Frame the current layer's row and column."""
    line = {"color": palette.SELECTED, "width": 1.5}
    if current in pairs.rows:
        at = pairs.rows.index(current)
        fig.add_shape(
            type="rect", x0=-0.5, x1=len(pairs.columns) - 0.5, y0=at - 0.5, y1=at + 0.5, line=line
        )
    if current in pairs.columns:
        at = pairs.columns.index(current)
        fig.add_shape(
            type="rect", x0=at - 0.5, x1=at + 0.5, y0=-0.5, y1=len(pairs.rows) - 0.5, line=line
        )


def _hover(pairs: _Pairs, name: str) -> list[list[str]]:
    """What each cell says: both layers, the value with its interval, the chance level."""
    row_names = [site_label(site, pairs.blocks[0]) for site in pairs.rows]
    column_names = [site_label(site, pairs.blocks[1]) for site in pairs.columns]
    value, low = pairs.value.tolist(), pairs.low.tolist()
    high, null = pairs.high.tolist(), pairs.null.tolist()
    return [
        [
            f"{row} and {column}<br>{name} {theme.interval(value[i][j], low[i][j], high[i][j])}"
            + (f"<br>rows shuffled {theme.number(null[i][j])}" if null[i][j] == null[i][j] else "")
            for j, column in enumerate(column_names)
        ]
        for i, row in enumerate(row_names)
    ]


def cka_profile(
    result: Result, site: str, value: str = "cka", *, whatif: Result | None = None
) -> go.Figure:
    """One layer's similarity to each layer, with its interval and the chance level.

    `whatif` adds the same line of a changed model, in amber.
    """
    name = NAMES.get(value, value)
    pairs = _pairs(result, value)
    if site not in pairs.rows:
        raise AnalysisError(
            f"The result has no similarities of {site!r}.", f"It has: {', '.join(pairs.rows)}."
        )
    fig = go.Figure()
    label, blocks = site_label(site, pairs.blocks[0]), pairs.blocks[1]
    add_line(
        fig,
        pairs.columns,
        _row(pairs, site),
        name="baseline",
        colour=palette.BASELINE,
        n_blocks=pairs.blocks[1],
    )
    if whatif is not None:
        other = _pairs(whatif, value)
        if site in other.rows:
            row = _row(other, site)
            add_line(
                fig, pairs.columns, row, name="what-if", colour=palette.WHATIF, n_blocks=blocks
            )
    if site in pairs.columns:
        at = pairs.columns.index(site)
        fig.add_vline(x=at, line={"color": palette.SELECTED, "width": 1.2})
    at, text = site_ticks(pairs.columns, n_blocks=pairs.blocks[1])
    layer_axis(fig, at, text)
    fig.update_yaxes(title_text=name, range=[0, 1.03])
    fig.update_layout(hovermode="x unified", uirevision=f"{value} profile")
    below_title(fig)
    said, n = source_of(result, "similarity")
    return theme.finish(fig, f"{name} of {label} with each layer", said, n=n)


def _row(pairs: _Pairs, site: str) -> dict[str, dict[str, float]]:
    """One row as {site: {value, low, high, null}}."""
    at = pairs.rows.index(site)
    fields = {f: getattr(pairs, f)[at].tolist() for f in ("value", "low", "high", "null")}
    return {
        other: {field: values[j] for field, values in fields.items()}
        for j, other in enumerate(pairs.columns)
    }
