"""Reading a result's tables: a missing table or column is said, not guessed."""

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa

from backend.analyses.result import Result
from backend.errors import AnalysisError
from backend.figures.sites import count_blocks


def table_of(result: Result, name: str, *needed: str) -> pa.Table:
    """The result's table of that name; AnalysisError names what it lacks."""
    if name not in result.tables:
        raise AnalysisError(
            f"The result of {result.analysis} has no table {name!r}.",
            f"It has: {', '.join(result.tables) or 'none'}.",
        )
    table = result.tables[name]
    if missing := [column for column in needed if column not in table.column_names]:
        raise AnalysisError(
            f"The table {name!r} has no column {', '.join(missing)}.",
            f"It has: {', '.join(table.column_names)}.",
        )
    return table


def numbers(table: pa.Table, *names: str) -> np.ndarray | None:
    """The first of these columns that is there, as float32 (n,) with NaN for nulls; else None."""
    for name in names:
        if name in table.column_names:
            return np.asarray(table[name].to_numpy(zero_copy_only=False), dtype=np.float32)
    return None


def integers(table: pa.Table, name: str) -> np.ndarray:
    """A column without nulls as int64 (n,)."""
    return table[name].combine_chunks().cast(pa.int64()).to_numpy(zero_copy_only=False)


def texts(table: pa.Table, name: str) -> list[str]:
    """A column as text; nulls become ""."""
    return ["" if value is None else str(value) for value in table[name].to_pylist()]


def source_of(result: Result, part: str) -> tuple[dict, object]:
    """The provenance of one analysis, alone or inside a suite, and its own count n (or None)."""
    parts = result.provenance.get("parts") or {}
    n = result.scalars.get("n", result.scalars.get(f"{part}.n"))
    return parts.get(part, result.provenance), n


def scalar_of(result: Result, part: str, name: str) -> object:
    """A scalar of one analysis, alone or inside a suite; None if it is not there."""
    return result.scalars.get(name, result.scalars.get(f"{part}.{name}"))


def blocks_of(provenance: Mapping[str, object], sites: Iterable[str], *, model: int = 0) -> int:
    """How many blocks the whole model has: as its description says, else as the sites tell."""
    models = provenance.get("models") or ()
    told = models[model] if isinstance(models, list | tuple) and model < len(models) else None
    blocks = told.get("blocks") if isinstance(told, Mapping) else None
    return max(int(blocks or 0), count_blocks(sites))
