"""Tables of a look at collapse: its course, classes, cosines, three classes in their plane."""

import math
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from backend.analyses.collapse_inputs import Moment, Rows
from backend.errors import AnalysisError

if TYPE_CHECKING:
    from backend.collapse.intervals import Intervals
    from backend.collapse.moments import Moments

MEASURES = ("nc1", "nc1_ratio", "cdnv", "nc2_equinorm", "nc2_equiangular", "nc2", "nc3", "nc4",
            "nc3_zhu", "nc2_weight", "bias", "centre_error")  # fmt: skip
WITH_INTERVAL = ("nc1", "nc1_ratio", "cdnv", "nc2_equinorm", "nc2_equiangular", "nc2", "nc3")
_DRAWN = 60  # rows of each class in the plane of three classes


@dataclass
class Tables:
    """Lines of every table, gathered moment by moment."""

    rows: Rows
    run: str
    bootstrap: int
    seed: int
    trajectory: list[dict] = field(default_factory=list)
    classes: list[dict] = field(default_factory=list)
    cosines: list[dict] = field(default_factory=list)
    plane: list[dict] = field(default_factory=list)
    three: tuple[int, ...] = ()
    notes: list[str] = field(default_factory=list)
    flat: list[str] = field(default_factory=list)  # moments whose plane could not be drawn

    def add(self, moment: Moment, *, last: bool) -> None:
        """Measure a moment at every layer, on every part; intervals for the last layer, and at
        the last moment for all."""
        from backend.collapse.intervals import bootstrap
        from backend.collapse.streaming import summarise

        names = list(moment.layers)
        for part, at in self.rows.parts.items():
            y = self.rows.labels[at]
            for index, site in enumerate(names):
                full = index == len(names) - 1
                X = moment.layers[site][at].reshape(len(at), -1)
                head = {"weight": moment.weight, "bias": moment.bias} if full else {}
                keep = self.bootstrap > 0 and (full or last)
                found = summarise(X, y, n_classes=len(self.rows.classes), keep=keep, **head)
                ends = bootstrap(found.moments, found.rows, draws=self.bootstrap,
                                 seed=self.seed) if keep else None  # fmt: skip
                where = {"run": self.run, "part": part, "epoch": moment.epoch}
                self.add_layer(where, site, index, found.moments, full=full, ends=ends,
                               samples=(X, y))  # fmt: skip

    def add_layer(
        self, where: dict, site: str, index: int, moments: "Moments", *, full: bool,
        ends: "Intervals | None" = None, samples: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> None:  # fmt: skip
        """A line of the course; of the last layer (`full`) its classes, angles and plane too."""
        from backend.collapse.metrics import measure

        one = measure(moments)
        line = where | {"layer": site, "index": index, "n": one.n, "width": one.width}
        line |= {name: _known(getattr(one, name)) for name in MEASURES}
        for name in WITH_INTERVAL:
            line[f"{name}_low"] = ends.low.get(name) if ends else None
            line[f"{name}_high"] = ends.high.get(name) if ends else None
        line["train_error"] = _known(one.head_error) if full else None
        self.trajectory.append(line)
        if full:
            if where["part"] == next(iter(self.rows.parts)):
                self.notes = list(one.notes)  # those of the last moment
            self._in_full(where, moments)
            if len(self.three) == 3:
                self._plane(where, moments, samples)

    def _in_full(self, where: dict, moments: "Moments") -> None:
        from backend.collapse.geometry import angles
        from backend.collapse.per_class import per_class

        names, table = self.rows.classes, per_class(moments)
        columns = {f.name: getattr(table, f.name).tolist() for f in fields(table)}
        for k, name in enumerate(names):
            line = {column: _known(values[k]) for column, values in columns.items()}
            line["nearest"] = names[table.nearest[k]]
            self.classes.append(where | {"class": name} | line)
        excess = angles(moments)
        self.cosines += [
            where | {"class_a": a, "class_b": b, "excess": _known(excess[i, j])}
            for i, a in enumerate(names) for j, b in enumerate(names) if i != j
        ]  # fmt: skip

    def _plane(
        self, where: dict, moments: "Moments", samples: tuple[np.ndarray, np.ndarray] | None
    ) -> None:
        """Rows (where there are any), class means and head rows of three classes in the plane of
        their means."""
        from backend.collapse.geometry import plane

        try:
            seen = plane(moments, self.three)  # type: ignore[arg-type]
        except AnalysisError as error:  # their means are on one line: no picture of this moment
            self.flat.append(f"Epoch {where['epoch']}: {error.what}")
            return
        for k in self.three:
            if samples is not None:
                at = np.flatnonzero(samples[1] == k)[:_DRAWN]
                self._points(where, "sample", k, seen.points(samples[0][at]))
            self._points(where, "mean", k, seen.points(moments.means[[k]]))
            if moments.head is not None:
                self._points(where, "head", k, seen.arrows(moments.head.weight)[[k]])

    def _points(self, where: dict, kind: str, k: int, places: np.ndarray) -> None:
        name = self.rows.classes[k]
        self.plane += [where | {"kind": kind, "class": name, "number": i, "x": x, "y": y}
                       for i, (x, y) in enumerate(places.tolist())]  # fmt: skip

    def build(self) -> dict[str, pa.Table]:
        """The tables by name; `plane` only where there are three classes."""
        out = {"trajectory": _table(self.trajectory), "classes": _table(self.classes),
               "cosines": _table(self.cosines)}  # fmt: skip
        return out | ({"plane": _table(self.plane)} if self.plane else {})


def _known(value: float) -> float | None:
    """The value; None where it is not defined."""
    return None if isinstance(value, float) and math.isnan(value) else value


_WORDS = ("run", "part", "layer", "class", "nearest", "class_a", "class_b", "kind")
_COUNTS = ("epoch", "index", "n", "width", "number")


def _table(lines: list[dict]) -> pa.Table:
    """Lines of one shape; columns without any value are numbers."""
    names = list(lines[0]) if lines else []
    kinds = [pa.string() if n in _WORDS else pa.int64() if n in _COUNTS else pa.float64()
             for n in names]  # fmt: skip
    return pa.Table.from_pylist(lines, schema=pa.schema(list(zip(names, kinds, strict=True))))
