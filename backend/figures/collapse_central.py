"""NC1~ along the gradient flow on the central path, with the tethered model's minimisers.

Draws `backend.collapse.path.Path`.
"""

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from backend.figures import palette, theme
from backend.figures.lines import below_title

if TYPE_CHECKING:
    from backend.collapse.path import Path


def collapse_path(path: "Path") -> go.Figure:
    """NC1~ and both traces without their decay, each over its start, against t on a log axis."""
    flow = path.flow
    within, between = (flow.without_decay(trace) for trace in (flow.within, flow.between))
    lines = [
        (flow.nc1_ratio, "NC1~ along the flow", palette.BASELINE, "solid"),
        (within, "exp(2 lH t) tr(within)", palette.CATEGORIES[3], "dash"),
        (between, "exp(2 lH t) tr(between)", palette.CATEGORIES[4], "dot"),
    ]
    fig = go.Figure()
    for values, name, colour, dash in lines:
        fig.add_scatter(
            x=flow.t, y=values / values[0], mode="lines", name=name,
            line={"color": colour, "width": 1.8, "dash": dash},
            hovertemplate=f"t %{{x:.3g}}: %{{y:.4f}} of its start<extra>{name}</extra>",
        )  # fmt: skip
    fig.add_scatter(
        x=path.t, y=path.nc1_ratio / flow.nc1_ratio[0], mode="markers",
        name="NC1~ of the tethered minimiser, beta = 1/t",
        marker={"color": palette.WHATIF, "size": 9, "symbol": "diamond"},
        hovertemplate="beta %{customdata:.3g}: %{y:.4f} of its start<extra>tethered</extra>",
        customdata=1 / path.t,
    )  # fmt: skip
    fig.update_xaxes(title_text="t, or 1/beta")
    fig.update_yaxes(title_text="share of its value at t = 0", type="log")
    fig.update_layout(uirevision="collapse path", showlegend=True)
    below_title(fig)
    about = {"analysis": "collapse central path", "parameters": path.setting,
             "seed": path.setting["seed"]}  # fmt: skip
    sample = [f"{name} {value:g}" for name, value in path.setting.items()]
    return theme.finish(fig, "Gradient flow on the central path", about, sample=sample)
