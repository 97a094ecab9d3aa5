"""Do classes collapse to a simplex?  NC1 to NC4 at every layer, over a training, or as saved.

Papyan, Han, Donoho 2020 (neural collapse); Tirer, Huang, Niles-Weed 2022/23 (perturbations).
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backend.analyses.collapse_claims import CLAIMS, said
from backend.analyses.collapse_inputs import ALL, Rows, from_arrays, moments, restricted, rows_of
from backend.analyses.collapse_steps import no_steps, steps
from backend.analyses.collapse_tables import Tables
from backend.analyses.inputs import notes
from backend.analyses.intervals import number
from backend.analyses.result import Body, Scalar
from backend.analyses.spec import Parameter, Progress, Spec, register
from backend.capture.view import CaptureView
from backend.data.dataset import Dataset
from backend.errors import AnalysisError

if TYPE_CHECKING:
    from backend.collapse.moments import Moments
    from backend.models.loading import LoadedModel

_NAMES = {"nc1": "NC1", "nc2": "NC2", "nc3": "NC3", "nc4": "NC4"}


def run(
    views: tuple[CaptureView, ...], *, data: Dataset, also: Dataset | None, seed: int,
    progress: Progress, label: str, course: bool, at_most: int, bootstrap: int, classes: str,
    only: str, model: "LoadedModel | None" = None,
) -> Body:  # fmt: skip
    """Measure collapse of a captured model, of its checkpoints, or of saved features."""
    if views:
        assert model is not None
        rows = rows_of(views[0], model, label=label, at_most=at_most, seed=seed)
        found = moments(views[0], model, rows, course=course, progress=progress)
        name = views[0].model
    else:
        rows, one = from_arrays(data)
        found, name = iter([one]), data.name
    rows, found = restricted(rows, found, only)
    tables = Tables(rows, name, bootstrap, seed, three=_three(rows, classes))
    last = None
    for moment in found:
        if last is not None:
            tables.add(last, last=False)
        last = moment
    assert last is not None
    tables.add(last, last=True)
    progress(0, 0, "what lies between the layers")
    body = finished(tables)
    body.tables["steps"] = steps(last, rows, seed=seed)
    return body


def of_records(
    name: str, classes: tuple[str, ...], records: Iterable[tuple[int, dict[str, "Moments"]]]
) -> Body:
    """Collapse of a training that was watched elsewhere, from its statistics by epoch and layer.

    There are no rows any more, so no intervals, and no samples in the plane.
    """
    rows = Rows(np.zeros(0, np.int64), np.zeros(0, np.int64), classes, {ALL: np.zeros(0, np.int64)})
    tables = Tables(rows, name, 0, 0, three=_three(rows, ""))
    for epoch, layers in records:
        where = {"run": name, "part": ALL, "epoch": epoch}
        for index, (site, found) in enumerate(layers.items()):
            tables.add_layer(where, site, index, found, full=index == len(layers) - 1)
    body = finished(tables)
    body.tables["steps"] = no_steps()
    return body


def finished(tables: Tables) -> Body:
    """The tables with their scalars and the sentence that they say."""
    made, rows = tables.build(), tables.rows
    scalars = _scalars(made["trajectory"], rows, next(iter(rows.parts)))
    scalars["note"] = notes([*rows.notes, *tables.notes, *tables.flat])
    return Body(scalars, made, _reading(scalars))


def _three(rows: Rows, wanted: str) -> tuple[int, ...]:
    """The three classes whose plane is drawn: those named, or the first; none of two."""
    names = [w.strip() for w in wanted.split(",") if w.strip()]
    if not names:
        return tuple(range(3)) if len(rows.classes) >= 3 else ()
    unknown = [n for n in names if n not in rows.classes]
    if unknown or len(set(names)) != 3:
        raise AnalysisError(
            f"classes={wanted!r} does not name three different classes.",
            f"Choose among {', '.join(rows.classes[:50])}.",
        )
    return tuple(rows.classes.index(n) for n in names)


def _scalars(trajectory: pa.Table, rows: Rows, part: str) -> dict[str, Scalar]:
    """The last layer's measures at the end, and where training error first was zero."""
    mine = trajectory.filter(pc.equal(trajectory["part"], part))  # type: ignore[attr-defined]
    deepest = pc.max(mine["index"]).as_py()
    lines = [r for r in mine.to_pylist() if r["index"] == _deepest(mine, r["epoch"])]
    end, zero = lines[-1], _zero(rows, lines)
    start = next((r for r in lines if zero is not None and r["epoch"] >= zero), lines[0])
    out: dict[str, Scalar] = {
        "n": end["n"], "classes": len(rows.classes), "width": end["width"], "part": part,
        "layers": deepest + 1, "layer": end["layer"], "checkpoints": len(lines),
        "first_epoch": lines[0]["epoch"], "last_epoch": end["epoch"], "zero_epoch": zero,
        "start_epoch": start["epoch"], "train_error": end["train_error"],
    }  # fmt: skip
    for name in (*_NAMES, "nc1_ratio"):
        out |= {f"{name}_start": start[name], f"{name}_end": end[name]}
        for side in ("low", "high"):
            out |= {f"{name}_start_{side}": start.get(f"{name}_{side}"),
                    f"{name}_end_{side}": end.get(f"{name}_{side}")}  # fmt: skip
    across = [r for r in mine.to_pylist() if r["epoch"] == end["epoch"]]
    out |= {"first_layer": across[0]["layer"], "nc1_ratio_first": across[0]["nc1_ratio"]}
    return out


