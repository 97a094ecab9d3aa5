"""Maps of one prompt, layer by token; and of one model's layers on another's.

Reads the tables `erasure`(layer, position, token, effect), `attribution`(layer, position, token,
value) and `map`(source, target, error, low, high, r2, control).
"""

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa

from backend.analyses.result import Result
from backend.figures import palette, theme
from backend.figures.blocks import block_name, block_sites, grid, layers_up, state_sites, token_axis
from backend.figures.columns import integers, numbers, source_of, table_of, texts
from backend.figures.lens import show_token
from backend.figures.sites import layer_label, site_label, site_ticks


def erasure_map(result: Result) -> go.Figure:
    """How much the answer changes when one token's state at one layer is replaced by a mean one.

    The highest layer at which a token still matters is where its information has been used.
    """
    table = table_of(result, "erasure", "layer", "position", "token", "effect")
    effect, words = _by_token(table, "effect")
    n_layers = len(effect)
    names = [layer_label(i, n_layers) for i in range(n_layers)]
    top = float(np.nanmax(effect)) or 1.0
    look = {"zmin": 0, "zmax": top, "colorscale": palette.scale(palette.LAYER_RAMP)}
    bar = "change of the output, L2"
    fig = go.Figure(_heat(effect, names, words, bar, "change of the output", look))
    layers_up(fig, n_layers)
    return _finish(fig, result, "Until which layer each token is needed", words, n_layers)


def attribution_map(result: Result) -> go.Figure:
    """How much each token's state after each block adds to the answer's probability.

    Integrated gradients; blue takes away, red adds.
    """
    table = table_of(result, "attribution", "layer", "position", "token", "value")
    value, words = _by_token(table, "value")
    n_blocks = len(value)
    names = [block_name(i, n_blocks) for i in range(n_blocks)]
    most = float(np.nanmax(np.abs(value))) or 1.0
    look = {"zmin": -most, "zmax": most, "colorscale": palette.scale(palette.DIVERGING)}
    bar = "share of the answer's probability"
    fig = go.Figure(_heat(value, names, words, bar, "attribution", look))
    layers_up(fig, n_blocks)
    at, text = site_ticks(block_sites(n_blocks), most=10)
    fig.update_yaxes(tickvals=at, ticktext=[t.replace("<br>", " · ") for t in text])
    title = "What the answer rests on"
    return _finish(fig, result, title, words, n_blocks)


def _by_token(table: pa.Table, column: str) -> tuple[np.ndarray, list[str]]:
    """Values (layers, tokens) in the order of positions, and each token's text."""
    at, first = np.unique(integers(table, "position"), return_index=True)
    words = texts(table, "token")
    return grid(table, "layer", "position", column)[:, at], [words[i] for i in first.tolist()]


def _heat(
    z: np.ndarray, names: list[str], words: list[str], bar: str, what: str, look: dict
) -> go.Heatmap:
    shown = [show_token(word, most=40) for word in words]
    hover = [
        [
            f"“{word}” at {name}<br>{what} {theme.number(v)}"
            for word, v in zip(shown, row, strict=True)
        ]
        for name, row in zip(names, z.tolist(), strict=True)
    ]
    return go.Heatmap(
        z=z,
        customdata=hover,
        hovertemplate="%{customdata}<extra></extra>",
        colorbar={"title": {"text": bar}},
        xgap=1 if len(words) <= 40 else 0,
        ygap=1 if len(names) <= 40 else 0,
        **look,
    )


def _finish(
    fig: go.Figure, result: Result, title: str, words: list[str], n_layers: int
) -> go.Figure:
    token_axis(fig, words)
    height = max(360, 15 * n_layers + 200)
    fig.update_layout(height=height, uirevision="depth map", margin={"l": 84, "b": 104})
    said, _ = source_of(result, "maps")
    exact = theme.describe_sample({name: said.get(name) for name in ("dtype", "seed")})
    sample = ["n 1 prompt", f"{theme.count(len(words))} tokens", *exact]
    return theme.finish(fig, title, said, sample=sample)


