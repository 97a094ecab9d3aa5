"""Two models' features: how complex each one's are, and how complex the partners are in either.

Reads the tables `features`(model, feature, complexity) and `pairs`(feature_a, feature_b,
correlation, matched, complexity_a, complexity_b, complexity_in_other), and the models' names.
"""

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.compute as pc

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.blocks import one_of
from backend.figures.columns import integers, numbers, table_of
from backend.figures.feature_rows import sample_of_features
from backend.figures.lines import below_title, error_bars

_BARS_MOST = 100  # points, above which their intervals would hide one another
_STEPS = (0.01, 0.02, 0.05, 0.1)  # widths of a bar
_MOST_BARS = 25
AGAINST = {
    "complexity_b": "complexity of the partner in {b}",
    "complexity_in_other": "complexity of the same feature, read from the layers of {b}",
}


def feature_match_distributions(result: Result) -> go.Figure:
    """Complexities of each model's own features as bars, one model's up and the other's down.

    Heights are shares of the model's features; a line marks the mean, its band the 95 % interval
    over features.
    """
    table = table_of(result, "features", "model", "feature", "complexity")
    values = {m: numbers(_of(table, m), "complexity") for m in "ab"}
    if not all(v is not None and len(v) for v in values.values()):
        raise AnalysisError("A model has no features here.", "All were dead: bring more rows.")
    edges = _edges(np.concatenate(list(values.values())))  # type: ignore[arg-type]
    fig = go.Figure()
    tops = []
    for model, side in (("a", 1), ("b", -1)):
        counts = np.histogram(values[model], edges)[0]  # type: ignore[arg-type]
        _add_bars(fig, result, model, edges, counts, side)
        tops.append(counts.max() / counts.sum())
    for model, side in (("a", 1), ("b", -1)):
        _add_mean(fig, result, model, side * 1.06 * max(tops))
    ticks = _share_ticks(max(tops))
    fig.update_yaxes(
        title_text="share of the model's features", tickvals=[*(-ticks[:0:-1]), *ticks],
        ticktext=[f"{100 * t:.3g} %" for t in (*ticks[:0:-1], *ticks)],
        range=[-1.12 * max(tops), 1.12 * max(tops)],
    )  # fmt: skip
    fig.update_xaxes(title_text="complexity: 0 read from every layer, 1 from none")
    fig.add_hline(y=0, line={"color": palette.CONTROL, "width": 1})
    fig.update_layout(barmode="overlay", bargap=0, uirevision="feature match distributions")
    below_title(fig)
    s = result.scalars
    counts = [f"{theme.count(s['features_a'])} and {theme.count(s['features_b'])} features"]
    sample = sample_of_features(result, first=counts, features=False)
    return theme.finish(fig, "How complex each model's features are", result.provenance,
                        sample=sample)  # fmt: skip


def feature_match_pairs(
    result: Result, *, against: str = "complexity_b", current: tuple[int, int] | None = None
) -> go.Figure:
    """Each pair's complexity in the first model against that in the second, with the diagonal.

    Size and colour are the correlation of the codes; pairs that go together no more than shuffled
    rows do are grey. A click's `customdata` is (feature_a, feature_b).

    Parameters
    ----------
    against : `complexity_b`, or `complexity_in_other`: the first's features in the second's layers.
    current : the selected pair, ringed.
    """
    one_of(against, AGAINST, "measure")
    table = table_of(result, "pairs", "feature_a", "feature_b", "correlation", "matched",
                     "complexity_a", against)  # fmt: skip
    x, y = numbers(table, "complexity_a"), numbers(table, against)
    if x is None or y is None or not len(x):
        raise AnalysisError("No features were paired.", "Give more rows.")
    fig = go.Figure()
    ends = _diagonal(fig, table, against)
    _add_intervals(fig, table, x, y, against)
    good = table["matched"].to_numpy(zero_copy_only=False)
    _add_pairs(fig, result, table, x, y, good)
    _ring(fig, table, x, y, current)
    names = {m: theme.plain(result.scalars[f"name_{m}"], 46) for m in "ab"}
    fig.update_xaxes(title_text=f"complexity in {names['a']}", range=ends, constrain="domain")
    fig.update_yaxes(title_text=AGAINST[against].format(**names), range=ends, scaleanchor="x",
                     constrain="domain")  # fmt: skip
    fig.update_xaxes(nticks=8).update_yaxes(nticks=8)
    fig.update_layout(uirevision=f"feature match pairs {against}")
    below_title(fig)
    fig.update_layout(legend={"itemsizing": "trace"})  # the dashes stay dashes
    s = result.scalars
    mean = theme.interval(*(s[f"correlation{end}"] for end in ("", "_low", "_high")))  # type: ignore[arg-type]
    first = [
        f"mean correlation {mean}, shuffled {theme.number(s['correlation_control'])}",  # type: ignore[arg-type]
        f"{theme.count(s['matched'])} of {theme.count(s['pairs'])} pairs above chance",
    ]
    sample = sample_of_features(result, first=first, features=False)
    return theme.finish(fig, "Features of two models, pair by pair", result.provenance,
                        sample=sample)  # fmt: skip


