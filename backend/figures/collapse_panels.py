"""Small panels of collapse over the epochs: which measures, in which dashes, and their curves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from backend.figures import palette, theme
from backend.figures.collapse_axes import Cell, EpochAxis, log_axis
from backend.figures.collapse_curves import LOG, Curve, collapse_formula, said_of
from backend.figures.lines import add_band


@dataclass(frozen=True)
class Panel:
    """One panel: its title, which says what dashes mean, and the measures with their dashes."""

    title: str
    measures: tuple[tuple[str, str], ...]

    @property
    def log(self) -> bool:
        return self.measures[0][0] in LOG


PANELS = (
    Panel("NC1 (dashed: NC1~)", (("nc1", "solid"), ("nc1_ratio", "dash"))),
    Panel("NC2 (dashed: norms, dotted: angles)",
          (("nc2", "solid"), ("nc2_equinorm", "dash"), ("nc2_equiangular", "dot"))),
    Panel("NC3", (("nc3", "solid"),)),
    Panel("NC4 (dashed: {error})", (("nc4", "solid"), ("train_error", "dash"))),
)  # fmt: skip


def draw_panels(
    fig: go.Figure,
    curves: Sequence[Curve],
    cells: Sequence[Cell],
    axis: EpochAxis,
    *,
    part: str,
    colours: dict[str, str],
    panels: Sequence[Panel] = PANELS,
    connect: bool = False,
) -> None:
    """Draw each panel's measures into its cell; what has no numbers says so.

    `connect` joins epochs with numbers across those without.
    """
    named: set[str] = set()
    for panel, (row, col) in zip(panels, cells, strict=True):
        place = {"row": row, "col": col}
        empty = True
        for curve in curves:
            for measure, dash in panel.measures:
                value = curve.value.get(measure)
                if value is None or not np.isfinite(value).any():
                    continue
                empty = False
                legend = len(curves) > 1 and curve.label not in named
                named.add(curve.label)
                look = {"colour": colours[curve.label], "dash": dash, "legend": legend}
                add_curve(fig, curve, measure, axis, part=part, connect=connect, place=place,
                          **look)  # fmt: skip
        if empty:
            fig.add_annotation(
                text="no numbers here", x=0.5, y=0.5, xref="x domain", yref="y domain",
                showarrow=False, font={"color": palette.MUTED}, **place,
            )  # fmt: skip
        dress(fig, log=panel.log, **place)


def add_curve(
    fig: go.Figure, curve: Curve, measure: str, axis: EpochAxis, *, part: str, colour: str,
    dash: str, legend: bool, place: dict, connect: bool = False,
) -> None:  # fmt: skip
    """One measure of a curve with its band; a point says its number, interval and formula."""
    x, value, label = axis.at(curve.epochs), curve.value[measure], theme.plain(curve.label, 40)
    nothing = np.full(len(x), np.nan)
    low, high = curve.low.get(measure, nothing), curve.high.get(measure, nothing)
    add_band(fig, x, low, high, name=label, colour=colour, place=place)
    name = said_of(measure, part)
    ends = zip(value.tolist(), low.tolist(), high.tolist(), strict=True)
    over = f"<br>mean, least to largest of {curve.runs} seeds" if curve.runs > 1 else ""
    fig.add_scatter(
        x=x,
        y=value,
        mode="lines+markers",
        name=label,
        legendgroup=label,
        showlegend=legend,
        line={"color": colour, "width": 2 if dash == "solid" else 1.5, "dash": dash},
        marker={"size": 4.5 if dash == "solid" else 3, "color": colour},
        connectgaps=connect,
        customdata=curve.epochs,
        hovertext=[theme.interval(*three) for three in ends],
        hovertemplate=f"epoch %{{customdata}}: {name} %{{hovertext}}{over}<br>"
        f"{name} = {collapse_formula(measure)}<extra>{label}</extra>",
        **place,
    )


def dress(fig: go.Figure, *, log: bool, **place: int) -> None:
    """An axis of decades, with a few ticks, or one from zero."""
    if log:
        drawn = [np.asarray(t.y, dtype=float) for t in fig.select_traces(**place)]
        fig.update_yaxes(**log_axis(np.concatenate([*drawn, np.empty(0)])), **place)  # type: ignore[arg-type]
    else:
        fig.update_yaxes(rangemode="tozero", nticks=5, **place)  # type: ignore[arg-type]


def titles_left(fig: go.Figure, count: int) -> None:
    """Move the first `count` panel titles to the left end of their axes."""
    axes = list(fig.select_xaxes())[-count:]
    for title, axis in zip(fig.layout.annotations[:count], axes, strict=True):
        title.update(x=axis.domain[0], xanchor="left", font={"size": 12})