def layer_map(result: Result) -> go.Figure:
    """How well each layer of one model predicts each layer of another, linearly and held out.

    The line joins equal relative depth; a dot is the target that its source predicts best.
    """
    table = table_of(result, "map", "source", "target", "error")
    error = grid(table, "source", "target", "error")
    rows, columns = state_sites(error.shape[0]), state_sites(error.shape[1])
    top = min(float(np.nanmax(error)), 1.0)
    fig = go.Figure(
        go.Heatmap(
            z=error,
            zmin=min(float(np.nanmin(error)), top),
            zmax=top,
            colorscale=palette.scale(palette.LAYER_RAMP[::-1]),  # the better, the darker
            text=_map_hover(table, error.shape),
            customdata=[[[i, j] for j in range(error.shape[1])] for i in range(error.shape[0])],
            hovertemplate="%{text}<extra></extra>",
            hoverongaps=False,
            colorbar={"title": {"text": "relative error, held out"}},
        )
    )
    _diagonal(fig, error)
    said, n = source_of(result, "layer_map")
    names = (theme.model_names(said) + ["", ""])[:2]
    at, text = site_ticks(columns, n_blocks=len(columns) - 1)
    quiet = {"showgrid": False, "showline": False}
    fig.update_xaxes(tickvals=at, ticktext=text, tickangle=0, **quiet)
    fig.update_xaxes(
        title_text=f"target {names[1]}: block, depth", range=[-0.5, len(columns) - 0.5]
    )
    at, text = site_ticks(rows, depth=False, n_blocks=len(rows) - 1)
    fig.update_yaxes(tickvals=at, ticktext=text, **quiet)
    fig.update_yaxes(title_text=f"source {names[0]}: block", range=[-0.5, len(rows) - 0.5])
    fig.update_layout(
        uirevision="layer map",
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom"},
        legend_itemsizing="trace",  # dashes stay dashes
        margin={"t": 112, "b": 86},
    )
    over = int((error > 1).sum())
    note = f"colour ends at 1; cells above it: {theme.count(over)}" if over else ""
    return theme.finish(fig, "Layers of one model found in the other", said, n=n, note=note)


def _diagonal(fig: go.Figure, error: np.ndarray) -> None:
    """Equal relative depth as a line, and each source's best target."""
    last = error.shape[1] - 1, error.shape[0] - 1
    fig.add_scatter(
        x=[0, last[0]],
        y=[0, last[1]],
        mode="lines",
        name="equal relative depth",
        line={"color": palette.CATEGORIES[8], "width": 2, "dash": "dash"},
        hoverinfo="skip",
    )
    known = np.flatnonzero(np.isfinite(error).any(axis=1))
    best = np.nanargmin(error[known], axis=1)
    said = [theme.number(float(error[i, j])) for i, j in zip(known, best, strict=True)]
    fig.add_scatter(
        x=best,
        y=known,
        mode="markers",
        name="best target of each source",
        marker={"size": 7, "color": "#FFFFFF", "line": {"color": "#1F2630", "width": 1.2}},
        text=said,
        hovertemplate="best target, error %{text}<extra></extra>",
    )


def _map_hover(table: pa.Table, shape: tuple[int, int]) -> list[list[str]]:
    """Both layers, the error with its interval, what it explains, and what chance reaches."""
    out = [[""] * shape[1] for _ in range(shape[0])]
    rows = [site_label(site, shape[0] - 1) for site in state_sites(shape[0])]
    columns = [site_label(site, shape[1] - 1) for site in state_sites(shape[1])]
    found = {}
    for name in ("error", "low", "high", "r2", "control"):
        values = numbers(table, name)
        found[name] = [None] * table.num_rows if values is None else values.tolist()
    cells = zip(integers(table, "source").tolist(), integers(table, "target").tolist(), strict=True)
    for i, (source, target) in enumerate(cells):
        ends = (found[name][i] for name in ("error", "low", "high"))
        said = f"{rows[source]} to {columns[target]}<br>relative error {theme.interval(*ends)}"
        if found["r2"][i] is not None:
            said += f", R² {theme.number(found['r2'][i])}"
        if found["control"][i] is not None:
            said += f"<br>rows shuffled {theme.number(found['control'][i])}"
        out[source][target] = said
    return out
