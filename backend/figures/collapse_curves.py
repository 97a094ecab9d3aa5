"""Measures of collapse over the epochs, run by run, and repeated seeds put together.

Reads the table `trajectory`(run, part, epoch, layer, index, n, width, the measures and train_error,
with NAME_low and NAME_high beside some) and the scalars `part`, `zero_epoch` and `classes`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backend.analyses.result import Result
from backend.collapse.metrics import FORMULAS
from backend.errors import AnalysisError
from backend.figures import palette, theme
from backend.figures.columns import blocks_of, integers, numbers, table_of, texts
from backend.figures.sites import site_label

NAMES = {
    "nc1": "NC1",
    "nc1_ratio": "NC1~",
    "cdnv": "CDNV",
    "nc2": "NC2",
    "nc2_equinorm": "NC2, norms",
    "nc2_equiangular": "NC2, angles",
    "nc2_weight": "NC2 of the head",
    "nc3": "NC3",
    "nc3_zhu": "NC3 (Zhu)",
    "nc4": "NC4",
    "bias": "bias",
    "centre_error": "nearest-centre error",
    "train_error": "error of the head",
    "test_error": "held-out error",
}
LOG = ("nc1", "nc1_ratio", "cdnv")  # fall by decades
_ERROR = {"train": "training error", "held out": "held-out error"}  # train_error by part


@dataclass(frozen=True)
class Curve:
    """Measures of the last layer over the epochs: of one run, or of runs that share a label."""

    label: str
    epochs: np.ndarray  # (e,) int64, rising
    value: dict[str, np.ndarray]  # measure -> (e,), NaN where there is none; the mean over runs
    low: dict[str, np.ndarray]  # 95 % over rows; of several runs the least
    high: dict[str, np.ndarray]
    zero: int | None  # epoch from which training error is 0, in all of the runs
    runs: int = 1


def as_results(results: Result | Sequence[Result]) -> list[Result]:
    """One result or several as a list; AnalysisError for none."""
    found = [results] if isinstance(results, Result) else list(results)
    if not found:
        raise AnalysisError("There is no run to draw.", "Give one result or more.")
    return found


def said_of(measure: str, part: str) -> str:
    """A measure's short name; errors are called by their rows."""
    return _ERROR.get(part, NAMES[measure]) if measure == "train_error" else NAMES[measure]


def collapse_formula(measure: str) -> str:
    """How a measure is computed, and whose form it is, ready to show."""
    key = "head_error" if measure in ("train_error", "test_error") else measure
    return theme.plain(FORMULAS[key])


def check_measure(measure: str, known: Iterable[str] = NAMES) -> str:
    """The measure; AnalysisError if it has no such name."""
    if measure not in known:
        raise AnalysisError(f"There is no measure {measure!r}.", f"Choose: {', '.join(known)}.")
    return measure


def trajectory_of(result: Result, part: str | None, *needed: str) -> tuple[pa.Table, str]:
    """The lines of one part of the rows, and its name; None is the result's own first part."""
    table = table_of(result, "trajectory", "run", "part", "epoch", "layer", "index", "n", *needed)
    return part_of(result, table, part)


def part_of(result: Result, table: pa.Table, part: str | None) -> tuple[pa.Table, str]:
    """The lines of a table that are of one part of the rows, and its name."""
    there = list(dict.fromkeys(texts(table, "part")))
    part = part or str(result.scalars.get("part") or (there or [""])[0])
    if part not in there:
        raise AnalysisError(f"The result has no rows {part!r}.",
                            f"It has: {', '.join(there) or 'none'}.")  # fmt: skip
    return table.filter(pc.equal(table["part"], part)), part  # type: ignore[attr-defined]


def when(result: Result, epoch: int) -> str:
    """`, epoch 12` for a title; nothing where the result is of one moment, such as saved rows."""
    moments = set(table_of(result, "trajectory", "epoch")["epoch"].to_pylist())
    return f", epoch {epoch}" if len(moments) > 1 else ""


def at_epoch(table: pa.Table, epoch: int) -> pa.Table:
    """The lines of one epoch; AnalysisError names the epochs there are."""
    mine = table.filter(pc.equal(table["epoch"], epoch))  # type: ignore[attr-defined]
    if not mine.num_rows:
        there = ", ".join(map(str, np.unique(integers(table, "epoch")).tolist()))
        raise AnalysisError(f"Epoch {epoch} was not kept.", f"It has: {there}.")
    return mine


