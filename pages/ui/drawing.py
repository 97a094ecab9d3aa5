"""Figures in the page's theme, their tables, and everything that can be taken away."""

from collections.abc import Callable

import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from backend import Workbench, figures
from ui.points import limits, sites_of
from ui.waiting import kept


def dark() -> bool:
    """Whether the page is drawn dark."""
    return st.context.theme.type == "dark"


def show(fig: go.Figure, *, key: str, alt: str, select: Callable[[], None] | None = None) -> None:
    """A figure in the page's theme; `select` is called when the reader selects points in it."""
    figures.set_mode(fig, "dark" if dark() else "light")
    fig.update_layout(modebar={"orientation": "v"})
    options: dict = {"on_select": select, "selection_mode": ("lasso", "box", "points")}
    st.plotly_chart(
        fig,
        key=key,
        theme=None,
        config=figures.PLOTLY_CONFIG,
        alt=alt,
        **(options if select else {}),
    )


def table(data: pa.Table, *, key: str, height: int = 320) -> None:
    """The table behind a figure."""
    st.dataframe(data, hide_index=True, key=key, height=height)


def thumbnail(key: str) -> None:
    """A result as a small live picture."""
    result = kept(key)
    if result is None:
        return
    if result.analysis == "similarity":
        fig = figures.cka_map(result)
    else:
        site = sites_of(result)[-1]
        fig = figures.projection_map(
            result.tables["projection"].filter(pc.equal(result.tables["projection"]["site"], site)),
            site=site,
            provenance=result.provenance,
            limits=limits(key),
        )
    fig.update_layout(
        height=260, margin=dict(l=8, r=8, t=8, b=8), title=None, annotations=[], showlegend=False
    )
    fig.update_xaxes(visible=False).update_yaxes(visible=False).update_traces(
        showscale=False, selector={"type": "heatmap"}
    )
    show(fig, key=f"thumb:{key}", alt=result.reading)


def strip(found: Workbench, facts: dict) -> None:
    """The model's layers as a strip: which are captured on any data."""
    stored = {c.site for c in found.captures() if c.model_id == facts["model_id"]}
    trunk = [s for s in facts["sites"] if s == "embed" or s.startswith(("resid_post", "block."))]
    states = [{"site": s, "state": "captured" if s in stored else "missing"} for s in trunk]
    show(figures.layer_strip(states), key="strip", alt=f"{len(stored)} sites are captured")