def _of(table: pa.Table, model: str) -> pa.Table:
    return table.filter(pc.equal(table["model"], model))  # type: ignore[attr-defined]


def _colour(result: Result, model: str) -> str:
    """Amber for the changed or other model, grey-blue for the one it is held against."""
    return palette.WHATIF if result.scalars["changed"] == model else palette.BASELINE


def _edges(values: np.ndarray) -> np.ndarray:
    """Round edges of at most 25 bars that hold all values."""
    low, high = float(values.min()), float(values.max())
    step = next((s for s in _STEPS if (high - low) / s < _MOST_BARS), _STEPS[-1])
    first = np.floor(low / step + 1e-9)
    count = max(1, int(np.ceil(high / step - 1e-9) - first))
    return step * (first + np.arange(count + 1))


def _share_ticks(top: float) -> np.ndarray:
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if top / s <= 5)
    return step * np.arange(int(top / step + 1e-9) + 1)


def _add_bars(
    fig: go.Figure, result: Result, model: str, edges: np.ndarray, counts: np.ndarray, side: int
) -> None:
    name, total = theme.plain(result.scalars[f"name_{model}"], 60), int(counts.sum())
    said = [
        f"complexity {low:.2f} to {high:.2f}<br>{n} of {total} features"
        for low, high, n in zip(edges, edges[1:], counts.tolist(), strict=False)
    ]
    fig.add_bar(
        x=(edges[1:] + edges[:-1]) / 2,
        y=side * counts / total,
        width=np.diff(edges),
        name=name,
        legendgroup=name,
        marker={"color": _colour(result, model), "line": {"width": 0}},
        opacity=0.75,
        hovertext=said,
        hovertemplate=f"%{{hovertext}}<extra>{name}</extra>",
    )


def _add_mean(fig: go.Figure, result: Result, model: str, end: float) -> None:
    """The mean as a line from the middle outwards, its interval as a band."""
    s, colour = result.scalars, _colour(result, model)
    mean, low, high = (s[f"mean_complexity_{model}{e}"] for e in ("", "_low", "_high"))
    name = theme.plain(s[f"name_{model}"], 60)
    if low is not None and high is not None:
        fig.add_scatter(
            x=[low, high, high, low], y=[0, 0, end, end], mode="lines", fill="toself",
            fillcolor=palette.fade(colour, 0.3), line={"width": 0}, hoverinfo="skip",
            showlegend=False, legendgroup=name, name=f"{name}: interval",
        )  # fmt: skip
    said = f"mean {theme.interval(mean, low, high)}"  # type: ignore[arg-type]
    fig.add_scatter(
        x=[mean, mean], y=[0, end], mode="lines", line={"color": colour, "width": 2.5},
        showlegend=False, legendgroup=name, name=f"{name}: mean", hovertext=[said, said],
        hovertemplate=f"%{{hovertext}}<extra>{name}</extra>",
    )  # fmt: skip


def _diagonal(fig: go.Figure, table: pa.Table, against: str) -> list[float]:
    """Where both are equally complex; returns limits that hold every value and its interval."""
    columns = [f"{n}{e}" for n in ("complexity_a", against) for e in ("", "_low", "_high")]
    drawn = [numbers(table, n) for n in (columns if table.num_rows <= _BARS_MOST else columns[::3])]
    values = np.concatenate([v for v in drawn if v is not None])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    pad = 0.04 * (high - low) or 0.05
    ends = [low - pad, high + pad]
    fig.add_scatter(
        x=ends, y=ends, mode="lines", name="equally complex", hoverinfo="skip",
        line={"color": palette.CONTROL, "width": 1.2, "dash": "dash"},
    )  # fmt: skip
    return ends


