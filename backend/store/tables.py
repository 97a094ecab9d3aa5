"""Rows and Arrow tables in and out of DuckDB, with identifiers that cannot be misread."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from backend.errors import StoreError

Cursor = duckdb.DuckDBPyConnection


def quote(identifier: str) -> str:
    """An SQL identifier that stands for exactly this name."""
    return '"' + identifier.replace('"', '""') + '"'


def slug(text: str, *, longest: int = 40) -> str:
    """Letters, digits and underscores of a text, for table names that are typed by hand."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:longest].strip("_") or "x"


def sql_names(names: Sequence[str]) -> tuple[str, ...]:
    """Column names as DuckDB can hold them: not empty, no NUL, distinct in any letter case."""
    taken: set[str] = set()
    result = []
    for name in names:
        base = name.replace("\0", "") or "column"
        unique, count = base, 1
        while unique.lower() in taken:
            count += 1
            unique = f"{base}_{count}"
        taken.add(unique.lower())
        result.append(unique)
    return tuple(result)


def storable_type(type_: pa.DataType) -> pa.DataType | None:
    """The type that DuckDB keeps this one as without loss; None where there is none."""
    if pa.types.is_dictionary(type_):
        return storable_type(type_.value_type)
    if pa.types.is_float16(type_):
        return pa.float32()
    if pa.types.is_duration(type_):
        return pa.int64()
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        inner = storable_type(type_.value_type)
        return None if inner is None else pa.list_(inner)
    if pa.types.is_fixed_size_list(type_):
        inner = storable_type(type_.value_type)
        return None if inner is None else pa.list_(inner, type_.list_size)
    if pa.types.is_struct(type_):
        inner = [storable_type(field.type) for field in type_.fields]
        return None if None in inner or not inner else type_
    plain = (
        pa.types.is_null,
        pa.types.is_boolean,
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_decimal128,
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_string_view,
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_date,
        pa.types.is_time,
        pa.types.is_timestamp,
    )
    return type_ if any(test(type_) for test in plain) else None


def create_table(cursor: Cursor, name: str, table: pa.Table) -> None:
    """Make a table of this name, with the rows in their order.

    Raises
    ------
    StoreError : no columns, or a column of a type that cannot be kept without loss.
    """
    if not table.num_columns:
        raise StoreError(f"The table {name} has no columns.", "Give it at least one.")
    fields = []
    for column, field in zip(sql_names(table.column_names), table.schema, strict=True):
        type_ = storable_type(field.type)
        if type_ is None:
            raise StoreError(
                f"The column {field.name!r} is of type {field.type}, which cannot be stored.",
                "Turn it into numbers, text, dates, or lists of them.",
            )
        fields.append(pa.field(column, type_))
    plain = table.rename_columns([f.name for f in fields]).cast(pa.schema(fields))
    cursor.register("incoming", plain)
    try:
        cursor.execute(f"create table {quote(name)} as select * from incoming")
    finally:
        cursor.unregister("incoming")


def read_table(cursor: Cursor, name: str, schema: pa.Schema) -> pa.Table:
    """The table as it was given to `create_table`: names, types, values, order."""
    stored = cursor.sql(f"select * from {quote(name)} order by rowid").to_arrow_table()
    return stored.rename_columns(schema.names).cast(schema)


def records(cursor: Cursor, sql: str, values: object = ()) -> list[dict[str, Any]]:
    """The answer as one mapping per row; moments are in UTC."""
    cursor.execute(sql, values)
    names = [column[0] for column in cursor.description]
    return [
        {name: _aware(value) for name, value in zip(names, row, strict=True)}
        for row in cursor.fetchall()
    ]


def insert(cursor: Cursor, table: str, row: Mapping[str, object], *, verb: str = "insert") -> None:
    """Insert a row."""
    columns = ", ".join(quote(name) for name in row)
    marks = ", ".join("?" for _ in row)
    cursor.execute(
        f"{verb} into {quote(table)} ({columns}) values ({marks})",
        [plain_value(value) for value in row.values()],
    )


def upsert(cursor: Cursor, table: str, row: Mapping[str, object]) -> None:
    """Insert a row, or replace the one with the same primary key."""
    insert(cursor, table, row, verb="insert or replace")


def plain_value(value: object) -> object:
    """A value as a DuckDB parameter: numpy scalars unpacked, moments as naive UTC."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    return value


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


def to_text(value: object) -> str:
    """JSON text; numpy scalars are unpacked, NaN and infinities are kept (as NaN, Infinity)."""
    return json.dumps(value, sort_keys=True, default=_jsonable)


def from_text(text: str) -> Any:
    """The value that `to_text` was given."""
    return json.loads(text)


def is_missing(value: object) -> bool:
    """None or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _jsonable(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON")


def _aware(value: object) -> object:
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value
