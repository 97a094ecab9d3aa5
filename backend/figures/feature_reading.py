"""From which layer on a feature can be read: one feature's profile, all of them, and by probe.

Reads the tables `readability`(feature, layer, index, v_information, raw, low, high, fit),
`ladder`(feature, layer, probe, r2) and `features`.
"""

from collections.abc import Sequence
from itertools import cycle

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.compute as pc

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.blocks import one_of, points_by_site
from backend.figures.columns import blocks_of, integers, numbers, table_of, texts
from backend.figures.feature_rows import rows_of, sample_of_features
from backend.figures.lines import add_line, below_title, layer_axis
from backend.figures.sites import site_label, site_ticks

_PROBES = {  # name in the legend, colour
    "linear": ("linear probe", palette.BASELINE),
    "mlp": ("small net (MLP)", palette.CATEGORIES[4]),
}
_READ = "share of the feature's variance that is read (V-information)"


def layers_of(result: Result) -> list[str]:
    """The layers that were read, in order of depth."""
    table = table_of(result, "readability", "feature", "layer", "index", "v_information")
    return [n for _, n in sorted(set(zip(integers(table, "index").tolist(),
                                         texts(table, "layer"), strict=True)))]  # fmt: skip


def depth_axis(fig: go.Figure, layers: list[str], n_blocks: int) -> None:
    """Layers along x, first left; layers that are no blocks, such as arrays, by their names."""
    layer_axis(fig, *site_ticks(layers, n_blocks=n_blocks))
    if not n_blocks:
        fig.update_xaxes(title_text="layer")


def feature_profile(
    result: Result,
    feature: int,
    *,
    compare: Sequence[int] = (),
    current: str | None = None,
    changed: Result | None = None,
) -> go.Figure:
    """How much of one feature each layer tells, as steps; their mean gap to 1 is the complexity.

    Parameters
    ----------
    feature : its number in `features`.
    compare : other features, drawn beside it without intervals.
    current : the layer that the page shows.
    changed : the same under a what-if, or of another checkpoint on the same features; in amber.
    """
    layers = layers_of(result)
    table = result.tables["readability"]
    mine = rows_of(table, feature, of="readability")
    fig = go.Figure()
    _add_mean(fig, table, layers)
    _add_fit(fig, mine, layers)
    others = [i for i in dict.fromkeys(compare) if i != feature]
    for other, colour in zip(others, cycle(palette.CATEGORIES[1:]), strict=False):
        lines = rows_of(table, other, of="readability").drop_columns(
            [c for c in ("low", "high") if c in table.column_names]
        )
        _add_steps(fig, lines, layers, result, f"feature {other}", colour)
    _add_steps(fig, mine, layers, result, f"feature {feature}", palette.BASELINE)
    if changed is not None:
        layers_of(changed)
        other = rows_of(changed.tables["readability"], feature, of="readability")
        _add_steps(fig, other, layers, changed, f"feature {feature}, what-if", palette.WHATIF)
    if current in layers:
        fig.add_vline(x=layers.index(current), line={"color": palette.SELECTED, "width": 1.5})
    depth_axis(fig, layers, blocks_of(result.provenance, layers))
    drawn = [np.asarray(t.y, dtype=float) for t in fig.data]
    ends = [f(y[np.isfinite(y)]) for y in drawn for f in (np.min, np.max) if np.isfinite(y).any()]
    fig.update_xaxes(range=[-0.6, len(layers) - 0.4])
    fig.update_yaxes(title_text=_READ, range=[min(0.0, *ends) - 0.02, max(1.0, *ends) + 0.02])
    fig.update_layout(uirevision="feature profile")
    below_title(fig)
    fig.update_layout(legend={"itemsizing": "trace"})  # dashes stay dashes
    first = [f"complexity {_complexity(result, feature)}"]
    title = f"Where feature {feature} becomes readable"
    sample = sample_of_features(result, first=first)
    return theme.finish(fig, title, result.provenance, sample=sample)


def _complexity(result: Result, feature: int) -> str:
    table = table_of(result, "features", "feature", "complexity")
    row = rows_of(table, feature, of="features").to_pylist()[0]
    return theme.interval(*(row.get(f"complexity{end}") for end in ("", "_low", "_high")))


def _by_layer(mine: pa.Table, layers: list[str], name: str) -> np.ndarray | None:
    """A column by layer, float32 (layers,), NaN where the layer was not read; None if absent."""
    values = numbers(mine, name)
    if values is None:
        return None
    out = np.full(len(layers), np.nan, dtype=np.float32)
    for layer, value in zip(texts(mine, "layer"), values, strict=True):
        if layer in layers:
            out[layers.index(layer)] = value
    return out


def _steps(y: np.ndarray) -> np.ndarray:
    return np.repeat(y, 2)


