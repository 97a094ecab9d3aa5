"""The model as a strip of layers: which are captured, running, missing, skipped, selected."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.sites import site_ticks

STATES = {  # state: fill, edge, words
    "captured": (palette.BASELINE, palette.BASELINE, "captured"),
    "running": (palette.fade(palette.BASELINE, 0.4), palette.BASELINE, "being captured"),
    "missing": ("rgba(0,0,0,0)", palette.CONTROL, "not captured"),
    "skipped": (palette.WHATIF, palette.WHATIF, "skipped (what-if)"),
    "selected": (palette.SELECTED, palette.SELECTED, "selected"),
}
HEIGHT = 64


def layer_strip(states: Sequence[Mapping[str, object]]) -> go.Figure:
    """A slim row of clickable squares, first layer left.

    It is a control, not a result: it has no title and no provenance.

    Parameters
    ----------
    states : for each site in order `site`, `label`, `state` (a key of `STATES`), and optionally
        `bits`, which is written inside the square in the what-if colour.
    """
    for one in states:
        if one["state"] not in STATES:
            raise AnalysisError(
                f"{one['site']} has the unknown state {one['state']!r}.",
                f"Use: {', '.join(STATES)}.",
            )
    fig = go.Figure(_squares(states))
    at, text = site_ticks([str(one["site"]) for one in states], most=12, depth=False)
    fig.update_xaxes(
        tickvals=at,
        ticktext=text,
        range=[-0.8, len(states) - 0.2],
        showgrid=False,
        showline=False,
        ticks="",
        fixedrange=True,
        tickfont={"size": 10, "color": palette.MUTED},
    )
    fig.update_yaxes(visible=False, range=[-1, 1], fixedrange=True)
    return fig.update_layout(
        template=theme.TEMPLATES["light"],
        height=HEIGHT,
        margin={"l": 4, "r": 4, "t": 6, "b": 22},
        showlegend=False,
        clickmode="event+select",
        dragmode=False,
        hovermode="closest",
        uirevision="strip",
    )


def _squares(states: Sequence[Mapping[str, object]]) -> go.Scatter:
    n = len(states)
    size = max(7, min(20, 620 // max(n, 1)))
    kinds = [STATES[str(one["state"])] for one in states]
    labels = [theme.plain(one.get("label") or one["site"]) for one in states]
    return go.Scatter(
        x=list(range(n)),
        y=[0] * n,
        mode="markers+text",
        customdata=[str(one["site"]) for one in states],
        text=["" if one.get("bits") is None else str(one["bits"]) for one in states],
        textfont={"size": max(8, size // 2), "color": palette.WHATIF},
        hovertext=[f"{label}: {kind[2]}" for label, kind in zip(labels, kinds, strict=True)],
        hovertemplate="%{hovertext}<extra></extra>",
        marker={
            "symbol": [_symbol(str(one["state"])) for one in states],
            "size": size,
            "color": [kind[0] for kind in kinds],
            "line": {"width": 1.5, "color": [kind[1] for kind in kinds]},
        },
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
    )


def _symbol(state: str) -> str:
    """A second sign beside colour: a skipped layer is crossed out."""
    return "square-x-open" if state == "skipped" else "square"
