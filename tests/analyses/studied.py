"""The preferences analysis on worlds of one and of two tastes, computed once for all tests."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from backend.analyses.preferences import SPEC
from backend.analyses.result import Body, Result
from backend.data.dataset import write_dataset
from backend.preferences.simulate import Simulated, simulate
from tests import rigs

QUICK = {"max_k": 2, "seeds": 2, "restarts": 1}
PEOPLE, PAIRS = 30, 50


@cache
def made(n_tastes: int, n_persons: int = PEOPLE) -> Simulated:
    return simulate(n_tastes=n_tastes, seed=5, n_persons=n_persons, n_pairs=PAIRS, n_items=200, d=4)


def as_table(world: Simulated) -> pa.Table:
    """Choices with covariates; one of them is named like a column of the results."""
    names = np.array([f"o{i}" for i in range(len(world.X))])
    return pa.table({
        "person": [f"p{i}" for i in world.u], "option_a": names[world.left],
        "option_b": names[world.right], "choice": np.where(world.y > 0, "b", "a"),
        "group": world.W.argmax(axis=1)[world.u], "n": world.u % 3,
        "probability": world.probability,
    })  # fmt: skip


def run(
    folder: Path, choices: pa.Table, X: np.ndarray | None = None, *, seed: int = 0, views=(),
    progress: Callable[[int, int, str], None] = lambda done, total, what: None, **given,
) -> Body:  # fmt: skip
    """The analysis of these choices, with the options' vectors in a file where X is given."""
    data = write_dataset(folder / "c", choices, kind="choices", name="chosen")
    also = None
    if X is not None:
        columns = {"item": [f"o{i}" for i in range(len(X))]}
        vectors = pa.table(columns | {f"x{i}": X[:, i] for i in range(X.shape[1])})
        also = write_dataset(folder / "v", vectors, kind="vectors", name="vectors")
    return SPEC.run(
        views, data=data, also=also, seed=seed, progress=progress, **SPEC.parse(QUICK | given)
    )


@cache
def body(n_tastes: int) -> tuple[Body, list[tuple[int, int, str]]]:
    """The result on a world of so many tastes, and what was said on the way."""
    said: list[tuple[int, int, str]] = []
    found = run(
        rigs.shared() / f"tastes-{n_tastes}", as_table(made(n_tastes)), made(n_tastes).X,
        progress=lambda *what: said.append(what),
    )  # fmt: skip
    return found, said


def columns(found: Body, name: str) -> dict[str, np.ndarray]:
    return {c: np.array(found.tables[name][c].to_pylist()) for c in found.tables[name].column_names}


def as_result(found: Body, seed: int = 0) -> Result:
    return Result("key", SPEC.key, found.scalars, found.tables, found.reading, {"seed": seed})
