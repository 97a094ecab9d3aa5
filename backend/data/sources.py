"""From a path that someone names to a stored data set."""

import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from backend.data.archive import unpack
from backend.data.arrays import read_arrays
from backend.data.dataset import Dataset, Kind, write_dataset
from backend.data.embedded import label_names, media_column, read_embedded
from backend.data.examine import examine
from backend.data.folders import list_folder, read_media_folder
from backend.data.judgements import judged_kind, take_judgements
from backend.data.media import HEAD_BYTES, MediaKind, media_kind
from backend.data.progress import Progress
from backend.data.tables import TableRead, flatten, read_table, take_texts
from backend.errors import DataError
from backend.settings import Settings

_FORMS = {
    "csv": "csv",
    "tsv": "tsv",
    "json": "json",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "parquet": "parquet",
}
_TAKEN = (
    "csv, tsv, json, jsonl, parquet, npz, a zip or folder of images or audio, one image, one sound"
)
_PICKLES = {"pkl", "pickle", "pt", "pth", "ckpt", "bin", "joblib", "dill"}
_PICKLE_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_PICKLE_REMEDY = "Save the rows as parquet, csv or jsonl."
_ENDINGS = {
    "npy": ("one array alone has no name", "Save it with numpy.savez(file, NAME=array)."),
    "xlsx": ("office documents are not read", "Save a sheet as 'CSV UTF-8'."),
    "xls": ("office documents are not read", "Save a sheet as 'CSV UTF-8'."),
    "gz": ("compressed files other than zip are not read", "Unpack it first."),
    "tgz": ("compressed files other than zip are not read", "Unpack it or pack it as zip."),
    "tar": ("archives other than zip are not read", "Unpack it or pack it as zip."),
    "7z": ("archives other than zip are not read", "Unpack it or pack it as zip."),
    "rar": ("archives other than zip are not read", "Unpack it or pack it as zip."),
}


