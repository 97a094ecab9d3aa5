"""Loss against bits: every order of giving bits away, beside the what-if at hand.

Reads the table `curve`(order, low_layers, average_bits, file_bits, loss, low, high).
"""

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.compute as pc

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.blocks import (
    one_of,
    sample_of,
)
from backend.figures.budget_marks import View, add_base, add_marked, add_widths
from backend.figures.columns import integers, numbers, scalar_of, table_of, texts

ORDERS = {  # of the plain form: name, colour
    "lim": ("LIM", palette.CATEGORIES[0]),
    "lim-flattened": ("LIM, flattened", palette.CATEGORIES[7]),
    "zd": ("ZD", palette.CATEGORIES[3]),
    "zd-two-sided": ("ZD, |z| > 1", palette.CATEGORIES[8]),
    "sensitivity": ("measured sensitivity", palette.CATEGORIES[2]),
}
FORMS = {  # a word before the order: what it adds to the name, dash
    "": ("", "solid"),
    "reversed": (", reversed", "dash"),
    "pruned": (", pruned", "dot"),
}
RANDOM = "random"
_VARIANTS = {"lim-flattened": "lim", "zd-two-sided": "zd"}


def budget_curve(
    result: Result,
    *,
    marked: tuple[float, float] | None = None,
    orders: tuple[str, ...] | None = None,
) -> go.Figure:
    """What is lost as bits are given away, one line for each order of the layers.

    The axis of bits runs from many (left) to few (right), so lines rise to the right. The first
    view holds the orders that lower bits; layers that are left out go on to 0 bits beyond it.

    Parameters
    ----------
    marked : (average bits, loss) of the what-if at hand, a star.
    orders : names of orders (`random` for all random ones); default all, but variants only where
        the plain form is not there.
    """
    table = table_of(result, "curve", "order", "low_layers", "average_bits", "loss")
    names = _orders(list(dict.fromkeys(texts(table, "order"))), orders)
    view = _view(table)
    fig = go.Figure()
    random = [name for name in names if name.startswith(f"{RANDOM}-")]
    if random:
        _add_random(fig, table, random, view)
    for name in (n for n in names if n not in random):
        _add_order(fig, table, name, view)
    add_widths(fig, result, view)
    base = scalar_of(result, "quantization", "base_loss")
    if base is not None:
        add_base(fig, float(base), view)
    if marked is not None:
        add_marked(fig, marked, view)
    _axes(fig, view)
    said, sample = sample_of(result, "quantization", "text")
    note = f"beyond the view: {'; '.join(view.beyond)}" if view.beyond else ""
    return theme.finish(fig, "Loss against bits", said, sample=sample, note=note)


def _orders(there: list[str], asked: tuple[str, ...] | None) -> list[str]:
    """The orders to draw, in the order of the legend."""
    families = list(dict.fromkeys(RANDOM if n.startswith(f"{RANDOM}-") else n for n in there))
    if asked is None:
        asked = tuple(name for name in families if _VARIANTS.get(name) not in families)
    for name in asked:
        one_of(name, families, "order")
    chosen = [n for n in there if n in asked or (RANDOM in asked and n.startswith(f"{RANDOM}-"))]
    return sorted(chosen, key=lambda name: (*_rank(name), there.index(name)))


def _rank(name: str) -> tuple[int, int]:
    form, bare = _parts(name)
    known = list(ORDERS)
    return list(FORMS).index(form), known.index(bare) if bare in known else len(known)


def _parts(name: str) -> tuple[str, str]:
    """`reversed-lim` -> ("reversed", "lim"); `lim` -> ("", "lim")."""
    form, dash, bare = name.partition("-")
    return (form, bare) if dash and form in FORMS else ("", name)


def _view(table: pa.Table) -> View:
    kept = np.array([not name.startswith("pruned-") for name in texts(table, "order")])
    bits = numbers(table, "average_bits")[kept]
    if not len(bits):
        raise AnalysisError("The curve has no order that lowers bits.", "Run it with more orders.")
    return View(float(bits.max()), float(bits.max() - bits.min()) or 1.0)


def _line(table: pa.Table, name: str) -> pa.Table:
    return table.filter(pc.equal(table["order"], name)).sort_by("low_layers")