def _add_intervals(
    fig: go.Figure, table: pa.Table, x: np.ndarray, y: np.ndarray, against: str
) -> None:
    """Both intervals as thin bars behind the points, where those are few."""
    bars = {}
    for axis, name, value in (("error_x", "complexity_a", x), ("error_y", against, y)):
        low, high = numbers(table, f"{name}_low"), numbers(table, f"{name}_high")
        if low is not None and high is not None and np.isfinite(low + high).any():
            look = {"color": palette.fade(palette.CONTROL, 0.45), "thickness": 1}
            bars[axis] = error_bars(value, low, high, width=0) | look
    if bars and len(x) <= _BARS_MOST:
        fig.add_scatter(
            x=x, y=y, mode="markers", name="interval", hoverinfo="skip", showlegend=False,
            marker={"size": 1, "color": palette.CONTROL}, **bars,
        )  # fmt: skip


def _add_pairs(
    fig: go.Figure, result: Result, table: pa.Table, x: np.ndarray, y: np.ndarray, good: np.ndarray
) -> None:
    """Dots, larger and darker the more the codes go together; grey ones are within chance."""
    r = numbers(table, "correlation")
    assert r is not None
    strength = np.abs(r) if result.scalars["matched_by"] == "|r|" else r
    size = 6 + 10 * np.clip(strength, 0, 1)
    ids = np.stack([integers(table, f"feature_{m}") for m in "ab"], axis=1)
    said = np.array(_say(table, result), dtype=object)
    scale = {
        "colorscale": palette.scale(palette.POINT_RAMP), "cmin": 0, "cmax": 1, "showscale": True,
        "colorbar": {"title": {"text": f"correlation {result.scalars['matched_by']}"}},
    }  # fmt: skip
    for name, at, look in (
        ("within chance", np.flatnonzero(~good), {"color": palette.UNSELECTED}),
        ("go together", np.flatnonzero(good), scale | {"color": strength[good]}),
    ):
        if len(at):
            fig.add_scatter(
                x=x[at],
                y=y[at],
                mode="markers",
                name=name,
                marker={"size": size[at], "opacity": 0.85, "line": {"width": 0.4}} | look,
                unselected={"marker": {"opacity": 0.85}},
                customdata=ids[at].tolist(),  # a browser gives rows of an array back as a dict
                hovertext=said[at],
                hovertemplate="%{hovertext}<extra></extra>",
            )


def _say(table: pa.Table, result: Result) -> list[str]:
    """What a pair's point says: both features, their correlation, and complexities."""
    names = {m: theme.plain(result.scalars[f"name_{m}"], 40) for m in "ab"}
    said = []
    for row in table.to_pylist():
        ends = {n: theme.interval(*(row.get(f"{n}{e}") for e in ("", "_low", "_high")))
                for n in ("correlation", "complexity_a", "complexity_b",
                          "complexity_in_other")}  # fmt: skip
        lines = [
            f"feature {row['feature_a']} and feature {row['feature_b']}",
            f"correlation {ends['correlation']}",
            f"complexity {ends['complexity_a']} in {names['a']}",
            f"the partner's {ends['complexity_b']} in {names['b']}",
            f"the first read from the second's layers {ends['complexity_in_other']}",
        ]
        if row.get("cosine") is not None:
            lines.append(f"cosine {theme.number(row['cosine'])}")
        said.append("<br>".join(lines))
    return said


def _ring(
    fig: go.Figure, table: pa.Table, x: np.ndarray, y: np.ndarray, current: tuple[int, int] | None
) -> None:
    if current is None:
        return
    same = [integers(table, f"feature_{m}") == f for m, f in zip("ab", current, strict=True)]
    for at in np.flatnonzero(same[0] & same[1]):
        fig.add_scatter(
            x=[float(x[at])], y=[float(y[at])], mode="markers", name="selected",
            hoverinfo="skip", showlegend=False,
            marker={"size": 21, "symbol": "circle-open", "color": palette.SELECTED,
                    "line": {"width": 2.5}},
        )  # fmt: skip
