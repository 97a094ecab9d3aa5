"""Scores predicted from a layer: against the measured ones, by layer, by criterion, calibrated.

Reads the tables `predictions`, `methods`, `layers`, `components`, `calibration` and `severity`.
Items are shown by name; their text is not in the result.
"""

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
from plotly.subplots import make_subplots

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.blocks import one_of, points_by_site
from backend.figures.columns import blocks_of, numbers, scalar_of, source_of, table_of, texts
from backend.figures.lines import add_line, below_title, layer_axis
from backend.figures.sites import site_label, site_ticks, sort_sites

WAYS = {  # column of `predictions` -> method of `methods`, name
    "predicted_soft": ("components_soft", "criteria, expected points"),
    "predicted_hard": ("components_hard", "criteria, labels"),
    "direct": ("ridge_measure", "direct, debiased measures"),
    "direct_raw": ("ridge_raw", "direct, raw means"),
}
TARGETS = {
    "debiased": ("trained on debiased measures", palette.BASELINE),
    "raw": ("trained on raw means", palette.CATEGORIES[3]),
}
_COLUMNS = 5  # small multiples in a row


def rated_scores(result: Result, way: str = "predicted_soft") -> go.Figure:
    """Predicted against measured score of each held-out item.

    `way` is a column of `predictions`: one of `WAYS`.
    """
    method, name = WAYS[one_of(way, WAYS, "prediction")]
    table = table_of(result, "predictions", "item", "measure", "se", "fold", way)
    x, y, se = (numbers(table, c) for c in ("measure", way, "se"))
    low, high = (float(f(np.r_[x, y])) for f in (np.min, np.max))
    fig = go.Figure()
    fig.add_scatter(
        x=[low, high],
        y=[low, high],
        mode="lines",
        name="predicted as measured",
        line={"color": palette.CONTROL, "width": 1.2, "dash": "dash"},
        hoverinfo="skip",
    )
    extreme = np.zeros(len(x), dtype=bool)
    if "extreme" in table.column_names:
        extreme = np.array(table["extreme"].to_pylist(), dtype=bool)
    for own, label, symbol in (
        (~extreme, "item", "circle"),
        (extreme, "only lowest or only highest ratings", "circle-open"),
    ):
        if own.any():
            fig.add_trace(_items(table, np.flatnonzero(own), x, y, se, label, symbol))
    fig.update_xaxes(title_text="measured score, logits")
    fig.update_yaxes(title_text="predicted score, logits")
    fig.update_layout(uirevision="rated scores")
    below_title(fig)
    said, sample = _sample(result)
    sample.insert(0, _quality(result, method))
    title = f"Predicted and measured scores ({name})"
    return theme.finish(fig, title, said, sample=sample)


def _items(
    table: pa.Table,
    at: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    se: np.ndarray,
    name: str,
    symbol: str,
) -> go.Scatter:
    names = texts(table, "item")
    return go.Scatter(
        x=x[at],
        y=y[at],
        mode="markers",
        name=name,
        marker={"size": 6, "symbol": symbol, "color": palette.BASELINE, "opacity": 0.7},
        customdata=[names[i] for i in at],
        text=[
            f"{theme.plain(names[i], 60)}<br>measured {theme.number(float(x[i]))} "
            f"(SE {theme.number(float(se[i]))}), predicted {theme.number(float(y[i]))}"
            for i in at
        ],
        hovertemplate="%{text}<extra></extra>",
    )


def _quality(result: Result, method: str) -> str:
    """r with its interval, RMSE and MAE of one method."""
    table = table_of(result, "methods", "method", "r", "low", "high", "rmse", "mae")
    at = texts(table, "method").index(method)
    r, low, high, rmse, mae = (
        float(numbers(table, c)[at]) for c in ("r", "low", "high", "rmse", "mae")
    )
    return (
        f"r {theme.interval(r, low, high)} · RMSE {theme.number(rmse)} · MAE {theme.number(mae)} "
        "logits"
    )