def read_data(
    path: Path,
    *,
    root: Path,
    settings: Settings,
    text_column: str | None = None,
    name: str | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Read a file or folder as a data set and store it below `root`.

    What a file is, is told by its content first, then by its ending. Nothing is unpickled.

    Parameters
    ----------
    text_column : for tables; guessed, with a note, when not given.
    name : what to call it; the file's name without its ending when not given.
    progress : called with (done, total, what is being done).

    Raises
    ------
    DataError : the path, the form, the content or the size; the message names which.
    StoreError : the disk is full.
    """
    path = Path(path)
    job = _Job(path, Path(root), settings, text_column, name or _stem(path), progress)
    if path.is_dir():
        return job.folder(path)
    if not path.is_file():
        raise DataError(f"There is no file or folder {str(path)!r}.", "Check the path.")
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise DataError(f"{path.name} cannot be opened: {error.strerror}.", "Check it.") from error
    ending = path.suffix[1:].lower()
    _refuse_unread(path, ending, head)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")) or ending in ("zip", "npz"):
        return job.archive()
    _refuse_large(path, settings)
    if kind := media_kind(head):
        return job.single(kind)
    form = "parquet" if head.startswith(b"PAR1") else _FORMS.get(ending)
    if form is None:
        raise DataError(f"{path.name} is of no form that is read.", f"Give {_TAKEN}.")
    return job.table(path, form)


class _Job:
    """One call of `read_data`: what was asked for, and a method per kind of source."""

    def __init__(
        self,
        path: Path,
        root: Path,
        settings: Settings,
        text_column: str | None,
        name: str,
        progress: Progress | None,
    ):
        self.path, self.root, self.settings = path, root, settings
        self.text_column, self.name, self.progress = text_column, name, progress

    def table(self, path: Path, form: str) -> Dataset:
        read = read_table(
            path,
            form=form,
            text_column=self.text_column,
            max_bytes=self.settings.max_unpacked_mb << 20,
        )
        column = media_column(read.table)
        if column and self.text_column is None:
            found = read_embedded(read, column, where=path.name, progress=self.progress)
            return self._write(found.read, kind=found.kind, media=found.media())
        read = flatten(label_names(read), where=path.name)
        judged = judged_kind(read.table.column_names)
        if judged and self.text_column is None:
            return self._write(take_judgements(read, judged, where=path.name), kind=judged)
        read = take_texts(read, text_column=self.text_column, where=path.name)
        return self._write(read, kind="text")

    def single(self, kind: MediaKind) -> Dataset:
        data = self.path.read_bytes()
        examined = examine([(self.path.name, lambda: data)], kind=kind, where=self.path.name)
        table = examined.facts.add_column(0, "name", pa.array([self.path.name]))
        return self._write(TableRead(table), kind=kind, media=[data])

    def archive(self) -> Dataset:
        self.root.mkdir(parents=True, exist_ok=True)
        target = self.root / f".unpack-{uuid.uuid4().hex}"
        try:
            unpacked = unpack(self.path, target, settings=self.settings, progress=self.progress)
            return self.folder(unpacked.folder)
        finally:
            shutil.rmtree(target, ignore_errors=True)

    def folder(self, folder: Path) -> Dataset:
        listing = list_folder(folder, settings=self.settings)
        where = self.path.name or str(self.path)
        if listing.media:
            found = read_media_folder(
                folder, listing, where=where, settings=self.settings, progress=self.progress
            )
            return self._write(found.read, kind=found.kind, media=found.media())
        tables = [file for file in listing.others if file.suffix[1:].lower() in _FORMS]
        if not tables and any(file.suffix.lower() == ".npy" for file in listing.others):
            found = read_arrays(folder, listing.others, where=where, progress=self.progress)
            return self._write(found.read, kind="arrays", media=found.media())
        if len(tables) == 1:
            _refuse_large(tables[0], self.settings)
            return self.table(tables[0], _FORMS[tables[0].suffix[1:].lower()])
        if tables:
            names = ", ".join(file.name for file in tables[:5])
            raise DataError(f"{where} holds {len(tables)} tables ({names}).", "Give one of them.")
        raise DataError(
            f"{where} holds no images, no audio and no table.", f"What is read: {_TAKEN}."
        )

    def _write(
        self, read: TableRead, *, kind: Kind, media: Iterable[bytes] | None = None
    ) -> Dataset:
        if self.progress:
            self.progress(read.table.num_rows, read.table.num_rows, "storing")
        return write_dataset(
            self.root,
            read.table,
            kind=kind,
            name=self.name,
            text_column=read.text_column,
            media=media,
            source=self.path.name,
            rejected=read.rejected,
            notes=read.notes,
        )


def _stem(path: Path) -> str:
    resolved = path.resolve()
    return (resolved.name if resolved.is_dir() else path.stem) or "data"


def _refuse_unread(path: Path, ending: str, head: bytes) -> None:
    """Forms that are refused, each with its own reason."""
    # A pickle says its protocol in its first two bytes, whatever the file is called.
    if ending in _PICKLES or head[:2] in _PICKLE_STARTS:
        raise DataError(
            f"{path.name} may hold a pickle, which can run any program when it is opened, so it is "
            "never opened.",
            _PICKLE_REMEDY,
        )
    if head.startswith(b"PK\x03\x04"):
        ending = _ending_inside(path) or ending
    elif head.startswith(b"\x93NUMPY"):
        ending = "npy"
    elif head.startswith(b"\x1f\x8b"):
        ending = "gz"
    if ending == "pickle":
        raise DataError(f"{path.name} holds a pickle, which is never opened.", _PICKLE_REMEDY)
    if ending in _ENDINGS:
        why, remedy = _ENDINGS[ending]
        raise DataError(f"{path.name}: {why}.", remedy)


def _ending_inside(path: Path) -> str | None:
    """Some forms are zip files in disguise; their first entry's name tells, whatever the ending."""
    with open(path, "rb") as file:
        header = file.read(30)
        name = file.read(int.from_bytes(header[26:28], "little")).decode("latin-1")
    if name == "[Content_Types].xml" or name.startswith("xl/"):
        return "xlsx"
    return "pickle" if name.endswith("/data.pkl") else None


def _refuse_large(path: Path, settings: Settings) -> None:
    if path.stat().st_size > settings.max_upload_mb << 20:
        raise DataError(
            f"{path.name} is larger than {settings.max_upload_mb} MB.",
            "Split it, or raise PENULTIMATE_MAX_UPLOAD_MB.",
        )
