"""Tables of the complexity analysis: features, readability, top rows, classes, flow, ablation."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from backend.analyses.intervals import rank_correlation

if TYPE_CHECKING:
    from backend.analyses.complexity_features import Found, Weighed
    from backend.analyses.complexity_inputs import Subject
    from backend.analyses.complexity_measures import Measures
    from backend.complexity.readability import Readability

_MEASURES = ("importance", "importance_per_spread", "importance_signed", "frequency", "hoyer",
             "redundancy", "sensitivity", "stability")  # fmt: skip


def build(
    subject: "Subject", found: "Found", read: "Readability", weighed: "Weighed | None",
    measured: "Measures", alive: np.ndarray, *, top: int,
) -> dict[str, pa.Table]:  # fmt: skip
    """Every table; features that do not vary are left out, numbers stay those of the dictionary."""
    features = _features(found, read, weighed, measured, alive)
    out = {
        "features": features,
        "readability": _readability(read, alive),
        "top": _top(found.Z, subject.rows, alive, top),
        "correlations": _correlations(features),
        "clusters": _clusters(features),
        "branches": _branches(measured.branches, alive),
        "flow": measured.flow,
    }
    if weighed is not None:
        out["contributions"] = _contributions(subject, weighed, alive)
        out["ablation"] = weighed.ablation
    return out


def _features(found, read, weighed, measured, alive) -> pa.Table:  # type: ignore[no-untyped-def]
    from backend.complexity.measures import frequency

    Z = found.Z[:, alive]
    none = pa.nulls(len(alive), pa.float64())

    def given(values: np.ndarray | None) -> pa.Array:
        return none if values is None else pa.array(values[alive].astype(float), from_pandas=True)

    return pa.table({
        "feature": pa.array(alive.astype(np.int32)),
        "complexity": read.complexity[alive],
        "complexity_low": read.complexity_low[alive],
        "complexity_high": read.complexity_high[alive],
        "complexity_raw": read.complexity_raw[alive],
        "importance": given(None if weighed is None else weighed.absolute),
        "importance_per_spread": given(
            None if weighed is None else weighed.absolute / np.maximum(found.Z.std(axis=0), 1e-300)
        ),
        "importance_signed": given(None if weighed is None else weighed.signed),
        "hoyer": given(measured.hoyer),
        "frequency": frequency(Z),
        "redundancy": given(measured.redundancy),
        "sensitivity": given(measured.sensitivity),
        "stability": given(measured.stability),
        "origin": pa.array([found.origin[i] for i in alive], pa.string()),
        "cluster": pa.array(measured.cluster[alive].astype(np.int32)),
        "x": measured.places[alive, 0],
        "y": measured.places[alive, 1],
        "std": Z.std(axis=0),
        "n_active": pa.array(read.active[alive].astype(np.int64)),
    })  # fmt: skip


def _readability(read: "Readability", alive: np.ndarray) -> pa.Table:
    layers, k = len(read.layers), len(alive)
    columns = {name: getattr(read, name)[:, alive].T.ravel()
               for name in ("raw", "low", "high", "fit", "alphas")}  # fmt: skip
    return pa.table({
        "feature": pa.array(np.repeat(alive, layers).astype(np.int32)),
        "layer": pa.array(list(read.layers) * k, pa.string()),
        "index": pa.array(np.tile(np.arange(layers), k).astype(np.int32)),
        "v_information": read.clipped[:, alive].T.ravel(),
        **columns,
    })  # fmt: skip


def _top(Z: np.ndarray, rows: np.ndarray, alive: np.ndarray, most: int) -> pa.Table:
    """The rows with the largest value of each feature."""
    from backend.complexity.measures import top_rows

    order, values = top_rows(Z[:, alive], count=most)
    count = order.shape[1]
    return pa.table({
        "feature": pa.array(np.repeat(alive, count).astype(np.int32)),
        "rank": pa.array(np.tile(np.arange(1, count + 1), len(alive)).astype(np.int32)),
        "row": pa.array(rows[order].ravel()),
        "value": values.ravel().astype(float),
    })  # fmt: skip


def _contributions(subject, weighed, alive) -> pa.Table:  # type: ignore[no-untyped-def]
    """The classes that a feature speaks for and against most, and by how much on average."""
    classes, values = weighed.top_classes[alive], weighed.top_values[alive]
    names = subject.classes or tuple(map(str, range(len(subject.weight))))
    return pa.table({
        "feature": pa.array(np.repeat(alive, classes.shape[1]).astype(np.int32)),
        "class": pa.array([names[c] for c in classes.ravel()], pa.string()),
        "value": values.ravel(),
    })  # fmt: skip


def _correlations(features: pa.Table) -> pa.Table:
    """Rank correlation of complexity with every other measure, 95 % over features."""
    rows = []
    K = features["complexity"].to_numpy()
    for name in _MEASURES:
        if features[name].null_count == len(features):
            continue
        rho, low, high = rank_correlation(K, np.array(features[name].to_pylist(), float))
        rows.append({"measure": name, "rho": rho, "low": low, "high": high, "n": len(features)})
    kinds = [("measure", pa.string()), *((n, pa.float64()) for n in ("rho", "low", "high")),
             ("n", pa.int64())]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=pa.schema(kinds))


def _clusters(features: pa.Table) -> pa.Table:
    rows = []
    importance = np.array([np.nan if v is None else v for v in features["importance"].to_pylist()])
    cluster, K = features["cluster"].to_numpy(), features["complexity"].to_numpy()
    for name in np.unique(cluster):
        at = cluster == name
        mean = float(importance[at].mean())
        rows.append({"cluster": int(name), "n": int(at.sum()), "complexity": float(K[at].mean()),
                     "importance": None if np.isnan(mean) else mean})  # fmt: skip
    kinds = [("cluster", pa.int32()), ("n", pa.int64()), ("complexity", pa.float64()),
             ("importance", pa.float64())]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=pa.schema(kinds))


def _branches(tree: np.ndarray, alive: np.ndarray) -> pa.Table:
    """The branch of each feature at each level of the tree; level 1 is the first split."""
    levels, k = len(tree), len(alive)
    return pa.table({
        "feature": pa.array(np.repeat(alive, levels).astype(np.int32)),
        "level": pa.array(np.tile(np.arange(1, levels + 1), k).astype(np.int32)),
        "branch": pa.array(tree[:, alive].T.ravel().astype(np.int32)),
    })  # fmt: skip
