"""What is there: models, captures with their shards, oracle checks, and views of figures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from backend.errors import StoreError
from backend.store.database import Store
from backend.store.tables import from_text, now, plain_value, records, to_text, upsert
from backend.store.vectors import ShardInfo, forget_shards


@dataclass(frozen=True)
class ModelRow:
    """A model in the catalogue."""

    model_id: str  # names the weights: hub commit or content hash
    ref: str  # what the user typed
    title: str
    modality: str
    description: dict[str, Any]
    path: Path | None  # its files on this machine
    added: datetime


@dataclass(frozen=True)
class CaptureRow:
    """One site of one model on one data set; numbers of shards come from what is stored."""

    key: str
    model_id: str
    ref: str
    whatif: str  # names the change to the model; empty: none
    dataset: str  # content hash
    site: str
    pooling: str
    dtype: str
    width: int
    max_tokens: int | None
    created: datetime
    n_shards: int = 0
    n_vectors: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class ShardEntry:
    """A shard that a worker has written, for `put_shards`."""

    key: str
    shard: int
    info: ShardInfo


_CAPTURES = """
    select c.*, count(s.shard) as n_shards, coalesce(sum(s.n_vectors), 0)::bigint as n_vectors,
           coalesce(sum(s.bytes), 0)::bigint as bytes
    from captures c left join shards s on s.key = c.key
