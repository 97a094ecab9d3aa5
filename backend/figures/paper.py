"""A figure made ready for a file of a fixed width: white, 8 to 10 point, nothing overlapping."""

import textwrap

import plotly.graph_objects as go

from backend.figures import theme
from backend.figures.cloud import SVG_MOST

PX_PER_MM = 96 / 25.4
_TITLE_PX, _SMALL_PX = 14, 10  # 10.5 and 7.5 point
_EM = 0.53  # mean width of a letter in letter heights, on the safe side


def for_paper(fig: go.Figure, *, width: int, height: int | None = None) -> tuple[go.Figure, int]:
    """A copy in the print theme with titles wrapped to `width` px, and its height in px.

    Without a height the axes keep the shape that they have on the page.
    """
    copy = go.Figure(fig.to_dict())
    copy.frames = []
    copy.layout.updatemenus = copy.layout.sliders = copy.layout.transition = None
    theme.set_mode(copy, "print")
    _vectors(copy)
    top = _wrap(copy, width)
    above = _wrap_panels(copy, width)
    rows = _legend_rows(copy, width)
    legend = 6 + 19 * rows if rows else 0
    old = copy.layout.margin
    bottom = min(old.b or 82, 82)
    margin = {"t": top + legend + above, "b": bottom, "l": old.l or 64, "r": max(old.r or 0, 16)}
    copy.update_layout(margin=margin)
    copy.update_annotations({"yshift": 3 - bottom}, selector={"name": "footer"})
    if height is None:
        height = fig.layout.height or round(margin["t"] + bottom + 0.62 * width)
    if rows:
        place = {"yref": "container", "y": 1 - top / height, "yanchor": "top", "x": 0}
        copy.update_layout(legend={"orientation": "h", "xanchor": "left", **place})
        copy.update_layout(legend={"title": {"text": ""}})
    return copy, int(height)


def _vectors(fig: go.Figure) -> None:
    """WebGL traces would be pixels inside a vector file; draw them as vectors while few."""
    total = sum(len(trace.x) for trace in fig.data if trace.type == "scattergl")
    if 0 < total <= SVG_MOST:
        data = [
            {**trace.to_plotly_json(), "type": "scatter"}
            if trace.type == "scattergl"
            else trace.to_plotly_json()
            for trace in fig.data
        ]
        fig.data = []
        fig.add_traces(data)


def _wrap(fig: go.Figure, width: int) -> int:
    """Wrap title and small print; returns the px that they need."""
    title, subtitle = fig.layout.title.text or "", fig.layout.title.subtitle.text or ""
    room = width - 28
    titles = textwrap.wrap(title, int(room / (_TITLE_PX * _EM)), break_long_words=False)
    small = [
        line
        for part in subtitle.split("<br>")
        for line in textwrap.wrap(part, int(room / (_SMALL_PX * _EM)), break_long_words=False)
    ]
    fig.update_layout(title={"text": "<br>".join(titles), "subtitle": {"text": "<br>".join(small)}})
    return round(28 + len(titles) * _TITLE_PX * 1.3 + len(small) * _SMALL_PX * 1.3)


def _wrap_panels(fig: go.Figure, width: int) -> int:
    """Wrap the titles of small multiples; returns the px that the first row needs."""
    panels = [note for note in fig.layout.annotations if note.name != "footer"]
    most = 0
    for panel in panels:
        lines = textwrap.wrap(panel.text, max(12, int((width / 2 - 50) / (_SMALL_PX * 0.6))))
        panel.update(text="<br>".join(lines), font={"size": _SMALL_PX}, align="left")
        most = max(most, len(lines))
    return 8 + 13 * most if panels else 0


def _legend_rows(fig: go.Figure, width: int) -> int:
    """How many rows a legend above the axes takes; 0 where it stays on the right or is none."""
    named = [t for t in fig.data if t.showlegend is not False and t.type != "heatmap"]
    shown = fig.layout.showlegend if fig.layout.showlegend is not None else len(named) > 1
    upright = fig.layout.legend.orientation != "h"
    if not shown or not named or (upright and width >= 480):
        return 0
    room = width - (fig.layout.margin.l or 64) - (fig.layout.margin.r or 24)
    needs = [0.62 * _SMALL_PX * len(trace.name or "") + 46 for trace in named]
    return -(-len(needs) // max(1, int(room // max(needs))))
