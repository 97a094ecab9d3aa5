"""A data set on disk: rows of metadata or text, and the media files that belong to them."""

import errno
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Literal, get_args

import numpy as np
import pyarrow as pa

from backend.data.canonical import ContentHash, canonical_table
from backend.errors import DataError, StoreError

Kind = Literal["text", "image", "audio", "choices", "ratings", "vectors", "arrays"]
MEDIA_KINDS = ("image", "audio", "arrays")

_ROWS, _MEDIA, _RECORD = "rows.arrow", "media.arrow", "dataset.json"
_MEDIA_SCHEMA = pa.schema([pa.field("bytes", pa.large_binary(), nullable=False)])
_BATCH_BYTES = 32 << 20
_BATCH_ROWS = 1024
_REIMPORT = "Remove this data set and bring the data in again."


@dataclass(frozen=True)
class Dataset:
    """A data set in its folder; cheap to pass to workers, its rows are read when asked for.

    Row ids are positions 0..n_rows-1. For images, audio and arrays, `media(rows)` gives the files'
    bytes.
    """

    hash: str  # 32 hexadecimal digits of the content; the name is no part of it
    name: str
    kind: Kind
    folder: Path
    n_rows: int
    columns: tuple[str, ...]  # the metadata columns, without `row`
    text_column: str | None
    source: str
    licence: str
    rejected: tuple[tuple[str, str], ...]  # (where, why) for what was left out
    notes: tuple[str, ...]  # what the reader decided on the user's behalf

    def table(self) -> pa.Table:
        """All rows, memory-mapped: `row` (int64) first, then `columns`."""
        with _damage_is_said(self.folder), _reader(self.folder / _ROWS) as reader:
            return reader.read_all()

    def take(self, rows: np.ndarray) -> pa.Table:
        """The rows with these ids, in the order given; ids may repeat."""
        return self.table().take(pa.array(self._checked(rows)))

    def texts(self, rows: np.ndarray) -> list[str]:
        """The text column at these row ids."""
        if self.text_column is None:
            raise DataError(
                f"The data set {self.name!r} has no text column.",
                f"It is a set of kind {self.kind!r}; choose a set of texts.",
            )
        column = self.table().select([self.text_column])
        return column.take(pa.array(self._checked(rows)))[0].to_pylist()

    def media(self, rows: np.ndarray) -> list[bytes]:
        """The media files at these row ids; only these are read from disk."""
        if self.kind not in MEDIA_KINDS:
            raise DataError(
                f"The data set {self.name!r} holds {self.kind}, no media files.",
                "Choose a set of images or audio.",
            )
        ids = self._checked(rows)
        with _damage_is_said(self.folder), _reader(self.folder / _MEDIA) as reader:
            ends = np.cumsum(_batch_lengths(reader))
            batches = np.searchsorted(ends, ids, side="right")
            # One batch in hand at a time; its bytes stay on disk until a value is taken.
            found: dict[int, bytes] = {}
            for number in np.unique(batches):
                column = reader.get_batch(int(number)).column(0)
                start = int(ends[number]) - len(column)
                for row in np.unique(ids[batches == number]):
                    found[int(row)] = column[int(row) - start].as_py()
        return [found[int(row)] for row in ids]

    def to_json(self) -> dict[str, object]:
        """A JSON-able mapping that `from_json` takes back."""
        return json.loads(json.dumps(asdict(self), default=str))

    @classmethod
    def from_json(cls, values: dict) -> "Dataset":
        """The data set that `to_json` described; nothing is read from disk.

        Raises
        ------
        DataError : the mapping lacks a field or has one of the wrong kind.
        """
        try:
            record = cls(
                **values
                | {
                    "folder": Path(values["folder"]),
                    "n_rows": int(values["n_rows"]),
                    "columns": tuple(values["columns"]),
                    "rejected": tuple((str(a), str(b)) for a, b in values["rejected"]),
                    "notes": tuple(values["notes"]),
                }
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"A data set's record is damaged ({error}).", _REIMPORT) from error
        if record.kind not in get_args(Kind):
            raise DataError(f"A data set's record has the kind {record.kind!r}.", _REIMPORT)
        return record

    def _checked(self, rows: np.ndarray) -> np.ndarray:
        """Row ids as int64 (n,), all of them in the data set."""
        ids = np.asarray(rows)
        if ids.size == 0:
            return np.empty(0, np.int64)
        if ids.dtype.kind not in "iu" or ids.ndim != 1:
            raise DataError(
                f"Row ids must be whole numbers in one dimension, not {ids.dtype}{ids.shape}.",
                "Give the positions of rows.",
            )
        if ids.min() < 0 or ids.max() >= self.n_rows:
            wrong = int(ids.min() if ids.min() < 0 else ids.max())
            raise DataError(
                f"Row {wrong} is not in {self.name!r}.", f"Its rows are 0 to {self.n_rows - 1}."
            )
        return ids.astype(np.int64)


