"""The cloud of rows travelling through all sites: a film for an HTML file."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.compute as pc

from backend.figures import palette, theme
from backend.figures.cloud import (
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
from backend.figures.sites import site_label, sort_sites

FILM_MOST = 2_000
_BOTTOM = 150  # px below the axes, for the player


def projection_film(
    table: pa.Table,
    *,
    provenance: Mapping[str, object],
    sites: Sequence[str] | None = None,
    colour: Values | None = None,
    colour_name: str = "",
    categories: Iterable[object] | Mapping[object, int] | None = None,
    hover: Sequence[str] | None = None,
    limits: Limits | None = None,
) -> go.Figure:
    """The same points travelling through all sites, with a play button and a slider, for HTML.

    At most 2 000 points are shown, a uniform sample; the small print says so.
    """
    sites = list(sites or sort_sites(pc.unique(table["site"]).to_pylist()))
    blocks = blocks_of(provenance, sites)
    first = read_cloud(table, sites[0], colour, hover)
    n, chosen = len(first.rows), np.arange(len(first.rows))
    if n > FILM_MOST:
        seed = provenance.get("seed") or 0
        chosen = np.sort(np.random.default_rng(seed).choice(n, FILM_MOST, replace=False))
    first = first.take(chosen)
    layers, bar = cut_layers(first, colour_name, categories, None)
    none = np.empty(0, dtype=np.int64)
    fig = go.Figure([draw_layer(first, layer, none, smooth=True) for layer in layers])
    frames = []
    for site in sites:
        cloud = read_cloud(table, site, None, None).take(chosen)
        moved = [
            {"type": "scatter", "x": cloud.x[one.chosen], "y": cloud.y[one.chosen]}
            for one in layers
        ]
        frames.append(go.Frame(data=moved, name=site, traces=list(range(len(layers)))))
    fig.frames = frames
    fix_axes(fig, limits or axis_limits(table), provenance)
    place_legend(fig, colour_name, bar=bar, many=len(layers) > 1)
    fig.update_layout(**player([(site, site_label(site, blocks)) for site in sites]))
    title = "Rows through depth" + (f" by {colour_name}" if colour_name else "")
    fig.update_layout(margin={"b": _BOTTOM})
    return theme.finish(fig, title, provenance, n=n, drawn=(len(first.rows), n))


def player(sites: list[tuple[str, str]]) -> dict:
    """A play button, a pause button and a slider over the frames."""
    move = {
        "mode": "immediate",
        "fromcurrent": True,
        "transition": {"duration": 350, "easing": "cubic-in-out"},
        "frame": {"duration": 450, "redraw": False},
    }
    stop = {"mode": "immediate", "frame": {"duration": 0, "redraw": False}}
    buttons = [
        {"label": "Play", "method": "animate", "args": [None, move]},
        {"label": "Pause", "method": "animate", "args": [[None], stop]},
    ]
    steps = [
        {"label": label, "method": "animate", "args": [[site], {**move, "fromcurrent": False}]}
        for site, label in sites
    ]
    return {"updatemenus": [_menu(buttons)], "sliders": [_slider(steps)]}


def _menu(buttons: list[dict]) -> dict:
    return {
        "type": "buttons",
        "direction": "left",
        "buttons": buttons,
        "x": 0,
        "xanchor": "left",
        "y": 0,
        "yanchor": "top",
        "pad": {"t": 44, "r": 8},
        "showactive": False,
        "font": {"size": 11, "color": palette.MUTED},
        "bgcolor": "rgba(0,0,0,0)",
        "bordercolor": palette.CONTROL,
    }


def _slider(steps: list[dict]) -> dict:
    label = {"size": 13, "color": palette.MUTED}
    return {
        "steps": steps,
        "x": 0.26,
        "len": 0.74,
        "y": 0,
        "pad": {"t": 30},
        "currentvalue": {"prefix": "", "xanchor": "left", "font": label},
        "activebgcolor": palette.SELECTED,
        "bgcolor": palette.fade(palette.CONTROL, 0.4),
        "bordercolor": "rgba(0,0,0,0)",
        "ticklen": 3,
        "font": {"size": 1, "color": "rgba(0,0,0,0)"},  # thirty labels would overlap
    }
