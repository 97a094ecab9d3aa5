"""Classes shrinking to the corners of a simplex: a film over the epochs, with NC1 to NC4 beside.

Reads the tables `plane` and `trajectory`.
"""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from backend.analyses.result import Result
from backend.figures import palette, theme
from backend.figures.collapse_axes import EpochAxis, mark_epochs, say_zero
from backend.figures.collapse_curves import Curve, curves_of, sample_of
from backend.figures.collapse_epochs import named_panels
from backend.figures.collapse_panels import Panel, draw_panels, titles_left
from backend.figures.collapse_scene import Scene, draw_scene, explain, frame, scene_of
from backend.figures.film import player

_CELLS = ((1, 2), (2, 2), (3, 2), (4, 2))
_BOTTOM = 150  # px below the axes, for the player


def collapse_film(result: Result, *, part: str | None = None) -> go.Figure:
    """The plane of three classes at every epoch kept, under one slider with NC1 to NC4.

    Axes stay as they are. Dots on the curves mark the epoch that is shown.
    """
    scene = scene_of(result, part)
    curve = curves_of([result], scene.part, None)[0]
    panels = named_panels(scene.part)
    fig = make_subplots(
        rows=4,
        cols=2,
        specs=[[{"rowspan": 4}, {}], *([[None, {}]] * 3)],
        column_widths=[0.58, 0.42],
        horizontal_spacing=0.07,
        vertical_spacing=0.075,
        subplot_titles=["", *(p.title for p in panels)],
    )
    axis = EpochAxis.of(curve.epochs)
    moving = draw_scene(fig, scene, scene.epochs[0])
    frame(fig, scene, row=1, col=1)
    colours = {curve.label: palette.BASELINE}
    draw_panels(fig, [curve], _CELLS, axis, part=scene.part, colours=colours, panels=panels)
    mark_epochs(fig, [curve], colours, axis, current=None, cells=_CELLS)
    for row, col in _CELLS:
        axis.draw(fig, title=row == 4, row=row, col=col)
    fig.update_xaxes(showticklabels=False, row=1, col=2)
    for row in (2, 3):
        fig.update_xaxes(showticklabels=False, row=row, col=2)
    moving += _add_dots(fig, curve, panels, axis, scene.epochs[0])
    titles_left(fig, len(panels))
    fig.frames = [
        go.Frame(
            name=str(epoch),
            data=[{"type": "scatter", **xy} for xy in [*scene.at(epoch),
                                                       *_dots(curve, panels, axis, epoch)]],
            traces=moving,
        )
        for epoch in scene.epochs
    ]  # fmt: skip
    fig.update_layout(**player([(str(e), f"epoch {e}") for e in scene.epochs]))
    fig.update_layout(height=760, margin={"l": 30, "b": _BOTTOM}, uirevision="collapse film")
    note = "; ".join(filter(None, (_outside(scene), say_zero([curve]))))
    title = "Classes shrink to the corners of a simplex"
    sample = sample_of([result], scene.part, explain(scene))
    return theme.finish(fig, title, result.provenance, sample=sample, note=note)


def _outside(scene: Scene) -> str:
    """How many dots the frame does not hold, at the epoch at which they are most."""
    most, of, epoch = max((*scene.outside(e), -e) for e in scene.epochs)
    if not most:
        return ""
    return f"up to {theme.count(most)} of {theme.count(of)} dots out of the frame (epoch {-epoch})"


def _dots(
    curve: Curve, panels: Sequence[Panel], axis: EpochAxis, epoch: int
) -> list[dict[str, np.ndarray]]:
    """Where each panel's curves stand at an epoch."""
    at = np.flatnonzero(curve.epochs == epoch)
    x = axis.at(curve.epochs[at])
    out = []
    for panel in panels:
        known = [curve.value[m][at] for m, _ in panel.measures if m in curve.value]
        out.append({"x": np.tile(x, len(known)), "y": np.concatenate([*known, np.empty(0)])})
    return out


def _add_dots(
    fig: go.Figure, curve: Curve, panels: Sequence[Panel], axis: EpochAxis, epoch: int
) -> list[int]:
    first = len(fig.data)
    for xy, (row, col) in zip(_dots(curve, panels, axis, epoch), _CELLS, strict=True):
        fig.add_scatter(
            **xy, mode="markers", name="epoch shown", showlegend=False, hoverinfo="skip",
            marker={"size": 9, "color": palette.SELECTED}, row=row, col=col,
        )  # fmt: skip
    return list(range(first, len(fig.data)))
