"""What is left of the accuracy when only some features are kept.

Reads the table `ablation`(order, kept, accuracy); accuracy is relative to the whole model's.
"""

import numpy as np
import plotly.graph_objects as go

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.columns import numbers, table_of, texts
from backend.figures.feature_rows import COMPLEX, SIMPLE, sample_of_features
from backend.figures.lines import below_title

ORDERS = {  # name in the legend, colour
    "importance": ("most important first", palette.BASELINE),
    "simplest": ("simplest first", SIMPLE),
    "most_complex": ("most complex first", COMPLEX),
}
_RANDOM = "random-"


def feature_ablation(result: Result, *, current: float | None = None) -> go.Figure:
    """Relative accuracy against the share of features kept, by the order in which they are kept.

    Random orders are one grey line, their mean, in a band from the least to the largest seed.
    `current` is the share that the page shows.
    """
    table = table_of(result, "ablation", "order", "kept", "accuracy")
    if not table.num_rows:
        raise AnalysisError("Nothing was taken out.", "That needs a model that names classes.")
    order = np.array(texts(table, "order"), dtype=object)
    kept, accuracy = numbers(table, "kept"), numbers(table, "accuracy")
    assert kept is not None and accuracy is not None
    fig = go.Figure()
    seeds = [name for name in dict.fromkeys(order) if name.startswith(_RANDOM)]
    if seeds:
        _add_random(fig, [(kept[order == s], accuracy[order == s]) for s in seeds])
    others = [name for name in dict.fromkeys(order) if name not in seeds]
    spare = iter(palette.CATEGORIES[1:])
    for name in sorted(others, key=lambda n: (*ORDERS, n).index(n)):
        said, colour = ORDERS.get(name) or (name.replace("_", " "), next(spare, palette.MUTED))
        at = np.flatnonzero(order == name)[np.argsort(kept[order == name], kind="stable")]
        _add_order(fig, kept[at], accuracy[at], theme.plain(said, 40), colour)
    fig.add_hline(y=1, line={"color": palette.CONTROL, "width": 1, "dash": "dash"}, layer="below")
    if current is not None:
        fig.add_vline(x=current, line={"color": palette.SELECTED, "width": 1.5})
    fig.update_xaxes(title_text="share of features kept", tickformat=".0%", range=[-0.02, 1.02])
    fig.update_yaxes(
        title_text="accuracy relative to the model's", tickformat=".0%", rangemode="tozero"
    )
    fig.update_layout(uirevision="feature ablation")
    below_title(fig)
    fig.update_layout(legend={"itemsizing": "trace"})  # dashes stay dashes
    title = "What is left when features are taken out"
    sample = sample_of_features(result)
    return theme.finish(fig, title, result.provenance, sample=sample)


def _add_order(
    fig: go.Figure, kept: np.ndarray, accuracy: np.ndarray, name: str, colour: str
) -> None:
    fig.add_scatter(
        x=kept,
        y=accuracy,
        mode="lines+markers",
        name=name,
        line={"color": colour, "width": 2},
        marker={"size": 5, "color": colour},
        hovertemplate=f"%{{x:.3p}} kept: %{{y:.3p}}<extra>{name}</extra>",
    )


def _add_random(fig: go.Figure, curves: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """Mean over the seeds at each share, and the band from the least to the largest of them."""
    kept = np.concatenate([x for x, _ in curves])
    accuracy = np.concatenate([y for _, y in curves])
    at = np.unique(kept)
    mean, low, high = (
        np.array([f(accuracy[kept == one]) for one in at]) for f in (np.mean, np.min, np.max)
    )
    name = "random" + (f" ({len(curves)} seeds)" if len(curves) > 1 else "")
    if (high > low).any():
        fig.add_scatter(
            x=np.r_[at, at[::-1]],
            y=np.r_[low, high[::-1]],
            mode="lines",
            fill="toself",
            fillcolor=palette.fade(palette.CONTROL, 0.26),
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
            legendgroup=name,
            name=f"{name}: least to largest",
        )
    fig.add_scatter(
        x=at,
        y=mean,
        mode="lines",
        name=name,
        legendgroup=name,
        line={"color": palette.CONTROL, "width": 1.5, "dash": "dot"},
        customdata=[
            theme.interval(*map(float, ends)) for ends in zip(mean, low, high, strict=True)
        ],
        hovertemplate=f"%{{x:.3p}} kept: %{{customdata}}<extra>{name}</extra>",
    )
