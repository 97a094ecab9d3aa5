"""What the figures of features share: their names, groups of colour, hover texts and the sample.

Reads the table `features`(feature, complexity, complexity_low, complexity_high, ...).
"""

from collections.abc import Iterable

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.compute as pc

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.columns import integers, numbers, table_of, texts

SVG_MOST = 5000  # points, above which the browser's graphics card draws them
CATEGORIES = ("origin", "cluster")  # columns that name groups, whatever their type
SIMPLE, COMPLEX = palette.POINT_RAMP[1], palette.POINT_RAMP[-1]
_EDGE = {"width": 0.4, "color": "rgba(128,136,144,0.6)"}  # the middle of a scale is nearly white
MEASURES = {
    "complexity": "complexity",
    "complexity_raw": "complexity, not clipped",
    "importance": "importance",
    "importance_per_spread": "importance / standard deviation",
    "importance_signed": "signed importance",
    "hoyer": "Hoyer sparsity of the direction",
    "frequency": "share of rows active",
    "redundancy": "redundancy",
    "sensitivity": "sensitivity to noise",
    "stability": "stability over random starts",
    "time_to_decode": "time to decode",
    "n_active": "active rows",
    "std": "standard deviation",
    "origin": "class it was learned on",
    "feature": "number",
}
_SAID = (  # columns that a hover text has where they are there and known
    "importance",
    "importance_signed",
    "frequency",
    "hoyer",
    "redundancy",
    "sensitivity",
    "stability",
    "time_to_decode",
)


def measure_name(column: str) -> str:
    """A column of the features in words."""
    return MEASURES.get(column, column.replace("_", " "))


def features_of(result: Result, *needed: str, fewest: int = 0) -> pa.Table:
    """The features that are active on at least `fewest` rows; AnalysisError if there are none.

    A feature that is active on few rows (fewer than about 30) has a noisy complexity. Features
    whose count is not known are kept.
    """
    table = table_of(result, "features", "feature", "complexity", *needed)
    if not table.num_rows:
        raise AnalysisError("The result has no features.", "All were dead: bring more rows.")
    if fewest > 0:
        active = numbers(table_of(result, "features", "n_active"), "n_active")
        table = table.filter(pa.array(~(active < fewest)))  # type: ignore[operator]
        if not table.num_rows:
            raise AnalysisError(
                f"No feature is active on {fewest} rows.", "Ask for fewer, or bring more rows."
            )
    return table


def rows_of(table: pa.Table, feature: int, *, of: str) -> pa.Table:
    """The lines of one feature; AnalysisError if there is none."""
    mine = table.filter(pc.equal(table["feature"], feature))  # type: ignore[attr-defined]
    if not mine.num_rows:
        ends = pc.min_max(table["feature"]).as_py()  # type: ignore[attr-defined]
        there = f"{ends['min']} to {ends['max']}" if table.num_rows else "none"
        raise AnalysisError(f"The table {of!r} has no feature {feature}.", f"It has: {there}.")
    return mine


def column_of(table: pa.Table, name: str, *, of: str) -> np.ndarray:
    """A measure as float32 (n,); AnalysisError if no feature has it."""
    values = numbers(table, name)
    if values is None or not np.isfinite(values).any():
        raise AnalysisError(
            f"The column {name!r} of the table {of!r} is empty.",
            "It was not computed here: choose another measure.",
        )
    return values


def colour_groups(
    table: pa.Table, colour: str, *, of: str = "features"
) -> list[tuple[str, np.ndarray, dict]]:
    """Name, places and marker of each trace: one on a scale, or one for each category.

    Numbers that lie on both sides of zero get the diverging scale with zero in its middle.
    """
    column = table[colour].combine_chunks()
    words = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    if colour in CATEGORIES or words or pa.types.is_boolean(column.type):
        return _categories(column.to_pylist())
    values = column_of(table, colour, of=of)
    known = np.isfinite(values)
    groups = [(measure_name(colour), np.flatnonzero(known), _scale(values[known], colour))]
    if not known.all():
        groups.insert(0, (palette.MISSING, np.flatnonzero(~known), {"color": palette.UNSELECTED}))
    return groups


def _categories(values: list) -> list[tuple[str, np.ndarray, dict]]:
    names = np.array([palette.category_name(None if v == "" else v) for v in values], dtype=object)
    colours = palette.category_colours(names.tolist())
    groups = [(n, np.flatnonzero(names == n), {"color": shade}) for n, shade in colours.items()]
    rest = np.flatnonzero(~np.isin(names, list(colours)))
    if len(rest):
        many = len(set(names[rest].tolist()))
        groups.insert(0, (f"{palette.OTHER} ({many})", rest, {"color": palette.CONTROL}))
    return groups


