"""A cloud of rows at one site, cut into traces: what the map and the film share."""

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.compute as pc

from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.columns import integers, numbers
from backend.figures.sites import sort_sites

SVG_MOST = 5_000

Limits = tuple[tuple[float, float], tuple[float, float]]
Values = Sequence | np.ndarray | pa.ChunkedArray


@dataclass(frozen=True)
class Cloud:
    """Points of one site: rows int64 (n,), x and y float32 (n,), and one colour value each."""

    rows: np.ndarray
    x: np.ndarray
    y: np.ndarray
    colour: np.ndarray | None = None
    hover: np.ndarray | None = None  # text objects (n,)

    def take(self, chosen: np.ndarray) -> "Cloud":
        """The points at these indices."""
        colour = None if self.colour is None else self.colour[chosen]
        hover = None if self.hover is None else self.hover[chosen]
        return Cloud(self.rows[chosen], self.x[chosen], self.y[chosen], colour, hover)


@dataclass(frozen=True)
class Layer:
    """One trace: which points, in which colour, under which name."""

    name: str
    chosen: np.ndarray  # indices into the cloud
    marker: dict = field(default_factory=dict)


def axis_limits(table: pa.Table) -> Limits:
    """Limits that hold every point of every site, with a margin of 4 %."""
    spans = []
    for name in ("x", "y"):
        ends = pc.min_max(table[name]).as_py()
        low, high = ends["min"] or 0.0, ends["max"] or 0.0
        pad = 0.04 * (high - low) or 1.0
        spans.append((low - pad, high + pad))
    return spans[0], spans[1]


def read_cloud(
    table: pa.Table,
    site: str,
    colour: Values | None,
    hover: Sequence[str] | None,
) -> Cloud:
    """The points of one site, with their colour values and hover texts checked."""
    part = table.filter(pc.equal(table["site"], site))
    if part.num_rows == 0:
        have = ", ".join(sort_sites(pc.unique(table["site"]).to_pylist()))
        raise AnalysisError(f"There is no projection of {site!r}.", f"Projected: {have}.")
    for name, given in (("colour", colour), ("hover", hover)):
        if given is not None and len(given) != part.num_rows:
            raise AnalysisError(
                f"{len(given)} {name} values for {part.num_rows} points at {site}.",
                "Give one value for each point, in the order of the projection's rows.",
            )
    values = None if colour is None else _values(colour)
    said = None if hover is None else _escape(hover)
    return Cloud(integers(part, "row"), numbers(part, "x"), numbers(part, "y"), values, said)


def _values(colour: Values) -> np.ndarray:
    """Colour values as floats where they are numbers, else as text objects."""
    if isinstance(colour, pa.ChunkedArray | pa.Array):
        colour = colour.to_numpy(zero_copy_only=False)
    given = np.asarray(colour)
    if given.dtype == object:
        known = [v for v in given.tolist() if v is not None]
        if known and all(isinstance(v, int | float) and not isinstance(v, bool) for v in known):
            return np.array([np.nan if v is None else v for v in given.tolist()], dtype=float)
    return given


def _escape(texts: Sequence[str]) -> np.ndarray:
    """Each text without markup; escaped in one go, since there may be 50 000."""
    joined = html.escape("\0".join(map(str, texts)), quote=False).replace("\n", "<br>")
    return np.array(joined.split("\0") if len(texts) else [], dtype=object)


def cut_layers(
    cloud: Cloud,
    colour_name: str,
    categories: Iterable[object] | Mapping[object, int] | None,
    colours: Mapping[str, str] | None,
) -> tuple[list[Layer], bool]:
    """The traces that the colour values ask for, and whether they need a colour bar."""
    everything = np.arange(len(cloud.rows))
    if cloud.colour is None:
        return [Layer("rows", everything, {"color": palette.BASELINE})], False
    if _is_scale(cloud.colour):
        return [Layer(colour_name, everything, _scale_marker(cloud.colour, colour_name))], True
    names, codes = _encode(cloud.colour)
    number = np.bincount(codes, minlength=len(names)).tolist()
    counts = {name: count for name, count in zip(names, number, strict=True) if count}
    known = colours or palette.category_colours(counts if categories is None else categories)
    layers = []
    at = {name: names.index(name) for name in counts}
    for name, shade in known.items():
        if name in at:
            layers.append(Layer(name, np.flatnonzero(codes == at[name]), {"color": shade}))
    rest = [i for name, i in at.items() if name not in known]
    if rest:
        chosen = np.flatnonzero(np.isin(codes, rest))
        title = f"{palette.OTHER} ({len(rest)})"
        layers.insert(0, Layer(title, chosen, {"color": palette.CONTROL}))  # drawn underneath
    return layers, False


