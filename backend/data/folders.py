"""Folders of images or sounds, labelled by their sub-folders."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

import pyarrow as pa

from backend.data.archive import is_hidden
from backend.data.examine import examine, majority_kind
from backend.data.media import HEAD_BYTES, MediaKind, media_kind
from backend.data.progress import Progress
from backend.data.tables import TableRead, flatten, list_rejected, read_table
from backend.errors import DataError
from backend.settings import Settings

_IMAGE_ENDINGS = {"png", "jpg", "jpeg", "gif", "bmp", "webp", "tif", "tiff"}
_AUDIO_ENDINGS = {"wav", "flac", "ogg", "oga", "opus", "mp3", "aif", "aiff"}
_METADATA_FORMS = ("csv", "tsv", "jsonl", "parquet")
_KEY = "file_name"


@dataclass(frozen=True)
class MediaRead:
    """Media files as read: the kind, their metadata, and where their bytes are."""

    kind: MediaKind
    read: TableRead
    files: tuple[Path, ...]

    def media(self) -> Iterator[bytes]:
        for file in self.files:
            yield file.read_bytes()


@dataclass(frozen=True)
class Listing:
    """What a folder holds, sorted by path."""

    media: tuple[tuple[Path, MediaKind], ...]  # by content, or by ending where damaged
    others: tuple[Path, ...]


def list_folder(folder: Path, *, settings: Settings) -> Listing:
    """Tell media from other files by their first bytes; hidden files are passed over.

    Raises
    ------
    DataError : more files than `max_files`, or a file that cannot be opened.
    """
    media, others = [], []
    for count, file in enumerate(_walk(folder), 1):
        if count > settings.max_files:
            raise DataError(
                f"{folder.name} holds more than {settings.max_files} files.",
                "Split it, or raise PENULTIMATE_MAX_FILES.",
            )
        kind = _kind_of(file)
        if kind:
            media.append((file, kind))
        else:
            others.append(file)
    return Listing(tuple(media), tuple(others))


def read_media_folder(
    folder: Path,
    listing: Listing,
    *,
    where: str,
    settings: Settings,
    progress: Progress | None = None,
) -> MediaRead:
    """Read a folder of images or of sounds.

    Columns: `name` (path below the folder that all files share), `label` (its sub-folders, where
    there are any), `width` and `height` or `seconds` and `sample_rate`, then the columns of
    metadata.csv (or .tsv, .jsonl, .parquet), joined on its column `file_name`.

    Where at least two thirds of the media are of one kind, the others are left out by name.

    Raises
    ------
    DataError : no media, kinds mixed evenly, no file that decodes, or a bad metadata table.
    """
    kind = majority_kind(Counter(kind for _, kind in listing.media), where=where)
    files = [file for file, _ in listing.media]
    base = Path(os.path.commonpath([file.parent for file in files]))
    names = [file.relative_to(base).as_posix() for file in files]
    limit = settings.max_upload_mb << 20
    items = [(n, partial(_load, f, limit)) for n, f in zip(names, files, strict=True)]
    examined = examine(items, kind=kind, where=where, progress=progress)
    files = [files[i] for i in examined.kept]
    names = [names[i] for i in examined.kept]
    table = pa.table({"name": names})
    labels = [str(PurePosixPath(name).parent) for name in names]
    if any(label != "." for label in labels):
        table = table.append_column(
            "label", pa.array([None if label == "." else label for label in labels], pa.string())
        )
    for name in examined.facts.column_names:
        table = table.append_column(name, examined.facts[name])
    notes = _rejection_notes(len(examined.rejected), len(items))
    read = TableRead(table, notes, tuple(list_rejected(examined.rejected)))
    tables = _metadata_tables(folder, base, listing.others)
    if tables:
        read = _join(read, tables[0], files, settings=settings)
    if ignored := len(listing.others) - len(tables[:1]):
        read = replace(read, notes=(*read.notes, f"{ignored} other files were passed over."))
    return MediaRead(kind, read, tuple(files))


def _rejection_notes(n_rejected: int, n_items: int) -> tuple[str, ...]:
    if not n_rejected:
        return ()
    return (f"{n_rejected} of {n_items} media files were left out, each with its reason.",)


def _walk(folder: Path) -> Iterator[Path]:
    for current, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_hidden(Path(name)))
        for name in sorted(files):
            file = Path(current, name)
            if not is_hidden(Path(name)) and file.is_file():
                yield file


def _kind_of(file: Path) -> MediaKind | None:
    try:
        with open(file, "rb") as opened:
            head = opened.read(HEAD_BYTES)
    except OSError as error:
        raise DataError(f"{file.name} cannot be opened: {error.strerror}.", "Check it.") from error
    if kind := media_kind(head):
        return kind
    ending = file.suffix[1:].lower()  # damaged, if anything: to be named among what is left out
    if ending in _IMAGE_ENDINGS:
        return "image"
    return "audio" if ending in _AUDIO_ENDINGS else None


def _load(file: Path, limit: int) -> bytes:
    if file.stat().st_size > limit:
        raise DataError(f"is larger than {limit >> 20} MB")
    return file.read_bytes()


def _metadata_tables(folder: Path, base: Path, others: Sequence[Path]) -> list[Path]:
    """metadata.* in the folder given or in the one that the media share; the first counts."""
    return [
        file
        for file in others
        if file.stem.lower() == "metadata"
        and file.suffix[1:].lower() in _METADATA_FORMS
        and file.parent in (folder, base, *base.parents)
    ]


def _join(read: TableRead, path: Path, files: list[Path], *, settings: Settings) -> TableRead:
    found = read_table(path, form=path.suffix[1:].lower(), max_bytes=settings.max_unpacked_mb << 20)
    found = flatten(found, where=path.name)
    if _KEY not in found.table.column_names:
        raise DataError(
            f"{path.name} has no column {_KEY!r}; its columns are "
            f"{', '.join(found.table.column_names)}.",
            f"Name the column with the files' paths {_KEY!r}.",
        )
    places: dict[Path, int] = {}
    for place, name in enumerate(found.table[_KEY].to_pylist()):
        key = Path(os.path.normpath(path.parent / str(name).replace("\\", "/")))
        if key in places:
            raise DataError(f"{path.name} names {name!r} more than once.", "Keep one row per file.")
        places[key] = place
    rows = [places.get(Path(os.path.normpath(file))) for file in files]
    extra = found.table.drop(_KEY).take(pa.array(rows, pa.int64()))
    table, notes = read.table, [*read.notes, *found.notes]
    for name in extra.column_names:
        new = name
        if name == "label" and "label" in table.column_names:
            notes.append(f"Labels are those of {path.name}; the sub-folders' are in 'folder'.")
            table = table.rename_columns(
                ["folder" if n == "label" else n for n in table.column_names]
            )
        while new in table.column_names:
            new += "_"
        table = table.append_column(new, extra[name])
    if missing := sum(row is None for row in rows):
        notes.append(f"{path.name} has no row for {missing} of {len(files)} files.")
    if unused := len(places) - (len(rows) - missing):
        notes.append(f"{unused} rows of {path.name} name files that are not in the data set.")
    return replace(read, table=table, notes=tuple(notes))
