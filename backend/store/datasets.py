"""Data sets in the catalogue; their metadata rows are DuckDB tables, so SQL can slice them."""

import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from backend.errors import StoreError
from backend.store.catalogue import delete_captures, list_captures
from backend.store.database import Store
from backend.store.tables import (
    create_table,
    from_text,
    now,
    records,
    sql_names,
    storable_type,
    to_text,
    upsert,
)
from backend.store.vectors import TEMPORARY


@dataclass(frozen=True)
class DatasetRow:
    """A data set in the catalogue."""

    hash: str
    ref: str  # what the user typed
    name: str
    kind: str
    n_rows: int
    description: dict[str, Any]  # what the data layer needs to open it
    folder: Path
    columns: tuple[tuple[str, str], ...]  # (column, its SQL name) of what can be sliced by
    added: datetime


def rows_table(dataset: str) -> str:
    """The SQL name of a data set's rows; its hash is checked, so it is safe in SQL."""
    if not re.fullmatch(r"[0-9a-f]{32}", dataset):
        raise StoreError(f"{dataset!r} does not name a data set.", "Give its 32-digit hash.")
    return f"rows_{dataset}"


def put_dataset(
    store: Store,
    table: pa.Table,
    *,
    hash: str,
    ref: str,
    name: str,
    kind: str,
    folder: Path,
    description: Mapping[str, object],
) -> DatasetRow:
    """Add a data set, or renew its entry.

    Parameters
    ----------
    table : its rows: column `row` (int64) first, then the metadata. Columns of types that SQL
        cannot hold are left out of the slicing, no data is lost by it.
    """
    physical = rows_table(hash)
    usable = [f.name for f in table.schema if storable_type(f.type) is not None]
    if "row" not in usable:
        raise StoreError(f"The data set {name!r} has no column `row`.", "Import it again.")
    named = dict(zip(usable, sql_names(usable), strict=True))
    folder = Path(folder).resolve()
    inside = folder.is_relative_to(store.home)
    with store.transaction() as cursor:
        cursor.execute(f"drop table if exists {physical}")
        create_table(cursor, physical, table.select(usable))
        row = {
            "hash": hash,
            "ref": ref,
            "name": name,
            "kind": kind,
            "n_rows": table.num_rows,
            "description": to_text(description),
            "folder": (folder.relative_to(store.home) if inside else folder).as_posix(),
            "columns": to_text(list(named.items())),
            "added": now(),
        }
        upsert(cursor, "datasets", row)
        return _dataset(store, records(cursor, "select * from datasets where hash = ?", [hash])[0])


def get_dataset(store: Store, hash: str) -> DatasetRow | None:
    """The data set with this hash."""
    with store.cursor() as cursor:
        found = records(cursor, "select * from datasets where hash = ?", [hash])
    return _dataset(store, found[0]) if found else None


def list_datasets(store: Store) -> tuple[DatasetRow, ...]:
    """All data sets, the newest first."""
    with store.cursor() as cursor:
        found = records(cursor, "select * from datasets order by added desc, hash")
    return tuple(_dataset(store, row) for row in found)


def delete_dataset(store: Store, hash: str) -> None:
    """Remove a data set, its files, and the captures that were made of it.

    Results stay: they hold their own numbers. A crash leaves nothing that the next start does
    not sweep away. Folders outside the data folder are the user's and stay.
    """
    row = get_dataset(store, hash)
    if row is None:
        return
    delete_captures(store, [capture.key for capture in list_captures(store, dataset=hash)])
    inside = row.folder.is_relative_to(store.home) and row.folder.is_dir()
    doomed = row.folder.with_name(f".{row.folder.name}.{secrets.token_hex(4)}{TEMPORARY}")
    if inside:
        row.folder.rename(doomed)  # from here on a sweep finishes the work
    with store.transaction() as cursor:
        cursor.execute("delete from checks where dataset = ?", [hash])
        cursor.execute("delete from datasets where hash = ?", [hash])
        cursor.execute(f"drop table if exists {rows_table(hash)}")
    store.columns.pop(hash, None)
    if inside:
        shutil.rmtree(doomed, ignore_errors=True)


def _dataset(store: Store, row: Mapping[str, Any]) -> DatasetRow:
    parsed = {
        "description": from_text(row["description"]),
        "folder": store.home / row["folder"],
        "columns": tuple((a, b) for a, b in from_text(row["columns"])),
    }
    return DatasetRow(**{**row, **parsed})
