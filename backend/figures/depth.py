"""How a model uses its depth, as lines: what each block adds, and what it would already say.

Reads the tables `layers`(layer, attn_norm, ..., layer_cosine, with NAME_low and NAME_high) and
`lens`(layer, kl, kl_low, kl_high, top5, top5_low, top5_high).
"""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.blocks import (
    block_axis,
    block_sites,
    half_depth,
    log_where_wide,
    mark_block,
    one_of,
    points_by_site,
    sample_of,
)
from backend.figures.columns import blocks_of, integers, numbers, table_of
from backend.figures.lines import add_line, below_title, layer_axis
from backend.figures.sites import layer_ticks


@dataclass(frozen=True)
class Measure:
    """What is drawn of each part of a block: its title, the axis, and the parts."""

    title: str
    axis: str
    parts: tuple[str, ...] = ("attn", "mlp", "layer")


MEASURES = {
    "relative": Measure("Size of what each block adds", "‖added‖ / ‖stream‖"),
    "cosine": Measure("Direction of what each block adds", "cosine with the stream"),
    "norm": Measure(
        "The stream and what each block adds",
        "length of a vector",
        ("stream", "attn", "mlp", "layer"),
    ),
}
PARTS = {  # name, colour, symbol
    "attn": ("attention", palette.CATEGORIES[2], "diamond"),
    "mlp": ("MLP", palette.CATEGORIES[3], "square"),
    "layer": ("layer", palette.BASELINE, "circle"),
    "stream": ("stream", palette.CONTROL, "circle-open"),
}


def depth_contributions(
    result: Result,
    *,
    measure: str = "relative",
    reduce: str = "mean",
    current: int | None = None,
) -> go.Figure:
    """What attention, MLP and the whole layer add to the stream, block by block.

    Parameters
    ----------
    measure : `relative` (length over the stream's), `cosine` (with the stream) or `norm`.
    reduce : `mean` over tokens and prompts, or the `max` (relative only; without interval).
    current : the block that the page shows; it is marked.
    """
    shown = MEASURES[one_of(measure, MEASURES, "measure")]
    one_of(reduce, ("mean", "max"), "reduction")
    if reduce == "max" and measure != "relative":
        raise AnalysisError(f"Only relative has a max, not {measure}.", "Use reduce='mean'.")
    tail = f"{measure}_max" if reduce == "max" else measure
    columns = [f"{part}_{tail}" for part in shown.parts]
    table = table_of(result, "layers", "layer", *columns)
    at, n_blocks = _blocks(result, table)
    fig, sites = go.Figure(), block_sites(n_blocks)
    half_depth(fig, n_blocks / 2 - 0.5)
    for part, column in zip(shown.parts, columns, strict=True):
        name, colour, symbol = PARTS[part]
        ends = {e: numbers(table, f"{column}_{e}") for e in ("low", "high") if reduce == "mean"}
        points = points_by_site(sites, at, value=numbers(table, column), **ends)
        add_line(fig, sites, points, name=name, colour=colour, n_blocks=n_blocks)
        fig.update_traces(marker={"symbol": symbol, "size": 5.5}, selector={"name": name})
    mark_block(fig, current, n_blocks)
    block_axis(fig, n_blocks)
    fig.update_yaxes(title_text=shown.axis)
    values = np.concatenate([numbers(table, column) for column in columns])
    fig.update_layout(hovermode="x", uirevision=f"depth {measure}")
    below_title(fig)
    if measure == "cosine":
        _cosine_words(fig, values)
    elif not log_where_wide(fig, values):
        fig.update_yaxes(rangemode="tozero")
    said, sample = sample_of(result, "depth", "prompt")
    note = "largest of all tokens; it grows with their number" if reduce == "max" else ""
    return theme.finish(fig, shown.title, said, sample=sample, note=note)


def _blocks(result: Result, table: pa.Table) -> tuple[np.ndarray, int]:
    """The table's blocks (n,), and how many the model has."""
    at = integers(table, "layer")
    said = result.provenance.get("parts", {}).get("depth", result.provenance)
    return at, max(blocks_of(said, ()), int(at.max()) + 1)


def _cosine_words(fig: go.Figure, values: np.ndarray) -> None:
    """The zero line, and right of the axes what each range of the cosine means."""
    low, high = float(np.nanmin(values)) - 0.05, float(np.nanmax(values)) + 0.05
    low, high = max(min(low, -0.3), -1.02), min(max(high, 0.3), 1.02)
    around = 0.09 * (high - low)
    fig.add_hline(y=0, line={"color": palette.CONTROL, "width": 1.2}, layer="below")
    spans = [
        (low, -around, "erase", palette.DIVERGING[2]),
        (-around, around, "write new", palette.CONTROL),
        (around, high, "amplify", palette.DIVERGING[7]),
    ]
    for y0, y1, word, colour in spans:
        fig.add_shape(
            type="rect",
            xref="paper",
            xsizemode="pixel",
            xanchor=1,
            x0=5,
            x1=62,
            y0=y0,
            y1=y1,
            fillcolor=palette.fade(colour, 0.22),
            line={"width": 0},
            label={"text": word, "font": {"size": 10.5}},
        )
    fig.update_yaxes(range=[low, high])
    fig.update_layout(margin={"r": 74})


def depth_lens(result: Result) -> go.Figure:
    """How near each layer's own prediction is to the model's: KL, and shared top five words.

    Layer 0 is the embedding; the last one is the model's own output, where KL is 0.
    """
    table = table_of(result, "lens", "layer", "kl", "top5")
    at = integers(table, "layer")
    n_layers = int(at.max()) + 1
    sites = ["embed", *block_sites(n_layers - 2), "head"]
    fig = go.Figure()
    half_depth(fig, (n_layers - 1) / 2)
    lines = (
        ("kl", "KL to the output", palette.BASELINE),
        ("top5", "shared top five", palette.CATEGORIES[3]),
    )
    for column, name, colour in lines:
        ends = {end: numbers(table, f"{column}_{end}") for end in ("low", "high")}
        points = points_by_site(sites, at, value=numbers(table, column), **ends)
        add_line(fig, sites, points, name=name, colour=colour, n_blocks=n_layers - 1)
    right = lines[1][1]
    for trace in fig.data:
        if trace.legendgroup == right:
            trace.update(yaxis="y2")
            trace.update(marker={"symbol": "square"})
    layer_axis(fig, *layer_ticks(n_layers))
    fig.update_layout(hovermode="x", uirevision="depth lens")
    below_title(fig)
    fig.update_yaxes(title_text="KL to the output, nats", rangemode="tozero")
    fig.update_layout(
        yaxis2={
            "title": {"text": "share of the top five words"},
            "overlaying": "y",
            "side": "right",
            "range": [0, 1.03],
            "tickmode": "linear",
            "dtick": 0.2,
            "showgrid": False,
        },
        margin={"r": 64},
    )
    said, sample = sample_of(result, "depth", "prompt")
    return theme.finish(fig, "What each layer would already say", said, sample=sample)
