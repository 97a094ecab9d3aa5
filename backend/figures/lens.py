"""What the model would say at each layer: the logit lens as a grid, as ranks and as bars.

Reads the tables `lens`(row, position, token_in, layer, site, rank, token, probability) and
`next`(row, position, token_in, layer, site, actual, actual_rank, actual_probability, entropy,
kl_to_output). Layer 0 is the embedding; the last one is the model's own output.
"""

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.compute as pc

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.columns import integers, numbers, source_of, table_of, texts
from backend.figures.lines import layer_axis
from backend.figures.sites import layer_label, layer_ticks

COLOURS = {
    "probability": "probability of the first choice",
    "rank": "rank of the token that follows",
    "entropy": "entropy, nats",
}
_WORDS_MOST = 26  # columns in which a word can still be read


def lens_grid(
    result: Result,
    row: int,
    *,
    colour: str = "probability",
    positions: tuple[int, int] | None = None,
    current: int | None = None,
) -> go.Figure:
    """Layers by positions; each cell says the layer's first choice for the next token.

    Parameters
    ----------
    row : a data set row of the result (-1 for a text that was typed in).
    colour : `probability` of that choice, `rank` of the token that really follows, or `entropy`.
    positions : from (included) and to (not included); default all.
    current : the layer that the page shows; it is framed.
    """
    if colour not in COLOURS:
        raise AnalysisError(f"The grid has no colour {colour!r}.", f"Use: {', '.join(COLOURS)}.")
    choices = _rows(result, "lens", row, positions, first=True)
    facts = _rows(result, "next", row, positions)
    at, words_in = _positions(choices)
    layer = integers(choices, "layer")
    shape = int(layer.max()) + 1, len(at)
    place = layer, np.searchsorted(at, integers(choices, "position"))
    after = integers(facts, "layer"), np.searchsorted(at, integers(facts, "position"))
    token = np.full(shape, "", dtype=object)
    token[place] = texts(choices, "token")
    shade = np.full(shape, np.nan, dtype=np.float32)
    if colour == "probability":
        shade[place] = numbers(choices, "probability")
    else:
        values = numbers(facts, "actual_rank" if colour == "rank" else "entropy")
        shade[after] = np.log10(np.maximum(values, 1)) if colour == "rank" else values
    said = np.full(shape, "", dtype=object)
    said[after] = _facts(facts)
    hover = [
        [_hover(i, shape[0], words_in[j], token[i, j], said[i, j]) for j in range(shape[1])]
        for i in range(shape[0])
    ]
    fig = go.Figure(_heat(shade, colour, token, hover))
    _grid_axes(fig, shape, words_in)
    if current is not None:
        line = {"color": palette.SELECTED, "width": 2.5}
        ends = {"x0": -0.5, "x1": shape[1] - 0.5, "y0": current - 0.5, "y1": current + 0.5}
        fig.add_shape(type="rect", line=line, **ends)
    source, _ = source_of(result, "lens")
    sample = [_text_name(row), f"n {theme.count(shape[1])} positions", *_exactness(source)]
    return theme.finish(fig, "First choice for the next token", source, sample=sample)


def _heat(shade: np.ndarray, colour: str, token: np.ndarray, hover: list) -> go.Heatmap:
    ramp = palette.scale(palette.LAYER_RAMP)
    bar: dict = {"title": {"text": COLOURS[colour], "side": "right"}}
    limits = {"zmin": 0, "zmax": 1}
    if colour == "rank":  # the better the rank, the darker
        top = max(1.0, float(np.ceil(np.nanmax(shade) - 1e-4)))  # 1 000 in float32 is a little more
        ramp = palette.scale(palette.LAYER_RAMP[::-1])
        limits = {"zmin": 0, "zmax": top}
        ticks = np.arange(int(top) + 1)
        bar |= {"tickvals": ticks, "ticktext": [theme.count(10**i) for i in ticks.tolist()]}
    elif colour == "entropy":
        limits = {"zmin": 0, "zmax": float(np.nanmax(shade)) or 1.0}
    columns = shade.shape[1]
    words = [[show_token(word, most=_letters(columns)) for word in line] for line in token]
    text = {"text": words, "texttemplate": "%{text}", "textfont": {"size": _letter_size(columns)}}
    return go.Heatmap(
        z=shade,
        customdata=hover,
        hovertemplate="%{customdata}<extra></extra>",
        colorscale=ramp,
        colorbar=bar,
        xgap=1,
        ygap=1,
        **limits,
        **(text if columns <= _WORDS_MOST else {}),
    )


