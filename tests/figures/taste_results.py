"""Small results of `preferences` and `preference_layers`, as they are given; names hold markup."""

import numpy as np
import pyarrow as pa

from backend.analyses.result import Result

KEY = "0123456789abcdef0123456789abcdef"
PEOPLE = ["<b>ann</b>", "bob", "cem", "dee", "eva", "fay"]
TOWNS = ["here", "here", "there", "there", None, "here"]
OPTIONS = ["<i>tea</i>", "coffee", "milk", "water", "juice"]
STRONG = (0.9, 0.8, 0.3, 0.2, 0.5, 0.6)  # of the first taste


def result_of(analysis: str, scalars: dict, tables: dict[str, pa.Table]) -> Result:
    said = {
        "key": KEY, "analysis": analysis, "data_name": "drinks & <b>people</b>", "seed": 7,
        "models": [{"ref": "demo:minilm", "id": "9f2b7c1d22aa"}],
    }  # fmt: skip
    known = {"n": 1234, "persons": 6, "options": 5} | scalars
    return Result(KEY, analysis, known, tables, "A sentence.", said)


def preferences(k: int = 2, **changed: pa.Table) -> Result:
    """Six people, five options, k tastes; `changed` puts other tables in the place of these."""
    tables = {
        "persons": people(k), "options": options(k), "prototypes": prototypes(k),
        "accuracy": accuracy(), "baselines": baselines(), "fewshot": fewshot(),
        "calibration": calibration(),
    }  # fmt: skip
    scalars = {"k": k, "inputs": "final of <b>m</b>"}
    return result_of("preferences", scalars, tables | changed)


def weights(k: int) -> np.ndarray:
    """Weights (6, k): the first taste has STRONG, the others share the rest evenly."""
    first = np.array(STRONG) if k > 1 else np.ones(len(PEOPLE))
    rest = (1 - first)[:, None] / max(k - 1, 1)
    return np.hstack([first[:, None], np.repeat(rest, k - 1, axis=1)])


def people(k: int = 2) -> pa.Table:
    W = weights(k)
    columns: dict = {"person": PEOPLE, "n": [10, 20, 30, 40, 50, 60]}
    columns |= {"taste": pa.array(W.argmax(axis=1), pa.int32())}
    for i in range(k):
        columns |= {f"weight_{i}": W[:, i]}
        columns |= {f"weight_{i}_low": W[:, i] - 0.05, f"weight_{i}_high": W[:, i] + 0.05}
    columns |= {"entropy": np.linspace(0, 1, 6), "tested": [0, 4, 4, 4, 4, 4]}
    columns |= {"accuracy": [None, 0.75, 0.5, 1.0, 0.75, 0.25]}
    columns |= {"x": np.arange(6.0), "y": np.arange(6.0) ** 2, "town": TOWNS}
    return pa.table(columns)


def options(k: int = 2) -> pa.Table:
    """The first taste likes options in their order, the second in the reverse, a third all."""
    places = np.arange(5.0)
    rewards = [2 - places, places - 2, *[np.zeros(5)] * k][:k]
    return pa.table({
        "option": OPTIONS, "shown": [4, 8, 2, 6, 1], "taken": [0.5, 0.25, 1.0, 0.0, 1.0],
        "x": places - 2, "y": places / 10, "dispute": [0.2, 0.9, 0.1, 0.5, 0.4],
        **{f"reward_{i}": rewards[i] for i in range(k)},
    })  # fmt: skip


def prototypes(k: int = 2) -> pa.Table:
    return pa.table({
        "prototype": pa.array(range(k), pa.int32()), "share": np.full(k, 1 / k),
        "persons": [3] * k, "x": np.arange(k) * 2.0, "y": np.arange(k) % 2 * 1.0,
        "likes": [OPTIONS[i] for i in range(k)], "dislikes": [OPTIONS[-1 - i] for i in range(k)],
    })  # fmt: skip


def accuracy(*, above: float = 0.0) -> pa.Table:
    """Two seeds, K from 1 to 3; the seeds lie 0.02 apart on held-out pairs and nowhere else."""
    rows = [
        {"k": k, "seed": seed, "split": split, "accuracy": 0.6 + k / 20 + step * seed + above}
        for k in (1, 2, 3)
        for seed in (0, 1)
        for split, step in (("test", 0.02), ("new", 0.0), ("train", 0.0))
    ]
    return pa.Table.from_pylist(rows)


def baselines() -> pa.Table:
    return pa.table({
        "name": ["majority", "majority", "majority", "Bradley-Terry on options"],
        "split": ["test", "test", "train", "test"], "seed": [0, 1, 0, 0],
        "accuracy": [0.5, 0.54, 0.99, 0.6],
    })  # fmt: skip


def fewshot() -> pa.Table:
    value = np.array([0.6, 0.7, 0.8])
    return pa.table({
        "pairs": [0, 5, 20], "accuracy": value, "low": value - 0.05, "high": value + 0.1,
        "accuracy_universal": [0.61, 0.62, 0.63], "n": [100, 90, 60],
    })  # fmt: skip


def calibration() -> pa.Table:
    return pa.table({
        "k": pa.array([2, 2, 1, 1], pa.int32()), "predicted": [0.55, 0.9, 0.55, 0.8],
        "observed": [0.5, 0.95, 0.6, 0.7], "n": [400, 100, 300, 1],
    })  # fmt: skip


SITES = ("embed", "resid_post.0", "resid_post.1", "final")


def layers(ks: tuple[int, ...] = (1, 2)) -> Result:
    """Accuracy rises from layer to layer; more tastes give 0.1 more; the lines are out of order."""
    rows = []
    for index, site in reversed(list(enumerate(SITES))):
        for k in ks:
            value = 0.55 + 0.05 * index + 0.1 * (k > 1)
            rows.append({
                "site": site, "index": index, "k": k, "accuracy": value, "low": value - 0.02,
                "high": value + 0.03, "n": 200, "control": 0.51,
            })  # fmt: skip
    return result_of("preference_layers", {"k": max(ks)}, {"layers": pa.Table.from_pylist(rows)})
