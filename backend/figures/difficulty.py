"""Do harder questions use deeper layers?  The depth score against difficulty.

Reads the table `scores`(group, measure, n, score, low, high, answered).
"""

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.blocks import sample_of
from backend.figures.columns import blocks_of, integers, numbers, scalar_of, table_of, texts
from backend.figures.lines import below_title, error_bars

SCORES = {  # name, colour, symbol, beside the group's tick
    "effect": ("effect on later layers", palette.BASELINE, "circle", -0.07),
    "output": ("effect on the output", palette.CATEGORIES[3], "diamond", 0.07),
}


def depth_scores(result: Result) -> go.Figure:
    """The mean depth at which a skipped layer is felt, against how hard the question is.

    The dashed line is the score of a model all of whose layers matter alike.
    """
    table = table_of(result, "scores", "group", "measure", "n", "score", "low", "high")
    said, sample = sample_of(result, "hops", "prompt")
    n_blocks = int(scalar_of(result, "hops", "blocks") or blocks_of(said, ()))
    if not n_blocks:
        raise AnalysisError("The result does not say how many blocks the model has.")
    groups = list(dict.fromkeys(texts(table, "group")))
    fig = go.Figure()
    for measure, look in SCORES.items():
        if measure in texts(table, "measure"):
            fig.add_trace(_scores(table, groups, measure, *look))
    if not fig.data:
        raise AnalysisError(
            "The depth scores have no known measure.", f"Known: {', '.join(SCORES)}."
        )
    fig.add_scatter(
        x=[-0.5, len(groups) - 0.5],
        y=[(n_blocks - 1) / 2] * 2,
        mode="lines",
        name="all layers alike",
        line={"color": palette.CONTROL, "width": 1.5, "dash": "dash"},
        hovertemplate="all layers alike: %{y:.3r}<extra></extra>",
    )
    fig.update_xaxes(
        tickvals=list(range(len(groups))),
        ticktext=[theme.plain(group, 24) for group in groups],
        range=[-0.5, len(groups) - 0.5],
        showgrid=False,
        title_text="difficulty",
    )
    fig.update_yaxes(title_text="depth score, blocks", range=[0, n_blocks - 1])
    fig.update_layout(uirevision="depth scores")
    below_title(fig)
    fig.update_layout(legend={"itemsizing": "trace"})  # dashes stay dashes
    return theme.finish(fig, "Do harder questions use deeper layers?", said, sample=sample)


def _scores(
    table: pa.Table, groups: list[str], measure: str, name: str, colour: str, symbol: str, by: float
) -> go.Scatter:
    at = np.flatnonzero(np.array(texts(table, "measure")) == measure)
    at = at[np.argsort([groups.index(texts(table, "group")[i]) for i in at], kind="stable")]
    score, low, high = (numbers(table, c)[at] for c in ("score", "low", "high"))
    answered = numbers(table, "answered")
    own = [texts(table, "group")[i] for i in at]
    hover = [
        f"{theme.plain(group)}: {theme.interval(*(float(x) for x in ends))}"
        f"<br>n {theme.count(n)}"
        + ("" if answered is None else f", {100 * answered[i]:.0f} % answered right first")
        for group, n, i, ends in zip(
            own,
            integers(table, "n")[at].tolist(),
            at,
            zip(score, low, high, strict=True),
            strict=True,
        )
    ]
    return go.Scatter(
        x=[groups.index(group) + by for group in own],
        y=score,
        mode="lines+markers",
        name=name,
        line={"color": colour, "width": 1.5},
        marker={"size": 8, "color": colour, "symbol": symbol},
        error_y=error_bars(score, low, high),
        customdata=own,
        text=hover,
        hovertemplate=f"{name}<br>%{{text}}<extra></extra>",
    )
