"""From each layer to the next: how flexible the step is, by the tethered model."""

import numpy as np
import pyarrow as pa

from backend.analyses.collapse_inputs import Moment, Rows
from backend.errors import AnalysisError

HEAD_DECAY, BODY_DECAY = 0.5, 0.5  # lW, lH of the model; beta rests on their product
_DRAWS = 20
_ROWS = 2000
_COLUMNS = pa.schema([
    ("source", pa.string()), ("target", pa.string()), ("index", pa.int64()),
    ("nc1_ratio", pa.float64()), ("nc1_ratio_next", pa.float64()), ("beta", pa.float64()),
    ("low", pa.float64()), ("high", pa.float64()), ("large", pa.bool_()), ("reason", pa.string()),
])  # fmt: skip


def no_steps() -> pa.Table:
    """The table without a line, as where only statistics are left."""
    return _COLUMNS.empty_table()


def steps(moment: Moment, rows: Rows, *, seed: int) -> pa.Table:
    """beta of each step between neighbouring layers, on the first part.

    The estimate is ours, not the paper's: beta is such that the tethered minimiser from one
    layer's features has the NC1~ of the next. A large one says that the step changes little.
    """
    from backend.collapse.next_layer import next_layer

    at = next(iter(rows.parts.values()))
    if len(at) > _ROWS:
        at = np.sort(np.random.default_rng(seed).choice(at, _ROWS, replace=False))
    y, names = rows.labels[at], list(moment.layers)
    if len(names) < 2 or np.bincount(y).min(initial=2) < 2:
        return no_steps()
    lines = []
    for index, (source, target) in enumerate(zip(names, names[1:], strict=False)):
        H0, H1 = (moment.layers[n][at].reshape(len(at), -1) for n in (source, target))
        line = {"source": source, "target": target, "index": index}
        try:
            step = next_layer(H0, H1, y, lW=HEAD_DECAY, lH=BODY_DECAY, draws=_DRAWS, seed=seed)
        except AnalysisError as error:  # this step has no such beta; the others may
            lines.append(line | {"reason": error.what})
            continue
        before, after = step.nc1_ratio
        lines.append(line | {
            "nc1_ratio": before, "nc1_ratio_next": after, "beta": step.beta, "low": step.low,
            "high": step.high, "large": step.large, "reason": step.reason,
        })  # fmt: skip
    return pa.Table.from_pylist(lines, schema=_COLUMNS)