def _encode(values: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Category names and for each value the index of its own, int64 (n,)."""
    try:
        column = pa.array(values, from_pandas=True).dictionary_encode()
    except pa.ArrowInvalid:  # values of several types
        column = pa.array([palette.category_name(v) for v in values.tolist()]).dictionary_encode()
    found = [palette.category_name(v) for v in column.dictionary.to_pylist()] + [palette.MISSING]
    names = sorted(set(found))
    place = np.array([names.index(name) for name in found])
    codes = column.indices.fill_null(len(found) - 1).to_numpy(zero_copy_only=False)
    return names, place[codes]


def _is_scale(values: np.ndarray) -> bool:
    if values.dtype.kind == "f":
        known = np.unique(values[np.isfinite(values)])
        return bool(len(known) > 10 or (known != np.floor(known)).any())
    return values.dtype.kind in "iu" and len(np.unique(values)) > 10


def _scale_marker(values: np.ndarray, name: str) -> dict:
    values = values.astype(np.float32)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    marker = {
        "color": values,
        "colorscale": palette.scale(palette.POINT_RAMP),
        "cmin": low,
        "cmax": high,
        "showscale": True,
        "colorbar": {"title": {"text": theme.plain(name, 40), "side": "right"}, "thickness": 12},
    }
    if low < 0 < high:
        far = max(-low, high)
        ends = {"cmin": -far, "cmax": far, "colorscale": palette.scale(palette.DIVERGING)}
        marker |= ends
    return marker


def draw_layer(
    cloud: Cloud, layer: Layer, rows: np.ndarray, *, smooth: bool, sampled: bool = False
) -> go.Scatter:
    """One trace; SVG where it may move smoothly, WebGL for many points."""
    chosen, n = layer.chosen, len(cloud.rows)
    ids = cloud.rows[chosen]
    size = 3 if sampled else 7 if n <= 1_000 else 5.5 if n <= SVG_MOST else 4
    trace = {
        "type": "scatter" if smooth else "scattergl",
        "mode": "markers",
        "name": theme.plain(layer.name, 40),
        "x": cloud.x[chosen],
        "y": cloud.y[chosen],
        "customdata": ids,
        "marker": {"size": size, "opacity": 0.85, **layer.marker},
        "hovertemplate": "row %{customdata}<extra>%{fullData.name}</extra>",
        "unselected": {"marker": {"color": palette.UNSELECTED, "opacity": 0.35}},
        "selected": {"marker": {"opacity": 1, "size": size + 2}},
    }
    if smooth:
        trace["ids"] = ids.astype(str)  # a row stays the same dot from layer to layer
        trace["marker"]["line"] = {"width": 0.4, "color": "rgba(128,136,144,0.5)"}
    if cloud.hover is not None:
        trace["text"] = cloud.hover[chosen]
        trace["hovertemplate"] = "%{text}<br>row %{customdata}<extra>%{fullData.name}</extra>"
    if len(rows):
        trace["selectedpoints"] = np.flatnonzero(np.isin(ids, rows))
    kind = go.Scatter if smooth else go.Scattergl
    return kind(trace)


def fix_axes(fig: go.Figure, limits: Limits, provenance: Mapping[str, object]) -> None:
    """Axes of equal scale with these limits and the name of the method."""
    parameters = provenance.get("parameters") or {}
    method = parameters.get("method", "") if isinstance(parameters, Mapping) else ""
    names = {"pca": "PCA", "umap": "UMAP"}
    name = names.get(str(method), str(method)) or "axis"
    quiet = {"showgrid": False, "showticklabels": False, "ticks": "", "showline": False}
    fig.update_xaxes(range=list(limits[0]), title_text=f"{name} 1", **quiet)
    fig.update_yaxes(
        range=list(limits[1]), title_text=f"{name} 2", scaleanchor="x", scaleratio=1, **quiet
    )


def place_legend(fig: go.Figure, colour_name: str, *, bar: bool, many: bool) -> None:
    """A legend where there are several traces; none beside a colour bar."""
    title = {"text": theme.plain(colour_name, 40)} if colour_name else None
    fig.update_layout(showlegend=many and not bar, legend={"title": title})
    fig.update_layout(margin={"l": 40, "r": 24, "t": 92, "b": 48})
