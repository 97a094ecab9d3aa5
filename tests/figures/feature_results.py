"""Small results of `complexity` and `feature_learning`, as they are given; names hold markup."""

import numpy as np
import pyarrow as pa

from backend.analyses.result import Result

KEY = "0123456789abcdef0123456789abcdef"
LAYERS = ("block.0", "block.1", "block.2", "penultimate")
ORIGIN = ["<b>cat</b>", "<b>cat</b>", "dog", "dog", "dog", "", "hen", "hen", "hen", "hen"]
K = np.arange(10) / 10  # feature i has complexity i / 10
EPOCHS = (0, 1, 2, 10)


def result_of(analysis: str, tables: dict[str, pa.Table], **scalars) -> Result:
    said = {
        "key": KEY, "analysis": analysis, "data_name": "crops & <b>photos</b>", "seed": 7,
        "models": [{"ref": "demo:efficientnet-lite0", "id": "9f2b7c1d22aa"}], "dtype": "float32",
    }  # fmt: skip
    known = {"n": 1234, "n_held": 308, "map": "pca", "dictionary": "nmf"} | scalars
    return Result(KEY, analysis, known, tables, "A sentence.", said)


def complexity(**changed: pa.Table) -> Result:
    """Ten features, four layers; `changed` puts other tables in the place of these."""
    tables = {
        "features": features(), "readability": readability(), "clusters": clusters(),
        "branches": branches(), "ladder": ladder(), "flow": flow(), "ablation": ablation(),
    }  # fmt: skip
    return result_of("complexity", tables | changed)


def features(**changed) -> pa.Table:
    """Importance falls as complexity rises; features 0 and 1 are active on few rows."""
    columns = {
        "feature": np.arange(10), "complexity": K, "complexity_low": K - 0.05,
        "complexity_high": K + 0.1, "complexity_raw": K + 0.01, "importance": 1.0 - K,
        "importance_signed": (1.0 - K) * np.where(np.arange(10) % 2, 1, -1),
        "hoyer": np.linspace(0.2, 0.8, 10), "frequency": np.full(10, 0.5),
        "redundancy": [None] * 5 + [0.5, 0.4, 0.3, 0.2, 0.1],
        "sensitivity": pa.nulls(10, pa.float64()), "origin": ORIGIN,
        "cluster": [9, 9, 9, 1, 1, 1, 2, 2, 2, 2], "x": np.arange(10.0),
        "y": np.arange(10.0) ** 2, "n_active": [5, 29, 30, 40, 50, 60, 70, 80, 90, 99],
    }  # fmt: skip
    return pa.table(columns | changed)


def readability() -> pa.Table:
    """Feature i is read wholly from layer l on as 1 - K / (l + 1); lines are out of order."""
    rows = []
    for index, layer in reversed(list(enumerate(LAYERS))):
        for feature in range(10):
            value = 1 - K[feature] / (index + 1)
            rows.append({
                "feature": feature, "layer": layer, "index": index, "v_information": value,
                "raw": value - 0.5 if feature == 9 and index == 0 else value, "low": value - 0.02,
                "high": value + 0.03, "fit": min(1.0, value + 0.1),
            })  # fmt: skip
    return pa.Table.from_pylist(rows)


def clusters() -> pa.Table:
    return pa.table({
        "cluster": [2, 9, 1], "n": [4, 3, 3], "complexity": [0.75, 0.1, 0.4],
        "importance": [0.25, 0.9, None],
    })  # fmt: skip


def branches() -> pa.Table:
    """Two levels, lines out of order: features 6 to 9 | 0 to 5, and those as 0 to 1 | 2 to 5."""
    rows = [
        {"feature": f, "level": level, "branch": branch}
        for level, member in ((2, [2] * 2 + [0] * 4 + [1] * 4), (1, [1] * 6 + [0] * 4))
        for f, branch in reversed(list(enumerate(member)))
    ]
    return pa.Table.from_pylist(rows)


def ladder() -> pa.Table:
    """Features 0, 1 and 4; the net reads 0.1 more than the linear probe."""
    rows = [
        {"feature": f, "layer": layer, "probe": probe, "r2": 0.2 * i + 0.01 * f + more}
        for f in (0, 1, 4)
        for i, layer in enumerate(LAYERS)
        for probe, more in (("mlp", 0.1), ("linear", 0.0))
    ]
    return pa.Table.from_pylist(rows)


def flow() -> pa.Table:
    """Three blocks; block 0 has no skip branch; the skip holds 1 - K, the main K, by block."""
    rows = [
        {
            "feature": f, "block": b, "branch": branch, "cka": level / 10,
            "v_information": level * (b + 1) / 3,
        }
        for f in range(10)
        for b in range(3)
        for branch, level in (("main", K[f]), ("skip", 1 - K[f]))
        if b or branch == "main"
    ]  # fmt: skip
    return pa.Table.from_pylist(rows)


def ablation() -> pa.Table:
    kept = np.array([1.0, 0.5, 0.1])  # from all to few
    curves = {
        "random-1": kept, "random-0": kept**2, "random-2": kept, "most_complex": kept**3,
        "importance": np.sqrt(kept), "simplest": kept,
    }  # fmt: skip
    rows = [
        {"order": order, "kept": k, "accuracy": a}
        for order, values in curves.items()
        for k, a in zip(kept.tolist(), values.tolist(), strict=True)
    ]
    return pa.Table.from_pylist(rows)


def learning(n: int = 20) -> Result:
    """n features at each epoch: complexity spreads by 0.1 around 0.3 and rises with the epoch.

    Importance falls with complexity, but for epoch 0, where it rises.
    """
    rows = []
    for step, epoch in reversed(list(enumerate(EPOCHS))):
        for f in range(n):
            value = 0.3 + 0.1 * step + 0.2 * (f / max(n - 1, 1) - 0.5)
            rows.append({
                "epoch": epoch, "feature": f, "complexity": value,
                "importance": float(f + 1 if epoch == 0 else n - f), "n_active": 10 * f,
            })  # fmt: skip
    return result_of("feature_learning", {"training": pa.Table.from_pylist(rows)})
