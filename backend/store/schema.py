"""The database's tables, as numbered steps; a file from a newer version is refused."""

from datetime import UTC, datetime

import duckdb

from backend.errors import StoreError

# Step i takes the file from version i to version i + 1. Steps are only ever added.
MIGRATIONS: tuple[str, ...] = (
    """
    create table models (
        model_id varchar primary key, ref varchar not null, title varchar not null,
        modality varchar not null, description varchar not null, path varchar,
        added timestamp not null
    );
    create table datasets (
        hash varchar primary key, ref varchar not null, name varchar not null,
        kind varchar not null, n_rows bigint not null, description varchar not null,
        folder varchar not null, columns varchar not null, added timestamp not null
    );
    create table captures (
        key varchar primary key, model_id varchar not null, ref varchar not null,
        whatif varchar not null, dataset varchar not null, site varchar not null,
        pooling varchar not null, dtype varchar not null, width integer not null,
        max_tokens integer, created timestamp not null
    );
    create table shards (
        key varchar not null, shard integer not null, n_vectors bigint not null,
        path varchar not null, bytes bigint not null, checksum varchar not null,
        primary key (key, shard)
    );
    create table checks (
        model_id varchar not null, dataset varchar not null, whatif varchar not null,
        dtype varchar not null, pooling varchar not null, report varchar not null,
        created timestamp not null, primary key (model_id, dataset, whatif, dtype, pooling)
    );
    create table views (
        key varchar primary key, page varchar not null, query varchar not null,
        created timestamp not null
    );
    create table results (
        key varchar primary key, analysis varchar not null, version integer not null,
        provenance varchar not null, scalars varchar not null, reading varchar not null,
        created timestamp not null
    );
    create table result_tables (
        key varchar not null, position integer not null, name varchar not null,
        physical varchar not null, schema blob not null, n_rows bigint not null,
        bytes bigint not null, primary key (key, position)
    );
    create table jobs (
        id varchar primary key, kind varchar not null, title varchar not null,
        request varchar not null, state varchar not null, done bigint not null,
        total bigint not null, message varchar not null, created timestamp not null,
        started timestamp, finished timestamp, error varchar, result_key varchar
    );
    """,
)
VERSION = len(MIGRATIONS)


def migrate(cursor: duckdb.DuckDBPyConnection, *, read_only: bool = False) -> int:
    """Bring the file to this version; returns the version that was found.

    Raises
    ------
    StoreError : the file is newer than this program, or older and opened read-only.
    """
    found = _version(cursor)
    if found > VERSION:
        raise StoreError(
            f"The store is of version {found}; this Penultimate knows up to version {VERSION}.",
            "Update Penultimate, or choose another folder with PENULTIMATE_HOME.",
        )
    if read_only and found < VERSION:
        raise StoreError(
            f"The store is of version {found}; this Penultimate needs version {VERSION}.",
            "Open it once for writing: start the dashboard.",
        )
    for number in range(found, VERSION):
        cursor.begin()
        try:
            cursor.execute(MIGRATIONS[number])
            moment = datetime.now(UTC).replace(tzinfo=None)
            cursor.execute("insert into schema_version values (?, ?)", [number + 1, moment])
            cursor.commit()
        except BaseException:
            cursor.rollback()
            raise
    return found


def _version(cursor: duckdb.DuckDBPyConnection) -> int:
    known = cursor.execute(
        "select count(*) from information_schema.tables where table_name = 'schema_version'"
    ).fetchall()[0][0]
    if known:
        return cursor.execute("select coalesce(max(version), 0) from schema_version").fetchall()[0][
            0
        ]
    tables = cursor.execute("select count(*) from information_schema.tables").fetchall()[0][0]
    if tables:
        raise StoreError(
            "The database file holds tables, but none of Penultimate's.",
            "Choose another folder with PENULTIMATE_HOME.",
        )
    if cursor.execute(
        "select readonly from duckdb_databases() where database_name = current_database()"
    ).fetchall()[0][0]:
        return 0
    cursor.execute("create table schema_version (version integer, applied timestamp)")
    return 0
