"""Slices of a data set by its metadata, and the captured vectors of their rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

import duckdb
import numpy as np

from backend.errors import StoreError
from backend.store.catalogue import shards_of
from backend.store.database import Store, one_line
from backend.store.datasets import DatasetRow, get_dataset, rows_table
from backend.store.relations import Gathered, Relation
from backend.store.tables import Cursor, is_missing, plain_value, quote

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "contains", "is null", "is not null"]
Value = str | int | float | bool | datetime | None


@dataclass(frozen=True)
class Filter:
    """A condition on one column; NaN counts as no value, and no value matches only `is null`.

    `in` takes a sequence of values; `contains` finds text in any letter case.
    """

    column: str
    op: Operator
    value: Value | Sequence[Value] = None


def select(store: Store, dataset: str, filters: Sequence[Filter] = ()) -> np.ndarray:
    """Row ids, int64 ascending, of the rows for which every filter holds.

    Raises
    ------
    StoreError : unknown data set, column or operator; a value that does not fit the column.
    """
    with store.cursor() as cursor:
        described, types = _columns(store, cursor, dataset)
        conditions, values = _compile(described, types, filters)
        try:
            cursor.execute(
                f"select row from {rows_table(dataset)} where {conditions} order by row", values
            )
            return cursor.fetchnumpy()["row"].astype(np.int64, copy=False)
        except duckdb.CatalogException:
            raise _unknown(dataset) from None
        except (duckdb.ConversionException, duckdb.InvalidInputException) as error:
            raise StoreError(
                f"A value does not fit its column: {one_line(error)}.",
                "Give numbers for columns of numbers, dates as 2024-12-31.",
            ) from error


def values_of(
    store: Store, dataset: str, column: str, *, limit: int = 1000
) -> list[tuple[Value, int]]:
    """A column's distinct values and how many rows have each, the most frequent first."""
    described = get_dataset(store, dataset)
    if described is None:
        raise _unknown(dataset)
    name = quote(_allowed(described, column))
    with store.cursor() as cursor:
        return cursor.execute(
            f"""select {name}, count(*) from {rows_table(dataset)}
            group by 1 order by 2 desc, 1 limit ?""",
            [limit],
        ).fetchall()


def relation(store: Store, key: str) -> Relation:
    """All vectors of a capture, mapped; kept, so that the next call is quick."""
    return store.relations.get(key, lambda: shards_of(store, key))


def gather(store: Store, key: str, rows: np.ndarray) -> Gathered:
    """The vectors of these data set rows, in the order given; rows not captured are skipped.

    Captures of every token give all vectors of a row, in stored order.
    """
    vectors = relation(store, key)
    places = vectors.places(np.asarray(rows, dtype=np.int64))
    positions = None if vectors.positions is None else vectors.positions[places]
    return Gathered(vectors.rows[places], positions, vectors.pick(places))


def _allowed(dataset: DatasetRow, column: str) -> str:
    named = dict(dataset.columns)
    if column not in named:
        raise StoreError(
            f"{dataset.name} has no column {column!r} to slice by.",
            f"It has: {', '.join(named)}.",
        )
    return named[column]


def _unknown(dataset: str) -> StoreError:
    return StoreError(f"There is no data set {dataset!r}.", "Choose one from the library.")


def _columns(store: Store, cursor: Cursor, dataset: str) -> tuple[DatasetRow, dict[str, str]]:
    """A data set and the types of its columns; its hash names its content, so they are kept."""
    if dataset not in store.columns:
        described = get_dataset(store, dataset)
        if described is None:
            raise _unknown(dataset)
        rows = cursor.table(rows_table(dataset))
        types = dict(zip(rows.columns, map(str, rows.types), strict=True))
        store.columns[dataset] = described, types
    return store.columns[dataset]


def _compile(
    dataset: DatasetRow, types: dict[str, str], filters: Sequence[Filter]
) -> tuple[str, list[object]]:
    """Conditions and their values; identifiers come from the catalogue, types from DuckDB."""
    conditions: list[str] = ["true"]
    values: list[object] = []
    for part in filters:
        name = _allowed(dataset, part.column)
        condition, more = _condition(quote(name), types[name], part)
        conditions.append(condition)
        values.extend(more)
    return " and ".join(conditions), values


def _condition(name: str, type_: str, part: Filter) -> tuple[str, list[object]]:
    if part.op not in get_args(Operator):
        raise StoreError(
            f"{part.op!r} is not an operator.", f"Choose from: {', '.join(get_args(Operator))}."
        )
    there = f"{name} is not null"
    if type_ in ("FLOAT", "DOUBLE"):
        there = f"({there} and not isnan({name}))"
    if part.op == "is null":
        return f"not {there}", []
    if part.op == "is not null":
        return there, []
    if part.op == "in":
        if isinstance(part.value, str) or not isinstance(part.value, Sequence | np.ndarray | set):
            raise StoreError(f"`in` needs several values, not {part.value!r}.", "Give a list.")
        given = [plain_value(value) for value in part.value]
        if not given:
            return "false", []
        marks = ", ".join(f"cast(? as {type_})" for _ in given)
        return f"({there} and {name} in ({marks}))", given
    value = plain_value(part.value)
    if is_missing(value):
        raise StoreError(
            f"{part.column} {part.op} needs a value.", "Use `is null` for rows without one."
        )
    if part.op == "contains":
        return f"contains(lower({name}::varchar), lower(?))", [str(value)]
    return f"({there} and {name} {part.op} cast(? as {type_}))", [value]
