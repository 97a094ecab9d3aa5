"""A criterion: where each category is likely, and whether mean ratings follow what is expected.

Reads `curves`(criterion, series, theta, value, low, high, n) and `thresholds`(criterion, step,
place, from, to).
"""

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.compute as pc
from plotly.subplots import make_subplots

from backend.analyses.result import Result
from backend.figures import palette, theme
from backend.figures.blocks import one_of
from backend.figures.columns import numbers, table_of, texts
from backend.figures.raters_said import column, flags, said_and_sample


def criterion_curves(result: Result, criterion: str = "") -> go.Figure:
    """Category probabilities with thresholds, above the expected score with observed means.

    Parameters
    ----------
    criterion : its name; "" is the first.
    """
    whole = table_of(result, "curves", "criterion", "series", "theta", "value", "low", "high", "n")
    known = list(dict.fromkeys(texts(whole, "criterion")))
    criterion = one_of(criterion or known[0], known, "criterion")
    table = whole.filter(pc.equal(whole["criterion"], criterion))
    steps = table_of(result, "thresholds", "criterion", "step", "place", "from", "to")
    steps = steps.filter(pc.equal(steps["criterion"], criterion))
    fig = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.08)
    names = [texts(steps, "from")[0], *texts(steps, "to")]
    for code, name in enumerate(names):
        _category(fig, _series(table, str(code)), name, code)
    for place, bad in zip(column(steps, "place").tolist(), flags(steps, "disordered"), strict=True):
        colour = palette.WHATIF if bad else palette.CONTROL
        line = {"color": colour, "width": 1.2, "dash": "dash"}
        fig.add_vline(x=place, line=line, row=1, col=1)
    _expected(fig, _series(table, "expected"), _series(table, "observed"))
    fig.update_yaxes(title_text="probability", range=[0, 1.02], row=1, col=1)
    fig.update_yaxes(
        title_text="rating", row=2, col=1, range=[-0.1, len(names) - 0.9],
        tickvals=list(range(len(names))), ticktext=[theme.plain(n, 12) for n in names],
    )  # fmt: skip
    fig.update_xaxes(title_text="item less severity, logits", row=2, col=1)
    fig.update_layout(
        uirevision=f"curves {criterion}", height=560, legend={"x": 1.01, "y": 1, "xanchor": "left"}
    )
    said, sample = said_and_sample(result)
    title = f"How ratings of {str(criterion)[:60]} are given"
    return theme.finish(fig, title, said, sample=sample)


def _series(table: pa.Table, name: str) -> pa.Table:
    return table.filter(pc.equal(table["series"], name)).sort_by("theta")


def _category(fig: go.Figure, part: pa.Table, name: str, code: int) -> None:
    colour = palette.CATEGORIES[code % len(palette.CATEGORIES)]
    label = theme.plain(name, 24)
    fig.add_scatter(
        x=numbers(part, "theta"),
        y=numbers(part, "value"),
        mode="lines",
        name=label,
        line={"color": colour, "width": 2},
        hovertemplate=f"{label}: %{{y:.2f}} at %{{x:.2f}}<extra></extra>",
        row=1,
        col=1,
    )


def _expected(fig: go.Figure, expected: pa.Table, observed: pa.Table) -> None:
    fig.add_scatter(
        x=numbers(expected, "theta"),
        y=numbers(expected, "value"),
        mode="lines",
        name="expected",
        line={"color": palette.CONTROL, "width": 2},
        hovertemplate="expected %{y:.2f} at %{x:.2f}<extra></extra>",
        row=2,
        col=1,
    )
    value, low, high = (column(observed, c) for c in ("value", "low", "high"))
    n = column(observed, "n").tolist()
    fig.add_scatter(
        x=numbers(observed, "theta"),
        y=value,
        mode="markers",
        name="observed means",
        marker={"size": 7, "color": palette.BASELINE},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": np.nan_to_num(high - value),
            "arrayminus": np.nan_to_num(value - low),
            "thickness": 1.2,
            "width": 3,
        },
        text=[
            f"observed {theme.interval(*ends)}, n {theme.count(k)}"
            for *ends, k in zip(value.tolist(), low.tolist(), high.tolist(), n, strict=True)
        ],
        hovertemplate="%{text}<extra></extra>",
        row=2,
        col=1,
    )
