"""Tables of two models' features: each one's own, the pairs, and from where both can be read."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from backend.analyses.complexity_features import Found
    from backend.analyses.complexity_inputs import Subject
    from backend.complexity.matching import Matched
    from backend.complexity.readability import Readability

_ENDS = ("", "_low", "_high")


@dataclass(frozen=True)
class Side:
    """One model: its features, how its own layers and the other's tell them."""

    model: str  # "a" or "b"
    name: str
    subject: "Subject"
    found: "Found"
    own: "Readability"
    other: "Readability"
    importance: np.ndarray | None  # (k,); None without a linear head
    alive: np.ndarray  # features that vary on the rows of the fit and on those held out

    @property
    def complexity(self) -> np.ndarray:
        """Of the features alive, (m,)."""
        return self.own.complexity[self.alive]


def build(
    a: Side, b: Side, matched: "Matched", cosines: np.ndarray | None, partner: np.ndarray | None,
    *, top: int,
) -> dict[str, pa.Table]:  # fmt: skip
    """Every table; features are numbered as in their own dictionary.

    `cosines` (m,) are those of the pairs, `partner` (alive of a) the place of the partner by
    cosine among those of b, -1 for none; both None where directions do not compare.
    """
    return {
        "features": pa.concat_tables([_features(s) for s in (a, b)]).combine_chunks(),
        "pairs": _pairs(a, b, matched, cosines, partner),
        "readability": _both(a, b, "own"),
        "readability_in_other": _both(a, b, "other"),
        "top": pa.concat_tables([_top(s, top) for s in (a, b)]).combine_chunks(),
    }


def _features(side: Side) -> pa.Table:
    from backend.complexity.measures import frequency

    at, importance = side.alive, side.importance
    return pa.table({
        "model": pa.array([side.model] * len(at), pa.string()),
        "feature": pa.array(at.astype(np.int32)),
        **{f"complexity{end}": getattr(side.own, f"complexity{end}")[at] for end in _ENDS},
        **{f"complexity_in_other{end}": getattr(side.other, f"complexity{end}")[at]
           for end in _ENDS},
        "importance": pa.nulls(len(at), pa.float64()) if importance is None
        else pa.array(importance[at].astype(float), from_pandas=True),
        "frequency": frequency(side.found.Z[:, at]),
        "origin": pa.array([side.found.origin[i] for i in at], pa.string()),
        "n_active": pa.array(side.own.active[at].astype(np.int64)),
    })  # fmt: skip


def _pairs(
    a: Side, b: Side, matched: "Matched", cosines: np.ndarray | None, partner: np.ndarray | None
) -> pa.Table:
    left, right = a.alive[matched.a], b.alive[matched.b]
    none = pa.nulls(len(left))
    by_cosine = none.cast(pa.int32())
    if partner is not None:
        at = partner[matched.a]
        by_cosine = pa.array(np.where(at < 0, 0, b.alive[at]).astype(np.int32), mask=at < 0)
    return pa.table({
        "feature_a": pa.array(left.astype(np.int32)),
        "feature_b": pa.array(right.astype(np.int32)),
        "correlation": matched.r, "correlation_low": matched.low, "correlation_high": matched.high,
        "matched": pa.array(matched.strength > matched.threshold),
        "cosine": none.cast(pa.float64()) if cosines is None else pa.array(cosines),
        "partner_by_cosine": by_cosine,
        **{f"complexity_a{end}": getattr(a.own, f"complexity{end}")[left] for end in _ENDS},
        **{f"complexity_b{end}": getattr(b.own, f"complexity{end}")[right] for end in _ENDS},
        **{f"complexity_in_other{end}": getattr(a.other, f"complexity{end}")[left]
           for end in _ENDS},
    })  # fmt: skip


def _both(a: Side, b: Side, which: str) -> pa.Table:
    parts = [_read(s, getattr(s, which)) for s in (a, b)]
    return pa.concat_tables(parts).combine_chunks()


def _read(side: Side, read: "Readability") -> pa.Table:
    layers, at = len(read.layers), side.alive
    return pa.table({
        "model": pa.array([side.model] * (layers * len(at)), pa.string()),
        "feature": pa.array(np.repeat(at, layers).astype(np.int32)),
        "layer": pa.array(list(read.layers) * len(at), pa.string()),
        "index": pa.array(np.tile(np.arange(layers), len(at)).astype(np.int32)),
        "v_information": read.clipped[:, at].T.ravel(),
        **{n: getattr(read, n)[:, at].T.ravel() for n in ("raw", "low", "high")},
    })  # fmt: skip


def _top(side: Side, most: int) -> pa.Table:
    """The rows with the largest value of each feature."""
    from backend.complexity.measures import top_rows

    order, values = top_rows(side.found.Z[:, side.alive], count=most)
    count = order.shape[1]
    return pa.table({
        "model": pa.array([side.model] * order.size, pa.string()),
        "feature": pa.array(np.repeat(side.alive, count).astype(np.int32)),
        "rank": pa.array(np.tile(np.arange(1, count + 1), len(order)).astype(np.int32)),
        "row": pa.array(side.subject.rows[order].ravel()),
        "value": values.ravel().astype(float),
    })  # fmt: skip