def rated_layers(result: Result, *, current: str | None = None) -> go.Figure:
    """How well direct regression from each layer agrees with the debiased measures, as r.

    The point is the score built from criteria at the site where they were learned; `current` is
    the site that the page shows.
    """
    table = table_of(result, "layers", "site", "target", "r", "r_low", "r_high")
    sites = sort_sites(texts(table, "site"))
    said, sample = _sample(result)
    n_blocks = blocks_of(said, sites)
    fig = go.Figure()
    for target, (name, colour) in TARGETS.items():
        own = np.flatnonzero(np.array(texts(table, "target")) == target)
        if not len(own):
            continue
        part = table.take(own)
        at = np.array([sites.index(site) for site in texts(part, "site")])
        null = numbers(part, "control") if target == "debiased" else None
        columns = {"value": numbers(part, "r"), "low": numbers(part, "r_low"),
                   "high": numbers(part, "r_high"), "null": null}  # fmt: skip
        points = points_by_site(sites, at, **columns)
        add_line(fig, sites, points, name=name, colour=colour, n_blocks=n_blocks)
    _add_criteria(fig, result, sites, n_blocks)
    at, text = site_ticks(sites, n_blocks=n_blocks)
    layer_axis(fig, at, text)
    fig.update_yaxes(title_text="r with debiased measures")
    if current in sites:
        fig.add_vline(x=sites.index(current), line={"color": palette.SELECTED, "width": 1.5})
    fig.update_layout(uirevision="rated layers")
    below_title(fig)
    return theme.finish(fig, "Which layer tells the score?", said, sample=sample)


def _add_criteria(fig: go.Figure, result: Result, sites: list[str], n_blocks: int) -> None:
    """The multitask head's r at its own site."""
    site = scalar_of(result, "rated_texts", "site")
    r, low, high = (scalar_of(result, "rated_texts", n) for n in ("r", "r_low", "r_high"))
    if site not in sites or r is None:
        return
    interval = theme.interval(r, low, high)  # type: ignore[arg-type]
    bar = None
    if low is not None and high is not None and np.isfinite([low, high]).all():  # type: ignore[list-item]
        bar = {"type": "data", "symmetric": False, "array": [high - r], "arrayminus": [r - low],  # type: ignore[operator]
               "thickness": 1.2, "width": 4}  # fmt: skip
    fig.add_scatter(
        x=[sites.index(str(site))],
        y=[r],
        mode="markers",
        name="by criteria",
        marker={"size": 10, "symbol": "diamond", "color": palette.CATEGORIES[2]},
        error_y=bar,
        text=[site_label(str(site), n_blocks)],
        hovertemplate=f"%{{text}}: {interval}<extra>by criteria</extra>",
    )


def rated_components(result: Result, item: str | None = None) -> go.Figure:
    """What each criterion adds to one item's predicted score, to first order, in logits.

    `item` is one of those in the table `components`; None for the one that is scored highest.
    """
    table = table_of(
        result, "components", "item", "criterion", "expected", "observed", "most",
        "contribution", "score", "reference", "measure",
    )  # fmt: skip
    names = texts(table, "item")
    item = names[-1] if item is None else one_of(item, dict.fromkeys(names), "item")
    part = table.take([i for i, name in enumerate(names) if name == item])
    parts, score, reference, measure = (
        numbers(part, c) for c in ("contribution", "score", "reference", "measure")
    )
    criteria = texts(part, "criterion")
    order = np.argsort(np.abs(parts), kind="stable")  # the largest ends up on top
    fig = go.Figure(
        go.Bar(
            x=parts[order],
            y=[theme.plain(criteria[i], 40) for i in order],
            orientation="h",
            marker={"color": [palette.DIVERGING[8 if parts[i] > 0 else 1] for i in order.tolist()]},
            customdata=[criteria[i] for i in order],
            text=[_component(part, int(i)) for i in order],
            textposition="none",
            hovertemplate="%{text}<extra></extra>",
        )
    )
    fig.add_vline(x=0, line={"color": palette.CONTROL, "width": 1})
    rest = float(score[0] - reference[0] - parts.sum())
    fig.update_xaxes(title_text=f"logits from the mean score, {theme.number(float(reference[0]))}")
    fig.update_yaxes(showgrid=False, ticks="")
    fig.update_layout(uirevision="rated components", showlegend=False)
    said, sample = _sample(result)
    sample.insert(
        0,
        f"predicted {theme.number(float(score[0]))}, measured {theme.number(float(measure[0]))} · "
        f"beyond first order {theme.number(rest)}",
    )
    title = f"What makes up the score of {str(item)[:60]}"
    return theme.finish(fig, title, said, sample=sample)