def _add_order(fig: go.Figure, table: pa.Table, name: str, view: View) -> None:
    form, bare = _parts(name)
    word, colour = ORDERS.get(bare, (theme.plain(bare, 30), palette.CONTROL))
    more, dash = FORMS[form]
    part, title = _line(table, name), theme.plain(f"{word}{more}")
    low_layers, loss = integers(part, "low_layers"), numbers(part, "loss")
    if form != "pruned":
        view.losses += loss.tolist()
    else:
        bits = numbers(part, "average_bits")
        if bits.min() < view.bits[1]:
            last = theme.number(float(loss[bits.argmin()]))
            view.beyond.append(f"{title} ({theme.number(float(bits.min()))} bits: {last})")
    fig.add_scatter(
        x=numbers(part, "average_bits"),
        y=loss,
        mode="lines+markers" if form == "" else "lines",
        name=title,
        line={"color": colour, "width": 2.2 if form == "" else 1.6, "dash": dash},
        marker={"size": 5, "color": colour},
        customdata=[[name, k] for k in low_layers.tolist()],
        text=_said(part, left_out=form == "pruned"),
        hovertemplate=f"%{{text}}<extra>{title}</extra>",
    )


def _said(part: pa.Table, *, left_out: bool) -> list[str]:
    """What each point of an order says: low layers, bits, loss with its interval."""
    ends = [numbers(part, name) for name in ("loss", "low", "high")]
    columns = [[None] * part.num_rows if x is None else x.tolist() for x in ends]
    bits, whole = numbers(part, "average_bits").tolist(), numbers(part, "file_bits")
    files = [None] * part.num_rows if whole is None else whole.tolist()
    what = "left out" if left_out else "at low bits"
    lines = zip(integers(part, "low_layers").tolist(), bits, files, *columns, strict=True)
    return [
        f"{k} layers {what}, {theme.number(b)} bits on average"
        + ("" if f is None else f"<br>{theme.number(f)} bits in the whole file")
        + f"<br>loss {theme.interval(*loss)}"
        for k, b, f, *loss in lines
    ]


def _add_random(fig: go.Figure, table: pa.Table, names: list[str], view: View) -> None:
    """All random orders as one band from the lowest to the highest, with their mean."""
    lines = [_line(table, name) for name in names]
    at = integers(lines[0], "low_layers")
    shared = [line for line in lines if np.array_equal(integers(line, "low_layers"), at)]
    loss = np.stack([numbers(line, "loss") for line in shared])
    bits = np.mean([numbers(line, "average_bits") for line in shared], axis=0)
    low, mean, high = loss.min(axis=0), loss.mean(axis=0), loss.max(axis=0)
    view.losses += [*low.tolist(), *high.tolist()]
    name = f"random, range of {len(shared)}"
    fig.add_scatter(
        x=np.r_[bits, bits[::-1]],
        y=np.r_[low, high[::-1]],
        mode="lines",
        fill="toself",
        fillcolor=palette.fade(palette.CONTROL, 0.24),
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
        legendgroup=RANDOM,
        name="random: range",
    )
    ends = zip(low.tolist(), high.tolist(), strict=True)
    fig.add_scatter(
        x=bits,
        y=mean,
        mode="lines",
        name=name,
        legendgroup=RANDOM,
        legendrank=1001,  # after the orders, though drawn behind them
        line={"color": palette.CONTROL, "width": 1.8},
        customdata=[[RANDOM, k] for k in at.tolist()],
        text=[f"{theme.number(a)} to {theme.number(b)}" for a, b in ends],
        hovertemplate="%{customdata[1]} layers at low bits, %{x:.3r} bits on average"
        "<br>loss %{y:.4r}, orders from %{text}<extra>random</extra>",
    )


def _axes(fig: go.Figure, view: View) -> None:
    losses = np.array(view.losses)
    losses = losses[np.isfinite(losses)]
    low, high = float(losses.min()), float(losses.max())
    if low > 0 and high / low > 10:
        ends = np.log10(low) - 0.04 * np.log10(high / low), np.log10(high * 1.15)
        fig.update_yaxes(type="log", dtick="D1", range=[float(e) for e in ends])
    else:
        room = (high - low) or 0.1
        fig.update_yaxes(range=[low - 0.1 * room, high + 0.08 * room])
    fig.update_yaxes(title_text="loss, nats per token")
    fig.update_xaxes(
        title_text="bits per block weight, fewer to the right →",
        range=list(view.bits),
        showgrid=False,
    )
    fig.update_layout(
        hovermode="closest",
        uirevision="budget",
        legend={"x": 1.01, "y": 1, "xanchor": "left", "itemsizing": "trace"},  # dashes stay dashes
    )
