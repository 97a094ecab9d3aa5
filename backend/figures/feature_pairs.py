"""One measure of the features against another, with their rank correlation.

Reads the table `features`, or at one epoch `training`(epoch, feature, complexity, importance, ...).
"""

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa

from backend.analyses.intervals import rank_correlation
from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.blocks import DECADES_MOST
from backend.figures.columns import integers, numbers, table_of
from backend.figures.feature_rows import (
    column_of,
    draw_points,
    features_of,
    frame_feature,
    measure_name,
    sample_of_features,
)

_BARS_MOST = 100  # points, above which their intervals would hide one another


def feature_scatter(
    result: Result,
    *,
    x: str = "complexity",
    y: str = "importance",
    colour: str | None = None,
    current: int | None = None,
    epoch: int | None = None,
    fewest: int = 0,
) -> go.Figure:
    """Each feature by two of its measures; Spearman's rho with its interval in the small print.

    Parameters
    ----------
    x, y : number columns, such as `complexity`, `importance`, `redundancy`, `time_to_decode`.
    colour : a column; "" for one colour; by default the signed importance (red adds to the class's
        logit, blue takes away) where y is the importance.
    current : the selected feature, ringed.
    epoch : draws the features of that epoch, from the table `training`, on axes that all epochs
        share.
    fewest : features that are active on fewer rows are left out.

    A correlation over features says what goes together, not why.
    """
    everything, of = _table(result, x, y, epoch, fewest)
    at = [column_of(everything, name, of=of) for name in (x, y)]
    mine = np.isfinite(at[0]) & np.isfinite(at[1])
    if epoch is not None:
        mine &= integers(everything, "epoch") == epoch
    if not mine.any():
        raise AnalysisError(
            f"No feature has both a {measure_name(x)} and a {measure_name(y)}.",
            "Choose another measure.",
        )
    table = everything.filter(pa.array(mine))
    across, up = at[0][mine], at[1][mine]
    fig = go.Figure()
    _add_intervals(fig, table, x, across, y, up)
    draw_points(fig, table, across, up, _colour(table, y, colour), of=of)
    frame_feature(fig, table, across, up, current)
    _axes(fig, x, at[0], y, at[1], fixed=epoch is not None)
    fig.update_layout(uirevision=f"feature scatter {x} {y}")
    rho = theme.interval(*rank_correlation(across.astype(float), up.astype(float)))
    first = [f"Spearman ρ {rho} over {theme.count(len(across))} features"]
    first += [] if epoch is None else [f"epoch {epoch}"]
    fewer = epoch is None and len(across) < result.tables["features"].num_rows
    shown = len(across) if fewer else None
    sample = sample_of_features(result, shown, first=first, features=fewer)
    title = f"{measure_name(x).capitalize()} against {measure_name(y)}"
    return theme.finish(fig, title, result.provenance, sample=sample)


def _table(result: Result, x: str, y: str, epoch: int | None, fewest: int) -> tuple[pa.Table, str]:
    """The features now, or of all epochs; and the name of the table."""
    if epoch is None:
        return features_of(result, x, y, fewest=fewest), "features"
    table = table_of(result, "training", "epoch", "feature", x, y)
    epochs = sorted(set(integers(table, "epoch").tolist()))
    if epoch not in epochs:
        there = ", ".join(map(str, epochs)) or "none"
        raise AnalysisError(f"There is no checkpoint of epoch {epoch}.", f"There is: {there}.")
    if fewest > 0:
        active = numbers(table_of(result, "training", "n_active"), "n_active")
        table = table.filter(pa.array(~(active < fewest)))  # type: ignore[operator]
    return table, "training"


def _colour(table: pa.Table, y: str, colour: str | None) -> str:
    if colour is None:
        signed = numbers(table, "importance_signed") if y == "importance" else None
        return "" if signed is None or not np.isfinite(signed).any() else "importance_signed"
    if colour and colour not in table.column_names:
        raise AnalysisError(
            f"Features have no column {colour!r}.", f"They have: {', '.join(table.column_names)}."
        )
    return colour


def _add_intervals(
    fig: go.Figure, table: pa.Table, x: str, across: np.ndarray, y: str, up: np.ndarray
) -> None:
    """The intervals of both measures as thin bars behind the points, where those are few."""
    bars = {"error_x": _error(table, x, across), "error_y": _error(table, y, up)}
    if len(across) <= _BARS_MOST and any(bars.values()):
        fig.add_scatter(
            x=across, y=up, mode="markers", name="interval", hoverinfo="skip", showlegend=False,
            marker={"size": 1, "color": palette.CONTROL}, **bars,
        )  # fmt: skip


def _error(table: pa.Table, name: str, value: np.ndarray) -> dict | None:
    low, high = numbers(table, f"{name}_low"), numbers(table, f"{name}_high")
    if low is None or high is None or not np.isfinite(low + high).any():
        return None
    look = {"color": palette.fade(palette.CONTROL, 0.6), "thickness": 1, "width": 0}
    return look | {
        "type": "data", "symmetric": False, "array": high - value, "arrayminus": value - low,
    }  # fmt: skip


def _axes(
    fig: go.Figure, x: str, across: np.ndarray, y: str, up: np.ndarray, *, fixed: bool
) -> None:
    """Names; a log scale for a y above zero that is wide; with `fixed` limits that hold all."""
    fig.update_xaxes(title_text=measure_name(x))
    fig.update_yaxes(title_text=measure_name(y))
    up, across = up[np.isfinite(up)], across[np.isfinite(across)]
    wide = up.min() > 0 and np.log10(up.max() / up.min()) > DECADES_MOST
    if wide:
        fig.update_yaxes(type="log", dtick=1, exponentformat="power")
    if fixed:
        fig.update_xaxes(range=_limits(across))
        fig.update_yaxes(range=_limits(np.log10(up) if wide else up))


def _limits(values: np.ndarray) -> list[float]:
    low, high = float(values.min()), float(values.max())
    pad = 0.05 * (high - low) or 0.5
    return [low - pad, high + pad]
