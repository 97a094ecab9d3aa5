"""Finished analyses: scalars, provenance, and one DuckDB table per result table."""

import re
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from backend.errors import StoreError
from backend.store.database import Store
from backend.store.tables import (
    Cursor,
    create_table,
    from_text,
    now,
    quote,
    read_table,
    records,
    slug,
    sql_names,
    to_text,
    upsert,
)


def put_result(
    store: Store,
    *,
    key: str,
    analysis: str,
    version: int,
    scalars: Mapping[str, object],
    tables: Mapping[str, pa.Table],
    reading: str,
    provenance: Mapping[str, object],
) -> None:
    """Keep a result, wholly or not at all; one with the same key is replaced.

    Raises
    ------
    StoreError : a table has no columns or a column of a type that cannot be kept without loss.
    """
    if not re.fullmatch(r"[0-9a-f]{32}", key):
        raise StoreError(f"{key!r} is not the key of a result.", "Keys are made by digest().")
    row = {
        "key": key,
        "analysis": analysis,
        "version": version,
        "provenance": to_text(provenance),
        "scalars": to_text(scalars),
        "reading": reading,
        "created": now(),
    }
    names = sql_names([slug(name) for name in tables])
    with store.transaction() as cursor:
        _drop(cursor, key)
        upsert(cursor, "results", row)
        for position, (name, physical) in enumerate(zip(tables, names, strict=True)):
            table = tables[name]
            entry = {
                "key": key,
                "position": position,
                "name": name,
                "physical": f"result_{key[:12]}_{physical}",
                "schema": table.schema.serialize().to_pybytes(),
                "n_rows": table.num_rows,
                "bytes": table.nbytes,
            }
            create_table(cursor, entry["physical"], table)
            upsert(cursor, "result_tables", entry)


def get_result(store: Store, key: str) -> dict[str, Any] | None:
    """The result: key, analysis, version, provenance, scalars, reading, created, tables.

    Tables have the names, types, values and row order that were given.
    """
    with store.cursor() as cursor:
        cursor.begin()  # one snapshot, should the result be replaced meanwhile
        found = records(cursor, "select * from results where key = ?", [key])
        if not found:
            return None
        tables = {
            entry["name"]: read_table(cursor, entry["physical"], _schema(entry["schema"]))
            for entry in _tables(cursor, key)
        }
    return _result(found[0]) | {"tables": tables}


def list_results(store: Store, *, analysis: str | None = None) -> list[dict[str, Any]]:
    """Results without their tables, the newest first; `n_rows` gives table name -> rows."""
    with store.cursor() as cursor:
        cursor.begin()
        found = records(
            cursor,
            """select * from results where $1 is null or analysis = $1
            order by created desc, key""",
            [analysis],
        )
        listed = records(
            cursor, "select key, name, n_rows from result_tables order by key, position"
        )
    rows: dict[str, dict[str, int]] = {}
    for entry in listed:
        rows.setdefault(entry["key"], {})[entry["name"]] = entry["n_rows"]
    return [_result(row) | {"n_rows": rows.get(row["key"], {})} for row in found]


def delete_result(store: Store, key: str) -> None:
    """Forget a result; it can be computed again."""
    with store.transaction() as cursor:
        _drop(cursor, key)
        cursor.execute("delete from results where key = ?", [key])


def result_tables(store: Store, key: str) -> dict[str, str]:
    """Table name -> the name of its DuckDB table."""
    with store.cursor() as cursor:
        return {entry["name"]: entry["physical"] for entry in _tables(cursor, key)}


def _tables(cursor: Cursor, key: str) -> list[dict[str, Any]]:
    return records(
        cursor,
        "select name, physical, schema from result_tables where key = ? order by position",
        [key],
    )


def _drop(cursor: Cursor, key: str) -> None:
    for entry in _tables(cursor, key):
        cursor.execute(f"drop table if exists {quote(entry['physical'])}")
    cursor.execute("delete from result_tables where key = ?", [key])


def _result(row: Mapping[str, Any]) -> dict[str, Any]:
    parsed = {name: from_text(row[name]) for name in ("provenance", "scalars")}
    return {**row, **parsed}


def _schema(serialized: bytes) -> pa.Schema:
    return pa.ipc.read_schema(pa.py_buffer(bytes(serialized)))
