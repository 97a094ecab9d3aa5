"""What the figures of changed models share: axes over blocks and tokens, marks, and the sample."""

from collections.abc import Iterable, Sequence

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.columns import integers, numbers, scalar_of, source_of
from backend.figures.lens import show_token
from backend.figures.lines import layer_axis
from backend.figures.sites import layer_ticks, site_label, site_ticks

DECADES_MOST = 2  # above this range a measure that is positive gets a log axis
_WORDS_MOST = 40


def block_sites(n_blocks: int) -> list[str]:
    """The streams after block 0 to `n_blocks` - 1, as sites."""
    return [f"resid_post.{i}" for i in range(n_blocks)]


def state_sites(n_states: int) -> list[str]:
    """Integer layers as sites: 0 is the embedding, i + 1 the stream after block i."""
    return ["embed", *block_sites(n_states - 1)]


def block_name(block: int, n_blocks: int) -> str:
    """A block in words: "block 12 (40 %)"."""
    return site_label(f"resid_post.{block}", n_blocks)


def block_axis(fig: go.Figure, n_blocks: int, *, row: int | None = None) -> None:
    """Blocks 0 to `n_blocks` - 1 along x; with `row` only that row of the subplots."""
    at, text = site_ticks(block_sites(n_blocks))
    if row is None:
        layer_axis(fig, at, text)
        fig.update_xaxes(range=[-0.7, n_blocks - 0.3])
    else:
        fig.update_xaxes(tickvals=at, ticktext=text, title_text="block, depth", row=row, col=1)


def layers_up(fig: go.Figure, n_layers: int) -> None:
    """Integer layers 0 to `n_layers` - 1 up the y axis: embedding, blocks, output."""
    at, text = layer_ticks(n_layers, most=10)
    fig.update_yaxes(
        tickvals=at,
        ticktext=[t.replace("<br>", " · ") for t in text],
        title_text="block, depth",
        range=[-0.5, n_layers - 0.5],
        showgrid=False,
        showline=False,
        ticks="",
    )


def token_axis(fig: go.Figure, words: Sequence[str]) -> None:
    """Tokens along x, each by its own text; of many, every second, third ... is written."""
    step = -(-len(words) // _WORDS_MOST)
    at = list(range(0, len(words), step))
    fig.update_xaxes(
        tickvals=at,
        ticktext=[show_token(words[i], most=10) for i in at],
        tickangle=-45,
        range=[-0.5, len(words) - 0.5],
        title_text="token" if step == 1 else f"token (every {step} named)",
        showgrid=False,
        showline=False,
        ticks="",
    )


def half_depth(fig: go.Figure, at: float) -> None:
    """A quiet upright line where half of the blocks are done."""
    fig.add_vline(
        x=at,
        line={"color": palette.CONTROL, "width": 1, "dash": "dot"},
        label={
            "text": "half",
            "textposition": "end",
            "textangle": 0,
            "xanchor": "left",
            "yanchor": "top",
            "font": {"size": 10, "color": palette.MUTED},
        },
        layer="below",
    )


def mark_block(fig: go.Figure, current: int | None, n_blocks: int, *, framed: bool = False) -> None:
    """The block that the page shows: an upright line, or a frame around its bars."""
    if current is None or not 0 <= current < n_blocks:
        return
    line = {"color": palette.SELECTED, "width": 1.5}
    if framed:
        fig.add_vrect(x0=current - 0.5, x1=current + 0.5, line=line, row="all", col="all")
    else:
        fig.add_vline(x=current, line=line)


def log_where_wide(fig: go.Figure, values: np.ndarray, **place: int) -> bool:
    """A log y axis where all values are above zero and span more than two decades."""
    values = values[np.isfinite(values)]
    wide = len(values) > 0 and values.min() > 0
    wide = bool(wide and np.log10(values.max() / values.min()) > DECADES_MOST)
    if wide:
        fig.update_yaxes(type="log", dtick=1, exponentformat="none", **place)
    return wide


def grid(table: pa.Table, row: str, column: str, value: str) -> np.ndarray:
    """A column as (largest row + 1, largest column + 1) float32, NaN where there is no line."""
    rows, columns = integers(table, row), integers(table, column)
    shape = int(rows.max()) + 1, int(columns.max()) + 1
    out = np.full(shape, np.nan, dtype=np.float32)
    values = numbers(table, value)
    if values is not None:
        out[rows, columns] = values
    return out


def points_by_site(
    sites: Sequence[str], at: np.ndarray, **columns: np.ndarray | None
) -> dict[str, dict[str, float]]:
    """Columns as `add_line` takes them; `at` says which site each number belongs to."""
    found = {name: values for name, values in columns.items() if values is not None}
    return {
        sites[place]: {name: float(values[i]) for name, values in found.items()}
        for i, place in enumerate(at.tolist())
    }


def one_of(given: str, known: Iterable[str], what: str) -> str:
    """The given option, if it is known; AnalysisError names those there are."""
    if given not in (known := list(known)):
        raise AnalysisError(f"There is no {what} {given!r}.", f"Use: {', '.join(known)}.")
    return given


def sample_of(result: Result, part: str, unit: str) -> tuple[dict, list[str]]:
    """The provenance, and what the numbers rest on: how many prompts or texts, tokens, dtype."""
    said, n = source_of(result, part)
    tokens = scalar_of(result, part, "tokens")
    plural = unit if n == 1 else f"{unit}s"
    sample = [] if n is None else [f"n {theme.count(n)} {plural}"]
    sample += [] if tokens is None else [f"{theme.count(tokens)} tokens"]
    quiet = {name: said.get(name) for name in ("dtype", "seed")}
    return said, sample + theme.describe_sample(quiet)
