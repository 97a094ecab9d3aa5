"""Points of a projection: columns to colour by, and the cloud of a layer."""

from textwrap import fill

import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from backend import figures
from ui.bench import Bench
from ui.filtering import RowFilter, rows_of, values_of
from ui.opening import workbench
from ui.selecting import selection, turn
from ui.waiting import kept

FEW = 12  # values that can be told apart by colour


def sites_of(projection) -> list[str]:
    """The sites of a projection in order of depth."""
    return list(dict.fromkeys(projection.tables["quality"]["site"].to_pylist()))


def colour_columns(dataset) -> list[str]:
    """Metadata columns to colour by: few values first, then numbers; "" stands for none."""
    known = {c: values_of(dataset.hash, c) for c in dataset.columns if c != dataset.text_column}
    few = [c for c, values in known.items() if 1 < len(values) <= FEW]
    rest = [c for c in known if c not in few]
    numbers = [c for c in rest if _is_number(known[c])]
    return [*few, *numbers, "", *(c for c in rest if c not in numbers)]


def _is_number(values: list[tuple]) -> bool:
    given = [v for v, _ in values if v is not None]
    return bool(given) and all(
        isinstance(v, int | float) and not isinstance(v, bool) for v in given
    )


@st.cache_resource(show_spinner=False, max_entries=256)
def _points(key: str, site: str, colour: str, data: str, drawn: RowFilter):
    """One site's points with their colour and hover text; cut out once, then kept."""
    table = kept(key).tables["projection"]
    part = table.filter(pc.equal(table["site"], site))
    if drawn:
        passing = pa.array(rows_of(data, drawn), type=pa.int64())
        part = part.filter(pc.is_in(part["row"], value_set=passing))
    ids = part["row"].to_pylist()
    texts = _texts(key, data)
    values = workbench().rows(data, ids)[colour].to_pylist() if colour else None
    return part, values, [texts[row] for row in ids]


@st.cache_resource(show_spinner=False, max_entries=16)
def _texts(key: str, data: str) -> dict[int, str]:
    """What a point says under the pointer: the row's text in short lines, the same at each site."""
    ids = pc.unique(kept(key).tables["projection"]["row"]).to_pylist()
    dataset = workbench().dataset(data)
    name = dataset.text_column or next(iter(dataset.columns), "row")
    said = workbench().rows(data, ids)[name].to_pylist()
    return {row: fill(str(text)[:160], 44) for row, text in zip(ids, said, strict=True)}


@st.cache_resource(show_spinner=False, max_entries=16)
def limits(key: str):
    """Axes that hold every layer's points."""
    return figures.axis_limits(kept(key).tables["projection"])


def cloud_figure(bench: Bench, projection, site: str, colour: str | None) -> go.Figure | None:
    """The points of one layer, with the same axes and colours at every layer.

    None where no point passes the row filter.
    """
    colour, hash = colour or "", bench.dataset.hash  # type: ignore[union-attr]
    part, values, hover = _points(projection.key, site, colour, hash, bench.drawn)
    if not part.num_rows:
        return None
    fig = figures.projection_map(
        part,
        site=site,
        provenance=projection.provenance,
        colour=values,
        colour_name=colour,
        categories=dict(values_of(hash, colour)) if colour else None,
        selected=selection(bench.data),
        hover=hover,
        limits=limits(projection.key),
    )
    # Streamlit keeps a chart's lasso by the figure's content: another number lets go of it
    return fig.update_layout(uirevision=f"projection {turn()}")


def film_figure(bench: Bench, projection, colour: str | None) -> go.Figure:
    """The points on their way through all layers, played in the browser."""
    colour, hash = colour or "", bench.dataset.hash  # type: ignore[union-attr]
    site = sites_of(projection)[0]
    _, values, hover = _points(projection.key, site, colour, hash, None)
    return figures.projection_film(
        projection.tables["projection"],
        provenance=projection.provenance,
        colour=values,
        colour_name=colour,
        categories=dict(values_of(hash, colour)) if colour else None,
        hover=hover,
        limits=limits(projection.key),
    )
