"""Angles between class means, against those of a simplex.

Reads the table `cosines`(part, epoch, class_a, class_b, excess).
"""

from typing import Literal

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.collapse_curves import at_epoch, part_of, sample_of, when
from backend.figures.columns import numbers, table_of, texts

_NAMED = 40  # up to so many classes are each named along the axes
_LEAST = 0.02  # half the colour range, at least


def collapse_cosines(
    result: Result,
    *,
    epoch: int,
    part: str | None = None,
    order: Literal["given", "clustered"] = "given",
    own_range: bool = False,
) -> go.Figure:
    """Cosines of centred class means minus the ideal -1/(K - 1), red above, blue below.

    Parameters
    ----------
    order : as the classes are given, or with alike classes side by side (average linkage).
    own_range : colours span the values of this epoch; else those of all epochs, so that collapse
        is seen as colours turn pale.
    """
    every, part = part_of(result, table_of(result, "cosines", "part", "epoch", "class_a",
                                           "class_b", "excess"), part)  # fmt: skip
    classes, excess = _matrix(at_epoch(every, epoch))
    if not np.isfinite(excess).any():
        raise AnalysisError(f"No angle is defined at epoch {epoch}.",
                            "All class means are alike: choose a later epoch.")  # fmt: skip
    if order == "clustered":
        places = _side_by_side(excess)
        classes, excess = [classes[i] for i in places], excess[np.ix_(places, places)]
    spanned = excess if own_range else numbers(every, "excess")
    far = max(float(np.nanmax(np.abs(spanned))), _LEAST)  # type: ignore[arg-type]
    names = [theme.plain(name, 24) for name in classes]
    fig = go.Figure(
        go.Heatmap(
            z=excess,
            zmin=-far,
            zmax=far,
            colorscale=palette.scale(palette.DIVERGING),
            text=_hover(names, excess),
            hovertemplate="%{text}<extra></extra>",
            hoverongaps=False,
            colorbar={"title": {"text": "cosine minus the ideal"}},
            xgap=1,
            ygap=1,
        )
    )
    _square(fig, names)
    fig.update_layout(uirevision="collapse cosines", height=620)
    K = len(classes)
    size = np.abs(excess[~np.eye(K, dtype=bool)])
    note = (f"ideal cosine {theme.number(-1 / (K - 1))}; mean distance from it "
            f"{theme.number(float(np.nanmean(size)))}, largest "
            f"{theme.number(float(np.nanmax(size)))}")  # fmt: skip
    title = f"Angles of class means against a simplex{when(result, epoch)}"
    return theme.finish(fig, title, result.provenance, sample=sample_of([result], part), note=note)


def _matrix(table: pa.Table) -> tuple[list[str], np.ndarray]:
    """Classes in order of appearance and the excess of each pair, NaN on the diagonal."""
    first, second = texts(table, "class_a"), texts(table, "class_b")
    classes = list(dict.fromkeys([*first, *second]))
    place = {name: i for i, name in enumerate(classes)}
    out = np.full((len(classes), len(classes)), np.nan, dtype=np.float32)
    out[[place[n] for n in first], [place[n] for n in second]] = numbers(table, "excess")
    return classes, out


def _side_by_side(excess: np.ndarray) -> list[int]:
    """Order of the leaves of a tree that joins the pairs with the largest cosines first."""
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(excess) < 3:
        return list(range(len(excess)))
    away = np.nanmax(excess) - excess.astype(float)
    away[np.isnan(away)] = np.nanmax(away)
    np.fill_diagonal(away, 0.0)
    tree = linkage(squareform((away + away.T) / 2, checks=False), "average", optimal_ordering=True)
    return leaves_list(tree).tolist()


def _hover(names: list[str], excess: np.ndarray) -> list[list[str]]:
    """What each pair says: the cosine, and how far from the ideal."""
    ideal = -1 / (len(names) - 1)

    def said(a: str, b: str, more: float) -> str:
        side = "above" if more > 0 else "below"
        cosine = theme.number(more + ideal)
        return f"{a} and {b}<br>cosine {cosine}, {theme.number(abs(more))} {side} the ideal"

    rows = zip(names, excess.tolist(), strict=True)
    return [[said(a, b, v) for b, v in zip(names, row, strict=True)] for a, row in rows]


def _square(fig: go.Figure, names: list[str]) -> None:
    """Both axes by class, first left and on top; of many classes some are named."""
    step = -(-len(names) // _NAMED)
    at = list(range(0, len(names), step))
    axis = {
        "tickvals": at, "ticktext": [names[i] for i in at], "showgrid": False, "showline": False,
        "ticks": "", "constrain": "domain",
    }  # fmt: skip
    short = max(len(names[i]) for i in at) * len(at) <= 60
    fig.update_xaxes(**axis, range=[-0.5, len(names) - 0.5], tickangle=0 if short else -45,
                     automargin=True)  # fmt: skip
    fig.update_yaxes(**axis, range=[len(names) - 0.5, -0.5], scaleanchor="x", automargin=True)