def _component(part: pa.Table, i: int) -> str:
    value, expected, observed, most = (
        float(numbers(part, c)[i]) for c in ("contribution", "expected", "observed", "most")
    )
    return (
        f"{theme.plain(texts(part, 'criterion')[i], 60)}: {value:+.2f} logits<br>expected "
        f"{theme.number(expected)} of {most:.0f} points, mean rating {theme.number(observed)}"
    )


def rated_calibration(result: Result, criterion: str | None = None) -> go.Figure:
    """Observed against predicted points, for one criterion or all as small multiples."""
    table = table_of(
        result, "calibration", "criterion", "predicted", "observed", "low", "high", "most", "n"
    )  # fmt: skip
    names = list(dict.fromkeys(texts(table, "criterion")))
    if criterion is not None:
        names = [one_of(criterion, names, "criterion")]
    columns = min(_COLUMNS, len(names))
    rows = -(-len(names) // columns)
    fig = make_subplots(
        rows=rows,
        cols=columns,
        subplot_titles=[theme.plain(n, 24) for n in names] if len(names) > 1 else None,
        horizontal_spacing=0.25 / columns,
        vertical_spacing=0.3 / max(rows, 2),
    )
    for i, name in enumerate(names):
        own = [k for k, c in enumerate(texts(table, "criterion")) if c == name]
        place = {"row": i // columns + 1, "col": i % columns + 1}
        _calibration(fig, table.take(own), name, place)
    fig.update_layout(uirevision="rated calibration", showlegend=False)
    if len(names) == 1:
        fig.update_xaxes(title_text="predicted points")
        fig.update_yaxes(title_text="observed points")
    if rows > 1:
        fig.update_layout(height=230 * rows + 150)
    said, sample = _sample(result)
    title = "Are predicted points right on average?"
    return theme.finish(fig, title, said, sample=sample, note="points: observed over predicted")


def _calibration(fig: go.Figure, part: pa.Table, name: str, place: dict[str, int]) -> None:
    x, y, low, high = (numbers(part, c) for c in ("predicted", "observed", "low", "high"))
    most = float(numbers(part, "most")[0])
    counts = numbers(part, "n")
    fig.add_scatter(
        x=[0, most],
        y=[0, most],
        mode="lines",
        line={"color": palette.CONTROL, "width": 1, "dash": "dash"},
        hoverinfo="skip",
        name="as predicted",
        **place,
    )
    fig.add_scatter(
        x=x,
        y=y,
        mode="lines+markers",
        name=theme.plain(name, 40),
        line={"color": palette.BASELINE, "width": 1.2},
        marker={"size": 5},
        error_y={"type": "data", "symmetric": False, "array": high - y, "arrayminus": y - low,
                 "thickness": 1, "width": 2},
        text=[
            f"{theme.plain(name, 40)}: predicted {theme.number(float(a))}, observed "
            f"{theme.interval(float(b), float(c), float(d))}<br>{theme.count(n)} ratings"
            for a, b, c, d, n in zip(x, y, low, high, counts, strict=True)
        ],
        hovertemplate="%{text}<extra></extra>",
        **place,
    )  # fmt: skip


def _sample(result: Result) -> tuple[dict, list[str]]:
    """The provenance; held-out items, site and seed as phrases."""
    said, n = source_of(result, "rated_texts")
    site = scalar_of(result, "rated_texts", "site")
    if n is None or site is None:
        raise AnalysisError(
            "The result does not say its items and its layer.", "Draw a result of rated_texts."
        )
    where = site_label(str(site), blocks_of(said, [str(site)]))
    quiet = {name: said.get(name) for name in ("pooling", "dtype", "seed")}
    return said, [f"n {theme.count(n)} held-out items", where, *theme.describe_sample(quiet)]
