"""The cloud of rows at one layer, drawn so that it can travel from layer to layer.

Reads the table `projection`(row, site, x, y). Up to 5 000 points are SVG and move smoothly; up to
50 000 are WebGL and can be selected; more are a density with a uniform sample on top.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.compute as pc

from backend.figures import palette, theme
from backend.figures.cloud import (
    SVG_MOST,
    Cloud,
    Limits,
    Values,
    axis_limits,
    cut_layers,
    draw_layer,
    fix_axes,
    place_legend,
    read_cloud,
)
from backend.figures.columns import blocks_of
from backend.figures.sites import site_label

SELECT_MOST = 50_000
SAMPLE = 20_000
DENSITY_BINS = 200
_ACCENT_EDGE = {"color": palette.SELECTED, "width": 1.2}


def projection_map(
    table: pa.Table,
    *,
    site: str,
    provenance: Mapping[str, object],
    colour: Values | None = None,
    colour_name: str = "",
    categories: Iterable[object] | Mapping[object, int] | None = None,
    selected: Iterable[int] = (),
    hover: Sequence[str] | None = None,
    limits: Limits | None = None,
    colours: Mapping[str, str] | None = None,
) -> go.Figure:
    """The points of one site; every site gets the same axes, so nothing jumps.

    Parameters
    ----------
    table : row, site, x, y of all sites (or of this one; then give `limits`).
    colour : a value for each point, in the table's order for this site. Text and few whole
        numbers are categories, other numbers a scale.
    categories : the column's values in the whole data set, or their counts, so that a slice keeps
        its colours.
    selected : data set rows; the other points turn grey.
    hover : text for each point, any characters.
    limits : from `axis_limits` of all sites.
    colours : a colour for each category, instead of the automatic ones.
    """
    cloud = read_cloud(table, site, colour, hover)
    n = len(cloud.rows)
    rows = np.fromiter(selected, dtype=np.int64)
    fig = go.Figure()
    drawn = cloud
    if n > SELECT_MOST:
        _density(fig, cloud, limits or axis_limits(table))
        seed = provenance.get("seed") or 0
        drawn = cloud.take(np.sort(np.random.default_rng(seed).choice(n, SAMPLE, replace=False)))
    layers, bar = cut_layers(drawn, colour_name, categories, colours)
    smooth = len(drawn.rows) <= SVG_MOST
    fig.add_traces(
        [draw_layer(drawn, one, rows, smooth=smooth, sampled=n > SELECT_MOST) for one in layers]
    )
    if n > SELECT_MOST and len(rows):
        _overlay(fig, cloud, rows)
    fix_axes(fig, limits or axis_limits(table), provenance)
    fig.update_layout(uirevision="projection", dragmode="lasso", clickmode="event+select")
    if smooth:
        fig.update_layout(transition={"duration": 350, "easing": "cubic-in-out"})
    place_legend(fig, colour_name, bar=bar, many=len(layers) > 1)
    sites = pc.unique(table["site"]).to_pylist()
    blocks = blocks_of(provenance, sites)
    title = f"Rows at {site_label(site, blocks)}" + (f" by {colour_name}" if colour_name else "")
    return theme.finish(fig, title, provenance, n=n, drawn=(len(drawn.rows), n))


def _density(fig: go.Figure, cloud: Cloud, limits: Limits) -> None:
    """How many points lie where, as a quiet grey-blue ground; uint8 keeps it small."""
    counts, x, y = np.histogram2d(cloud.x, cloud.y, bins=DENSITY_BINS, range=limits)
    shade = np.log1p(counts.T)
    shade = np.ceil(shade * (255 / max(shade.max(), 1e-9))).astype(np.uint8)
    fig.add_heatmap(
        z=shade,
        x0=float(x[0] + x[1]) / 2,
        dx=float(x[1] - x[0]),
        y0=float(y[0] + y[1]) / 2,
        dy=float(y[1] - y[0]),
        colorscale=[
            [0, palette.fade(palette.BASELINE, 0)],
            [0.004, palette.fade(palette.BASELINE, 0.12)],
            [1, palette.fade(palette.BASELINE, 0.75)],
        ],
        showscale=False,
        hoverinfo="skip",
        name="all points",
    )


def _overlay(fig: go.Figure, cloud: Cloud, rows: np.ndarray) -> None:
    """The selected rows, whether they are in the sample or not."""
    chosen = np.flatnonzero(np.isin(cloud.rows, rows))[:SAMPLE]
    fig.add_scattergl(
        x=cloud.x[chosen],
        y=cloud.y[chosen],
        customdata=cloud.rows[chosen],
        mode="markers",
        name="selected",
        marker={"size": 7, "color": palette.fade(palette.SELECTED, 0.25), "line": _ACCENT_EDGE},
        hovertemplate="row %{customdata}<extra>selected</extra>",
    )
