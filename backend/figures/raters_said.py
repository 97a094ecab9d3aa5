"""What the figures of ratings share: their small print, hover texts, and which lines are shown."""

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa

from backend.analyses.result import Result
from backend.figures import palette, theme
from backend.figures.columns import numbers, scalar_of, source_of

LOGITS = "logits"
SVG_MOST = 2000  # more points than this are drawn by the graphics card
UNKNOWN = float("nan")


def said_and_sample(result: Result) -> tuple[dict, list[str]]:
    """The provenance, and what the numbers rest on: ratings, items, raters, criteria, seed."""
    said, _ = source_of(result, "raters")
    words = {"n": "rating", "items": "item", "raters": "rater", "criteria": "criterion"}
    sample = []
    for key, word in words.items():
        value = scalar_of(result, "raters", key)
        if value is not None:
            plural = "criteria" if word == "criterion" else f"{word}s"
            sample.append(f"{theme.count(value)} {word if value == 1 else plural}")
    return said, sample + theme.describe_sample({"seed": said.get("seed")})


def scatter_kind(n: int) -> type[go.Scatter] | type[go.Scattergl]:
    """SVG points while they are few, so that exports stay sharp."""
    return go.Scatter if n <= SVG_MOST else go.Scattergl


def column(table: pa.Table, name: str) -> np.ndarray:
    """A column as float32 (n,), NaN where it is missing."""
    found = numbers(table, name)
    return np.full(table.num_rows, UNKNOWN, dtype=np.float32) if found is None else found


def flags(table: pa.Table, name: str) -> np.ndarray:
    """A column of true and false as bool (n,); all false where it is missing."""
    if name not in table.column_names:
        return np.zeros(table.num_rows, dtype=bool)
    return np.array(table[name].to_pylist(), dtype=bool)


def fit_said(table: pa.Table, names: list[str], value: str) -> list[str]:
    """Hover text of each element: name, place with interval, fit, number of ratings."""
    parts = [column(table, c).tolist() for c in (value, "low", "high", "infit", "outfit", "n")]
    return [
        f"{theme.plain(name, 60)}: {theme.interval(v, low, high)} {LOGITS}"
        f"<br>infit {theme.number(infit)}, outfit {theme.number(outfit)}, n {theme.count(n)}"
        for name, v, low, high, infit, outfit, n in zip(names, *parts, strict=True)
    ]


def zero_line(fig: go.Figure, *, upright: bool = False) -> None:
    """A quiet line at 0."""
    line = {"color": palette.CONTROL, "width": 1, "dash": "dot"}
    if upright:
        fig.add_vline(x=0, line=line, layer="below")
    else:
        fig.add_hline(y=0, line=line, layer="below")


def both_ends(values: np.ndarray, most: int) -> np.ndarray:
    """Places of the lowest and highest of (n,) values, in rising order, at most `most`."""
    order = np.argsort(values, kind="stable")
    if len(order) <= most:
        return order
    return np.r_[order[: most // 2], order[len(order) - (most - most // 2) :]]
