"""One portable DuckDB file with a selection of the store, vectors included."""

import contextlib
import errno
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from backend.errors import StoreError
from backend.store.catalogue import CaptureRow, get_capture, list_captures, shards_of
from backend.store.database import Store, one_line
from backend.store.datasets import get_dataset, rows_table
from backend.store.results import get_result, list_results
from backend.store.tables import Cursor, create_table, insert, quote, slug, sql_names, to_text
from backend.store.vectors import TEMPORARY, vectors_table

_CATALOGUE = """
    create table datasets (
        hash varchar, name varchar, kind varchar, n_rows bigint, description varchar,
        rows_table varchar
    );
    create table captures (
        key varchar, model varchar, model_id varchar, whatif varchar, dataset varchar,
        site varchar, pooling varchar, dtype varchar, width integer, n_vectors bigint,
        created timestamp, vectors_table varchar, joined_view varchar
    );
    create table results (
        key varchar, analysis varchar, version integer, reading varchar, scalars varchar,
        provenance varchar, created timestamp
    );
    create table result_tables (key varchar, name varchar, table_name varchar, n_rows bigint);
"""

_CAPTURE_COLUMNS = (
    *("key", "model_id", "whatif", "dataset", "site", "pooling"),
    *("dtype", "width", "n_vectors", "created"),
)


@dataclass(frozen=True)
class Packed:
    """A file that was packed."""

    path: Path
    bytes: int
    captures: int
    results: int
    tables: tuple[str, ...]  # names of tables and views, sorted


def pack(
    store: Store,
    target: Path,
    *,
    captures: Sequence[str] | None = None,
    results: Sequence[str] | None = None,
) -> Packed:
    """Write captures and results, by default all, into one DuckDB file.

    For each capture there is a table of vectors (float32; half precision is widened, exactly)
    and a view that joins them with the rows of the data set. `captures` and `results` list them.

    Raises
    ------
    StoreError : the target exists, a key is unknown, or the disk is full.
    """
    target = Path(target).expanduser().resolve()
    _refuse_existing(target)
    chosen = _captures(store, captures)
    keys = [row["key"] for row in list_results(store)] if results is None else list(results)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}{TEMPORARY}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(duckdb.connect(str(temporary))) as connection:
            # Dense floats do not compress: leaving them as they are writes faster.
            connection.execute("set force_compression = 'uncompressed'")
            connection.execute(_CATALOGUE)
            for dataset in dict.fromkeys(row.dataset for row in chosen):
                _pack_dataset(store, connection, dataset)
            for row in chosen:
                _pack_capture(store, connection, row)
            for key in keys:
                _pack_result(store, connection, key)
            names = connection.execute(
                "select table_name from information_schema.tables order by 1"
            ).fetchall()
        _refuse_existing(target)
        os.replace(temporary, target)
    except (duckdb.IOException, OSError) as error:
        if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error):
            raise StoreError(f"The disk of {target.parent} is full.", "Choose another.") from error
        raise StoreError(
            f"{target} cannot be written: {one_line(error)}", "Choose another."
        ) from error
    finally:
        for leftover in (temporary, temporary.with_name(f"{temporary.name}.wal")):
            leftover.unlink(missing_ok=True)
    size = target.stat().st_size
    return Packed(target, size, len(chosen), len(keys), tuple(name for (name,) in names))


def _refuse_existing(target: Path) -> None:
    if target.exists():
        raise StoreError(f"{target} exists already.", "Choose another name, or delete it first.")


def _captures(store: Store, keys: Sequence[str] | None) -> list[CaptureRow]:
    if keys is None:
        return sorted(
            (row for row in list_captures(store) if row.n_shards),
            key=lambda row: (row.created, row.key),
        )
    found = [(key, get_capture(store, key)) for key in dict.fromkeys(keys)]
    for key, row in found:
        if row is None or not row.n_shards:
            raise StoreError(f"There is no capture {key!r}.", "See `penultimate store`.")
    return [row for _, row in found if row is not None]


def _pack_dataset(store: Store, pack_: Cursor, dataset: str) -> None:
    row = get_dataset(store, dataset)
    if row is None:
        return  # its captures are packed without their rows
    name = _free(pack_, f"rows_{slug(row.name)}")
    with store.cursor() as cursor:
        table = cursor.sql(f"select * from {rows_table(dataset)} order by row").to_arrow_table()
    create_table(pack_, name, table)
    entry = {"hash": row.hash, "name": row.name, "kind": row.kind, "n_rows": row.n_rows}
    insert(pack_, "datasets", entry | {"description": to_text(row.description), "rows_table": name})


def _pack_capture(store: Store, pack_: Cursor, row: CaptureRow) -> None:
    site = f"{slug(row.ref)}_{slug(row.site)}" + (f"_{slug(row.whatif)}" if row.whatif else "")
    name = _free(pack_, f"vectors_{site}")
    vectors = vectors_table(shards_of(store, row.key))
    create_table(pack_, name, vectors)
    found = pack_.execute(
        "select rows_table from datasets where hash = ?", [row.dataset]
    ).fetchall()
    view = None
    if found:
        view = _free(pack_, f"joined_{site}")
        own = vectors.column_names[1:]
        metadata = [
            column
            for (column,) in pack_.execute(
                "select column_name from duckdb_columns() where table_name = ? "
                "order by column_index",
                [found[0][0]],
            ).fetchall()
        ]
        # A metadata column called `vector` or `position` gives way to ours.
        shown = sql_names([*own, *metadata])[len(own) :]
        listed = ", ".join(
            f"r.{quote(column)} as {quote(as_)}"
            for column, as_ in zip(metadata, shown, strict=True)
        )
        ours = ", ".join(f"v.{quote(column)}" for column in own)
        pack_.execute(
            f"create view {quote(view)} as select {listed}, {ours} "
            f"from {quote(name)} v join {quote(found[0][0])} r on r.row = v.row"
        )
    kept = {name: getattr(row, name) for name in _CAPTURE_COLUMNS}
    extra = {"model": row.ref, "vectors_table": name, "joined_view": view}
    insert(pack_, "captures", kept | extra)


def _pack_result(store: Store, pack_: Cursor, key: str) -> None:
    result = get_result(store, key)
    if result is None:
        raise StoreError(f"There is no result {key!r}.", "See `penultimate store`.")
    kept = ("key", "analysis", "version", "reading", "created")
    texts = {name: to_text(result[name]) for name in ("scalars", "provenance")}
    insert(pack_, "results", {name: result[name] for name in kept} | texts)
    for name, table in result["tables"].items():
        physical = _free(pack_, f"{slug(result['analysis'])}_{slug(name)}")
        create_table(pack_, physical, table)
        entry = {"key": key, "name": name, "table_name": physical, "n_rows": table.num_rows}
        insert(pack_, "result_tables", entry)


def _free(pack_: Cursor, name: str) -> str:
    """The name, or with a number where it is taken."""
    taken = {
        found
        for (found,) in pack_.execute("select table_name from information_schema.tables").fetchall()
    }
    unique, count = name, 1
    while unique in taken:
        count += 1
        unique = f"{name}_{count}"
    return unique
