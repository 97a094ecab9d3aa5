"""The map of features, and their groups from simple to complex.

Reads the tables `features` and `clusters`(cluster, n, complexity, importance).
"""

from collections import Counter

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.blocks import one_of
from backend.figures.cloud import axis_limits, fix_axes
from backend.figures.columns import integers, numbers, table_of, texts
from backend.figures.feature_rows import (
    SVG_MOST,
    column_of,
    draw_points,
    features_of,
    frame_feature,
    measure_name,
    sample_of_features,
    say_features,
)

_GROUPED = {"complexity": "simplest", "importance": "least important"}  # what stands first


def feature_map(
    result: Result, *, colour: str = "complexity", current: int | None = None, fewest: int = 0
) -> go.Figure:
    """Features (their directions) in the plane; a click's `customdata` is the feature's number.

    Parameters
    ----------
    colour : any column of `features`; `origin`, `cluster` and text are categories, else a scale.
    current : the selected feature, ringed.
    fewest : features that are active on fewer rows are left out; the axes stay.
    """
    everything = features_of(result, "x", "y", colour)
    table = features_of(result, fewest=fewest)
    x, y = numbers(table, "x"), numbers(table, "y")
    assert x is not None and y is not None
    if not np.isfinite(x).any():
        raise AnalysisError("These features have no place on a map.", "See them by layer instead.")
    fig = go.Figure()
    draw_points(fig, table, x, y, colour, of="features")
    frame_feature(fig, table, x, y, current)
    method = {"parameters": {"method": result.scalars.get("map") or "map"}}
    fix_axes(fig, axis_limits(everything), method)
    fig.update_layout(uirevision="feature map", margin={"l": 40, "r": 24, "t": 92, "b": 48})
    title = f"Features by {measure_name(colour)}"
    sample = sample_of_features(result, table.num_rows)
    return theme.finish(fig, title, result.provenance, sample=sample)


def feature_clusters(
    result: Result, *, by: str = "complexity", current: int | None = None
) -> go.Figure:
    """Mean complexity of each cluster as bars, simplest first; dots are its features.

    Parameters
    ----------
    by : `complexity` or `importance`: what is averaged, and sorts the clusters.
    current : the selected feature; its dot is ringed and its cluster's bar framed.
    """
    one_of(by, _GROUPED, "measure of groups")
    table = table_of(result, "clusters", "cluster", "n", by).sort_by(by)
    if not table.num_rows:
        raise AnalysisError("The features have no clusters.", "Ask for more features.")
    table = table.filter(pa.array(np.isfinite(column_of(table, by, of="clusters"))))
    features = features_of(result, "cluster", by)
    order = integers(table, "cluster").tolist()
    place = {cluster: i for i, cluster in enumerate(order)}
    own = np.array([place.get(c, -1) for c in features["cluster"].to_pylist()])
    ticks = _cluster_names(features, own, order)
    value = column_of(features, by, of="features")
    fig = go.Figure(_bars(table, by, ticks, _cluster_of(features, own, current), value))
    _add_members(fig, features.filter(pa.array(own >= 0)), own[own >= 0], by, current)
    fig.update_yaxes(
        tickvals=list(range(len(order))), ticktext=ticks, range=[len(order) - 0.4, -0.6],
        automargin=True, showgrid=False,
    )  # fmt: skip
    fig.update_xaxes(title_text=f"mean {by} of the cluster; dots: its features")
    fig.update_layout(
        height=max(360, 150 + 22 * len(order)), uirevision=f"feature clusters {by}",
        showlegend=False,
    )  # fmt: skip
    sample = sample_of_features(result, first=[f"{theme.count(len(order))} clusters"])
    title = f"Clusters of features, {_GROUPED[by]} first"
    return theme.finish(fig, title, result.provenance, sample=sample)


def _cluster_of(features: pa.Table, own: np.ndarray, current: int | None) -> int:
    at = np.flatnonzero(integers(features, "feature") == (-1 if current is None else current))
    return int(own[at[0]]) if len(at) else -1


def _cluster_names(features: pa.Table, own: np.ndarray, order: list[int]) -> list[str]:
    """Each cluster's number, with the class that most of its features were learned on."""
    origin = texts(features, "origin") if "origin" in features.column_names else None
    names = []
    for i, cluster in enumerate(order):
        classes = [] if origin is None else [origin[j] for j in np.flatnonzero(own == i)]
        found = Counter(c for c in classes if c)
        most = f" · {theme.plain(min(found, key=lambda c: (-found[c], c)), 24)}" if found else ""
        names.append(f"{cluster}{most}")
    return names


def _bars(table: pa.Table, by: str, names: list[str], framed: int, spread: np.ndarray) -> go.Bar:
    """Bars in the colours of the map, whose scale runs over `spread`: every feature."""
    mean, n = column_of(table, by, of="clusters"), integers(table, "n").tolist()
    known = {name: values for name in _GROUPED if (values := numbers(table, name)) is not None}
    hover = []
    for i, name in enumerate(names):
        lines = [f"cluster {name}, {theme.count(n[i])} features"]
        lines += [f"mean {measure} {theme.number(float(values[i]))}"
                  for measure, values in known.items() if np.isfinite(values[i])]  # fmt: skip
        hover.append("<br>".join(lines))
    return go.Bar(
        x=mean,
        y=list(range(len(names))),
        orientation="h",
        name="clusters",
        marker={
            "color": mean,
            "colorscale": palette.scale(palette.POINT_RAMP),
            "cmin": float(np.nanmin(spread)),
            "cmax": float(np.nanmax(spread)),
            "line": {
                "color": palette.SELECTED,
                "width": [2.5 if i == framed else 0 for i in range(len(names))],
            },
        },
        opacity=0.75,
        hovertext=hover,
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _add_members(
    fig: go.Figure, features: pa.Table, own: np.ndarray, by: str, current: int | None
) -> None:
    value = column_of(features, by, of="features")
    kind = go.Scatter if features.num_rows <= SVG_MOST else go.Scattergl
    fig.add_trace(
        kind(
            x=value,
            y=own,
            mode="markers",
            name="features",
            marker={
                "size": 6,
                "color": palette.MUTED,
                "opacity": 0.8,
                "line": {"width": 0.7, "color": "#FFFFFF"},
            },
            unselected={"marker": {"opacity": 0.8}},
            customdata=integers(features, "feature"),
            hovertext=say_features(features),
            hovertemplate="%{hovertext}<extra></extra>",
        )
    )
    frame_feature(fig, features, value, own.astype(np.float32), current)