def curves_of(
    results: Sequence[Result], part: str | None, labels: Mapping[str, str] | None
) -> list[Curve]:
    """A curve for each label, in order of appearance.

    `labels` names results by their key; runs that share a label become one curve. Without it a
    run has its own name.
    """
    found: dict[str, list[Curve]] = {}
    for result in results:
        table, _ = trajectory_of(result, part)
        for run in dict.fromkeys(texts(table, "run")):
            label = (labels or {}).get(result.key, run)
            mine = table.filter(pc.equal(table["run"], run))  # type: ignore[attr-defined]
            zero = result.scalars.get("zero_epoch")
            found.setdefault(label, []).append(
                _curve(mine, label, None if zero is None else int(zero))
            )
    return [_joined(label, curves) for label, curves in found.items()]


def deepest(table: pa.Table) -> pa.Table:
    """The line of the last layer at each epoch, by epoch; nets may grow."""
    order = np.lexsort((integers(table, "index"), integers(table, "epoch")))
    epochs = integers(table, "epoch")[order]
    last = np.r_[epochs[1:] != epochs[:-1], True]
    return table.take(order[last])


def _curve(table: pa.Table, label: str, zero: int | None) -> Curve:
    table = deepest(table)
    columns = {}
    for end in ("", "_low", "_high"):
        known = {m: numbers(table, f"{m}{end}") for m in NAMES}
        columns[end] = {m: v for m, v in known.items() if v is not None}
    return Curve(label, integers(table, "epoch"), columns[""], columns["_low"], columns["_high"],
                 zero)  # fmt: skip


def _joined(label: str, curves: list[Curve]) -> Curve:
    """Mean, least and largest over runs, at the epochs that all have."""
    if len(curves) == 1:
        return curves[0]
    epochs = reduce(np.intersect1d, [c.epochs for c in curves])
    if not len(epochs):
        raise AnalysisError(f"The runs called {label!r} have no epoch in common.",
                            "Give them different labels.")  # fmt: skip
    measures = [m for m in NAMES if all(m in c.value for c in curves)]
    stack = {m: np.stack([c.value[m][np.isin(c.epochs, epochs)] for c in curves]) for m in measures}
    value, low, high = ({m: f(v, axis=0) for m, v in stack.items()} for f in (np.mean, np.min,
                                                                             np.max))  # fmt: skip
    zeros = [c.zero for c in curves]
    zero = None if None in zeros else max(zeros)  # type: ignore[type-var]
    return Curve(label, epochs, value, low, high, zero, len(curves))


def colours_of(curves: Sequence[Curve]) -> dict[str, str]:
    """One run is the baseline's grey-blue; several have a category's colour each."""
    if len(curves) == 1:
        return {curves[0].label: palette.BASELINE}
    known = palette.category_colours([c.label for c in curves])
    return {c.label: known.get(c.label, palette.CONTROL) for c in curves}


def provenance_of(results: Sequence[Result]) -> dict:
    """Where a figure comes from: the result's own provenance, or the first's with all `results`."""
    first = results[0].provenance
    if len(results) == 1:
        return first
    return {**first, "models": [], "seed": None, "results": [r.provenance for r in results]}


def sample_of(results: Sequence[Result], part: str | None, *more: str) -> list[str]:
    """What a figure rests on: rows and their part, classes, the last layer and its width, seed."""
    said, parts = provenance_of(results), set()
    for result in results:
        table, name = trajectory_of(result, part, "width")
        end = deepest(table).to_pylist()[-1]
        n_blocks = blocks_of(said, texts(table, "layer"))
        layer = theme.plain(site_label(end["layer"], n_blocks), 40)
        classes = result.scalars.get("classes")
        parts.add((
            f"n {theme.count(end['n'])} rows" + ("" if name == "all" else f" ({name})"),
            *([] if classes is None else [f"{theme.count(classes)} classes"]),
            f"{layer}, {theme.count(end['width'])} wide",
        ))  # fmt: skip
    shared = list(next(iter(parts))) if len(parts) == 1 else []
    runs = [f"{theme.count(len(results))} runs"] if len(results) > 1 else []
    return [*runs, *shared, *more,
            *theme.describe_sample({k: said.get(k) for k in ("dtype", "seed")})]  # fmt: skip
