"""Items, raters, criteria and their thresholds on one ruler of logits.

Reads `items`(item, measure, ...), `raters`(rater, severity, ...), `criteria`(criterion,
difficulty, ...) and `thresholds`(criterion, step, threshold, place, ...).
"""

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
from plotly.subplots import make_subplots

from backend.analyses.result import Result
from backend.figures import palette, theme
from backend.figures.columns import integers, numbers, table_of, texts
from backend.figures.raters_said import (
    LOGITS,
    column,
    fit_said,
    flags,
    said_and_sample,
    zero_line,
)

_POINTS_MOST = 60  # more elements than this are a histogram
_CRITERIA_MOST = 40
_BINS = 40


def wright_map(result: Result) -> go.Figure:
    """Where items, raters, criteria and thresholds lie, beside each other.

    Up: items rated higher, harsher raters, criteria that are harder to reach. An item at the
    height of a threshold has even odds of the two categories with a rater at 0.
    """
    items = table_of(result, "items", "item", "measure")
    raters = table_of(result, "raters", "rater", "severity")
    criteria = table_of(result, "criteria", "criterion", "difficulty")
    fig = make_subplots(
        rows=1, cols=4, shared_yaxes=True, horizontal_spacing=0.015,
        column_widths=[0.27, 0.23, 0.2, 0.3],
        subplot_titles=("items", "raters: severity", "criteria", "thresholds"),
    )  # fmt: skip
    fig.update_annotations(font_size=12)
    _elements(fig, 1, items, texts(items, "item"), "measure", palette.BASELINE)
    _elements(fig, 2, raters, texts(raters, "rater"), "severity", palette.CATEGORIES[4])
    _criteria(fig, criteria)
    _thresholds(fig, result, texts(criteria, "criterion"))
    zero_line(fig)
    fig.update_xaxes(showticklabels=False, ticks="", showgrid=False)
    fig.update_yaxes(title_text=LOGITS, row=1, col=1)
    fig.update_layout(
        showlegend=False, bargap=0.02, uirevision="wright", margin={"t": 112},
        height=560,
    )  # fmt: skip
    said, sample = said_and_sample(result)
    return theme.finish(fig, "Everything on one ruler", said, sample=sample)


def _elements(
    fig: go.Figure, col: int, table: pa.Table, names: list[str], value: str, colour: str
) -> None:
    """Few elements as points with their intervals, many as a histogram lying on its side."""
    at = column(table, value)
    if len(at) > _POINTS_MOST:
        counts, edges = np.histogram(at, bins=_BINS)
        low, high = edges[:-1], edges[1:]
        fig.add_bar(
            x=counts,
            y=(low + high) / 2,
            width=high - low,
            orientation="h",
            marker={"color": colour, "line": {"width": 0}},
            text=[f"{theme.number(a)} to {theme.number(b)}"
                  for a, b in zip(low.tolist(), high.tolist(), strict=True)],
            textposition="none",
            hovertemplate=f"%{{text}} {LOGITS}: %{{x}}<extra></extra>",
            row=1,
            col=col,
        )  # fmt: skip
        return
    half = column(table, "high") - at
    extreme = flags(table, "extreme")
    fig.add_scatter(
        x=_spread(at),
        y=at,
        mode="markers",
        marker={"size": 7, "color": colour,
                "symbol": ["circle-open" if e else "circle" for e in extreme]},
        error_y={"type": "data", "array": half, "thickness": 0.8, "width": 0},
        customdata=names,
        text=fit_said(table, names, value),
        hovertemplate="%{text}<extra></extra>",
        row=1,
        col=col,
    )  # fmt: skip
    fig.update_xaxes(range=[-1.2, 1.2], row=1, col=col)


def _spread(at: np.ndarray) -> np.ndarray:
    """Sideways places (n,) that keep neighbours in height apart."""
    order = np.argsort(at, kind="stable")
    out = np.empty(len(at))
    out[order] = np.tile([0.0, -0.6, 0.6, -0.3, 0.3, -0.9, 0.9], len(at) // 7 + 1)[: len(at)]
    return out


def _criteria(fig: go.Figure, table: pa.Table) -> None:
    names, at = texts(table, "criterion"), column(table, "difficulty")
    labelled = len(names) <= _CRITERIA_MOST
    fig.add_scatter(
        x=_spread(at) / 2,
        y=at,
        mode="markers+text" if labelled else "markers",
        text=[theme.plain(name, 18) for name in names],
        textposition="middle right",
        textfont={"size": 10},
        marker={"size": 8, "color": palette.CATEGORIES[2], "symbol": "diamond"},
        customdata=names,
        hovertext=fit_said(table, names, "difficulty"),
        hovertemplate="%{hovertext}<extra></extra>",
        row=1,
        col=3,
    )
    fig.update_xaxes(range=[-0.8, 2.2], row=1, col=3)


def _thresholds(fig: go.Figure, result: Result, names: list[str]) -> None:
    """One upright line for each criterion, its thresholds on it; disordered ones stand out."""
    table = table_of(result, "thresholds", "criterion", "step", "threshold", "place")
    own = [names.index(name) for name in texts(table, "criterion")]
    step = integers(table, "step")
    disordered = flags(table, "disordered")
    fig.add_scatter(
        x=own,
        y=numbers(table, "place"),
        mode="markers+text" if len(names) <= _CRITERIA_MOST else "markers",
        text=[str(k) for k in step.tolist()],
        textposition="middle right",
        textfont={"size": 9},
        marker={
            "size": 7,
            "symbol": "line-ew-open",
            "line": {"width": 2},
            "color": [palette.WHATIF if d else palette.CATEGORIES[2] for d in disordered],
        },
        customdata=[names[i] for i in own],
        hovertext=[
            f"{theme.plain(names[i], 60)}: from {theme.plain(a, 20)} to {theme.plain(b, 20)} at "
            f"{theme.number(y)} {LOGITS}" + (", disordered" if d else "")
            for i, a, b, y, d in zip(
                own, texts(table, "from"), texts(table, "to"),
                column(table, "place").tolist(), disordered, strict=True,
            )
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        row=1,
        col=4,
    )  # fmt: skip
    fig.update_xaxes(range=[-0.8, len(names)], row=1, col=4)