def _deepest(mine: pa.Table, epoch: int) -> int:
    at = mine.filter(pc.equal(mine["epoch"], epoch))  # type: ignore[attr-defined]
    return pc.max(at["index"]).as_py()


def _zero(rows: Rows, lines: list[dict]) -> int | None:
    """The first epoch without an error on the training rows: of the training's record, else of
    the checkpoints; None where there is none."""
    history = [h["epoch"] for h in rows.run.get("history", ()) if h["train_accuracy"] == 1.0]
    seen = [r["epoch"] for r in lines if r["train_error"] == 0]
    return min(history or seen, default=None)


def _reading(s: dict) -> str:
    about = f"{s['n']:,} rows ({s['part']}), {s['classes']} classes, {s['width']} wide"
    if s["checkpoints"] == 1:
        text = f"At {s['layer']} " + ", ".join(
            f"{title} is {said(s, name, 'end')}" for name, title in _NAMES.items()
            if s[f"{name}_end"] is not None
        )  # fmt: skip
        if s["layers"] > 1:
            text += (f"; over the layers NC1~ goes from {number(s['nc1_ratio_first'])} to "
                     f"{number(s['nc1_ratio_end'])}")  # fmt: skip
        return f"{text} ({about})."
    if s["zero_epoch"] is None:
        text = f"Training error never was 0. From epoch {s['start_epoch']} to {s['last_epoch']} "
    else:
        text = (f"Training error first was 0 at epoch {s['zero_epoch']}; from checkpoint "
                f"{s['start_epoch']} to {s['last_epoch']} ")  # fmt: skip
    text += ", ".join(
        f"{title} goes {said(s, name, 'start')} to {said(s, name, 'end')}"
        for name, title in _NAMES.items() if s[f"{name}_end"] is not None
    )  # fmt: skip
    return f"{text} ({s['layer']}, {about})."


SPEC = register(
    Spec(
        key="collapse",
        title="Collapse",
        question="Do classes collapse to a simplex?",
        source="Papyan, Han, Donoho 2020; Tirer, Huang, Niles-Weed 2022/23",
        version=2,
        run=run,
        model="optional",
        arrays=True,
        needs_model=True,
        sites="all,last",
        parameters=(
            Parameter("label", str, "", "Column of classes; empty: what the net was trained on, "
                      "else the column with the most even classes."),
            Parameter("course", bool, True, "Read every checkpoint beside the model."),
            Parameter("at_most", int, 5000, "Rows, at the most.", minimum=20, maximum=200_000),
            Parameter("bootstrap", int, 200, "Draws for the intervals; 0: none.", minimum=0,
                      maximum=2000),
            Parameter("classes", str, "", "Three classes whose plane is drawn, with commas; "
                      "empty: the first three."),
            Parameter("only", str, "", "Classes that are measured, with commas; empty: all."),
        ),
        claims=CLAIMS,
    )
)  # fmt: skip
