"""How flexible each step from layer to layer is, by the tethered model.

Reads the table `steps`(source, target, index, nc1_ratio, nc1_ratio_next, beta, low, high, large,
reason).
"""

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.compute as pc

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.collapse_axes import log_axis
from backend.figures.collapse_curves import sample_of
from backend.figures.columns import numbers, table_of, texts
from backend.figures.lines import below_title, error_bars
from backend.figures.sites import count_blocks, short_label, site_label

OURS = "beta is our estimate, not the paper's"
_TICKS = 14


def collapse_steps(result: Result, *, current: str | None = None) -> go.Figure:
    """beta of each step between neighbouring layers, with its interval; a large one changes little.

    Full dots have a beta as large as the theory asks for, open ones do not. Steps without a beta
    stand at the top edge; their reason is in the hover.

    Parameters
    ----------
    current : the layer that the page shows; the step into it is marked.
    """
    table = table_of(result, "steps", "source", "target", "index", "nc1_ratio", "nc1_ratio_next",
                     "beta", "low", "high", "large", "reason").sort_by("index")  # fmt: skip
    if not table.num_rows:
        raise AnalysisError("There is no step between layers.", "Capture two layers or more.")
    beta, low, high = (numbers(table, c) for c in ("beta", "low", "high"))
    assert beta is not None and low is not None and high is not None
    x, known = np.arange(len(beta)), np.isfinite(beta)
    large = np.array([bool(v) for v in table["large"].to_pylist()])
    hover = np.array(_hover(table), dtype=object)
    fig = go.Figure()
    for name, mine, symbol in (
        ("beta as large as the theory asks", known & large, "circle"),
        ("beta smaller than the theory asks", known & ~large, "circle-open"),
    ):
        if mine.any():
            fig.add_scatter(
                x=x[mine], y=beta[mine], name=name, mode="markers",
                marker={"size": 11, "symbol": symbol, "color": palette.BASELINE,
                        "line": {"width": 2, "color": palette.BASELINE}},
                error_y=error_bars(beta[mine], low[mine], high[mine]) | {"color": palette.BASELINE},
                hovertext=hover[mine], hovertemplate="%{hovertext}<extra></extra>",
            )  # fmt: skip
    ends = _ends(np.r_[beta[known], low[known], high[known]])
    _add_out_of_reach(fig, x[~known], hover[~known], ends[1])
    _axes(fig, table, ends)
    targets = texts(table, "target")
    if current in targets:
        fig.add_vline(x=targets.index(current), line={"color": palette.SELECTED, "width": 1.5})
    fig.update_layout(uirevision="collapse steps")
    below_title(fig)
    fig.update_layout(showlegend=True)
    title = "How flexible the step from layer to layer is"
    sample = sample_of([result], None)
    return theme.finish(fig, title, result.provenance, sample=sample, note=OURS)


def _ends(values: np.ndarray) -> tuple[float, float]:
    """Limits of the axis: all values, and room above for steps without one."""
    values = values[np.isfinite(values) & (values > 0)]
    if not len(values):
        return 0.1, 10.0
    low, high = float(values.min()), float(values.max())
    room = max((high / low) ** 0.12, 1.5)
    return low / room, high * room**2


def _add_out_of_reach(fig: go.Figure, x: np.ndarray, hover: np.ndarray, top: float) -> None:
    if len(x):
        fig.add_scatter(
            x=x, y=np.full(len(x), top), name="no beta: out of reach", mode="markers",
            marker={"size": 11, "symbol": "x-thin-open", "color": palette.CONTROL,
                    "line": {"width": 2.5, "color": palette.CONTROL}},
            hovertext=hover, hovertemplate="%{hovertext}<extra></extra>", cliponaxis=False,
        )  # fmt: skip


def _axes(fig: go.Figure, table: pa.Table, ends: tuple[float, float]) -> None:
    """Steps along x as "0 to 1", beta on a log axis."""
    names = [
        f"{theme.plain(short_label(a), 14)}<br>to {theme.plain(short_label(b), 14)}"
        for a, b in zip(texts(table, "source"), texts(table, "target"), strict=True)
    ]
    at = list(range(0, len(names), -(-len(names) // _TICKS)))
    fig.update_xaxes(
        tickvals=at, ticktext=[names[i] for i in at], tickangle=0, showgrid=False,
        range=[-0.6, len(names) - 0.4], title_text="step from layer to layer",
    )  # fmt: skip
    fig.update_yaxes(
        range=[float(np.log10(end)) for end in ends], title_text="beta (log scale): high = rigid",
        **log_axis(np.array(ends)),
    )  # fmt: skip


def _hover(table: pa.Table) -> list[str]:
    """What each step says: layers, beta with its interval or the reason why not, NC1~ of both."""
    blocks = count_blocks(pc.unique(table["target"]).to_pylist())  # type: ignore[attr-defined]
    said = []
    for row in table.to_pylist():
        names = [theme.plain(site_label(row[side], blocks)) for side in ("source", "target")]
        lines = [f"{names[0]} to {names[1]}"]
        if row["beta"] is None:
            lines.append(f"no beta: {theme.plain(row['reason'] or 'the reason is not known', 120)}")
        else:
            lines.append(f"beta {theme.interval(row['beta'], row['low'], row['high'])} ({OURS})")
        if row["nc1_ratio"] is not None:
            before, after = theme.number(row["nc1_ratio"]), theme.number(row["nc1_ratio_next"])
            lines.append(f"NC1~ {before} to {after}")
        said.append("<br>".join(lines))
    return said
