"""The tree of features: what measure each branch has on average, level by level.

Reads the tables `branches`(feature, level, branch) and `features`.
"""

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.columns import integers, table_of
from backend.figures.feature_rows import (
    column_of,
    features_of,
    measure_name,
    sample_of_features,
    say_features,
)

_NAMED = 6  # features that a branch's hover text lists
_TEXT_LEAST = 9  # px; a mean that would be smaller in its branch is left to the hover text
_ROOM = 22  # px between the plot and its colour scale, for the chart's buttons


def feature_tree_map(
    result: Result, *, by: str = "complexity", current: int | None = None
) -> go.Figure:
    """Branches of directions that lie close, as wide as they have features, low means left.

    The lowest row is the features themselves; a click's `customdata` is the feature's number.

    Parameters
    ----------
    by : a number column of `features`, whose mean colours each branch.
    current : the selected feature; the branches that hold it are framed.
    """
    table = features_of(result, by)
    value = column_of(table, by, of="features").astype(np.float64)
    levels, tree = _tree(result, integers(table, "feature"))
    order = _order(tree, value)
    table, value, tree = table.take(order), value[order], tree[:, order]
    ids = integers(table, "feature")
    nodes = [node for depth in range(len(tree)) for node in _nodes(tree, depth, value)]
    low, high = _range([mean for *_, mean in nodes])
    fig = go.Figure()
    _add_branches(fig, nodes, ids, value, by, (low, high))
    _add_features(fig, table, value, len(tree), (low, high))
    if current in ids:
        _frame(fig, nodes, int(np.flatnonzero(ids == current)[0]), len(tree))
    ticks = [f"level {level}" for level in levels] + ["features"]
    fig.update_yaxes(
        tickvals=[i + 0.5 for i in range(len(ticks))], ticktext=ticks, range=[len(ticks), 0],
        showgrid=False, showline=False, ticks="", fixedrange=True, ticklabelstandoff=6,
    )  # fmt: skip
    fig.update_xaxes(
        title_text="features; those of a branch lie together", range=[0, len(ids)],
        showticklabels=False, showgrid=False, showline=False, ticks="",
    )  # fmt: skip
    fig.update_layout(
        height=420, uirevision=f"feature tree {by}", showlegend=False, bargap=0, barmode="overlay",
        uniformtext={"minsize": _TEXT_LEAST, "mode": "hide"},
        margin={"t": 92, "l": 70, "r": 24, "b": 60},
    )  # fmt: skip
    sample = sample_of_features(result, len(ids))
    title = f"Branches of features by mean {measure_name(by)}"
    note = "features beyond the scale of the means take its ends"
    return theme.finish(fig, title, result.provenance, sample=sample, note=note)


def _tree(result: Result, ids: np.ndarray) -> tuple[list[int], np.ndarray]:
    """Levels, and the branch of each feature `ids` at each of them: (levels, features)."""
    table = table_of(result, "branches", "feature", "level", "branch")
    if not table.num_rows:
        raise AnalysisError("The features have no tree.", "Ask for more features.")
    feature, level = integers(table, "feature"), integers(table, "level")
    levels = np.unique(level)
    place = {one: i for i, one in enumerate(ids.tolist())}
    out = np.full((len(levels), len(ids)), -1, np.int64)
    at = np.array([place.get(one, -1) for one in feature.tolist()])
    mine = at >= 0
    out[np.searchsorted(levels, level[mine]), at[mine]] = integers(table, "branch")[mine]
    if (out < 0).any():
        raise AnalysisError("Some features have no branch in the table 'branches'.",
                            "Compute the result again.")  # fmt: skip
    return levels.tolist(), out


