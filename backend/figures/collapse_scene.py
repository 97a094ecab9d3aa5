"""Three classes in the plane of their means, beside the ideal triangle.

Reads the tables `plane`(part, epoch, kind, class, number, x, y), kind being sample, mean or head,
and `classes`(class), which holds the colours.
"""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.compute as pc

from backend.analyses.result import Result
from backend.collapse.geometry import CORNERS
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.collapse_curves import at_epoch, part_of, sample_of, when
from backend.figures.columns import integers, numbers, table_of, texts

KINDS = ("sample", "mean", "head")
_INSIDE = 0.95  # share of all points of all epochs that the frame holds, between its limits
_LEAST, _MOST = 1.6, 2.4  # half the frame's side, in lengths of the ideal corners


@dataclass(frozen=True)
class Scene:
    """What is drawn of three classes: points at each epoch, and the frame that all share."""

    table: pa.Table
    part: str
    classes: tuple[str, ...]  # in the order of CORNERS
    colours: dict[str, str]
    epochs: list[int]
    kinds: tuple[str, ...]
    half: float  # half the frame's side

    def at(self, epoch: int) -> list[dict[str, np.ndarray]]:
        """x and y of each class and kind in turn, heads as arrows from the middle."""
        table = at_epoch(self.table, epoch)
        name, kind = np.array(texts(table, "class")), np.array(texts(table, "kind"))
        x, y = numbers(table, "x"), numbers(table, "y")
        assert x is not None and y is not None
        out = []
        for one in self.classes:
            for what in self.kinds:
                mine = (name == one) & (kind == what)
                start = np.zeros(int(what == "head"), dtype=np.float32)
                out.append({"x": np.r_[start, x[mine]], "y": np.r_[start, y[mine]]})
        return out

    def outside(self, epoch: int) -> tuple[int, int]:
        """How many of the samples are out of the frame, and how many there are."""
        table = at_epoch(self.table, epoch)
        mine = table.filter(pc.equal(table["kind"], "sample"))  # type: ignore[attr-defined]
        x, y = numbers(mine, "x"), numbers(mine, "y")
        assert x is not None and y is not None
        return int((np.maximum(np.abs(x), np.abs(y)) > self.half).sum()), len(x)


def scene_of(result: Result, part: str | None) -> Scene:
    """Read the plane; AnalysisError if there is none."""
    if "plane" not in result.tables:
        raise AnalysisError(
            "The result has no plane of three classes.",
            "That needs three classes whose means are not on one line.",
        )
    needed = ("part", "epoch", "kind", "class", "number", "x", "y")
    table, part = part_of(result, table_of(result, "plane", *needed), part)
    shown = tuple(dict.fromkeys(texts(table, "class")))
    known = result.tables.get("classes")
    everyone = texts(known, "class") if known is not None else list(shown)
    found = palette.category_colours(dict.fromkeys(everyone, 1))
    colours = {name: found.get(name, palette.CONTROL) for name in shown}
    kind = texts(table, "kind")
    x, y = numbers(table, "x"), numbers(table, "y")
    assert x is not None and y is not None
    far = float(np.quantile(np.maximum(np.abs(x), np.abs(y)), _INSIDE))
    return Scene(
        table, part, shown, colours, np.unique(integers(table, "epoch")).tolist(),
        tuple(k for k in KINDS if k in kind), float(np.clip(1.05 * far, _LEAST, _MOST)),
    )  # fmt: skip


def collapse_plane(result: Result, *, epoch: int, part: str | None = None) -> go.Figure:
    """Samples, class means and head rows of three classes at an epoch; axes are those of all.

    Lengths are in units of the ideal triangle's corners, fitted to the three means of each epoch.
    """
    scene = scene_of(result, part)
    fig = go.Figure()
    draw_scene(fig, scene, epoch)
    frame(fig, scene)
    fig.update_layout(uirevision="collapse plane", height=620, margin={"l": 40, "b": 60})
    many, of = scene.outside(epoch)
    lost = f"{theme.count(many)} of {theme.count(of)} dots out of the frame" if many else ""
    title = f"Three classes in their plane{when(result, epoch)}"
    sample = sample_of([result], scene.part, explain(scene))
    return theme.finish(fig, title, result.provenance, sample=sample, note=lost)


def explain(scene: Scene) -> str:
    """What the marks stand for."""
    arrows = ", arrows head rows" if "head" in scene.kinds else ""
    return f"dots rows, ringed class means{arrows}, dotted the ideal"


def draw_scene(fig: go.Figure, scene: Scene, epoch: int) -> list[int]:
    """The ideal triangle under the points of an epoch; returns the traces that move."""
    ring, names = np.r_[CORNERS, CORNERS[:1]], 1.3 * CORNERS
    fig.add_scatter(
        x=ring[:, 0], y=ring[:, 1], mode="lines", name="ideal triangle", showlegend=False,
        line={"color": palette.CONTROL, "width": 1.5, "dash": "dot"}, hoverinfo="skip",
    )  # fmt: skip
    fig.add_scatter(
        x=names[:, 0], y=names[:, 1], mode="text", name="classes", showlegend=False,
        text=[theme.plain(name, 24) for name in scene.classes], hoverinfo="skip",
        textfont={"color": palette.MUTED, "size": 13},
    )  # fmt: skip
    first = len(fig.data)
    places = iter(scene.at(epoch))
    for name in scene.classes:
        for kind in scene.kinds:
            fig.add_scatter(**next(places), **_look(scene, name, kind))
    return list(range(first, len(fig.data)))


def frame(fig: go.Figure, scene: Scene, **place: int) -> None:
    """Fixed axes of equal scale, without ticks; the legend in one row."""
    quiet = {"showgrid": False, "showticklabels": False, "ticks": "", "showline": False}
    span = {"range": [-scene.half, scene.half]}
    fig.update_xaxes(constrain="domain", **span, **quiet, **place)  # type: ignore[arg-type]
    fig.update_yaxes(
        scaleanchor="x", constrain="domain", **span, **quiet, **place,  # type: ignore[arg-type]
    )  # fmt: skip
    fig.update_layout(
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": 1, "yanchor": "bottom"},
        margin={"t": 116},
    )


def _look(scene: Scene, name: str, kind: str) -> dict:
    """How one kind of mark of a class is drawn."""
    colour, said = scene.colours[name], theme.plain(name, 40)
    common = {"legendgroup": said, "name": said, "showlegend": kind == "mean"}
    if kind == "sample":
        return common | {
            "mode": "markers",
            "marker": {"size": 6, "color": colour, "opacity": 0.7},
            "hovertemplate": f"a row of {said}<extra></extra>",
        }
    if kind == "mean":
        return common | {
            "mode": "markers",
            "marker": {"size": 14, "color": colour, "line": {"width": 2, "color": "#FFFFFF"}},
            "hovertemplate": f"mean of {said}<extra></extra>",
        }
    return common | {
        "mode": "lines+markers",
        "line": {"color": colour, "width": 2.5},
        "marker": {"symbol": "arrow", "size": [0, 13], "color": colour, "angleref": "previous",
                   "opacity": 1, "line": {"width": 0}},
        "hovertemplate": f"head row of {said}, at the size of the class means<extra></extra>",
    }  # fmt: skip
