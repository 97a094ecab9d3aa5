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
    "skipped attention": ("rgba(0,0,0,0)", palette.WHATIF, "attention skipped (what-if)"),
    "skipped MLP": ("rgba(0,0,0,0)", palette.WHATIF, "MLP skipped (what-if)"),
    "selected": (palette.SELECTED, palette.SELECTED, "selected"),
}
HALVES = {"skipped attention": "line-ne", "skipped MLP": "line-nw"}  # one stroke of the cross
HEIGHT = 64


def layer_strip(states: Sequence[Mapping[str, object]]) -> go.Figure:
    """A slim row of clickable squares, first layer left.

    It is a control, not a result: it has no title and no provenance.

    Parameters
    ----------
    states : for each site in order `site`, `label`, `state` (a key of `STATES`), and optionally
        `bits`, which is written inside the square; its edge turns to the what-if's colour.
    """
    for one in states:
        if one["state"] not in STATES:
            raise AnalysisError(
                f"{one['site']} has the unknown state {one['state']!r}.",
                f"Use: {', '.join(STATES)}.",
            )
    fig = go.Figure(_squares(states))
    if any(one["state"] in HALVES for one in states):
        fig.add_trace(_strokes(states))
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
    kinds = [STATES[str(one["state"])] for one in states]
    lowered = [one.get("bits") is not None and one["state"] != "skipped" for one in states]
    return go.Scatter(
        x=list(range(n)),
        y=[0] * n,
        mode="markers+text",
        customdata=[str(one["site"]) for one in states],
        text=[str(one["bits"]) if low else "" for one, low in zip(states, lowered, strict=True)],
        textfont={
            "size": 10 if n <= 40 else 8,
            "weight": 700,
            "color": [_ink(str(one["state"])) for one in states],
        },
        hovertext=[_words(one, low) for one, low in zip(states, lowered, strict=True)],
        hovertemplate="%{hovertext}<extra></extra>",
        marker={
            "symbol": [_symbol(str(one["state"])) for one in states],
            "size": _size(n),
            "color": [_fill(str(s["state"]), low) for s, low in zip(states, lowered, strict=True)],
            "line": {
                "width": [2 if low else 1.5 for low in lowered],
                "color": [
                    palette.WHATIF if low else kind[1]
                    for kind, low in zip(kinds, lowered, strict=True)
                ],
            },
        },
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
    )


def _strokes(states: Sequence[Mapping[str, object]]) -> go.Scatter:
    """One stroke over each square of which one half is skipped; clicks go to the square."""
    half = [(i, HALVES[str(s["state"])]) for i, s in enumerate(states) if s["state"] in HALVES]
    under = [
        palette.fade(palette.WHATIF, 1 if states[i].get("bits") is None else 0.5) for i, _ in half
    ]
    return go.Scatter(
        x=[i for i, _ in half],
        y=[0] * len(half),
        mode="markers",
        name="half skipped",
        marker={
            "symbol": [symbol for _, symbol in half],
            "size": _size(len(states)),
            "line": {"width": 2, "color": under},
        },
        hoverinfo="skip",
        zorder=-1,  # numbers stay in front
        unselected={"marker": {"opacity": 1}},
    )


def _size(n: int) -> int:
    return max(7, min(20, 620 // max(n, 1)))


def _words(one: Mapping[str, object], lowered: bool) -> str:
    label = theme.plain(one.get("label") or one["site"])
    bits = f", {theme.plain(one['bits'])} bits" if lowered else ""
    return f"{label}: {STATES[str(one['state'])][2]}{bits}"


def _ink(state: str) -> str:
    """The colour of the number of bits: it reads on the square, on white and on the dark page."""
    return "#FFFFFF" if state in ("captured", "selected") else palette.MUTED


def _fill(state: str, lowered: bool) -> str:
    if lowered and state == "running":
        return palette.fade(palette.BASELINE, 0.2)
    return STATES[state][0]


def _symbol(state: str) -> str:
    """A second sign beside colour: a skipped layer is crossed out."""
    return "square-x-open" if state == "skipped" else "square"
