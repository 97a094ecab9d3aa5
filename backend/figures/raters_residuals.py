"""What the model leaves: raters by criteria, and pairs of facets that interact.

Reads `cells`(rater, criterion, n, residual, z) and `interactions`(a, b, bias, se, t, n, marked).
"""

import numpy as np
import plotly.graph_objects as go

from backend.analyses.intervals import Z95
from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.columns import scalar_of, table_of, texts
from backend.figures.raters_said import (
    LOGITS,
    column,
    flags,
    said_and_sample,
    zero_line,
)

_REACH = 4.0  # z at the ends of the colour scale


def rater_residuals(result: Result, *, most: int = 40) -> go.Figure:
    """How far each rater's ratings on each criterion lie from what the model expects, as z.

    Blue is lower than expected, red higher; of many raters the `most` with the largest |z|.
    """
    table = table_of(result, "cells", "rater", "criterion", "n", "residual", "z")
    raters, criteria = texts(table, "rater"), texts(table, "criterion")
    columns = list(dict.fromkeys(criteria))
    names, own = np.unique(np.array(raters, dtype=object).astype(str), return_inverse=True)
    z = column(table, "z")
    largest = np.zeros(len(names))
    np.maximum.at(largest, own, np.nan_to_num(np.abs(z)))
    shown = np.argsort(-largest, kind="stable")[:most]
    row_of = {int(i): row for row, i in enumerate(shown)}
    grid = np.full((len(shown), len(columns)), np.nan, dtype=np.float32)
    said_of = np.full(grid.shape, "", dtype=object)
    n, residual = column(table, "n").tolist(), column(table, "residual").tolist()
    for i in np.flatnonzero(np.isin(own, shown)).tolist():
        at = row_of[int(own[i])], columns.index(criteria[i])
        grid[at] = z[i]
        said_of[at] = (
            f"{theme.plain(raters[i], 40)}, {theme.plain(criteria[i], 40)}: mean residual "
            f"{theme.number(residual[i])}, z {theme.number(float(z[i]))}, n {theme.count(n[i])}"
        )
    fig = go.Figure(
        go.Heatmap(
            z=grid,
            zmin=-_REACH,
            zmax=_REACH,
            colorscale=palette.scale(palette.DIVERGING),
            colorbar={"title": {"text": "z"}},
            text=said_of,
            hovertemplate="%{text}<extra></extra>",
            xgap=1,
            ygap=1,
        )
    )
    fig.update_xaxes(
        tickvals=list(range(len(columns))), ticktext=[theme.plain(c, 16) for c in columns],
        tickangle=-45 if len(columns) > 6 else 0, showgrid=False,
    )  # fmt: skip
    fig.update_yaxes(
        tickvals=list(range(len(shown))), ticktext=[theme.plain(names[i], 20) for i in shown],
        autorange="reversed", showgrid=False,
    )  # fmt: skip
    fig.update_layout(
        uirevision="residuals", height=max(320, 210 + 14 * len(shown)), margin={"l": 130}
    )
    said, sample = said_and_sample(result)
    note = "" if len(shown) == len(names) else f"{len(shown)} of {len(names)} raters, largest |z|"
    title = "Which raters judge which criterion unlike the others?"
    return theme.finish(fig, title, said, sample=sample, note=note)


def interaction_forest(result: Result, *, most: int = 30) -> go.Figure:
    """Bias of pairs with 95 % intervals, the surest first; |t| of 2 or more is amber.

    Right: harsher there than the two are elsewhere.
    """
    table = table_of(result, "interactions", "a", "b", "bias", "se", "t", "n")
    if not table.num_rows:
        raise AnalysisError("No pair met.", "Name two facets that occur together.")
    part = table.slice(0, most)
    a, b = texts(part, "a"), texts(part, "b")
    bias, se, t, n = (column(part, c) for c in ("bias", "se", "t", "n"))
    marked = flags(part, "marked")
    place = np.arange(part.num_rows)
    fig = go.Figure(
        go.Scatter(
            x=bias,
            y=place,
            mode="markers",
            marker={
                "size": 8,
                "color": [palette.WHATIF if m else palette.BASELINE for m in marked],
                "symbol": ["diamond" if m else "circle" for m in marked],
            },
            error_x={
                "type": "data",
                "array": Z95 * se,
                "thickness": 1.2,
                "width": 3,
                "color": palette.CONTROL,
            },
            customdata=np.array([a, b], dtype=object).T,
            text=[
                f"{theme.plain(x, 40)} × {theme.plain(y, 40)}: bias {theme.number(v)} {LOGITS}, "
                f"t {theme.number(k)}, n {theme.count(m)}"
                for x, y, v, k, m in zip(a, b, bias.tolist(), t.tolist(), n.tolist(), strict=True)
            ],
            hovertemplate="%{text}<extra></extra>",
        )
    )
    zero_line(fig, upright=True)
    fig.update_yaxes(
        tickvals=place.tolist(),
        ticktext=[f"{theme.plain(x, 16)} × {theme.plain(y, 16)}"
                  for x, y in zip(a, b, strict=True)],
        autorange="reversed", showgrid=False,
    )  # fmt: skip
    fig.update_xaxes(title_text=f"bias, {LOGITS} (right: harsher there than elsewhere)")
    fig.update_layout(
        uirevision="interactions", showlegend=False, height=max(320, 200 + 16 * len(place)),
        margin={"l": 220},
    )  # fmt: skip
    said, sample = said_and_sample(result)
    cells = int(scalar_of(result, "raters", "interaction_cells") or table.num_rows)
    over = int(scalar_of(result, "raters", "interaction_marked") or 0)
    note = (
        f"{len(place)} of {theme.count(cells)} pairs; {theme.count(over)} have |t| ≥ 2, by chance "
        f"about {theme.count(round(0.0455 * cells))}"
    )
    return theme.finish(fig, "Who is harsh where?", said, sample=sample, note=note)
