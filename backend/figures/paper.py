"""A figure made ready for a file of a fixed width: white, 8 to 10 point, nothing overlapping."""

import math
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
    copy.update_layout(updatemenus=[], sliders=[], transition=None, autosize=False)
    theme.set_mode(copy, "print")
    _vectors(copy)
    top = _wrap(copy, width)
    legend = _legend(copy, width)
    old = copy.layout.margin
    bottom = min(old.b or 0, 82) or 82
    copy.update_layout(margin={"t": top + legend, "b": bottom, "l": old.l, "r": max(old.r or 0, 16)})
    copy.update_annotations({"yshift": 3 - bottom}, selector={"name": "footer"})
    if height is None:
        height = fig.layout.height or round(top + legend + bottom + 0.62 * width)
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
    fig.update_layout(
        title={"text": "<br>".join(titles), "subtitle": {"text": "<br>".join(small)}}
    )
    return round(20 + len(titles) * _TITLE_PX * 1.3 + len(small) * _SMALL_PX * 1.3)


def _legend(fig: go.Figure, width: int) -> int:
    """On a narrow page the legend goes above the axes; returns the px that it needs there."""
    names = [t.name or "" for t in fig.data if t.showlegend is not False and t.type != "heatmap"]
    shown = fig.layout.showlegend if fig.layout.showlegend is not None else len(names) > 1
    if not shown or not names:
        return 0
    if fig.layout.legend.orientation != "h":
        if width >= 480:
            return 0
        fig.update_layout(
            legend={"orientation": "h", "x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom"}
        )
        fig.update_layout(legend={"title": {"text": ""}})
    longest = max(len(name) for name in names) * _SMALL_PX * 0.6 + 46
    per_row = max(1, int((width - 80) // longest))
    return 8 + 18 * math.ceil(len(names) / per_row)