def open_dataset(folder: Path, *, verify: bool = False) -> Dataset:
    """Open a data set's folder.

    Parameters
    ----------
    verify : read everything and compare it with the content hash; slow for large media.

    Raises
    ------
    DataError : a file is missing, cut short or does not fit the record.
    """
    folder = Path(folder)
    with _damage_is_said(folder):
        values = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError(f"{_RECORD} is not a mapping")
        dataset = Dataset.from_json(values | {"folder": str(folder)})
        with _reader(folder / _ROWS) as reader:
            table = reader.read_all()
        if (table.num_rows, tuple(table.column_names)) != (
            dataset.n_rows,
            ("row", *dataset.columns),
        ):
            raise ValueError(f"{_ROWS} does not fit the record")
        _check_media(dataset)
        if verify and _content_hash(dataset, table) != dataset.hash:
            raise ValueError("its content does not fit its hash")
    return dataset


def write_dataset(
    root: Path,
    table: pa.Table,
    *,
    kind: Kind,
    name: str,
    text_column: str | None = None,
    media: Iterable[bytes] | None = None,
    source: str = "",
    licence: str = "",
    rejected: Iterable[tuple[str, str]] = (),
    notes: Iterable[str] = (),
) -> Dataset:
    """Store a table, with its media files, as root/<content hash>.

    A folder with equal content is reused: its record on disk stays as it is, and the data set
    handed back carries the name, source and notes of this call. A damaged one is replaced.

    Parameters
    ----------
    table : one row per text, image or sound; no column `row`, that one is added.
    media : one bytes object per row, in order, consumed once; needed for images, audio and arrays.

    Raises
    ------
    DataError : no rows, a column that cannot be stored, or media that do not fit the rows.
    StoreError : the disk is full.
    """
    table = _checked_table(table, kind=kind, text_column=text_column, media=media)
    root = Path(root)
    with full_disk_is_said(root):
        root.mkdir(parents=True, exist_ok=True)
    temporary = root / f".part-{uuid.uuid4().hex}"
    try:
        with full_disk_is_said(root):
            temporary.mkdir()
            content = ContentHash(table, kind=kind, text_column=text_column)
            _write_rows(temporary / _ROWS, table)
            if media is not None:
                _write_media(temporary / _MEDIA, media, content=content, expected=table.num_rows)
            digest = content.hexdigest()
            dataset = Dataset(
                hash=digest,
                name=name,
                kind=kind,
                folder=root / digest,
                n_rows=table.num_rows,
                columns=tuple(table.column_names),
                text_column=text_column,
                source=source,
                licence=licence,
                rejected=tuple((str(a), str(b)) for a, b in rejected),
                notes=tuple(notes),
            )
            _write_record(temporary / _RECORD, dataset)
            _move_into_place(temporary, dataset)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return dataset


