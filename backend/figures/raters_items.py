"""Items: their measures with intervals, what severity moved, and before against after.

Reads `items`(item, measure, low, high, raw_mean, shift, ...) and
`before_after`(item, before, after).
"""

import numpy as np
import plotly.graph_objects as go

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.blocks import one_of
from backend.figures.columns import scalar_of, table_of, texts
from backend.figures.raters_said import (
    LOGITS,
    both_ends,
    column,
    fit_said,
    flags,
    said_and_sample,
    scatter_kind,
    zero_line,
)

ORDERS = {"measure": "the lowest and highest", "shift": "the most moved"}


def item_scores(result: Result, *, most: int = 40, by: str = "measure") -> go.Figure:
    """Items' measures with 95 % intervals, beside what they would be with all raters alike.

    Parameters
    ----------
    most : how many items.
    by : "measure", the lowest and highest; "shift", those that severity moved most.
    """
    one_of(by, ORDERS, "order")
    table = table_of(result, "items", "item", "measure", "low", "high")
    value = column(table, "measure")
    if by == "shift":
        at = np.argsort(-np.abs(column(table, "shift")), kind="stable")[:most]
        at = at[np.argsort(value[at], kind="stable")]
    else:
        at = both_ends(value, most)
    part = table.take(at)
    names, extreme = texts(part, "item"), flags(part, "extreme")
    place = np.arange(len(at))
    fig = go.Figure()
    fig.add_scatter(
        x=column(part, "raw_measure"), y=place, mode="markers", name="raters taken as alike",
        marker={"size": 7, "color": palette.CONTROL, "symbol": "line-ns-open",
                "line": {"width": 2}},
        hovertemplate=f"raters taken as alike: %{{x:.3r}} {LOGITS}<extra></extra>",
    )  # fmt: skip
    measure = column(part, "measure")
    fig.add_scatter(
        x=measure, y=place, mode="markers", name="measure",
        marker={"size": 8, "color": palette.BASELINE,
                "symbol": ["circle-open" if e else "circle" for e in extreme]},
        error_x={"type": "data", "array": column(part, "high") - measure, "thickness": 1.2,
                 "width": 3},
        customdata=names, text=fit_said(part, names, "measure"),
        hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip
    fig.update_yaxes(
        tickvals=place.tolist(), ticktext=[theme.plain(n, 24) for n in names], showgrid=False
    )
    fig.update_xaxes(title_text=f"measure, {LOGITS}")
    fig.update_layout(
        uirevision="items", height=max(360, 190 + 15 * len(at)), margin={"l": 150, "t": 112},
        legend={"orientation": "h", "x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom"},
    )  # fmt: skip
    said, sample = said_and_sample(result)
    note = "" if len(at) == table.num_rows else f"{ORDERS[by]} {len(at)}"
    title = "What the items score"
    return theme.finish(fig, title, said, sample=sample, note=note)


def raw_against_measure(result: Result) -> go.Figure:
    """Each item's raw mean rating against its measure; colour is what severity moved it by."""
    table = table_of(result, "items", "item", "measure", "raw_mean", "shift")
    names = texts(table, "item")
    shift = column(table, "shift")
    reach = float(np.nanmax(np.abs(shift))) or 1.0
    kind = scatter_kind(len(names))
    fig = go.Figure(
        kind(
            x=column(table, "raw_mean"),
            y=column(table, "measure"),
            mode="markers",
            marker={
                "size": 6,
                "color": shift,
                "cmin": -reach,
                "cmax": reach,
                "colorscale": palette.scale(palette.DIVERGING),
                "colorbar": {"title": {"text": f"moved by, {LOGITS}"}},
            },
            customdata=names,
            text=[
                f"{line}<br>moved by {theme.number(s)}"
                for line, s in zip(fit_said(table, names, "measure"), shift.tolist(), strict=True)
            ],
            hovertemplate="%{text}<br>raw mean %{x:.3f}<extra></extra>",
        )
    )
    fig.update_xaxes(title_text="raw mean, share of the highest rating")
    fig.update_yaxes(title_text=f"measure, {LOGITS}")
    fig.update_layout(uirevision="raw", showlegend=False)
    said, sample = said_and_sample(result)
    return theme.finish(fig, "Raw means against debiased measures", said, sample=sample)


def measures_before_after(result: Result) -> go.Figure:
    """Items' measures with all raters against those without the dropped ones."""
    table = table_of(result, "before_after", "item", "before", "after")
    names = texts(table, "item")
    before, after = column(table, "before"), column(table, "after")
    if not len(names):
        raise AnalysisError("No item has a measure before and after.", "Drop fewer raters.")
    ends = [float(np.nanmin([before, after])), float(np.nanmax([before, after]))]
    fig = go.Figure()
    fig.add_scatter(
        x=ends, y=ends, mode="lines", name="unchanged", hoverinfo="skip",
        line={"color": palette.CONTROL, "width": 1.2, "dash": "dash"},
    )  # fmt: skip
    fig.add_trace(
        scatter_kind(len(names))(
            x=before,
            y=after,
            mode="markers",
            name="items",
            marker={"size": 6, "color": palette.BASELINE},
            customdata=names,
            text=[theme.plain(name, 60) for name in names],
            hovertemplate="%{text}: %{x:.3r} before, %{y:.3r} after<extra></extra>",
        )
    )
    zero_line(fig)
    fig.update_xaxes(title_text=f"measure with all raters, {LOGITS}")
    fig.update_yaxes(title_text=f"measure without the dropped raters, {LOGITS}")
    fig.update_layout(uirevision="before", showlegend=False)
    said, sample = said_and_sample(result)
    ends = [scalar_of(result, "raters", f"before_after{end}") for end in ("", "_low", "_high")]
    dropped = scalar_of(result, "raters", "dropped")
    note = f"r {theme.interval(*ends)}, {dropped} raters dropped"
    return theme.finish(fig, "What dropping raters changes", said, sample=sample, note=note)
