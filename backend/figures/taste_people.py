"""What each taste likes, how people divide, and where a choice flips.

Reads the tables `options`, `prototypes` and `persons` of the analysis `preferences`.
"""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.columns import numbers, table_of, texts
from backend.figures.lines import below_title
from backend.figures.tastes import sample_of_choices


def taste_likes(result: Result, *, taste: int = 0, top: int = 10) -> go.Figure:
    """The options that one taste rewards most and least, beside what the other tastes make of them.

    `taste` = -1 shows the most disputed options instead.
    """
    table = table_of(result, "options", "option", "dispute", "reward_0")
    rewards = [c for c in table.column_names if c.startswith("reward_")]
    if not -1 <= taste < len(rewards):
        raise AnalysisError(f"There is no taste {taste}.", f"Use 0 to {len(rewards) - 1}, or -1.")
    R = np.column_stack([numbers(table, c) for c in rewards])  # type: ignore[arg-type]
    if taste < 0:
        order = np.argsort(-numbers(table, "dispute"))[: 2 * top]  # type: ignore[operator]
        title = "The most disputed options"
    else:
        order = np.argsort(-R[:, taste])
        order = np.r_[order[:top], order[-top:]] if len(order) > 2 * top else order
        title = f"What taste {taste} likes most and least"
    names = [theme.plain(texts(table, "option")[i], 44) for i in order]
    colours = palette.category_colours([str(k) for k in range(len(rewards))])
    fig = go.Figure()
    for k in range(len(rewards)):
        fig.add_scatter(
            x=R[order, k],
            y=list(range(len(order))),
            mode="markers",
            name=f"taste {k}",
            marker={
                "size": 11 if k == taste else 8,
                "color": colours[str(k)],
                "symbol": "diamond" if k == taste else "circle",
            },
            customdata=[["option", texts(table, "option")[i]] for i in order],
            text=names,
            hovertemplate=f"%{{text}}<br>taste {k}: %{{x:.3r}} logits<extra></extra>",
        )
    fig.update_yaxes(
        tickvals=list(range(len(order))), ticktext=names, autorange="reversed", automargin=True,
    )  # fmt: skip
    fig.update_xaxes(title_text="reward around its mean, logits", zeroline=True)
    fig.update_layout(height=max(360, 150 + 24 * len(order)), uirevision=title)
    below_title(fig)
    return theme.finish(fig, title, result.provenance, sample=sample_of_choices(result))


def taste_divisions(result: Result, *, by: str = "") -> go.Figure:
    """How people's strongest weight is spread; or mean weights by a covariate, with intervals.

    A strongest weight near 1 is a clustered population, near 1/K a mixed one.
    """
    people = table_of(result, "persons", "person", "weight_0", "n")
    k = sum(c.startswith("weight_") and c[7:].isdigit() for c in people.column_names)
    W = np.column_stack([numbers(people, f"weight_{i}") for i in range(k)])  # type: ignore[arg-type]
    fig = go.Figure()
    low = 1 / k if k > 1 else 0.0
    if not by:
        fig.add_histogram(
            x=W.max(axis=1),
            xbins={"start": low, "end": 1.0001, "size": (1 - low) / 20},
            marker={"color": palette.BASELINE, "line": {"width": 0.5, "color": "#FFFFFF"}},
            hovertemplate="%{x}: %{y} people<extra></extra>",
        )
        fig.update_xaxes(title_text="weight of a person's strongest taste", range=[low, 1])
        fig.update_yaxes(title_text="people")
        title = "Clustered or mixed?"
    else:
        if by not in people.column_names:
            raise AnalysisError(f"People have no column {by!r}.", "Pick another.")
        values = np.array([palette.category_name(v) for v in people[by].to_pylist()], dtype=object)
        _add_groups(fig, W, values, k)
        fig.update_xaxes(title_text=theme.plain(by, 40))
        fig.update_yaxes(title_text="mean weight", range=[0, 1])
        title = f"Tastes by {by[:40]}"
        below_title(fig)
    return theme.finish(fig, title, result.provenance, sample=sample_of_choices(result))


