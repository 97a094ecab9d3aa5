"""The tethered model at one setting: the spectrum of its response, and the blocks of it.

Draws `backend.collapse.playground.Playground`.
"""

import math
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.lines import below_title

if TYPE_CHECKING:
    from backend.collapse.playground import Playground

_FLOOR = 1e-6  # block norms below are drawn as this
_WRITTEN = 10  # up to so many classes the norms are written into the cells
_SETTING = ("lW", "lH", "beta", "K", "d", "n", "noise", "seed")


def collapse_spectrum(play: "Playground") -> go.Figure:
    """Singular values of F_kk, which says how a class's features answer a small change of theirs.

    The steps are computed, the wide bands behind them predicted (exact in beta), the dotted line
    predicted to first order in 1/beta.
    """
    fig = go.Figure()
    _add_levels(fig, play)
    rank = np.arange(1, len(play.spectrum) + 1)
    steps = [
        (play.predicted_first_order, "predicted to first order", palette.CONTROL, "dot"),
        (play.spectrum_noisy, "computed at the noisy minimiser", palette.CATEGORIES[3], "solid"),
        (play.spectrum, "computed at collapse", palette.BASELINE, "solid"),
    ]
    for values, name, colour, dash in steps:
        if values is not None:
            fig.add_scatter(
                x=rank, y=values, mode="lines", name=name,
                line={"color": colour, "width": 1.8, "dash": dash, "shape": "hvh"},
                hovertemplate=f"%{{x}}: %{{y:.6f}}<extra>{name}</extra>",
            )  # fmt: skip
    fig.update_xaxes(title_text="singular values of F_kk, falling", showgrid=False,
                     range=[0.5 - 0.02 * len(rank), len(rank) * 1.02 + 0.5])  # fmt: skip
    fig.update_yaxes(title_text="size of the answer")
    fig.update_layout(uirevision="collapse spectrum")
    below_title(fig)
    fig.update_layout(legend={"itemsizing": "trace"}, showlegend=True)
    title = "How a class answers a small change of its features"
    return theme.finish(fig, title, _provenance(play), sample=_sample(play), note=_far(play))


def _add_levels(fig: go.Figure, play: "Playground") -> None:
    """Each predicted level as a wide pale band over the ranks that share it."""
    start = 0.5
    for i, level in enumerate(play.levels):
        said = (
            f"{theme.plain(level.direction)}<br>exact {level.exact:.6f}, first order "
            f"{level.first_order:.6f}<br>{theme.count(level.count)} singular values"
        )
        inside = np.linspace(start, start + level.count, 5)
        fig.add_scatter(
            x=inside, y=np.full(len(inside), level.exact), mode="lines",
            name="predicted, exact", legendgroup="predicted", showlegend=i == 0,
            line={"color": palette.fade(palette.WHATIF, 0.4), "width": 9},
            hovertext=[said] * len(inside), hovertemplate="%{hovertext}<extra>predicted</extra>",
        )  # fmt: skip
        start += level.count


def _far(play: "Playground") -> str:
    """How far computed and predicted are apart, or why there is no prediction."""
    if play.predicted is None:
        return "no prediction at this setting"
    apart = float(np.abs(play.spectrum - play.predicted).max())
    return f"largest distance from the predicted levels {theme.number(apart)}"


def collapse_blocks(play: "Playground") -> go.Figure:
    """Largest singular value of each block F_kk', in decades: classes within and against others."""
    norms = np.asarray(play.norms, dtype=float)
    if not np.isfinite(norms).all():
        raise AnalysisError("The response has no size here.", "Try another setting.")
    shown = np.maximum(norms, _FLOOR)
    z, K = np.log10(shown), len(norms)
    low, high = math.floor(float(z.min()) + 1e-9), max(math.ceil(float(z.max()) - 1e-9), 0)
    ticks = list(range(low, high + 1))
    words = [f"{10.0**t:g}" for t in ticks]
    if (norms <= _FLOOR).any():
        words[0] = f"{_FLOOR:g} or less"
    said = [[_say(play, i, j) for j in range(K)] for i in range(K)]
    fig = go.Figure(
        go.Heatmap(
            z=z,
            zmin=low,
            zmax=high if high > low else low + 1,
            colorscale=palette.scale(palette.LAYER_RAMP),
            text=[[theme.number(v) if v > _FLOOR else "0" for v in row] for row in norms.tolist()],
            texttemplate="%{text}" if K <= _WRITTEN else None,
            hovertext=said,
            hovertemplate="%{hovertext}<extra></extra>",
            colorbar={"title": {"text": "norm"}, "tickvals": ticks, "ticktext": words},
            xgap=1,
            ygap=1,
        )
    )
    quiet = {"showgrid": False, "showline": False, "ticks": "", "constrain": "domain", "dtick": 1}
    fig.update_xaxes(title_text="class that changed", range=[-0.5, K - 0.5], **quiet)
    fig.update_yaxes(title_text="class that answers", range=[K - 0.5, -0.5], scaleanchor="x",
                     **quiet)  # fmt: skip
    fig.update_layout(uirevision="collapse blocks")
    title = "How much one class answers to another"
    return theme.finish(fig, title, _provenance(play), sample=_sample(play))


def _say(play: "Playground", i: int, j: int) -> str:
    norm = float(play.norms[i, j])
    if i == j:
        top = play.levels[0].exact if play.levels else None
        return f"class {i} to itself: {norm:.6f}" + (f"<br>predicted {top:.6f}" if top else "")
    said = f"class {i} to class {j}: {theme.number(norm)}"
    exact, first = play.between_predicted, play.between_predicted_first_order
    if math.isfinite(exact):
        said += f"<br>predicted {theme.number(exact)}, first order {theme.number(first)}"
    return said


def _provenance(play: "Playground") -> dict:
    setting = {name: getattr(play, name) for name in _SETTING}
    return {"analysis": "collapse playground", "parameters": setting, "seed": play.seed}


def _sample(play: "Playground") -> list[str]:
    sizes = [f"{name} {getattr(play, name)}" for name in ("K", "d", "n")]
    decays = [f"{name} {getattr(play, name):g}" for name in ("lW", "lH", "beta", "noise")]
    return [*sizes, *decays, f"seed {play.seed}"]
