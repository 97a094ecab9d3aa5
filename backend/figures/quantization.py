"""Which layers can lose bits: the scores that say so, beside what was measured.

Reads the table `scores`(layer, lim, lim_flattened, zd, zd_two_sided, sensitivity, sensitivity_low,
sensitivity_high, pruned, lim_rank, zd_rank).
"""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
from plotly.subplots import make_subplots

from backend.analyses.result import Result
from backend.figures import palette, theme
from backend.figures.blocks import block_axis, block_name, mark_block, one_of, sample_of
from backend.figures.columns import integers, numbers, scalar_of, table_of

_NUMBERED_MOST = 40  # badges in which a number can still be read
_ROW_PX = 150


@dataclass(frozen=True)
class Score:
    """A column of the table: its name, its direction, and from where its stems rise."""

    name: str
    high_is_important: bool
    base: float
    remark: str = ""


SCORES = {  # the base: a layer that changes nothing; normal weights; no loss
    "lim": Score("LIM, token mean", True, -1.0, "high is important"),
    "lim_flattened": Score("LIM, flattened", True, -1.0, "high is important"),
    "zd": Score("ZD, z > 1", False, 0.158655, "axis reversed"),
    "zd_two_sided": Score("ZD, |z| > 1", False, 0.317311, "axis reversed"),
}
MEASURED = {
    "sensitivity": Score("sensitivity", True, 0.0, "nats per token"),
    "pruned": Score("loss without the layer", True, 0.0, "nats per token"),
}


def layer_scores(
    result: Result, *, scores: tuple[str, ...] = ("lim", "zd"), current: int | None = None
) -> go.Figure:
    """Scores of importance over the layers, above the measured cost of fewer bits.

    Up is more important in every row. Badges give the rank; 1, the darkest, matters most.

    Parameters
    ----------
    scores : keys of `SCORES`, one row each.
    current : the layer that the page shows; it is framed.
    """
    for name in scores:
        one_of(name, SCORES, "score")
    table = table_of(result, "scores", "layer", "sensitivity", *scores).sort_by("layer")
    shown = [*scores, "sensitivity"]
    n_blocks = int(integers(table, "layer").max()) + 1
    said, sample = sample_of(result, "quantization", "text")
    low, high = (scalar_of(result, "quantization", name) for name in ("low", "high"))
    measured = f"measured: alone at {low} bits, others at {high}"
    titles = [f"{SCORES[n].name} ({SCORES[n].remark})" for n in scores] + [measured]
    height = _ROW_PX * len(shown)
    fig = make_subplots(
        rows=len(shown),
        cols=1,
        shared_xaxes=True,
        subplot_titles=[theme.plain(title) for title in titles],
        vertical_spacing=38 / height,
    )
    for row, name in enumerate(shown, 1):
        _lollipops(fig, table, name, n_blocks, row)
    block_axis(fig, n_blocks, row=len(shown))
    fig.update_xaxes(showgrid=False, tickangle=0, range=[-0.7, n_blocks - 0.3])
    fig.update_annotations(x=0, xanchor="left", font={"size": 12})
    mark_block(fig, current, n_blocks, framed=True)
    fig.update_layout(
        height=height + 176, showlegend=False, uirevision="layer scores", margin={"t": 94}
    )
    note = "up is more important; badges give the rank"
    return theme.finish(fig, "How much each layer matters", said, sample=sample, note=note)


def _lollipops(fig: go.Figure, table: pa.Table, name: str, n_blocks: int, row: int) -> None:
    score = (SCORES | MEASURED)[name]
    at, value = integers(table, "layer"), numbers(table, name)
    low, high = (numbers(table, f"{name}_{end}") for end in ("low", "high"))
    rank = ranks(table, name)
    place = {"row": row, "col": 1}
    fig.add_bar(
        x=at,
        y=value - score.base,
        base=score.base,
        width=0.14,
        marker={"color": palette.UNSELECTED},
        hoverinfo="skip",
        showlegend=False,
        **place,
    )
    fig.add_trace(_badges(score, at, value, low, high, rank, n_blocks), **place)
    fig.add_hline(y=score.base, line={"color": palette.CONTROL, "width": 1}, **place)
    known = [x for x in (value, low, high) if x is not None and np.isfinite(x).any()]
    ends = (
        min(score.base, *(np.nanmin(x) for x in known)),
        max(score.base, *(np.nanmax(x) for x in known)),
    )
    pad = 0.14 * (ends[1] - ends[0]) or 0.1
    span = [float(ends[0] - pad), float(ends[1] + pad)]
    fig.update_yaxes(
        range=span if score.high_is_important else span[::-1],
        nticks=5,
        title_text="nats per token" if name in MEASURED else score.name.split(",")[0],
        **place,
    )


def _badges(
    score: Score,
    at: np.ndarray,
    value: np.ndarray,
    low: np.ndarray | None,
    high: np.ndarray | None,
    rank: np.ndarray,
    n_blocks: int,
) -> go.Scatter:
    few = len(at) <= _NUMBERED_MOST
    fill, ink = _colours(rank, len(at))
    ends = [[None] * len(at) if x is None else x.tolist() for x in (value, low, high)]
    said = [
        f"{block_name(block, n_blocks)}<br>{theme.plain(score.name)} {theme.interval(*numbers)}"
        f"<br>rank {r} of {len(at)} (1 matters most)"
        for block, r, *numbers in zip(at.tolist(), rank.tolist(), *ends, strict=True)
    ]
    bars = None
    if low is not None and high is not None and np.isfinite(low).any():
        bars = {
            "type": "data",
            "symmetric": False,
            "array": high - value,
            "arrayminus": value - low,
            "color": palette.CONTROL,
            "thickness": 1.2,
            "width": 2,
        }
    return go.Scatter(
        x=at,
        y=value,
        mode="markers+text" if few else "markers",
        name=score.name,
        showlegend=False,
        marker={"size": 16 if few else 7, "color": fill, "opacity": 1},
        error_y=bars,
        text=[str(r) for r in rank.tolist()],
        textfont={"size": 9, "color": ink},
        cliponaxis=False,
        customdata=at,
        hovertext=said,
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _colours(rank: np.ndarray, n: int) -> tuple[list[str], list[str]]:
    """For each rank its fill, dark for the most important, and an ink that reads on it."""
    ramp = palette.POINT_RAMP[::-1]
    step = (rank - 1) * (len(ramp) - 1) / max(n - 1, 1)
    at = [round(float(x)) for x in step]
    return [ramp[i] for i in at], ["#FFFFFF" if i <= 3 else "#1F2630" for i in at]


def importance(table: pa.Table, name: str) -> np.ndarray:
    """A score (n,) turned so that a higher number means a more important layer."""
    value = numbers(table, name)
    return value if (SCORES | MEASURED)[name].high_is_important else -value


def ranks(table: pa.Table, name: str) -> np.ndarray:
    """The table's ranks, or ranks by value; 1 is the most important."""
    if f"{name}_rank" in table.column_names:
        return integers(table, f"{name}_rank")
    order = np.argsort(-importance(table, name), kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(1, len(order) + 1)
    return rank