"""


def put_model(
    store: Store,
    *,
    model_id: str,
    ref: str,
    title: str,
    modality: str,
    description: Mapping[str, object],
    path: Path | None = None,
) -> ModelRow:
    """Add a model, or renew its entry."""
    row = {
        "model_id": model_id,
        "ref": ref,
        "title": title,
        "modality": modality,
        "description": to_text(description),
        "path": None if path is None else str(path),
        "added": now(),
    }
    with store.transaction() as cursor:
        upsert(cursor, "models", row)
    return _model(row)


def get_model(store: Store, model_id: str) -> ModelRow | None:
    """The model with this id."""
    with store.cursor() as cursor:
        found = records(cursor, "select * from models where model_id = ?", [model_id])
    return _model(found[0]) if found else None


def list_models(store: Store) -> tuple[ModelRow, ...]:
    """All models, the newest first."""
    with store.cursor() as cursor:
        found = records(cursor, "select * from models order by added desc, model_id")
    return tuple(_model(row) for row in found)


def delete_model(store: Store, model_id: str) -> None:
    """Forget a model and its captures; its own files stay, they may be shared.

    Results stay: they hold their own numbers.
    """
    delete_captures(store, [row.key for row in list_captures(store, model_id=model_id)])
    with store.transaction() as cursor:
        cursor.execute("delete from checks where model_id = ?", [model_id])
        cursor.execute("delete from models where model_id = ?", [model_id])


def put_capture(
    store: Store,
    *,
    key: str,
    model_id: str,
    ref: str,
    dataset: str,
    site: str,
    pooling: str,
    dtype: str,
    width: int,
    whatif: str = "",
    max_tokens: int | None = None,
) -> None:
    """Announce a capture, before its first shard; announcing it again changes nothing."""
    row = {
        "key": key,
        "model_id": model_id,
        "ref": ref,
        "whatif": whatif,
        "dataset": dataset,
        "site": site,
        "pooling": pooling,
        "dtype": dtype,
        "width": width,
        "max_tokens": max_tokens,
        "created": now(),
    }
    columns = ", ".join(row)
    marks = ", ".join("?" for _ in row)
    with store.transaction() as cursor:
        cursor.execute(
            f"insert into captures ({columns}) values ({marks}) on conflict do nothing",
            [plain_value(value) for value in row.values()],
        )


def get_capture(store: Store, key: str) -> CaptureRow | None:
    """The capture with this key."""
    with store.cursor() as cursor:
        found = records(cursor, f"{_CAPTURES} where c.key = ? group by all", [key])
    return CaptureRow(**found[0]) if found else None


def list_captures(
    store: Store, *, model_id: str | None = None, dataset: str | None = None
) -> tuple[CaptureRow, ...]:
    """Captures, the newest first; of one model or data set where given."""
    with store.cursor() as cursor:
        found = records(
            cursor,
            f"""{_CAPTURES} where ($model is null or c.model_id = $model)
            and ($dataset is null or c.dataset = $dataset)
            group by all order by c.created desc, c.key""",
            {"model": model_id, "dataset": dataset},
        )
    return tuple(CaptureRow(**row) for row in found)


def delete_captures(store: Store, keys: Iterable[str]) -> None:
    """Remove captures and their files; rows first, so no row ever names a missing file."""
    keys = list(keys)
    if not keys:
        return
    with store.transaction() as cursor:
        names = cursor.execute(
            "delete from shards where key in (select unnest($1::varchar[])) returning path", [keys]
        ).fetchall()
        cursor.execute("delete from captures where key in (select unnest($1::varchar[]))", [keys])
    for key in keys:
        store.relations.drop(key)
    forget_shards()
    folders = set()
    for (name,) in names:
        path = store.home / name
        path.unlink(missing_ok=True)
        folders.add(path.parent)
    for folder in folders:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def put_shards(store: Store, entries: Sequence[ShardEntry]) -> None:
    """Record shards that are written, all of them or none.

    Raises
    ------
    StoreError : a capture is not announced (or was deleted meanwhile), or a file lies elsewhere.
    """
    if not entries:
        return
    rows = [
        {
            "key": entry.key,
            "shard": entry.shard,
            "n_vectors": entry.info.n,
            "path": _inside(store, entry.info.path),
            "bytes": entry.info.bytes,
            "checksum": entry.info.checksum,
        }
        for entry in entries
    ]
    with store.transaction() as cursor:
        cursor.register("incoming", pa.Table.from_pylist(rows))
        unknown = cursor.execute(
            "select distinct key from incoming where key not in (select key from captures)"
        ).fetchall()
        if unknown:
            raise StoreError(
                f"There is no capture {unknown[0][0]}; it may have been deleted meanwhile.",
                "Start the capture again.",
            )
        cursor.execute("insert or replace into shards by name select * from incoming")
        cursor.unregister("incoming")
    for key in {entry.key for entry in entries}:
        store.relations.drop(key)


def shards_of(store: Store, key: str) -> tuple[Path, ...]:
    """The files of a capture, in stored order."""
    with store.cursor() as cursor:
        found = cursor.execute(
            "select path from shards where key = ? order by shard", [key]
        ).fetchall()
    return tuple(store.home / name for (name,) in found)


def present(store: Store, keys: Iterable[str]) -> dict[str, set[int]]:
    """Which shards there are: capture key -> shard numbers (empty where none)."""
    answer: dict[str, set[int]] = {key: set() for key in keys}
    with store.cursor() as cursor:
        found = cursor.execute(
            "select key, shard from shards where key in (select unnest($1::varchar[]))",
            [list(answer)],
        ).fetchall()
    for key, shard in found:
        answer[key].add(shard)
    return answer


def put_check(
    store: Store,
    report: Mapping[str, object],
    *,
    model_id: str,
    dataset: str,
    whatif: str = "",
    dtype: str = "float32",
    pooling: str = "",
) -> None:
    """Keep how a capture compares with the plain forward pass of the library."""
    row = {
        "model_id": model_id,
        "dataset": dataset,
        "whatif": whatif,
        "dtype": dtype,
        "pooling": pooling,
        "report": to_text(report),
        "created": now(),
    }
    with store.transaction() as cursor:
        upsert(cursor, "checks", row)


def get_check(
    store: Store,
    *,
    model_id: str,
    dataset: str,
    whatif: str = "",
    dtype: str = "float32",
    pooling: str = "",
) -> dict[str, Any] | None:
    """The report of `put_check`, with `created`; None where it was never checked."""
    with store.cursor() as cursor:
        found = records(
            cursor,
            """select report, created from checks
            where model_id = ? and dataset = ? and whatif = ? and dtype = ? and pooling = ?""",
            [model_id, dataset, whatif, dtype, pooling],
        )
    return from_text(found[0]["report"]) | {"created": found[0]["created"]} if found else None


def _model(row: Mapping[str, Any]) -> ModelRow:
    path = None if row["path"] is None else Path(row["path"])
    return ModelRow(**{**row, "description": from_text(row["description"]), "path": path})


def _inside(store: Store, path: Path) -> str:
    full = Path(path).resolve()
    if not full.is_relative_to(store.home):
        raise StoreError(f"{path} lies outside {store.home}.", "Write shards below `vectors`.")
    return full.relative_to(store.home).as_posix()
