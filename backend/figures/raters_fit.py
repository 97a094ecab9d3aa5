"""Raters: how harsh each one is, how sure that is, and who answers against the rest.

Reads `raters`(rater, severity, se, low, high, infit, outfit, infit_z, n, flagged, extreme).
"""

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.blocks import one_of
from backend.figures.columns import table_of, texts
from backend.figures.lines import below_title
from backend.figures.raters_said import (
    column,
    fit_said,
    flags,
    said_and_sample,
    scatter_kind,
    zero_line,
)

_BARS_MOST = 400  # of more raters the intervals are a band
AXES = {"severity": "severity, logits", "outfit": "outfit", "n": "ratings given"}


def rater_severities(result: Result, *, current: str = "") -> go.Figure:
    """Each rater's severity with its 95 % interval, from the most lenient to the harshest.

    Flagged raters are amber, extreme ones hollow; `current` is framed.
    """
    table = table_of(result, "raters", "rater", "severity").sort_by("severity")
    names = texts(table, "rater")
    at, low, high = (column(table, c) for c in ("severity", "low", "high"))
    rank = np.arange(1, len(names) + 1)
    fig = go.Figure()
    many = len(names) > _BARS_MOST
    if many:
        fig.add_scatter(
            x=np.r_[rank, rank[::-1]], y=np.r_[low, high[::-1]], mode="lines", fill="toself",
            fillcolor=palette.fade(palette.BASELINE, 0.26), line={"width": 0}, hoverinfo="skip",
            showlegend=False, name="interval",
        )  # fmt: skip
    bars = {} if many else {"error_y": {"type": "data", "array": high - at, "thickness": 1,
                                        "width": 0}}  # fmt: skip
    _points(fig, rank, at, table, names, bars)
    if current in names:
        i = names.index(current)
        fig.add_vline(x=int(rank[i]), line={"color": palette.SELECTED, "width": 1.5})
    zero_line(fig)
    fig.update_xaxes(title_text="raters, from lenient to harsh", showgrid=False)
    fig.update_yaxes(title_text="severity, logits (higher gives lower ratings)")
    fig.update_layout(uirevision="severities")
    below_title(fig)
    said, sample = said_and_sample(result)
    return theme.finish(fig, "Which raters are harsh?", said, sample=sample)


def rater_fit(
    result: Result, *, y: str = "severity", low: float | None = None, high: float | None = None
) -> go.Figure:
    """Infit of each rater against severity, outfit or the number of ratings, with the bounds.

    Parameters
    ----------
    low, high : bounds of infit as upright lines; None: as the result was computed.
    """
    one_of(y, AXES, "axis")
    table = table_of(result, "raters", "rater", "infit", y)
    names, infit = texts(table, "rater"), column(table, "infit")
    if not np.isfinite(infit).any():
        raise AnalysisError("No rater has a fit statistic.", "Give raters whose ratings vary.")
    parameters = result.provenance.get("parameters") or {}
    low = parameters.get("infit_low", 0.5) if low is None else low
    high = parameters.get("infit_high", 1.5) if high is None else high
    fig = go.Figure()
    _points(fig, infit, column(table, y), table, names, {})
    for name, at in (("low", low), ("high", high)):
        fig.add_vline(
            x=at, name=f"bound {name}", line={"color": palette.WHATIF, "width": 1.5, "dash": "dash"}
        )
    fig.add_vline(x=1, line={"color": palette.CONTROL, "width": 1, "dash": "dot"}, layer="below")
    ends = [min(float(np.nanmin(infit)), low), max(float(np.nanmax(infit)), high)]
    room = 0.05 * (ends[1] - ends[0])
    fig.update_xaxes(
        title_text="infit (1 as expected, right: erratic, left: too predictable)",
        range=[ends[0] - room, ends[1] + room],
    )
    fig.update_yaxes(title_text=AXES[y])
    if y == "n":
        fig.update_yaxes(type="log")
    fig.update_layout(uirevision=f"rater fit {y}")
    below_title(fig)
    said, sample = said_and_sample(result)
    return theme.finish(fig, "Who answers against the rest?", said, sample=sample)


def _points(
    fig: go.Figure, x: np.ndarray, y: np.ndarray, table: pa.Table, names: list[str], bars: dict
) -> None:
    """Raters in three groups: as expected, flagged, extreme."""
    flagged, extreme = flags(table, "flagged"), flags(table, "extreme")
    said = fit_said(table, names, "severity")
    groups = (
        ("raters", ~flagged & ~extreme, palette.BASELINE, "circle"),
        ("flagged", flagged & ~extreme, palette.WHATIF, "diamond"),
        ("extreme, placed by rule", extreme, palette.CONTROL, "circle-open"),
    )
    kind = scatter_kind(len(names))
    for name, own, colour, symbol in groups:
        at = np.flatnonzero(own & np.isfinite(x) & np.isfinite(y))
        if not len(at):
            continue
        error = {key: {**bar, "array": bar["array"][at]} for key, bar in bars.items()}
        fig.add_trace(
            kind(
                x=x[at],
                y=y[at],
                mode="markers",
                name=name,
                marker={"size": 6, "color": colour, "symbol": symbol},
                customdata=[names[i] for i in at],
                text=[said[i] for i in at],
                hovertemplate="%{text}<extra></extra>",
                **error,
            )
        )
    fig.update_layout(showlegend=True)
