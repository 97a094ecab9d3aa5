"""Figures in the page's theme, and the strip of the model's layers."""

from collections.abc import Callable, Sequence

import plotly.graph_objects as go
import streamlit as st

from backend import WhatIf, figures
from ui.bench import Bench
from ui.opening import guarded, workbench

HERO_HEIGHT = 560
SLIDER_HEIGHT = 65
BUTTONS_WIDTH = 44
STRIP_WIDTH = 330  # its squares stay apart down to this many pixels
_SKIPPED = {"layer": "skipped", "attention": "skipped attention", "mlp": "skipped MLP"}
_UNUSED = ("sendChartToCloud", "autoScale2d", "zoomIn2d", "zoomOut2d")


def dark() -> bool:
    """Whether the page is drawn dark."""
    return st.context.theme.type == "dark"


def show(
    fig: go.Figure,
    *,
    key: str,
    alt: str,
    select: Callable[[], None] | None = None,
    modes: Sequence[str] = ("lasso", "box", "points"),
) -> None:
    """A figure in the page's theme; `select` is called when the reader selects points in it."""
    figures.set_mode(fig, "dark" if dark() else "light")
    _room_for_buttons(fig)
    options: dict = {"on_select": select, "selection_mode": modes} if select else {}
    config = figures.PLOTLY_CONFIG | {
        "modeBarButtonsToRemove": list(_UNUSED),
        "scrollZoom": bool(select),  # elsewhere the wheel moves the page
    }
    st.plotly_chart(fig, key=key, theme=None, config=config, alt=alt, **options)


def _room_for_buttons(fig: go.Figure) -> None:
    """The chart's buttons stand in a margin at the right, where they cover nothing."""
    right = fig.layout.margin.r
    right = BUTTONS_WIDTH if right is None else max(right, BUTTONS_WIDTH)
    fig.update_layout(modebar={"orientation": "v"}, margin={"r": right})
    for trace in fig.data:
        if trace.type == "heatmap":
            trace.colorbar.xpad = BUTTONS_WIDTH // 2
        elif trace.type in ("scatter", "scattergl") and trace.marker.showscale:
            trace.marker.colorbar.xpad = BUTTONS_WIDTH // 2


def legend_below(fig: go.Figure, *, bottom: int = 110) -> go.Figure:
    """The legend under the plot, so that the plot has the width; returns the same figure."""
    fig.update_layout(
        legend={"orientation": "h", "x": 0, "y": 0.04, "yref": "container", "yanchor": "bottom"},
        margin={"l": 34, "r": 10, "t": 78, "b": bottom},
    )
    return fig.update_annotations(yshift=3 - bottom, selector={"name": "footer"})


def level_with_slider() -> None:
    """Room as high as a slider, so that what follows stands level with the column beside it."""
    st.container(height=SLIDER_HEIGHT, border=False)


def layer_states(bench: Bench) -> list[dict]:
    """For each layer that the bench asks for: captured, running or missing, and how it is changed.

    Of a captured layer that the what-if skips, the skip is shown.
    """
    resolved = guarded(workbench().resolve, bench.ask)
    if resolved is None:
        return []
    lacking = {s for _, sites in workbench().plan(bench.ask).missing for s in sites}  # type: ignore[union-attr]
    asked = (bench.model, bench.data)
    under_way = any(
        (job.request.get("model"), job.request.get("data")) == asked
        for job in workbench().live_jobs()
    )
    absent = "running" if under_way else "missing"
    whatif, out = WhatIf.parse(bench.whatif), []
    for site in resolved.capture.sites:  # type: ignore[attr-defined]
        block = site.rpartition(".")[2]
        layer = int(block) if block.isdigit() else -1
        parts = whatif.skipped.get(layer, ())
        done = _SKIPPED["layer" if "layer" in parts else parts[0]] if parts else "captured"
        one = {"site": site, "state": absent if site in lacking else done}
        out.append(one | ({"bits": whatif.bits[layer]} if layer in whatif.bits else {}))
    return out


def strip(states: Sequence[dict], *, current: str | None = None) -> None:
    """The model's layers as a row of squares; a click on one picks that layer."""
    if not states:
        return
    marked = [s | {"state": "selected"} if s["site"] == current else s for s in states]
    captured = sum(one["state"] not in ("running", "missing") for one in states)
    fig = figures.layer_strip(marked).update_xaxes(tickangle=0)
    fig.update_traces(marker_size=max(6, min(20, STRIP_WIDTH // len(states))))
    said = f"{captured} of {len(states)} layers are captured"
    show(
        fig,
        key="strip",
        alt=said + (f", {current} is shown" if current else ""),
        select=_pick_layer,
        modes=("points",),
    )


def _pick_layer() -> None:
    points = st.session_state["strip"].selection.points
    if points:
        site = points[0].get("customdata")
        st.session_state["site"] = site[0] if isinstance(site, list | tuple) else site
