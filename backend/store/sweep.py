"""After a crash: make the folder and the catalogue agree again."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backend.errors import StoreError
from backend.store.vectors import TEMPORARY, read_shard

if TYPE_CHECKING:
    from backend.store.database import Store

_UNFINISHED_DATA = (".part-", ".damaged-")  # names that writing a data set uses on its way


@dataclass(frozen=True)
class Swept:
    """What a sweep removed; paths are relative to the data folder."""

    temporary: tuple[str, ...] = ()  # files and folders that were never finished
    orphans: tuple[str, ...] = ()  # shards that no catalogue row names
    shards: tuple[tuple[str, int], ...] = ()  # (capture key, shard) whose file is gone or cut
    captures: tuple[str, ...] = ()  # keys of captures that are left without shards
    datasets: tuple[str, ...] = ()  # hashes of data sets whose folder is gone

    def __bool__(self) -> bool:
        return any((self.temporary, self.orphans, self.shards, self.captures, self.datasets))


@dataclass(frozen=True)
class Damage:
    """A shard that does not hold what was written."""

    key: str
    shard: int
    path: Path
    problem: str


def sweep(store: "Store") -> Swept:
    """Remove what a crash can leave behind; what was committed and is whole stays.

    Nothing may be writing into the folder meanwhile.
    """
    temporary = _unfinished(store.home)
    with store.transaction() as cursor:
        shards, kept = [], set()
        for key, shard, path, size in cursor.execute(
            "select key, shard, path, bytes from shards order by all"
        ).fetchall():
            if _size(store.home / path) == size:
                kept.add(path)
            else:
                shards.append((key, shard))
        for pair in shards:
            cursor.execute("delete from shards where key = ? and shard = ?", pair)
        captures = _column(
            cursor.execute(
                "delete from captures where key not in (select key from shards) returning key"
            )
        )
        datasets = []
        for hash_, folder in cursor.execute("select hash, folder from datasets").fetchall():
            if not (store.home / folder).is_dir():
                datasets.append(hash_)
                cursor.execute("delete from datasets where hash = ?", [hash_])
                cursor.execute(f"drop table if exists rows_{int(hash_, 16):032x}")
    # Only after the commit: the catalogue never names a file that is not there.
    orphans = [
        name
        for path in sorted((store.home / "vectors").rglob("*.arrow"))
        if (name := path.relative_to(store.home).as_posix()) not in kept
    ]
    for name in (*temporary, *orphans):
        _remove(store.home / name)
    _remove_empty(store.home / "vectors")
    return Swept(*map(tuple, (temporary, orphans, shards, captures, datasets)))


def verify(store: "Store") -> tuple[Damage, ...]:
    """Read every shard in the catalogue and compare checksums."""
    with store.cursor() as cursor:
        listed = cursor.execute(
            "select key, shard, path, checksum from shards order by all"
        ).fetchall()
    found = []
    for key, shard, name, checksum in listed:
        path = store.home / name
        try:
            content = read_shard(path, verify=True)
        except StoreError as error:
            found.append(Damage(key, shard, path, error.what))
            continue
        if content.checksum != checksum:
            problem = f"Its checksum is {content.checksum}, the catalogue says {checksum}."
            found.append(Damage(key, shard, path, problem))
    return tuple(found)


def _unfinished(home: Path) -> list[str]:
    vectors, data = home / "vectors", home / "data"
    found = list(vectors.rglob(f"*{TEMPORARY}")) if vectors.is_dir() else []
    for path in data.iterdir() if data.is_dir() else ():
        if path.name.startswith(_UNFINISHED_DATA) or path.name.endswith(TEMPORARY):
            found.append(path)
    return sorted(path.relative_to(home).as_posix() for path in found)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _remove_empty(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True) if folder.is_dir() else ():
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _column(cursor) -> list:
    return [row[0] for row in cursor.fetchall()]
