"""Skip a layer, see who notices: the map of all pairs of layers, and the model's output.

Reads the tables `skip`(skipped, layer, mode, effect, mean, p95, row, position, token) and
`output`(skipped, mode, change, mean, low, high).
"""

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.compute as pc

from backend.analyses.result import Result
from backend.figures import palette, theme
from backend.figures.blocks import (
    block_axis,
    block_name,
    block_sites,
    grid,
    half_depth,
    mark_block,
    one_of,
    sample_of,
)
from backend.figures.columns import integers, numbers, scalar_of, table_of, texts
from backend.figures.lens import show_token
from backend.figures.lines import below_title
from backend.figures.sites import site_ticks

MODES = {  # what is skipped and measured, in words
    "current": "felt in the same prompt",
    "future": "felt by later tokens",
    "current-local": "direct, same prompt",
    "future-local": "direct, later tokens",
}
REDUCTIONS = {"max": ("effect", "largest"), "mean": ("mean", "mean"), "p95": ("p95", "95 % point")}
SKIPPED = {"layer": "a layer", "attention": "attention", "mlp": "an MLP"}
OUTPUT_MODES = {  # name, colour
    "current": ("whole prompt skipped", palette.BASELINE),
    "future": ("earlier tokens skipped", palette.CATEGORIES[3]),
}


def depth_skip_map(
    result: Result, *, mode: str = "current", reduce: str = "max", current: int | None = None
) -> go.Figure:
    """How much the contribution of each layer changes when another one is skipped.

    Parameters
    ----------
    mode : `current`, `future`, `current-local` or `future-local`.
    reduce : over tokens, positions and prompts: `max` (the paper's), `mean` or `p95`.
    current : the skipped layer that the page shows; it is framed.

    `customdata` of a cell is [skipped, layer].
    """
    column, word = REDUCTIONS[one_of(reduce, REDUCTIONS, "reduction")]
    table = table_of(result, "skip", "skipped", "layer", "mode", column)
    one_of(mode, list(dict.fromkeys(texts(table, "mode"))), "mode")
    table = table.filter(pc.equal(table["mode"], mode))
    effect = grid(table, "skipped", "layer", column)
    size = max(effect.shape)
    effect = np.pad(
        effect, [(0, size - n) for n in effect.shape], mode="constant", constant_values=np.nan
    )
    fig = go.Figure(
        go.Heatmap(
            z=effect,
            zmin=0,
            zmax=1,
            colorscale=palette.scale(palette.LAYER_RAMP),
            text=_hover(table, size, reduce),
            customdata=[[[s, layer] for layer in range(size)] for s in range(size)],
            hovertemplate="%{text}<extra></extra>",
            hoverongaps=False,
            colorbar={"title": {"text": f"relative change, {word}"}},
            xgap=1 if size <= 16 else 0,
            ygap=1 if size <= 16 else 0,
        )
    )
    _axes(fig, size, current)
    said, sample = sample_of(result, "depth", "prompt")
    part = SKIPPED.get(str(scalar_of(result, "depth", "part")), SKIPPED["layer"])
    title = f"Skip {part}: {MODES.get(mode, mode)}"
    return theme.finish(fig, title, said, sample=sample, note=_beyond(effect))


def _beyond(effect: np.ndarray) -> str:
    above = int((effect > 1 + 1e-6).sum())
    if not above:
        return ""
    largest = theme.number(float(np.nanmax(effect)))
    return f"colour ends at 1; cells above it: {theme.count(above)}, largest {largest}"


def _axes(fig: go.Figure, size: int, current: int | None) -> None:
    at, text = site_ticks(block_sites(size))
    rows, row_text = site_ticks(block_sites(size), depth=False)
    quiet = {"showgrid": False, "showline": False, "constrain": "domain"}
    ends = [-0.5, size - 0.5]
    fig.update_xaxes(
        tickvals=at,
        ticktext=text,
        title_text="effect at block, depth",
        tickangle=0,
        constraintoward="right",
        range=ends,
        **quiet,
    )
    fig.update_yaxes(
        tickvals=rows,
        ticktext=row_text,
        title_text="block skipped",
        scaleanchor="x",
        range=ends,
        **quiet,
    )
    if current is not None and 0 <= current < size:
        box = {"x0": ends[0], "x1": ends[1], "y0": current - 0.5, "y1": current + 0.5}
        fig.add_shape(type="rect", line={"color": palette.SELECTED, "width": 1.5}, **box)
    fig.update_layout(uirevision="skip map", margin={"b": 86})


