"""Axes of the figures of collapse: epochs, what is marked on them, and decades."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from backend.figures import palette
from backend.figures.collapse_curves import Curve

Cell = tuple[int, int]  # row and column of a subplot
EPOCH_TITLE = "epoch (log scale; 0 at the left edge)"


@dataclass(frozen=True)
class EpochAxis:
    """Epochs on a log axis; epoch 0, which has no logarithm, stands one octave before the first."""

    first: int  # the smallest above 0
    last: int
    zero: bool  # whether epoch 0 is among them

    @classmethod
    def of(cls, epochs: Iterable[int]) -> "EpochAxis":
        """The axis that holds these epochs."""
        found = {int(e) for e in epochs}
        above = found - {0}
        return cls(min(above, default=1), max(above, default=1), 0 in found)

    def at(self, epochs: np.ndarray | int) -> np.ndarray:
        """Where epochs (e,), or one, stand; float64."""
        epochs = np.asarray(epochs, dtype=float)
        return np.where(epochs > 0, epochs, self.first / 2)

    @property
    def ends(self) -> tuple[float, float]:
        """Left and right edge, as epochs."""
        left = self.first / 2 if self.zero else float(self.first)
        room = 1.06 if self.last < 3 * left else (self.last / left) ** 0.03
        return left / room, self.last * room

    def draw(self, fig: go.Figure, *, title: bool = True, **place: int) -> None:
        """Give the axis its scale and ticks."""
        decades = range(int(math.log10(self.first)), int(math.log10(self.last)) + 1)
        steps = (1, 2, 5) if len(decades) <= 3 else (1,)
        round_ones = [s * 10**d for d in decades for s in steps]
        ticks = [t for t in round_ones if self.first <= t <= self.last] or [self.first]
        fig.update_xaxes(
            type="log",
            range=[math.log10(end) for end in self.ends],
            tickvals=[*([self.first / 2] if self.zero else []), *ticks],
            ticktext=[*(["0"] if self.zero else []), *map(str, ticks)],
            tickangle=0,
            showgrid=False,
            title_text=EPOCH_TITLE if title else None,
            **place,  # type: ignore[arg-type]
        )


def mark_epochs(
    fig: go.Figure,
    curves: Sequence[Curve],
    colours: dict[str, str],
    axis: EpochAxis,
    *,
    current: int | None,
    cells: Sequence[Cell] = (),
) -> None:
    """Lines where training error is first zero, the phase after it shaded, the current epoch."""
    zeros = [c.zero for c in curves]
    marks: list[dict] = []
    if all(z is not None for z in zeros):
        shade = {"fillcolor": palette.fade(palette.CONTROL, 0.11), "line": {"width": 0}}
        start = float(axis.at(max(zeros)))  # type: ignore[type-var]
        marks.append(
            {
                "type": "rect",
                "x0": start,
                "x1": axis.ends[1],
                "y0": 0,
                "y1": 1,
                "layer": "below",
                **shade,
            }
        )
    for curve in curves:
        if curve.zero is not None:
            colour = palette.CONTROL if len(curves) == 1 else colours[curve.label]
            marks.append(_upright(axis, curve.zero, color=colour, width=1.2, dash="dash"))
    if current is not None:
        marks.append(_upright(axis, current, color=palette.SELECTED, width=1.5))
    places = [fig.get_subplot(*cell) for cell in cells]
    names = [[a.plotly_name.replace("axis", "") for a in (p.xaxis, p.yaxis)] for p in places]
    # all at once: add_vline checks every shape there is anew
    fig.layout.shapes = [
        *fig.layout.shapes,
        *({**m, "xref": x, "yref": f"{y} domain"} for x, y in names or [["x", "y"]] for m in marks),
    ]


def _upright(axis: EpochAxis, epoch: int, **line: object) -> dict:
    x = float(axis.at(epoch))
    return {"type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "line": line}


def say_zero(curves: Sequence[Curve]) -> str:
    """What the marks of zero training error mean, as a short remark; "" where there are none."""
    zeros = sorted({c.zero for c in curves if c.zero is not None})
    if not zeros:
        return ""
    when = f"epoch {zeros[0]}" if len(zeros) == 1 else f"epochs {zeros[0]} to {zeros[-1]} on"
    marks = "dashed, shaded" if all(c.zero is not None for c in curves) else "dashed"
    return f"{marks}: training error 0 from {when}"


def log_axis(values: np.ndarray) -> dict:
    """A log axis for values (n,): ticks at 1, 2, 5 over few decades, at powers of ten over many."""
    known = values[np.isfinite(values) & (values > 0)]
    decades = float(np.ptp(np.log10(known))) if len(known) else 1.0
    tick = None if decades < 0.7 else "D2" if decades < 2.2 else 1 if decades < 7 else 2
    return {"type": "log", "exponentformat": "none" if decades < 5 else "power", "dtick": tick}