def _add_groups(fig: go.Figure, W: np.ndarray, values: np.ndarray, k: int) -> None:
    """Mean weight of each taste in each group, with 1.96 standard errors over people."""
    names, counts = np.unique(values.astype(str), return_counts=True)
    names = names[np.argsort(-counts, kind="stable")][:12]
    colours = palette.category_colours([str(i) for i in range(k)])
    for i in range(k):
        mean, error, text = [], [], []
        for name in names:
            mine = W[values == name, i]
            mean.append(float(mine.mean()))
            error.append(1.96 * float(mine.std(ddof=1)) / len(mine) ** 0.5 if len(mine) > 1 else 0)
            text.append(f"n {len(mine)} people")
        fig.add_scatter(
            x=[theme.plain(n, 20) for n in names],
            y=mean,
            mode="markers",
            name=f"taste {i}",
            marker={"size": 10, "color": colours[str(i)], "symbol": "diamond"},
            error_y={"type": "data", "array": error, "thickness": 1.4, "width": 4},
            text=text,
            hovertemplate=f"%{{x}}: taste {i} %{{y:.3r}}, %{{text}}<extra></extra>",
        )


def taste_flip(
    result: Result, *, a: str, b: str, by_taste: Sequence[float], weights: Sequence[float],
    moved: int, flips_at: float | None,
) -> go.Figure:  # fmt: skip
    """P(b over a) as one taste's weight goes from 0 to 1, the others in proportion."""
    gap, w = np.asarray(by_taste, float), np.asarray(weights, float)
    rest = np.delete(w, moved)
    share = rest / rest.sum() if rest.sum() > 0 else np.full(len(rest), 1 / max(len(rest), 1))
    others = float(np.delete(gap, moved) @ share) if len(share) else 0.0
    x = np.linspace(0, 1, 101)
    logits = x * gap[moved] + (1 - x) * others
    fig = go.Figure()
    fig.add_scatter(
        x=x, y=1 / (1 + np.exp(-logits)), mode="lines", name="P(b)",
        line={"color": palette.BASELINE, "width": 2.5},
        hovertemplate="weight %{x:.2f}: P(b) %{y:.3r}<extra></extra>",
    )  # fmt: skip
    fig.add_hline(y=0.5, line={"color": palette.CONTROL, "dash": "dash", "width": 1})
    now = 1 / (1 + np.exp(-float(gap @ w)))
    fig.add_scatter(
        x=[w[moved]], y=[now], mode="markers", name="now",
        marker={"size": 13, "color": palette.SELECTED},
        hovertemplate="now: %{y:.3r}<extra></extra>",
    )  # fmt: skip
    if flips_at is not None:
        fig.add_vline(x=flips_at, line={"color": palette.WHATIF, "dash": "dot", "width": 1.5},
                      label={"text": f"even at {flips_at:.2f}", "textposition": "end"})  # fmt: skip
    fig.update_xaxes(title_text=f"weight of taste {moved}", range=[-0.02, 1.02])
    fig.update_yaxes(title_text="P(b is taken)", range=[0, 1])
    fig.update_layout(showlegend=False, uirevision="taste flip")
    title = f"a: {a[:40]} · b: {b[:40]}"
    return theme.finish(fig, title, result.provenance, sample=sample_of_choices(result))


def taste_place(
    result: Result, weights: Sequence[float], low: Sequence[float], high: Sequence[float], *, n: int
) -> go.Figure:
    """A new person's weight on each taste after n answers, with 95 % intervals."""
    w, lo, hi = (np.asarray(v, float) for v in (weights, low, high))
    colours = palette.category_colours([str(k) for k in range(len(w))])
    fig = go.Figure()
    fig.add_bar(
        x=[f"taste {k}" for k in range(len(w))],
        y=w,
        marker={"color": [colours[str(k)] for k in range(len(w))]},
        error_y={"type": "data", "symmetric": False, "array": np.maximum(hi - w, 0),
                 "arrayminus": np.maximum(w - lo, 0), "thickness": 1.6, "width": 6},
        customdata=[theme.interval(*map(float, e)) for e in zip(w, lo, hi, strict=True)],
        hovertemplate="%{x}: %{customdata}<extra></extra>",
    )  # fmt: skip
    fig.update_yaxes(title_text="weight", range=[0, 1])
    fig.update_layout(uirevision="place", showlegend=False)
    title = "A new person" if n else "A new person, before any answer"
    sample = [f"{n} answers", *sample_of_choices(result)]
    return theme.finish(fig, title, result.provenance, sample=sample)