def _hover(table: pa.Table, size: int, reduce: str) -> list[list[str]]:
    """What each cell says: both blocks, the numbers there are, and where the maximum is."""
    out = [[""] * size for _ in range(size)]
    names = [block_name(i, size) for i in range(size)]
    found = {
        word: values.tolist()
        for column, word in REDUCTIONS.values()
        if (values := numbers(table, column)) is not None
    }
    where = _places(table) if reduce == "max" else [""] * table.num_rows
    cells = zip(
        integers(table, "skipped").tolist(), integers(table, "layer").tolist(), where, strict=True
    )
    for i, (skipped, layer, place) in enumerate(cells):
        said = ", ".join(f"{word} {theme.number(v[i])}" for word, v in found.items())
        out[skipped][layer] = f"{names[skipped]} skipped, effect at {names[layer]}<br>{said}{place}"
    return out


def _places(table: pa.Table) -> list[str]:
    """Where the largest effect is, for each line of the table."""
    if not {"row", "position", "token"} <= set(table.column_names):
        return [""] * table.num_rows
    return [
        f"<br>largest at “{show_token(token, most=24)}”, position {position}, "
        + ("typed text" if row < 0 else f"row {row}")
        if row is not None and position is not None and position >= 0
        else ""
        for row, position, token in zip(
            table["row"].to_pylist(),
            table["position"].to_pylist(),
            texts(table, "token"),
            strict=True,
        )
    ]


def depth_output_bars(
    result: Result, *, reduce: str = "mean", current: int | None = None
) -> go.Figure:
    """How far the output distribution moves (L2, 0 to 1.41) when each layer is skipped.

    Parameters
    ----------
    reduce : `mean` with its interval over prompts, or the `max` of all tokens (the paper's).
    current : the skipped layer that the page shows; it is framed.
    """
    column = {"mean": "mean", "max": "change"}[one_of(reduce, ("mean", "max"), "reduction")]
    table = table_of(result, "output", "skipped", "mode", column)
    n_blocks = int(integers(table, "skipped").max()) + 1
    fig = go.Figure()
    half_depth(fig, n_blocks / 2 - 0.5)
    for mode, (name, colour) in OUTPUT_MODES.items():
        part = table.filter(pc.equal(table["mode"], mode))
        if part.num_rows:
            fig.add_trace(_bars(part, column, n_blocks, name, colour))
    mark_block(fig, current, n_blocks, framed=True)
    block_axis(fig, n_blocks)
    fig.update_xaxes(title_text="block skipped, depth")
    fig.update_yaxes(title_text=f"change of the output, {reduce}", rangemode="tozero")
    fig.update_layout(barmode="group", bargap=0.25, bargroupgap=0, uirevision="depth output")
    below_title(fig)
    said, sample = sample_of(result, "depth", "prompt")
    note = "largest of all tokens; it grows with their number" if reduce == "max" else ""
    return theme.finish(
        fig, "What the output loses with each layer", said, sample=sample, note=note
    )


def _bars(part: pa.Table, column: str, n_blocks: int, name: str, colour: str) -> go.Bar:
    part = part.sort_by("skipped")
    at, value = integers(part, "skipped"), numbers(part, column)
    low = high = np.full(len(value), np.nan, dtype=np.float32)
    if column == "mean" and {"low", "high"} <= set(part.column_names):
        low, high = numbers(part, "low"), numbers(part, "high")
    said = [
        f"{block_name(block, n_blocks)} skipped: {theme.interval(*ends)}"
        for block, *ends in zip(*(x.tolist() for x in (at, value, low, high)), strict=True)
    ]
    bars = {"array": high - value, "arrayminus": value - low}
    return go.Bar(
        x=at,
        y=value,
        name=name,
        marker={"color": colour},
        error_y={"type": "data", "symmetric": False, "thickness": 1, "width": 0, **bars}
        if np.isfinite(low).any()
        else None,
        customdata=at,
        text=said,
        textposition="none",
        hovertemplate=f"%{{text}}<extra>{name}</extra>",
    )
