"""How well tastes predict: against their number, against few answers, by layer, and calibrated.

Reads the tables `accuracy`, `baselines`, `fewshot`, `calibration` of `preferences`, and `layers` of
`preference_layers`.
"""

import numpy as np
import plotly.graph_objects as go
import pyarrow.compute as pc

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.blocks import points_by_site
from backend.figures.columns import blocks_of, integers, numbers, table_of, texts
from backend.figures.lines import add_band, add_line, below_title, error_bars, layer_axis
from backend.figures.sites import site_ticks
from backend.figures.tastes import sample_of_choices

SPLITS = {  # name in the legend, colour, dash
    "test": ("held-out pairs", palette.BASELINE, "solid"),
    "new": ("new people", palette.CATEGORIES[3], "solid"),
    "option": ("unseen options", palette.CATEGORIES[4], "dot"),
    "train": ("training pairs", palette.CONTROL, "dot"),
}
_DASHES = ("dash", "dot", "dashdot", "longdash")


def taste_accuracy(result: Result, *, changed: Result | None = None) -> go.Figure:
    """Accuracy against the number of tastes: mean over seeds, from the least to the largest seed.

    Parameters
    ----------
    changed : the same under a what-if; its held-out accuracy is drawn in amber.
    """
    table = table_of(result, "accuracy", "k", "seed", "split", "accuracy")
    fig = go.Figure()
    for split, (name, colour, dash) in SPLITS.items():
        _add_split(fig, table, split, name, colour, dash)
    if changed is not None:
        other = table_of(changed, "accuracy", "k", "seed", "split", "accuracy")
        _add_split(fig, other, "test", "held-out pairs, what-if", palette.WHATIF, "solid")
    most = int(pc.max(table["k"]).as_py())  # type: ignore[attr-defined]
    _add_baselines(fig, result, most)
    chosen = result.scalars.get("k")
    if chosen:
        fig.add_vline(x=chosen, line={"color": palette.SELECTED, "width": 1.2, "dash": "dot"})
    fig.update_xaxes(title_text="number of tastes K", dtick=1, range=[0.8, most + 0.2])
    fig.update_yaxes(title_text="share of choices predicted", tickformat=".0%")
    fig.update_layout(uirevision="taste accuracy")
    below_title(fig)
    return _finish(fig, "How many tastes?", result)


def _add_split(fig: go.Figure, table, split: str, name: str, colour: str, dash: str) -> None:  # type: ignore[no-untyped-def]
    mine = table.filter(pc.equal(table["split"], split))  # type: ignore[attr-defined]
    if not mine.num_rows:
        return
    k, value = integers(mine, "k"), numbers(mine, "accuracy")
    assert value is not None
    at = np.unique(k)
    mean, low, high = (
        np.array([f(value[k == one]) for one in at]) for f in (np.mean, np.min, np.max)
    )
    if (high > low).any():
        add_band(fig, at, low, high, name=name, colour=colour)
    ends = [
        theme.interval(float(m), float(a), float(b))
        for m, a, b in zip(mean, low, high, strict=True)
    ]
    fig.add_scatter(
        x=at,
        y=mean,
        mode="lines+markers",
        name=name,
        legendgroup=name,
        line={"color": colour, "width": 2, "dash": dash},
        marker={"size": 7, "color": colour},
        customdata=ends,
        hovertemplate=f"K %{{x}}: %{{customdata}} over seeds<extra>{name}</extra>",
    )


def _add_baselines(fig: go.Figure, result: Result, most: int) -> None:
    """One taste for all, as level lines over held-out pairs."""
    table = result.tables.get("baselines")
    if table is None or not table.num_rows:
        return
    mine = table.filter(pc.equal(table["split"], "test"))  # type: ignore[attr-defined]
    for number, name in enumerate(dict.fromkeys(texts(mine, "name"))):
        rows = mine.filter(pc.equal(mine["name"], name))  # type: ignore[attr-defined]
        level = float(np.mean(numbers(rows, "accuracy")))  # type: ignore[arg-type]
        fig.add_scatter(
            x=[0.8, most + 0.2],
            y=[level, level],
            mode="lines",
            name=theme.plain(name, 40),
            line={"color": palette.CONTROL, "width": 1.2, "dash": _DASHES[number % 4]},
            hovertemplate=f"{theme.plain(name)}: %{{y:.3r}}<extra></extra>",
        )