def _letters(columns: int) -> int:
    return int(np.clip(90 // max(columns, 1), 4, 12))


def _letter_size(columns: int) -> float:
    return 11 if columns <= 10 else 9.5 if columns <= 16 else 8


def _grid_axes(fig: go.Figure, shape: tuple[int, int], words_in: list[str]) -> None:
    at, text = layer_ticks(shape[0], most=10)
    text = [t.replace("<br>", " · ") for t in text]
    quiet = {"showgrid": False, "showline": False, "ticks": ""}
    fig.update_yaxes(
        tickvals=at, ticktext=text, title_text="block, depth", range=[-0.5, shape[0] - 0.5], **quiet
    )
    fig.update_xaxes(
        tickvals=list(range(shape[1])),
        ticktext=[show_token(word, most=10) for word in words_in],
        tickangle=-45,
        range=[-0.5, shape[1] - 0.5],
        title_text="token read",
        **quiet,
    )
    fig.update_layout(
        height=max(360, 21 * shape[0] + 200), uirevision="lens", margin={"l": 84, "b": 104}
    )


def _hover(layer: int, n_layers: int, word_in: str, word: str, facts: str) -> str:
    read, choice = show_token(word_in, most=40), show_token(word, most=40)
    return f"{layer_label(layer, n_layers)}, after “{read}”<br>first choice “{choice}”{facts}"


def _facts(facts: pa.Table) -> list[str]:
    """For each position and layer: what really follows, its rank and probability, entropy."""
    number = theme.number
    return [
        f"<br>follows “{show_token(word, most=40)}”: rank {theme.count(rank)}, "
        f"probability {number(p)}<br>entropy {number(h)} nats, "
        f"{number(kl)} nats from the output"
        for word, rank, p, h, kl in zip(
            texts(facts, "actual"),
            integers(facts, "actual_rank").tolist(),
            numbers(facts, "actual_probability").tolist(),
            numbers(facts, "entropy").tolist(),
            numbers(facts, "kl_to_output").tolist(),
            strict=True,
        )
    ]


def lens_ranks(result: Result, row: int, *, position: int | None = None) -> go.Figure:
    """The rank of the token that follows, over the layers; rank 1 is on top.

    At the last position of a text, which nothing follows, it is the model's own first choice.
    `position` is the last one by default.
    """
    facts = _rows(result, "next", row, None)
    position = int(integers(facts, "position").max()) if position is None else position
    facts = _at(facts, position)
    layer, rank = integers(facts, "layer"), integers(facts, "actual_rank")
    n_layers = int(layer.max()) + 1
    labels = [layer_label(i, n_layers) for i in layer.tolist()]
    fig = go.Figure(
        go.Scatter(
            x=layer,
            y=rank,
            mode="lines+markers",
            line={"color": palette.BASELINE, "width": 2},
            marker={"size": 5, "color": palette.BASELINE},
            text=[label + said for label, said in zip(labels, _facts(facts), strict=True)],
            hovertemplate="%{text}<extra></extra>",
            customdata=layer,
        )
    )
    at, text = layer_ticks(n_layers)
    layer_axis(fig, at, text)
    most = np.log10(max(int(rank.max()), 10))
    fig.update_yaxes(
        type="log", dtick=1, range=[most * 1.06, -0.06 * most - 0.02], title_text="rank (log)"
    )
    fig.update_layout(uirevision="ranks", showlegend=False)
    word = show_token(texts(facts, "actual")[0], most=30)
    read = show_token(texts(facts, "token_in")[0], most=30)
    source, _ = source_of(result, "lens")
    sample = [*_place(row, position, read), *_exactness(source)]
    return theme.finish(fig, f"Rank of “{word}” through depth", source, sample=sample)


def lens_bars(result: Result, row: int, layer: int, *, position: int | None = None) -> go.Figure:
    """The most probable next tokens at one layer, as horizontal bars."""
    choices = _rows(result, "lens", row, None)
    n_layers = int(integers(choices, "layer").max()) + 1
    position = int(integers(choices, "position").max()) if position is None else position
    choices = _at(choices, position)
    choices = choices.filter(pc.equal(choices["layer"], layer)).sort_by("rank")
    if choices.num_rows == 0:
        raise AnalysisError(f"There is no layer {layer}.", f"Layers: 0 to {n_layers - 1}.")
    shares = numbers(choices, "probability")
    rank = integers(choices, "rank")
    fig = go.Figure(
        go.Bar(
            x=shares,
            y=rank,
            orientation="h",
            width=0.72,
            marker={"color": palette.BASELINE},
            text=[theme.number(p) for p in shares.tolist()],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="rank %{y}: %{x:.3r}<extra></extra>",
        )
    )
    words = [show_token(word, most=20) for word in texts(choices, "token")]
    fig.update_yaxes(
        tickvals=rank,
        ticktext=words,
        autorange="reversed",
        showgrid=False,
        ticks="",
        automargin=True,
    )
    fig.update_xaxes(title_text="probability", range=[0, float(max(shares.max() * 1.15, 0.05))])
    fig.update_layout(uirevision="bars", height=26 * len(rank) + 210, margin={"l": 100})
    read = show_token(texts(choices, "token_in")[0], most=30)
    source, _ = source_of(result, "lens")
    sample = [*_place(row, position, read), *_exactness(source)]
    title = f"Next token at {layer_label(layer, n_layers)}"
    return theme.finish(fig, title, source, sample=sample)


def show_token(token: str, *, most: int) -> str:
    """A token as plotly may show it: white space made visible where it is all there is."""
    shown = token.replace("\n", "↵").replace("\t", "⇥").replace("\r", "")
    shown = shown.strip() or "␣" * min(len(shown), 3)
    return theme.plain(shown, most)


def _place(row: int, position: int, read: str) -> list[str]:
    return [_text_name(row), "n 1 position", f"position {position}, after “{read}”"]


def _exactness(source: dict) -> list[str]:
    """dtype and seed; the counts of the capture do not apply to single texts."""
    return theme.describe_sample({name: source.get(name) for name in ("dtype", "seed")})


def _text_name(row: int) -> str:
    return "typed text" if row < 0 else f"row {row}"


def _rows(
    result: Result, name: str, row: int, positions: tuple[int, int] | None, *, first: bool = False
) -> pa.Table:
    """One text's part of a table, in the order of positions and layers."""
    table = table_of(result, name, "row", "position", "layer", "token_in")
    part = table.filter(pc.equal(table["row"], row))
    if part.num_rows == 0:
        have = ", ".join(map(str, pc.unique(table["row"]).to_pylist()[:20]))
        raise AnalysisError(f"The lens has not read row {row}.", f"It has read: {have}.")
    if positions is not None:
        inside = pc.and_(
            pc.greater_equal(part["position"], positions[0]),
            pc.less(part["position"], positions[1]),
        )
        part = part.filter(inside)
        if part.num_rows == 0:
            raise AnalysisError(
                f"Row {row} has no positions {positions[0]} to {positions[1]}.",
                "Choose positions inside the text.",
            )
    return part.filter(pc.equal(part["rank"], 1)) if first else part


def _at(table: pa.Table, position: int) -> pa.Table:
    part = table.filter(pc.equal(table["position"], position))
    if part.num_rows == 0:
        have = pc.min_max(table["position"]).as_py()
        raise AnalysisError(
            f"There is no position {position}.", f"Positions: {have['min']} to {have['max']}."
        )
    return part


def _positions(table: pa.Table) -> tuple[np.ndarray, list[str]]:
    """The positions in order, and the token read at each."""
    at, index = np.unique(integers(table, "position"), return_index=True)
    words = texts(table, "token_in")
    return at, [words[i] for i in index.tolist()]
