"""Which classes are least collapsed, and which other class is nearest to each.

Reads the table `classes`(part, epoch, class, n, within, nearest, distance, cdnv, centre_error,
head_error, norm, norm_excess).
"""

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa

from backend.analyses.intervals import wilson
from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.collapse_curves import at_epoch, part_of, sample_of, when
from backend.figures.columns import integers, numbers, table_of, texts
from backend.figures.lines import error_bars

BY = {  # what the bars show
    "cdnv": "CDNV: spread over squared distance, mean over the other classes",
    "within": "mean squared distance to the class mean",
    "distance": "distance to the nearest other mean",
    "centre_error": "share of rows nearer to another class mean",
    "head_error": "share of rows that the head puts elsewhere",
    "norm_excess": "length of the class mean against their average",
}
_SHORT = {
    "cdnv": "CDNV", "within": "spread within", "centre_error": "nearer to another mean",
    "head_error": "put elsewhere by the head", "norm_excess": "length against the average",
}  # fmt: skip
_SHARES = ("centre_error", "head_error")
_MOST = 40


def collapse_classes(
    result: Result,
    *,
    epoch: int,
    part: str | None = None,
    by: str = "cdnv",
    current: str | None = None,
) -> go.Figure:
    """Classes as bars, worst first; shares have 95 % intervals of a proportion (Wilson).

    Parameters
    ----------
    by : a key of `BY`. Worst is the largest; the smallest distance; the length farthest from the
        average.
    current : the selected class, framed. A bar's `customdata` is its class.
    """
    if by not in BY:
        raise AnalysisError(f"Classes have no {by!r}.", f"Choose: {', '.join(BY)}.")
    every, part = part_of(result, table_of(result, "classes", "part", "epoch", "class", "n",
                                           "nearest", by), part)  # fmt: skip
    table = at_epoch(every, epoch)
    value = numbers(table, by)
    if value is None or not np.isfinite(value).any():
        raise AnalysisError(f"{by!r} is not defined at epoch {epoch}.",
                            "Choose another measure, or another epoch.")  # fmt: skip
    order = np.argsort(_badness(by, value), kind="stable")[: np.isfinite(value).sum()][:_MOST]
    shown = table.take(order)
    fig = go.Figure(_bars(shown, value[order], by, current))
    names = [theme.plain(name, 30) for name in texts(shown, "class")]
    fig.update_yaxes(
        tickvals=list(range(len(names))), ticktext=names, range=[len(names) - 0.4, -0.6],
        automargin=True, showgrid=False,
    )  # fmt: skip
    percent = by in _SHARES or by == "norm_excess"
    fig.update_xaxes(title_text=BY[by], tickformat=".0%" if percent else None)
    fig.update_layout(
        height=max(380, 200 + 22 * len(names)), uirevision="collapse classes", bargap=0.3
    )
    many = table.num_rows
    note = f"{len(names)} of {theme.count(many)} classes drawn" if len(names) < many else ""
    title = f"The least collapsed classes first{when(result, epoch)}"
    return theme.finish(fig, title, result.provenance, sample=sample_of([result], part), note=note)


def _badness(by: str, value: np.ndarray) -> np.ndarray:
    """Falls with how bad a class is; unknown ones last."""
    if by == "distance":
        return value
    return -np.abs(value)


def _bars(table: pa.Table, value: np.ndarray, by: str, current: str | None) -> go.Bar:
    classes = texts(table, "class")
    bars = {}
    if by in _SHARES:
        counts = integers(table, "n").tolist()
        ends = np.array([wilson(v * n, n) for v, n in zip(value.tolist(), counts, strict=True)])
        bars = {"error_x": error_bars(value, ends[:, 0], ends[:, 1])
                | {"color": palette.UNSELECTED, "thickness": 1.6}}  # fmt: skip
    return go.Bar(
        x=value,
        y=list(range(len(classes))),
        orientation="h",
        name="classes",
        marker={
            "color": palette.BASELINE,
            "line": {
                "color": palette.SELECTED,
                "width": [2.5 if name == current else 0 for name in classes],
            },
        },
        customdata=classes,
        hovertext=_hover(table),
        hovertemplate="%{hovertext}<extra></extra>",
        **bars,
    )


def _hover(table: pa.Table) -> list[str]:
    """What each class says: rows, nearest class and its distance, and all numbers known."""
    said = []
    for row in table.to_pylist():
        near = theme.plain(row["nearest"], 40)
        lines = [f"{theme.plain(row['class'], 40)}, n {theme.count(row['n'])} rows"]
        far = row.get("distance")
        lines.append(f"nearest: {near}" + ("" if far is None else f" at {theme.number(far)}"))
        for name, words in _SHORT.items():
            if (v := row.get(name)) is None:
                continue
            ends = wilson(v * row["n"], row["n"]) if name in _SHARES else (None, None)
            lines.append(f"{words} {theme.interval(v, *ends)}")
        said.append("<br>".join(lines))
    return said