def _scale(values: np.ndarray, name: str) -> dict:
    low, high = float(values.min()), float(values.max())
    ramp = palette.POINT_RAMP
    if low < 0 < high:
        high = max(-low, high)
        low, ramp = -high, palette.DIVERGING
    return {
        "color": values,
        "colorscale": palette.scale(ramp),
        "cmin": low,
        "cmax": high,
        "showscale": True,
        "colorbar": {"title": {"text": theme.plain(measure_name(name), 40), "side": "right"}},
    }


def say_features(table: pa.Table) -> list[str]:
    """What each feature's point says: number, class, complexity with interval, and its measures."""
    found = {n: values for n in _SAID if (values := numbers(table, n)) is not None}
    lists = {n: values.tolist() for n, values in found.items() if np.isfinite(values).any()}
    K, low, high = (
        [None] * table.num_rows if values is None else values.tolist()
        for values in (numbers(table, f"complexity{end}") for end in ("", "_low", "_high"))
    )
    origin = texts(table, "origin") if "origin" in table.column_names else [""] * len(K)
    said = []
    for i, feature in enumerate(integers(table, "feature").tolist()):
        lines = [f"feature {feature}" + (f", {theme.plain(origin[i], 40)}" if origin[i] else "")]
        lines.append(f"complexity {theme.interval(K[i], low[i], high[i])}")
        lines += [f"{measure_name(n)} {theme.number(v[i])}" for n, v in lists.items()]
        said.append("<br>".join(lines))
    return said


def draw_points(
    fig: go.Figure, table: pa.Table, x: np.ndarray, y: np.ndarray, colour: str, *, of: str
) -> None:
    """Features as dots; `colour` is a column, or "" for one colour. A dot's data is its number."""
    ids, hover = integers(table, "feature"), np.array(say_features(table), dtype=object)
    plain = [("features", np.arange(len(ids)), {"color": palette.BASELINE})]
    groups = colour_groups(table, colour, of=of) if colour else plain
    kind = go.Scatter if len(ids) <= SVG_MOST else go.Scattergl
    size = 10 if len(ids) <= 200 else 7 if len(ids) <= 2000 else 4.5
    for name, at, marker in groups:
        fig.add_trace(
            kind(
                x=x[at],
                y=y[at],
                mode="markers",
                name=theme.plain(name, 40),
                marker={"size": size, "opacity": 0.85, "line": _EDGE} | marker,
                unselected={"marker": {"opacity": 0.85}},  # a click selects one; none turns pale
                customdata=ids[at],
                hovertext=hover[at],
                hovertemplate="%{hovertext}<extra></extra>",
            )
        )
    title = {"text": theme.plain(measure_name(colour), 40)} if colour else None
    shown = len(groups) > 1 and not any(m.get("showscale") for _, _, m in groups)
    fig.update_layout(showlegend=shown, legend={"title": title})


def frame_feature(
    fig: go.Figure, table: pa.Table, x: np.ndarray, y: np.ndarray, current: int | None
) -> None:
    """A ring around the selected feature, where it is among those drawn."""
    at = np.flatnonzero(integers(table, "feature") == (-1 if current is None else current))
    if len(at) and np.isfinite([x[at[0]], y[at[0]]]).all():
        fig.add_scatter(
            x=[float(x[at[0]])],
            y=[float(y[at[0]])],
            mode="markers",
            name="selected",
            marker={
                "size": 17, "symbol": "circle-open", "color": palette.SELECTED,
                "line": {"width": 2.5},
            },
            hoverinfo="skip",
            showlegend=False,
        )  # fmt: skip


def sample_of_features(
    result: Result, shown: int | None = None, *, first: Iterable[str] = (), features: bool = True
) -> list[str]:
    """What a figure of features rests on: rows, rows held out, features (of how many), seed.

    Without `features` their number is left to the phrases in `first`.
    """
    said, s = result.provenance, result.scalars
    n = s.get("n", said.get("n"))
    parts = [*first] + ([] if n is None else [f"n {theme.count(n)} rows"])
    if s.get("n_held") is not None:
        parts.append(f"{theme.count(s['n_held'])} held out")
    table = result.tables.get("features")
    of = None if table is None or not features else table.num_rows
    if shown is not None and of is not None and shown < of:
        parts.append(f"{theme.count(shown)} of {theme.count(of)} features")
    elif (many := of if shown is None else shown) is not None:
        parts.append(f"{theme.count(many)} features")
    if kind := s.get("dictionary"):
        parts.append(theme.plain(kind, 30))
    return [*parts, *theme.describe_sample({k: said.get(k) for k in ("pooling", "dtype", "seed")})]
