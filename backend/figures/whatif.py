"""The model beside the changed one on a text: the next words, and what each token costs.

Reads the tables `next`(rank, token, base_probability, probability) and `tokens`(position, token,
base_loss, loss).
"""

import numpy as np
import plotly.graph_objects as go

from backend.analyses.result import Result
from backend.figures import palette, theme
from backend.figures.blocks import sample_of, token_axis
from backend.figures.columns import integers, numbers, scalar_of, source_of, table_of, texts
from backend.figures.lens import show_token
from backend.figures.lines import below_title

NAMES = ("baseline", "what-if")
COLOURS = dict(zip(NAMES, (palette.BASELINE, palette.WHATIF), strict=True))
_WORDS_MOST = 14


def next_tokens(result: Result) -> go.Figure:
    """The most probable next tokens of either model, as pairs of bars.

    The first of the union of both models' top words are drawn; the table has them all.
    """
    table = table_of(result, "next", "rank", "token", "base_probability", "probability")
    table = table.sort_by("rank").slice(0, _WORDS_MOST)
    words = [show_token(word, most=20) for word in texts(table, "token")]
    columns = dict(zip(NAMES, ("base_probability", "probability"), strict=True))
    if scalar_of(result, "whatif", "whatif") == "":
        del columns[NAMES[1]]  # the model as it is, alone
    shares = {name: numbers(table, column) for name, column in columns.items()}
    at = np.arange(len(words))
    fig = go.Figure()
    for name, share in shares.items():
        fig.add_bar(
            x=share,
            y=at,
            orientation="h",
            name=name,
            marker={"color": COLOURS[name]},
            text=[theme.number(p) for p in share.tolist()],
            textposition="outside",
            textfont={"size": 10},
            cliponaxis=False,
            customdata=words,
            hovertemplate=f"“%{{customdata}}” %{{text}}<extra>{name}</extra>",
        )
    most = max(float(np.nanmax(share)) for share in shares.values())
    fig.update_yaxes(
        tickvals=at, ticktext=words, autorange="reversed", showgrid=False, ticks="", automargin=True
    )
    fig.update_xaxes(title_text="probability", range=[0, max(most * 1.15, 0.05)])
    fig.update_layout(
        barmode="group",
        bargap=0.28,
        bargroupgap=0,
        height=36 * len(words) + 210,
        uirevision="next tokens",
    )
    below_title(fig)
    fig.update_layout(margin={"l": 100}, legend={"traceorder": "normal"})
    said, _ = source_of(result, "whatif")
    text = str(scalar_of(result, "whatif", "text") or "")
    after = [f"after “{_tail(text)}”"] if text else []
    exact = theme.describe_sample({name: said.get(name) for name in ("dtype", "seed")})
    sample = ["n 1 position", *after, *exact]
    return theme.finish(fig, "Next token, as it is and changed", said, sample=sample)


def _tail(text: str, most: int = 40) -> str:
    """The end of a text on one line."""
    line = " ".join(text.split())
    return theme.plain(line if len(line) <= most else "…" + line[-most:])


def token_losses(result: Result) -> go.Figure:
    """The loss of each token of the text, of the model as it is and of the changed one."""
    table = table_of(result, "tokens", "position", "token", "base_loss", "loss")
    table = table.sort_by("position")
    words = texts(table, "token")
    losses = numbers(table, "base_loss"), numbers(table, "loss")
    position = integers(table, "position")
    gap = (losses[1] - losses[0]).tolist()
    shown = [show_token(word, most=40) for word in words]
    x = np.arange(len(words))
    fig = go.Figure()
    _add_gap(fig, x, *losses)
    for name, loss in zip(NAMES, losses, strict=True):
        fig.add_scatter(
            x=x,
            y=loss,
            mode="lines+markers",
            name=name,
            line={"color": COLOURS[name], "width": 1.8},
            marker={"size": 5, "color": COLOURS[name]},
            customdata=position,
            text=[
                f"“{word}” {theme.number(value)} nats"
                + (f", {change:+.3f}" if name == NAMES[1] else "")
                for word, value, change in zip(shown, loss.tolist(), gap, strict=True)
            ],
            hovertemplate=f"%{{text}}<extra>{name}</extra>",
        )
    token_axis(fig, words)
    fig.update_yaxes(title_text="loss, nats", rangemode="tozero")
    fig.update_layout(hovermode="x", uirevision="token losses")
    below_title(fig)
    fig.update_layout(margin={"b": 108})
    said, sample = sample_of(result, "whatif", "text")
    n = scalar_of(result, "whatif", "n")
    note = "first text drawn" if n not in (None, 1) else ""
    title = "What each token costs"
    return theme.finish(fig, title, said, sample=_mean(result) + sample, note=note)


def _add_gap(fig: go.Figure, x: np.ndarray, base: np.ndarray, changed: np.ndarray) -> None:
    """The room between the two lines, in the what-if's colour."""
    fig.add_scatter(
        x=np.r_[x, x[::-1]],
        y=np.r_[base, changed[::-1]],
        mode="lines",
        fill="toself",
        fillcolor=palette.fade(palette.WHATIF, 0.2),
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
        name="difference",
    )


def _mean(result: Result) -> list[str]:
    """Both means and their difference, as the analysis gives them."""
    found = [scalar_of(result, "whatif", name) for name in ("base_loss", "loss")]
    if None in found:
        return []
    means = [f"mean {theme.number(found[0])}, changed {theme.number(found[1])}"]  # type: ignore[arg-type]
    ends = [scalar_of(result, "whatif", f"change{end}") for end in ("", "_low", "_high")]
    if ends[0] is not None:
        means.append(f"change {theme.interval(*ends)}")  # type: ignore[arg-type]
    return means