@contextmanager
def full_disk_is_said(folder: Path) -> Iterator[None]:
    """Turn 'no space left' below into a StoreError that names the folder."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                f"The disk that holds {folder} is full.",
                "Free some space, or set PENULTIMATE_HOME to a folder on a larger disk.",
            ) from error
        raise


def _checked_table(
    table: pa.Table, *, kind: str, text_column: str | None, media: Iterable[bytes] | None
) -> pa.Table:
    if kind not in get_args(Kind):
        raise DataError(f"{kind!r} is not a kind of data.", f"Use one of {get_args(Kind)}.")
    if "row" in table.column_names:
        raise DataError("A column is named 'row', which is kept for row ids.", "Rename it.")
    if table.num_rows == 0:
        raise DataError("The data set has no rows.", "Give at least one row.")
    if (media is None) != (kind not in MEDIA_KINDS):
        raise DataError(
            f"A data set of kind {kind!r} {'needs' if media is None else 'takes no'} media files.",
            "Give one file per row for images, audio and arrays, none for other kinds.",
        )
    table = canonical_table(table)
    if text_column is None:
        return table
    if text_column not in table.column_names:
        raise DataError(
            f"There is no column {text_column!r}.", f"Columns: {', '.join(table.column_names)}."
        )
    column = table[text_column]
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        raise DataError(f"Column {text_column!r} holds {column.type}, not text.", "Use another.")
    if column.null_count:
        raise DataError(
            f"Column {text_column!r} has {column.null_count} rows without text.", "Leave them out."
        )
    return table


def _write_rows(path: Path, table: pa.Table) -> None:
    # One batch: taking rows from a single memory-mapped chunk copies those rows only.
    rows = pa.array(np.arange(table.num_rows, dtype=np.int64))
    table = table.add_column(0, "row", rows).combine_chunks()
    with _synced(path) as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def _write_media(
    path: Path, media: Iterable[bytes], *, content: ContentHash, expected: int
) -> None:
    count, pending, size = 0, [], 0
    with _synced(path) as sink, pa.ipc.new_file(sink, _MEDIA_SCHEMA) as writer:
        for data in media:
            content.add_media(data)
            pending.append(data)
            count, size = count + 1, size + len(data)
            if size >= _BATCH_BYTES or len(pending) >= _BATCH_ROWS:
                _write_batch(writer, pending)
                pending, size = [], 0
        if pending:
            _write_batch(writer, pending)
    if count != expected:
        raise DataError(
            f"There are {count} media files for {expected} rows.", "Give one file per row."
        )


def _write_batch(writer: pa.ipc.RecordBatchFileWriter, media: list[bytes]) -> None:
    writer.write_batch(pa.record_batch([pa.array(media, pa.large_binary())], schema=_MEDIA_SCHEMA))


def _write_record(path: Path, dataset: Dataset) -> None:
    values = dataset.to_json()
    del values["folder"]  # the store may be moved
    with _synced(path) as sink:
        sink.write(json.dumps(values, ensure_ascii=False, indent=1).encode())


@contextmanager
def _synced(path: Path) -> Iterator[BinaryIO]:
    """A file for writing whose bytes are on disk when the block ends."""
    with open(path, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _move_into_place(temporary: Path, dataset: Dataset) -> None:
    for _ in range(2):
        try:
            os.rename(temporary, dataset.folder)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EACCES):
                raise
            if not dataset.folder.exists():
                raise
        try:
            open_dataset(dataset.folder)
            return
        except DataError:
            # Aside first, so that readers never see a half-removed folder under this name.
            aside = dataset.folder.with_name(f".damaged-{uuid.uuid4().hex}")
            os.rename(dataset.folder, aside)
            shutil.rmtree(aside, ignore_errors=True)
    raise StoreError(f"{dataset.folder} cannot be replaced.", "Remove that folder and try again.")


def _check_media(dataset: Dataset) -> None:
    if dataset.kind not in MEDIA_KINDS:
        return
    with _reader(dataset.folder / _MEDIA) as reader:
        if reader.schema != _MEDIA_SCHEMA or sum(_batch_lengths(reader)) != dataset.n_rows:
            raise ValueError(f"{_MEDIA} does not fit the record")


def _content_hash(dataset: Dataset, table: pa.Table) -> str:
    content = ContentHash(table.drop("row"), kind=dataset.kind, text_column=dataset.text_column)
    if dataset.kind in MEDIA_KINDS:
        with _reader(dataset.folder / _MEDIA) as reader:
            for number in range(reader.num_record_batches):
                for value in reader.get_batch(number).column(0):
                    content.add_media(value.as_py())
    return content.hexdigest()


@contextmanager
def _reader(path: Path) -> Iterator[pa.ipc.RecordBatchFileReader]:
    """A memory-mapped Arrow file; tables read from it keep the map alive."""
    with pa.memory_map(str(path)) as source:
        yield pa.ipc.open_file(source)


def _batch_lengths(reader: pa.ipc.RecordBatchFileReader) -> list[int]:
    return [reader.get_batch(i).num_rows for i in range(reader.num_record_batches)]


@contextmanager
def _damage_is_said(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise DataError(
            f"The data set in {folder} is missing or damaged: {error}.", _REIMPORT
        ) from error
