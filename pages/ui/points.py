"""Points of a projection: columns to colour by, the cloud of a layer, and who is selected."""

import plotly.graph_objects as go
import pyarrow.compute as pc
import streamlit as st

from backend import figures
from ui.bench import Bench
from ui.opening import workbench
from ui.waiting import kept


def sites_of(projection) -> list[str]:
    """The sites of a projection in order of depth."""
    return list(dict.fromkeys(projection.tables["quality"]["site"].to_pylist()))


def colour_columns(dataset) -> list[str]:
    """Metadata columns to colour by; those with few values first."""
    columns = [c for c in dataset.columns if c != dataset.text_column]
    few = {c: len(workbench().values(dataset.hash, c)) for c in columns}
    good = [c for c in columns if 1 < few[c] <= 12]
    return [*good, *(c for c in columns if c not in good)] or [""]


@st.cache_resource(show_spinner=False, max_entries=256)
def _points(key: str, site: str, colour: str, data: str):
    """One site's points with their colour and hover text; cut out once, then kept."""
    projection = kept(key)
    table = projection.tables["projection"]
    part = table.filter(pc.equal(table["site"], site))
    rows = workbench().rows(data, part["row"].to_pylist())
    dataset = workbench().dataset(data)
    name = dataset.text_column or next(iter(dataset.columns), "row")
    hover = [str(v)[:160] for v in rows[name].to_pylist()]
    values = rows[colour].to_pylist() if colour else None
    return part, values, hover


@st.cache_resource(show_spinner=False, max_entries=16)
def limits(key: str):
    return figures.axis_limits(kept(key).tables["projection"])


def cloud_figure(bench_: Bench, projection, site: str, colour: str | None) -> go.Figure:
    """The points of one layer; every layer has the same axes and colours."""
    colour = colour or ""
    part, values, hover = _points(projection.key, site, colour, bench_.data)
    names = [v for v, _ in workbench().values(bench_.data, colour)] if colour else None
    return figures.projection_map(
        part,
        site=site,
        provenance=projection.provenance,
        colour=values,
        colour_name=colour,
        categories=names,
        selected=selection(),
        hover=hover,
        limits=limits(projection.key),
    )


def selection() -> list[int]:
    """The data set rows that are selected."""
    return st.session_state.get("selected", [])
