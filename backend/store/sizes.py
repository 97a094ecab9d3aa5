"""What takes up space, for the storage page."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from backend.store.database import Store


@dataclass(frozen=True)
class Sizes:
    """Bytes on this machine's disk."""

    models: dict[str, int]  # model id -> its files, wherever they lie
    datasets: dict[str, int]  # hash -> its folder
    captures: dict[str, int]  # key -> its shards
    results: dict[str, int]  # key -> its tables, uncompressed
    downloads: int  # the folder of what was fetched
    database: int  # the DuckDB file and its log; results and metadata are inside
    free: int  # left on the disk

    @property
    def total(self) -> int:
        """What the data folder holds; models outside of it are not counted."""
        parts = (*self.datasets.values(), *self.captures.values())
        return sum(parts) + self.downloads + self.database


def sizes(store: Store) -> Sizes:
    """Measure what is stored."""
    with store.cursor() as cursor:
        models = cursor.execute("select model_id, path from models order by all").fetchall()
        datasets = cursor.execute("select hash, folder from datasets order by all").fetchall()
        captures = cursor.execute(
            """select c.key, coalesce(sum(s.bytes), 0)::bigint
            from captures c left join shards s on s.key = c.key group by c.key order by c.key"""
        ).fetchall()
        results = cursor.execute(
            """select r.key, coalesce(sum(t.bytes), 0)::bigint
            from results r left join result_tables t on t.key = r.key
            group by r.key order by r.key"""
        ).fetchall()
    free = shutil.disk_usage(store.home).free
    log = store.file.with_name(f"{store.file.name}.wal")
    return Sizes(
        models={key: 0 if path is None else size_of(Path(path)) for key, path in models},
        datasets={key: size_of(store.home / folder) for key, folder in datasets},
        captures=dict(captures),
        results=dict(results),
        downloads=size_of(store.home / "downloads"),
        database=size_of(store.file) + size_of(log),
        free=free,
    )


def size_of(path: Path) -> int:
    """Bytes of a file or of everything below a folder; 0 where there is nothing."""
    try:
        if not path.is_dir():
            return path.stat().st_size
        # Links to files are followed, as model caches are made of them; links to folders are not.
        return sum(
            size_of(child)
            for child in path.iterdir()
            if not (child.is_symlink() and child.is_dir())
        )
    except OSError:  # gone meanwhile, or not ours to read
        return 0
