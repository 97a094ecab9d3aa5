"""Lines over the layers, with intervals as bands and controls as quiet lines."""

import numpy as np
import plotly.graph_objects as go

from backend.figures import palette, theme
from backend.figures.sites import count_blocks, site_label

NULL = "rows shuffled"


def add_line(
    fig: go.Figure,
    sites: list[str],
    points: dict[str, dict[str, float]],
    *,
    name: str,
    colour: str,
    cell: tuple[int, int] | None = None,
    legend: bool = True,
    n_blocks: int = 0,
) -> None:
    """A line over the sites with its interval as a band; a dotted line for the chance level.

    `points` gives value, low, high and null by site; sites without a point leave a gap. `cell`
    is the subplot's row and column.
    """
    place = {} if cell is None else {"row": cell[0], "col": cell[1]}
    x = np.arange(len(sites))
    drawn = {
        field: np.array([points.get(s, {}).get(field, np.nan) for s in sites], dtype=np.float32)
        for field in ("value", "low", "high", "null")
    }
    add_band(fig, x, drawn["low"], drawn["high"], name=name, colour=colour, place=place)
    labels = [site_label(site, n_blocks or count_blocks(sites)) for site in sites]
    said = [theme.interval(*(float(drawn[f][i]) for f in ("value", "low", "high"))) for i in x]
    fig.add_scatter(
        x=x,
        y=drawn["value"],
        mode="lines+markers",
        name=name,
        legendgroup=name,
        showlegend=legend,
        line={"color": colour, "width": 2},
        marker={"size": 4.5, "color": colour},
        text=labels,
        customdata=np.array([sites, said]).T,
        hovertemplate="%{text}: %{customdata[1]}<extra>" + theme.plain(name) + "</extra>",
        **place,
    )
    if np.isfinite(drawn["null"]).any():
        first = legend and not any(trace.name == NULL for trace in fig.data)
        add_control(fig, x, drawn["null"], name=NULL, dash="dot", legend=first, place=place)


def add_band(
    fig: go.Figure,
    x: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    *,
    name: str,
    colour: str,
    place: dict | None = None,
) -> None:
    """The area between low and high where both are known, faded, without a legend of its own."""
    known = np.isfinite(low) & np.isfinite(high)
    if known.any():
        fig.add_scatter(
            x=np.r_[x[known], x[known][::-1]],
            y=np.r_[low[known], high[known][::-1]],
            mode="lines",
            fill="toself",
            fillcolor=palette.fade(colour, 0.26),
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
            legendgroup=name,
            name=f"{name}: interval",
            **(place or {}),
        )


def add_control(
    fig: go.Figure,
    x: np.ndarray,
    y: np.ndarray,
    *,
    name: str,
    dash: str,
    legend: bool,
    place: dict,
) -> None:
    """A quiet grey line that says what chance alone would show."""
    fig.add_scatter(
        x=x,
        y=y,
        mode="lines",
        name=name,
        legendgroup=name,
        showlegend=legend,
        line={"color": palette.CONTROL, "width": 1.5, "dash": dash},
        hovertemplate=f"{name} %{{y:.3r}}<extra></extra>",
        **place,
    )


def error_bars(value: np.ndarray, low: np.ndarray, high: np.ndarray, *, width: int = 3) -> dict:
    """Intervals as plotly's bars on points; `width` is that of their ends, in pixels."""
    return {
        "type": "data", "symmetric": False, "array": high - value, "arrayminus": value - low,
        "thickness": 1.2, "width": width,
    }  # fmt: skip


def below_title(fig: go.Figure) -> None:
    """Lay the legend in one row between the small print and the axes."""
    fig.update_layout(
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1.0, "yanchor": "bottom"},
        margin={"t": 112, "l": 64, "r": 24, "b": 82},
    )


def layer_axis(fig: go.Figure, at: list[int], text: list[str]) -> None:
    """Blocks and their depth along x, first layer left."""
    fig.update_xaxes(
        tickvals=at, ticktext=text, title_text="block, depth", showgrid=False, tickangle=0
    )
