"""Results as small live pictures."""

from collections.abc import Callable

import pyarrow.compute as pc

from backend import figures
from ui.drawing import show
from ui.points import limits, sites_of
from ui.waiting import kept


def _classes(result):
    """Three classes in their plane at the end; of fewer, the spread of each."""
    at = {"epoch": result.scalars["last_epoch"]}
    if "plane" in result.tables and at["epoch"] in result.tables["plane"]["epoch"].to_pylist():
        return figures.collapse_plane(result, **at)
    return figures.collapse_classes(result, **at)


PICTURES: dict[str, Callable] = {  # what a small picture of a result shows
    "similarity": lambda result: figures.cka_map(result),
    "quantization": lambda result: figures.budget_curve(result),
    "preferences": lambda result: figures.taste_map(result),
    "complexity": lambda result: figures.feature_map(result, colour="complexity"),
    "collapse": lambda result: _classes(result),
    "raters": lambda result: figures.raw_against_measure(result),
}


def thumbnail(key: str) -> None:
    """A result as a small live picture."""
    result = kept(key)
    if result is None:
        return
    if result.analysis in PICTURES:
        fig = PICTURES[result.analysis](result)
    else:
        site = sites_of(result)[-1]
        points = result.tables["projection"]
        fig = figures.projection_map(
            points.filter(pc.equal(points["site"], site)),
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
    fig.for_each_trace(
        lambda trace: trace.update(marker_showscale=False),
        selector=lambda trace: trace.type in ("scatter", "scattergl"),
    )
    show(fig, key=f"thumb:{key}", alt=result.reading)
