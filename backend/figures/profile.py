"""The shape of each layer and what can be read off it, as lines over depth.

Reads the table `profile`(site, norm_mean, effective_rank, participation_ratio,
intrinsic_dimension, anisotropy, probe, ...) with the columns of intervals and controls beside.
"""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
from plotly.subplots import make_subplots

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.columns import blocks_of, numbers, scalar_of, source_of, table_of, texts
from backend.figures.lines import add_control, add_line, below_title
from backend.figures.sites import site_ticks, sort_sites


@dataclass(frozen=True)
class Measure:
    """One column of the table: its name, its unit, its interval and what to hold it against."""

    title: str
    unit: str
    low: str = ""
    high: str = ""
    controls: tuple[tuple[str, str, str], ...] = ()  # column, name, dash
    top: float | None = None


MEASURES = {
    "probe": Measure(
        "what a linear probe reads",
        "held-out score",
        "probe_low",
        "probe_high",
        (
            ("probe_control", "shuffled labels", "dash"),
            ("probe_majority", "largest class", "dot"),
        ),
        1.0,
    ),
    "intrinsic_dimension": Measure("intrinsic dimension", "TwoNN", "id_low", "id_high"),
    "anisotropy": Measure("likeness of two rows", "cosine", "anisotropy_low", "anisotropy_high"),
    "effective_rank": Measure("effective rank", "dimensions"),
    "participation_ratio": Measure("participation ratio", "dimensions"),
    "norm_mean": Measure("length of a vector", "mean and quartiles", "norm_low", "norm_high"),
}


def profile_lines(
    result: Result,
    measure: str | None = None,
    *,
    current: str | None = None,
    whatif: Result | None = None,
) -> go.Figure:
    """One measure over the layers, or all that the result has as small multiples.

    Parameters
    ----------
    measure : a key of `MEASURES`; None for all that have numbers.
    current : the site that the page shows; it is marked.
    whatif : the profile of the changed model, drawn in amber.
    """
    table = table_of(result, "profile", "site")
    shown = _measures(table, measure)
    sites = sort_sites(texts(table, "site"))
    columns = 1 if len(shown) == 1 else 2
    rows = -(-len(shown) // columns)
    titles = [f"{_title(result, name)}, {MEASURES[name].unit}" for name in shown]
    fig = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=titles if len(shown) > 1 else None,
        vertical_spacing=0.42 / max(rows, 2),
        horizontal_spacing=0.1,
    )
    said, n = source_of(result, "profile")
    blocks = blocks_of(said, sites)
    for i, name in enumerate(shown):
        cell = (i // columns + 1, i % columns + 1)
        _draw(fig, table, name, sites, cell, "baseline", blocks, first=i == 0)
        if whatif is not None:
            other = table_of(whatif, "profile", "site")
            _draw(fig, other, name, sites, cell, "what-if", blocks, first=i == 0)
        _axes(fig, table, name, sites, cell, current, blocks)
    _dress(fig, rows)
    title = _title(result, shown[0]) if len(shown) == 1 else "Profile of the layers"
    return theme.finish(fig, title[0].upper() + title[1:], said, n=n)


def _measures(table: pa.Table, measure: str | None) -> list[str]:
    known = [
        name
        for name in MEASURES
        if (values := numbers(table, name)) is not None and np.isfinite(values).any()
    ]
    if measure is None:
        if not known:
            raise AnalysisError("The profile has no numbers.", "Choose rows that differ.")
        return known
    if measure not in known:
        raise AnalysisError(
            f"The profile has no measure {measure!r}.", f"It has: {', '.join(known) or 'none'}."
        )
    return [measure]


def _title(result: Result, name: str) -> str:
    title = MEASURES[name].title
    if name == "probe" and (column := scalar_of(result, "profile", "probe_column")):
        return f"{title}: {theme.plain(column, 40)}"
    return title


def _draw(
    fig: go.Figure,
    table: pa.Table,
    name: str,
    sites: list[str],
    cell: tuple[int, int],
    line: str,
    n_blocks: int,
    *,
    first: bool,
) -> None:
    measure = MEASURES[name]
    fields = {"value": name, "low": measure.low, "high": measure.high}
    found = {f: numbers(table, column) for f, column in fields.items() if column}
    points = {
        site: {f: float(values[i]) for f, values in found.items() if values is not None}
        for i, site in enumerate(texts(table, "site"))
    }
    colour = palette.WHATIF if line == "what-if" else palette.BASELINE
    look = {"name": line, "colour": colour, "legend": first}
    add_line(fig, sites, points, cell=cell, n_blocks=n_blocks, **look)
    if line == "what-if":
        return
    at = [sites.index(site) for site in texts(table, "site")]
    for column, title, dash in measure.controls:
        values = numbers(table, column)
        if values is not None and np.isfinite(values).any():
            order = np.argsort(at)
            x, place = np.array(at)[order], {"row": cell[0], "col": cell[1]}
            add_control(fig, x, values[order], name=title, dash=dash, legend=first, place=place)


def _axes(
    fig: go.Figure,
    table: pa.Table,
    name: str,
    sites: list[str],
    cell: tuple[int, int],
    current: str | None,
    n_blocks: int,
) -> None:
    place = {"row": cell[0], "col": cell[1]}
    single = not fig.layout.annotations
    most = 8 if single else 5
    at, text = site_ticks(sites, most=most, depth=single, n_blocks=n_blocks)
    fig.update_xaxes(tickvals=at, ticktext=text, showgrid=False, tickangle=0, **place)
    if single:
        fig.update_xaxes(title_text="block, depth", **place)
    values = numbers(table, name)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    fig.update_yaxes(title_text=MEASURES[name].unit if single else None, nticks=6, **place)
    if low > 0 and high / low > 30:
        fig.update_yaxes(type="log", dtick=1, **place)
    elif MEASURES[name].top is not None:
        fig.update_yaxes(range=[min(0.0, low), MEASURES[name].top * 1.03], **place)
    elif low >= 0:
        fig.update_yaxes(rangemode="tozero", **place)
    if current in sites:
        fig.add_vline(x=sites.index(current), line={"color": palette.SELECTED, "width": 1}, **place)


def _dress(fig: go.Figure, rows: int) -> None:
    fig.update_layout(hovermode="x", uirevision="profile")
    below_title(fig)
    if rows > 1:
        for i, title in enumerate(fig.layout.annotations):  # at the left end of their axes
            axis = fig.layout["xaxis" if i == 0 else f"xaxis{i + 1}"]
            title.update(x=axis.domain[0], xanchor="left", font={"size": 12})
        fig.update_layout(height=200 * rows + 200, margin={"t": 136})
        fig.update_layout(legend={"y": 1 + 34 / (200 * rows)})
    if rows == 1 and len(fig.data) <= 2:
        fig.update_layout(showlegend=False, margin={"t": 92})
