"""Do two ways of saying which layers matter agree?  One score against another.

Reads the table `scores`(layer, lim, zd, sensitivity, ...) with NAME_low and NAME_high.
"""

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa

from backend.analyses.intervals import rank_correlation
from backend.analyses.result import Result
from backend.figures import palette, theme
from backend.figures.blocks import block_name, one_of, sample_of
from backend.figures.columns import integers, numbers, table_of
from backend.figures.quantization import MEASURED, SCORES, importance
from backend.figures.quantization import ranks as places

KNOWN = SCORES | MEASURED


def score_scatter(
    result: Result, x: str = "lim", y: str = "sensitivity", *, ranks: bool = True
) -> go.Figure:
    """Each layer's place by one score against its place by another, with their rank correlation.

    Parameters
    ----------
    x, y : keys of `SCORES`, `sensitivity` or `pruned`.
    ranks : whether the axes are ranks (1 matters most), or the values with their intervals, in
        which one or two unusual layers push the others together.

    The correlation is of importance: ZD, where low numbers matter, is turned round.
    """
    for name in (x, y):
        one_of(name, KNOWN, "score")
    table = table_of(result, "scores", "layer", x, y).sort_by("layer")
    at = integers(table, "layer")
    n_blocks = int(at.max()) + 1
    step = [round(i * (len(palette.POINT_RAMP) - 1) / max(n_blocks - 1, 1)) for i in at.tolist()]
    across, up = (places(table, n) if ranks else numbers(table, n) for n in (x, y))
    fig = go.Figure()
    if ranks:
        _alike(fig, len(at))
    fig.add_scatter(
        x=across,
        y=up,
        mode="markers+text",
        name="layer",
        text=[str(i) for i in at.tolist()],
        textfont={"size": 9, "color": ["#FFFFFF" if i > 2 else "#1F2630" for i in step]},
        marker={"size": 17, "opacity": 1, "color": [palette.POINT_RAMP[i] for i in step]},
        error_x=None if ranks else _error(table, x),
        error_y=None if ranks else _error(table, y),
        customdata=at,
        hovertext=[_pair(table, i, (x, y), n_blocks) for i in range(len(at))],
        hovertemplate="%{hovertext}<extra></extra>",
    )
    for name, update in ((x, fig.update_xaxes), (y, fig.update_yaxes)):
        update(title_text=_title(name, ranks=ranks))
        if not (ranks or KNOWN[name].high_is_important):
            update(autorange="reversed")
    fig.update_layout(uirevision="score scatter", showlegend=False)
    said, sample = sample_of(result, "quantization", "text")
    rho = theme.interval(*rank_correlation(importance(table, x), importance(table, y)))
    sample.insert(0, f"Spearman ρ {rho} over {len(at)} layers")
    title = f"{KNOWN[x].name} against {KNOWN[y].name}"
    return theme.finish(fig, title, said, sample=sample)


def _alike(fig: go.Figure, n: int) -> None:
    """Where both scores give the same rank."""
    fig.add_scatter(
        x=[1, n],
        y=[1, n],
        mode="lines",
        name="same rank",
        line={"color": palette.CONTROL, "width": 1.2, "dash": "dash"},
        hoverinfo="skip",
    )
    fig.update_xaxes(range=[0, n + 1]).update_yaxes(range=[0, n + 1])


def _title(name: str, *, ranks: bool) -> str:
    score = theme.plain(KNOWN[name].name)
    return f"rank by {score} (1 matters most)" if ranks else f"{score} ({KNOWN[name].remark})"


def _error(table: pa.Table, name: str) -> dict | None:
    value, low, high = (numbers(table, f"{name}{end}") for end in ("", "_low", "_high"))
    if low is None or high is None or not np.isfinite(low).any():
        return None
    look = {"color": palette.CONTROL, "thickness": 1, "width": 0, "type": "data"}
    return look | {"symmetric": False, "array": high - value, "arrayminus": value - low}


def _pair(table: pa.Table, i: int, names: tuple[str, str], n_blocks: int) -> str:
    """What a point says: the block, and both numbers with interval and rank."""
    lines = [block_name(int(integers(table, "layer")[i]), n_blocks)]
    for name in names:
        columns = (numbers(table, f"{name}{end}") for end in ("", "_low", "_high"))
        ends = [None if column is None else float(column[i]) for column in columns]
        rank = f"rank {places(table, name)[i]}"
        lines.append(f"{theme.plain(KNOWN[name].name)} {theme.interval(*ends)}, {rank}")
    return "<br>".join(lines)
