"""What is held against the orders of the budget: one width for all, the untouched model, a what-if.

Reads the table `widths`(layer, bits, loss, change, low, high), in which layer -1 stands for all.
"""

from dataclasses import dataclass, field

import plotly.graph_objects as go
import pyarrow.compute as pc

from backend.analyses.result import Result
from backend.figures import palette, theme
from backend.figures.columns import integers, numbers, table_of


@dataclass
class View:
    """The part of the plane that is shown first, and what lies beyond it."""

    most: float  # bits at the left end of the orders
    span: float  # bits from there to their right end
    losses: list[float] = field(default_factory=list)
    beyond: list[str] = field(default_factory=list)

    @property
    def edge(self) -> float:
        """Where points with more bits than any order stand."""
        return self.most + 0.09 * self.span

    @property
    def bits(self) -> tuple[float, float]:
        return self.most + 0.16 * self.span, self.most - 1.2 * self.span


def add_widths(fig: go.Figure, result: Result, view: View) -> None:
    """All layers at one width, as diamonds; wider ones than any order stand at the left edge."""
    if "widths" not in result.tables:
        return
    table = table_of(result, "widths", "layer", "bits", "loss")
    table = table.filter(pc.equal(table["layer"], -1)).sort_by([("bits", "descending")])
    bits, loss = integers(table, "bits").tolist(), numbers(table, "loss").tolist()
    ends = [numbers(table, name) for name in ("change", "low", "high")]
    change = [[None] * len(bits) if x is None else x.tolist() for x in ends]
    wider = [b for b in bits if b > view.most]
    for b, value in zip(bits, loss, strict=True):
        if b < view.bits[1]:
            view.beyond.append(f"all at {b} bits ({theme.number(value)})")
        else:
            view.losses.append(value)
    fig.add_scatter(
        x=[view.edge if b in wider else float(b) for b in bits],
        y=loss,
        mode="markers+text",
        name="all at one width",
        legendrank=1003,
        text=[_width_label(b, wider) for b in bits],
        textposition=["bottom center" if b in wider else "middle left" for b in bits],
        textfont={"size": 10.5, "color": palette.MUTED},
        marker={
            "symbol": ["diamond-open" if b in wider else "diamond" for b in bits],
            "size": 9,
            "color": palette.MUTED,
        },
        customdata=[["all", b] for b in bits],
        hovertext=[
            f"all layers at {b} bits: loss {theme.number(value)}"
            f"<br>change {theme.interval(*change)}"
            for b, value, *change in zip(bits, loss, *change, strict=True)
        ],
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _width_label(bits: int, wider: list[int]) -> str:
    """The width; those that share the left edge are written once."""
    if bits not in wider:
        return f"{bits} bit "
    return f"‹ {', '.join(map(str, wider))} bit" if bits == wider[0] else ""


def add_base(fig: go.Figure, base: float, view: View) -> None:
    """The loss of the untouched model, as a level line."""
    view.losses.append(base)
    fig.add_scatter(
        x=list(view.bits),
        y=[base, base],
        mode="lines",
        name="the model as it is",
        legendrank=1004,
        line={"color": palette.BASELINE, "width": 1.5},
        hovertemplate=f"the model as it is: loss {theme.number(base)}<extra></extra>",
    )


def add_marked(fig: go.Figure, marked: tuple[float, float], view: View) -> None:
    """The what-if at hand; with more or fewer bits than are shown it stands at the edge."""
    bits, loss = marked
    view.losses.append(loss)
    outside = not view.bits[1] <= bits <= view.bits[0]
    right = view.bits[1] + 0.05 * view.span
    place = (view.edge if bits > view.most else right) if outside else bits
    side = "‹" if bits > view.most else "›"
    fig.add_scatter(
        x=[place],
        y=[loss],
        mode="markers",
        name=f"what-if {side} {theme.number(bits)} bits" if outside else "what-if",
        legendrank=1005,
        marker={
            "symbol": "star",
            "size": 17,
            "color": palette.WHATIF,
            "line": {"width": 1.2, "color": "#FFFFFF"},
        },
        cliponaxis=False,
        hovertemplate=f"what-if: {theme.number(bits)} bits on average"
        f"<br>loss {theme.number(loss)}<extra></extra>",
    )