def _order(tree: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Features by the mean of their branch at the first level, within it at the next, ..."""
    known = np.where(np.isfinite(value), value, np.nanmean(value))
    keys = [known]
    for branch in tree[::-1]:
        sums, n = np.bincount(branch, known), np.bincount(branch)
        keys += [branch, (sums / np.maximum(n, 1))[branch]]  # branches of equal means stay whole
    return np.lexsort(keys)


def _nodes(tree: np.ndarray, depth: int, value: np.ndarray) -> list[tuple[int, int, int, float]]:
    """Depth, first feature, number of features and mean of each branch, left to right."""
    starts = np.flatnonzero(np.diff(tree[depth], prepend=-1))
    ends = np.append(starts[1:], tree.shape[1])
    return [
        (depth, int(a), int(b - a), _mean(value[a:b])) for a, b in zip(starts, ends, strict=True)
    ]


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _range(means: list[float]) -> tuple[float, float]:
    known = [mean for mean in means if np.isfinite(mean)]
    low, high = min(known), max(known)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _look(values: list[float], ends: tuple[float, float], line: float) -> dict:
    return {
        "color": values,
        "colorscale": palette.scale(palette.POINT_RAMP),
        "cmin": ends[0],
        "cmax": ends[1],
        "line": {"color": "rgba(128,136,144,0.55)", "width": line},
    }


def _add_branches(
    fig: go.Figure, nodes: list[tuple[int, int, int, float]], ids: np.ndarray, value: np.ndarray,
    by: str, ends: tuple[float, float],
) -> None:  # fmt: skip
    """One bar for each branch: as wide as its features are many, one level high."""
    said = []
    for depth, start, n, mean in nodes:
        mine = value[start : start + n]
        mine = mine[np.isfinite(mine)]
        middle = np.quantile(mine, (0.25, 0.75)) if len(mine) else (np.nan, np.nan)
        named = ", ".join(map(str, ids[start : start + n][:_NAMED]))
        lines = [
            f"level {depth + 1}: {theme.count(n)} feature{'s' if n > 1 else ''}",
            f"mean {measure_name(by)} {theme.number(mean)}",
            f"middle half {theme.number(middle[0])} to {theme.number(middle[1])}",
            f"features {named}{', …' if n > _NAMED else ''}",
        ]
        said.append("<br>".join(lines))
    depths, starts, counts, means = (list(part) for part in zip(*nodes, strict=True))
    fig.add_bar(
        x=[start + n / 2 for start, n in zip(starts, counts, strict=True)],
        y=[1] * len(nodes),
        base=depths,
        width=counts,
        name="branches",
        marker=_look(means, ends, 1),
        text=[theme.number(mean) for mean in means],
        textposition="inside",
        insidetextanchor="middle",
        textangle=0,
        constraintext="inside",
        insidetextfont={"color": _ink(means, ends), "size": 11},
        hovertext=said,
        hovertemplate="%{hovertext}<extra></extra>",
    )
    title = {"text": f"mean {measure_name(by)}", "side": "right", "font": {"size": 12}}
    fig.data[-1].marker.update(showscale=True, colorbar={
        "title": title, "thickness": 12, "outlinewidth": 0, "xpad": _ROOM,
        "tickfont": {"size": 11},
    })  # fmt: skip


def _ink(means: list[float], ends: tuple[float, float]) -> list[str]:
    """Dark letters on the light half of the scale, white ones on the dark half."""
    middle = (ends[0] + ends[1]) / 2
    return ["#FFFFFF" if mean > middle else "#1F2630" for mean in means]


def _add_features(
    fig: go.Figure, table: pa.Table, value: np.ndarray, depth: int, ends: tuple[float, float]
) -> None:
    n = table.num_rows
    fig.add_bar(
        x=np.arange(n) + 0.5,
        y=np.ones(n),
        base=[depth] * n,
        width=[1] * n,
        name="features",
        marker=_look(value.tolist(), ends, 0.5 if n <= 200 else 0),
        customdata=integers(table, "feature"),
        hovertext=say_features(table),
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _frame(
    fig: go.Figure, nodes: list[tuple[int, int, int, float]], place: int, depth: int
) -> None:
    """Frames around the selected feature and every branch that holds it."""
    holding = [(d, a, n) for d, a, n, _ in nodes if a <= place < a + n]
    for at, start, n in [*holding, (depth, place, 1)]:
        fig.add_shape(
            type="rect", x0=start, x1=start + n, y0=at, y1=at + 1,
            line={"color": palette.SELECTED, "width": 2},
        )  # fmt: skip