def taste_fewshot(result: Result) -> go.Figure:
    """Accuracy on new people's other choices against the answers that placed them."""
    table = table_of(result, "fewshot", "pairs", "accuracy", "low", "high", "accuracy_universal")
    if not table.num_rows:
        raise AnalysisError("Nobody was kept as new.", "Raise new_share, or bring 10 people.")
    pairs = integers(table, "pairs").tolist()
    value, low, high, one = (
        numbers(table, n) for n in ("accuracy", "low", "high", "accuracy_universal")
    )
    assert value is not None and low is not None and high is not None and one is not None
    fig = go.Figure()
    fig.add_scatter(
        x=list(range(len(pairs))),
        y=value,
        mode="lines+markers",
        name=f"{result.scalars.get('k')} tastes",
        line={"color": palette.BASELINE, "width": 2},
        marker={"size": 7},
        error_y=error_bars(value, low, high),
        customdata=[
            theme.interval(*(float(x[i]) for x in (value, low, high))) for i in range(len(pairs))
        ],
        hovertemplate="%{customdata}<extra></extra>",
    )
    fig.add_scatter(
        x=list(range(len(pairs))),
        y=one,
        mode="lines",
        name="one taste",
        line={"color": palette.CONTROL, "width": 1.5, "dash": "dash"},
        hovertemplate="one taste: %{y:.3r}<extra></extra>",
    )
    fig.update_xaxes(
        title_text="answers of a new person",
        tickvals=list(range(len(pairs))),
        ticktext=[str(p) for p in pairs],
    )
    fig.update_yaxes(title_text="share of the rest predicted", tickformat=".0%")
    below_title(fig)
    return _finish(fig, "How few answers place a new person?", result)


def taste_calibration(result: Result) -> go.Figure:
    """Observed against predicted share of the likelier side, held-out pairs; area by count."""
    table = table_of(result, "calibration", "k", "predicted", "observed", "n")
    fig = go.Figure()
    fig.add_scatter(
        x=[0.5, 1], y=[0.5, 1], mode="lines", name="as predicted", hoverinfo="skip",
        line={"color": palette.CONTROL, "width": 1.2, "dash": "dash"},
    )  # fmt: skip
    ks = sorted(set(integers(table, "k").tolist()), reverse=True)
    for k, colour in zip(ks, (palette.BASELINE, palette.CATEGORIES[4]), strict=False):
        mine = table.filter(pc.equal(table["k"], k))  # type: ignore[attr-defined]
        n = integers(mine, "n")
        fig.add_scatter(
            x=numbers(mine, "predicted"),
            y=numbers(mine, "observed"),
            mode="lines+markers",
            name="one taste" if k == 1 else f"{k} tastes",
            line={"color": colour, "width": 1.5},
            marker={"size": np.clip(3 + 12 * np.sqrt(n / max(n.max(), 1)), 4, 15)},
            customdata=n,
            hovertemplate="predicted %{x:.3r}, observed %{y:.3r}, n %{customdata}<extra></extra>",
        )
    fig.update_xaxes(title_text="predicted", tickformat=".0%")
    fig.update_yaxes(title_text="observed", tickformat=".0%")
    below_title(fig)
    return _finish(fig, "Are the predictions calibrated?", result)


def taste_layers(result: Result, *, current: str | None = None) -> go.Figure:
    """Accuracy at every layer: one taste, K tastes, and the options' vectors dealt at random."""
    table = table_of(result, "layers", "site", "index", "k", "accuracy", "low", "high", "control")
    sites = [s for _, s in sorted({(r["index"], r["site"]) for r in table.to_pylist()})]
    n_blocks = blocks_of(result.provenance, sites)
    fig = go.Figure()
    ks = sorted(set(integers(table, "k").tolist()))
    for k, colour in zip(ks, (palette.CATEGORIES[4], palette.BASELINE), strict=False):
        mine = table.filter(pc.equal(table["k"], k))  # type: ignore[attr-defined]
        null = numbers(mine, "control") if k == ks[-1] else None
        at = integers(mine, "index")
        found = {n: numbers(mine, n) for n in ("low", "high")}
        points = points_by_site(sites, at, value=numbers(mine, "accuracy"), null=null, **found)
        name = "one taste" if k == 1 else f"{k} tastes"
        add_line(fig, sites, points, name=name, colour=colour, n_blocks=n_blocks)
    fig.for_each_trace(
        lambda t: t.update(name="options dealt at random"), selector={"name": "rows shuffled"}
    )
    at_ticks, ticks = site_ticks(sites)
    layer_axis(fig, at_ticks, ticks)
    if current in sites:
        fig.add_vline(x=sites.index(current), line={"color": palette.SELECTED, "width": 1.5})
    fig.update_yaxes(title_text="share of held-out choices", tickformat=".0%")
    below_title(fig)
    return _finish(fig, "Which layer knows what people like?", result)


def _finish(fig: go.Figure, title: str, result: Result) -> go.Figure:
    return theme.finish(fig, title, result.provenance, sample=sample_of_choices(result))
