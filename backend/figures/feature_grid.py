"""All features by all layers in one picture, from simple to complex.

Reads the tables `readability`(feature, layer, index, v_information, low, high) and `features`.
"""

import numpy as np
import plotly.graph_objects as go

from backend.analyses.result import Result
from backend.figures import palette, theme
from backend.figures.columns import blocks_of, integers, numbers, texts
from backend.figures.feature_reading import depth_axis, layers_of
from backend.figures.feature_rows import (
    column_of,
    features_of,
    measure_name,
    sample_of_features,
)
from backend.figures.sites import site_label

_ROWS_MOST = 1000
_NAMED = 40  # up to so many features each has a tick of its own


def feature_heat(
    result: Result,
    *,
    by: str = "complexity",
    current: int | None = None,
    fewest: int = 0,
) -> go.Figure:
    """What each layer tells of each feature; dark is readable. Above 1 000 features, a sample.

    Parameters
    ----------
    by : the number column of `features` that sorts them, the lowest on top.
    current : the selected feature, framed; it is always among those drawn.
    fewest : features that are active on fewer rows are left out.
    """
    layers = layers_of(result)
    table = features_of(result, by, fewest=fewest)
    value = column_of(table, by, of="features")
    order = np.argsort(value, kind="stable")
    ids, value = integers(table, "feature")[order], value[order]
    kept = _evenly(ids, current)
    ids, value = ids[kept], value[kept]
    n_blocks = blocks_of(result.provenance, layers)
    z, hover = _cells(result, layers, ids, n_blocks)
    fig = go.Figure(
        go.Heatmap(
            z=z,
            zmin=0,
            zmax=1,
            colorscale=palette.scale(palette.LAYER_RAMP),
            customdata=np.repeat(ids[:, None], len(layers), axis=1),
            text=hover,
            hovertemplate="%{text}<extra></extra>",
            hoverongaps=False,
            colorbar={"title": {"text": "share of variance read"}},
            ygap=1 if len(ids) <= _NAMED else 0,
            xgap=1,
        )
    )
    if current in ids:
        at = int(np.flatnonzero(ids == current)[0])
        fig.add_hrect(
            y0=at - 0.5, y1=at + 0.5, line={"color": palette.SELECTED, "width": 2},
        )  # fmt: skip
    depth_axis(fig, layers, n_blocks)
    quiet = {"showgrid": False, "showline": False, "ticks": ""}
    fig.update_xaxes(**quiet)
    fig.update_yaxes(**_feature_ticks(ids, value, by), **quiet)
    fig.update_layout(
        height=int(min(900, max(380, 200 + 14 * len(ids)))), uirevision="feature heat"
    )
    sample = sample_of_features(result, len(ids))
    title = "What each layer tells of each feature"
    return theme.finish(fig, title, result.provenance, sample=sample)


def _evenly(ids: np.ndarray, current: int | None) -> np.ndarray:
    """Places of at most `_ROWS_MOST` features, evenly by rank, with the selected one."""
    if len(ids) <= _ROWS_MOST:
        return np.arange(len(ids))
    kept = np.linspace(0, len(ids) - 1, _ROWS_MOST).round().astype(int)
    chosen = np.flatnonzero(ids == (-1 if current is None else current))
    if len(chosen) and chosen[0] not in kept:
        kept[np.abs(kept - chosen[0]).argmin()] = chosen[0]
    return kept


def _cells(
    result: Result, layers: list[str], ids: np.ndarray, n_blocks: int
) -> tuple[np.ndarray, list[list[str]]]:
    """V-information (features, layers), NaN where there is none, and what each cell says."""
    table = result.tables["readability"]
    place = {int(one): i for i, one in enumerate(ids)}
    column = {layer: j for j, layer in enumerate(layers)}
    row = np.array([place.get(f, -1) for f in integers(table, "feature").tolist()])
    at = np.array([column[layer] for layer in texts(table, "layer")])
    mine = row >= 0
    cells = {}
    for name in ("v_information", "low", "high"):
        cells[name] = np.full((len(ids), len(layers)), np.nan, dtype=np.float32)
        if (values := numbers(table, name)) is not None:
            cells[name][row[mine], at[mine]] = values[mine]
    names = [theme.plain(site_label(layer, n_blocks)) for layer in layers]
    z, low, high = (c.tolist() for c in cells.values())
    hover = [
        [
            f"feature {feature} at {names[j]}<br>{theme.interval(z[i][j], low[i][j], high[i][j])}"
            for j in range(len(layers))
        ]
        for i, feature in enumerate(ids.tolist())
    ]
    return cells["v_information"], hover


def _feature_ticks(ids: np.ndarray, value: np.ndarray, by: str) -> dict:
    """Features up to down: each by its number where they are few, else by the measure's value."""
    n = len(ids)
    title = f"feature, by {measure_name(by)} (lowest on top)"
    axis = {"range": [n - 0.5, -0.5], "title_text": title}
    if n <= _NAMED:
        return axis | {"tickvals": list(range(n)), "ticktext": [str(i) for i in ids.tolist()]}
    at = np.unique(np.linspace(0, n - 1, 9).round().astype(int)).tolist()
    said = [str(int(value[i])) if by == "feature" else theme.number(float(value[i])) for i in at]
    return axis | {"tickvals": at, "ticktext": said}