def _add_steps(
    fig: go.Figure, mine: pa.Table, layers: list[str], result: Result, name: str, colour: str
) -> None:
    """A step one layer wide for each layer, its interval as a band, and a dot that says both."""
    value, low, high = (_by_layer(mine, layers, c) for c in ("v_information", "low", "high"))
    assert value is not None
    at = np.arange(len(layers), dtype=np.float32)
    edges = np.stack([at - 0.5, at + 0.5], axis=1).ravel()
    common = {"legendgroup": name, "showlegend": False, "hoverinfo": "skip"}
    if low is not None and high is not None and (known := np.isfinite(low + high)).any():
        x = edges[_steps(known)]
        fig.add_scatter(
            x=np.r_[x, x[::-1]],
            y=np.r_[_steps(low[known]), _steps(high[known])[::-1]],
            mode="lines",
            fill="toself",
            fillcolor=palette.fade(colour, 0.26),
            line={"width": 0},
            name=f"{name}: interval",
            **common,
        )
    fig.add_scatter(
        x=edges, y=_steps(value), mode="lines", name=f"{name}: steps",
        line={"color": colour, "width": 2}, **common,
    )  # fmt: skip
    columns = [value, low, high, _by_layer(mine, layers, "raw")]
    told = [[None if c is None else float(c[i]) for c in columns] for i in range(len(layers))]
    n_blocks = blocks_of(result.provenance, layers)
    said = [
        f"{theme.plain(site_label(layer, n_blocks))}: {theme.interval(*ends)}"
        + (f"<br>before clipping {theme.number(raw)}" if raw is not None and raw != ends[0] else "")
        for layer, (*ends, raw) in zip(layers, told, strict=True)
    ]
    fig.add_scatter(
        x=at,
        y=value,
        mode="markers",
        name=name,
        legendgroup=name,
        marker={"size": 7, "color": colour},
        customdata=layers,
        hovertext=said,
        hovertemplate="%{hovertext}<extra>" + name + "</extra>",
    )


def _add_mean(fig: go.Figure, table: pa.Table, layers: list[str]) -> None:
    """The mean over all features, as a quiet dashed line."""
    at = np.array([layers.index(n) for n in texts(table, "layer")])
    value = numbers(table, "v_information")
    assert value is not None
    known = np.isfinite(value)
    sums = np.bincount(at[known], value[known], minlength=len(layers))
    counts = np.bincount(at[known], minlength=len(layers))
    mean = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    _quiet(fig, np.arange(len(layers)), mean, "mean of all features", "dash")


def _add_fit(fig: go.Figure, mine: pa.Table, layers: list[str]) -> None:
    """What the probe reaches on the rows it was fitted on: the gap is over-fitting."""
    fit = _by_layer(mine, layers, "fit")
    if fit is not None and np.isfinite(fit).any():
        _quiet(fig, np.arange(len(layers)), fit, "on the rows of the fit", "dot")


def _quiet(fig: go.Figure, x: np.ndarray, y: np.ndarray, name: str, dash: str) -> None:
    fig.add_scatter(
        x=x, y=y, mode="lines", name=name, legendrank=1001,
        line={"color": palette.CONTROL, "width": 1.5, "dash": dash},
        hovertemplate=f"{name} %{{y:.3r}}<extra></extra>",
    )  # fmt: skip


def feature_ladder(
    result: Result, *, feature: int | None = None, current: str | None = None
) -> go.Figure:
    """What a small net reads of the features beyond a linear probe, layer by layer.

    Without `feature` the median over the features that were tried, and their middle half as a
    band; with it that feature alone.
    """
    table = table_of(result, "ladder", "feature", "layer", "probe", "r2")
    if not table.num_rows:
        raise AnalysisError("No probes were compared.", "Ask for the ladder of probes.")
    tried = len(set(integers(table, "feature").tolist()))
    if feature is not None:
        table = rows_of(table, feature, of="ladder")
    there = set(texts(table, "layer"))
    layers = [layer for layer in layers_of(result) if layer in there]
    n_blocks = blocks_of(result.provenance, layers)
    fig = go.Figure()
    for probe in dict.fromkeys(texts(table, "probe")):
        name, colour = _PROBES.get(one_of(probe, _PROBES, "probe"), (probe, palette.CONTROL))
        points = _middle(table.filter(pc.equal(table["probe"], probe)), layers)  # type: ignore[attr-defined]
        add_line(fig, layers, points, name=name, colour=colour, n_blocks=n_blocks)
    depth_axis(fig, layers, n_blocks)
    if current in layers:
        fig.add_vline(x=layers.index(current), line={"color": palette.SELECTED, "width": 1.5})
    fig.update_yaxes(title_text="R² on held-out rows")
    fig.update_layout(uirevision="feature ladder")
    below_title(fig)
    said = f"feature {feature}" if feature is not None else "median and middle half of features"
    sample = sample_of_features(result, tried if feature is None else None, first=[said])
    title = "What a small net reads beyond a linear probe"
    return theme.finish(fig, title, result.provenance, sample=sample)


def _middle(mine: pa.Table, layers: list[str]) -> dict[str, dict[str, float]]:
    """Median and quartiles of R² over features at each layer; alone, no quartiles."""
    at, r2 = np.array(texts(mine, "layer"), dtype=object), numbers(mine, "r2")
    assert r2 is not None
    lists = [r2[(at == layer) & np.isfinite(r2)] for layer in layers]
    held = np.flatnonzero([len(values) > 0 for values in lists])
    middle = np.array([np.quantile(lists[i], (0.5, 0.25, 0.75)) for i in held]).reshape(-1, 3)
    many = np.array([len(lists[i]) > 1 for i in held], dtype=bool)
    ends = {n: np.where(many, middle[:, j], np.nan) for j, n in ((1, "low"), (2, "high"))}
    return points_by_site(layers, held, value=middle[:, 0], **ends)
