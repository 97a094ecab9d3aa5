"""Unpacking zip files that nobody vouches for."""

import errno
import shutil
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from backend.data.dataset import full_disk_is_said
from backend.data.progress import Progress, report
from backend.errors import DataError
from backend.settings import Settings

_CHUNK_BYTES = 1 << 20
_BOMB_RATIO = 200  # deflate reaches 1032; folders of real files stay below 20
_BOMB_FLOOR_BYTES = 16 << 20  # small archives may have any ratio
_DIRECTORY_BYTES_PER_FILE = 512  # a directory record: 46 bytes, the name, extra fields
_LONGEST_PART_BYTES = 255  # of a file name, on every common file system
# ValueError: names that are not UTF-8; RuntimeError: encryption that the directory did not state.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_JUNK = {"__macosx", "thumbs.db", "desktop.ini"}
_AGAIN = "Pack the files again."


@dataclass(frozen=True)
class Unpacked:
    """What came out of an archive."""

    folder: Path
    files: tuple[Path, ...]  # in the archive's order
    n_bytes: int
    skipped: int  # hidden files and what desktops add


def unpack(
    path: Path, target: Path, *, settings: Settings, progress: Progress | None = None
) -> Unpacked:
    """Unpack a zip file into a new folder.

    All names are checked before the first byte is written. Sizes that the archive states are not
    believed: bytes are counted as they come out. On any refusal the folder is removed again.

    Parameters
    ----------
    target : a folder that does not exist yet.
    settings : `max_files`, `max_upload_mb` (per file) and `max_unpacked_mb` (all) are the limits.

    Raises
    ------
    DataError : not a zip, damaged, encrypted, too many files, too large, or an unsafe entry.
    StoreError : the disk is full.
    """
    with full_disk_is_said(target):
        target.mkdir(parents=True)
        try:
            return _unpack(path, target, settings=settings, progress=progress)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise


def is_hidden(name: PurePosixPath | Path) -> bool:
    """Whether a relative path is hidden, or one of the files that desktops leave behind."""
    return any(part.startswith(".") or part.lower() in _JUNK for part in name.parts)


def _unpack(path: Path, target: Path, *, settings: Settings, progress: Progress | None) -> Unpacked:
    _refuse_huge_directory(path, max_files=settings.max_files)
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise DataError(
            f"{path.name} is not a zip file, or is damaged: {error}.", _AGAIN
        ) from error
    with archive:
        entries, skipped = _checked_entries(archive, path, max_files=settings.max_files)
        files, total = [], 0
        for number, (entry, name) in enumerate(entries):
            report(progress, number, len(entries), "unpacking")
            file = target.joinpath(*name.parts)
            total += _write_entry(archive, entry, file, path=path, before=total, settings=settings)
            files.append(file)
    if not files:
        raise DataError(f"{path.name} holds no files.", "Pack files into it.")
    return Unpacked(target, tuple(files), total, skipped)


def _refuse_huge_directory(path: Path, *, max_files: int) -> None:
    """Look at the end record before zipfile reads the whole directory into memory."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - (1 << 16) - 22))
        tail = file.read()
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) - place < 22:
        raise DataError(f"{path.name} is not a zip file, or is cut short.", _AGAIN)
    (directory,) = struct.unpack_from("<I", tail, place + 12)
    if directory == 0xFFFFFFFF:
        # zip64: the directory is then larger than 4 GB, or stated in another record; what can
        # lie before the end record bounds it.
        directory = size
        marker = tail.rfind(b"PK\x06\x06", 0, place)
        if marker >= 0 and place - marker >= 48:
            (directory,) = struct.unpack_from("<Q", tail, marker + 40)
    if directory > max_files * _DIRECTORY_BYTES_PER_FILE + (1 << 16):
        raise _too_many(path, max_files)


def _too_many(path: Path, max_files: int) -> DataError:
    return DataError(
        f"{path.name} holds more than {max_files} files.",
        "Split it, or raise PENULTIMATE_MAX_FILES.",
    )


def _checked_entries(
    archive: zipfile.ZipFile, path: Path, *, max_files: int
) -> tuple[list[tuple[zipfile.ZipInfo, PurePosixPath]], int]:
    """The files to write, under safe relative names; how many were skipped."""
    if len(archive.infolist()) > max_files:
        raise _too_many(path, max_files)
    entries: dict[PurePosixPath, zipfile.ZipInfo] = {}
    folders: set[PurePosixPath] = set()
    skipped = 0
    for entry in archive.infolist():
        name = _safe_name(entry, path)
        _refuse_unusual(entry, path)
        if entry.is_dir() or not name.parts:
            continue
        if is_hidden(name):
            skipped += 1
            continue
        if name in entries:
            raise _refusal(path, entry, "is there twice")
        entries[name] = entry
        folders.update(name.parents)
    for name, entry in entries.items():
        if name in folders:
            raise _refusal(path, entry, "is both a file and a folder")
    return [(entry, name) for name, entry in entries.items()], skipped


def _safe_name(entry: zipfile.ZipInfo, path: Path) -> PurePosixPath:
    """The entry's name as a relative path; backslashes count as slashes, as on Windows."""
    stated = entry.orig_filename
    text = stated.replace("\\", "/")
    if text.startswith("/"):
        raise _refusal(path, entry, "has an absolute path")
    if len(text) > 1 and text[1] == ":" and text[0].isalpha():
        raise _refusal(path, entry, "names a drive")
    if ".." in text.split("/"):
        raise _refusal(path, entry, "points outside of the archive ('..')")
    if any(ord(letter) < 32 for letter in text):
        raise _refusal(path, entry, "has a control character in its name")
    name = PurePosixPath(text)
    try:
        longest = max((len(part.encode()) for part in name.parts), default=0)
    except UnicodeEncodeError as error:
        raise _refusal(path, entry, "has a name that is not text") from error
    if longest > _LONGEST_PART_BYTES or len(text) > 1024:
        raise _refusal(path, entry, "has a name that is too long")
    return name


def _refuse_unusual(entry: zipfile.ZipInfo, path: Path) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind == stat.S_IFLNK:
        raise _refusal(path, entry, "is a symbolic link")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _refusal(path, entry, "is not a plain file")
    if entry.flag_bits & 0x1:
        raise _refusal(path, entry, "is encrypted", "Pack the files without a password.")
    if entry.compress_type not in _METHODS and not entry.is_dir():
        raise _refusal(
            path, entry, f"uses compression method {entry.compress_type}", "Pack with 'deflate'."
        )


def _write_entry(
    archive: zipfile.ZipFile,
    entry: zipfile.ZipInfo,
    file: Path,
    *,
    path: Path,
    before: int,
    settings: Settings,
) -> int:
    """Write one file and return its real size; `before` bytes came out of earlier entries."""
    size = 0
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(entry) as source, open(file, "xb") as sink:
            while block := source.read(_CHUNK_BYTES):
                size += len(block)
                _refuse_size(path, entry, size=size, total=before + size, settings=settings)
                sink.write(block)
    except (FileExistsError, NotADirectoryError) as error:
        raise _refusal(path, entry, "differs from another only in upper and lower case") from error
    except _DAMAGE as error:
        raise _refusal(path, entry, f"is damaged ({error})") from error
    except OSError as error:
        if error.errno != errno.EINVAL:  # what zipfile meets when a stated offset is nonsense
            raise
        raise _refusal(path, entry, "is damaged (its place in the archive is wrong)") from error
    return size


def _refuse_size(
    path: Path, entry: zipfile.ZipInfo, *, size: int, total: int, settings: Settings
) -> None:
    """Hold an entry's bytes so far, and those of the whole archive, against the limits."""
    if size > settings.max_upload_mb << 20:
        raise _refusal(
            path,
            entry,
            f"unpacks to more than {settings.max_upload_mb} MB",
            "Leave it out, or raise PENULTIMATE_MAX_UPLOAD_MB.",
        )
    if total > settings.max_unpacked_mb << 20:
        raise _refusal(
            path,
            entry,
            f"takes the unpacked size over {settings.max_unpacked_mb} MB",
            "Split the archive, or raise PENULTIMATE_MAX_UNPACKED_MB.",
        )
    if total > max(_BOMB_FLOOR_BYTES, _BOMB_RATIO * path.stat().st_size):
        raise _refusal(
            path,
            entry,
            f"takes the unpacked size over {_BOMB_RATIO} times the archive's, as zip bombs do",
            "Give the files as a folder, if they are really so.",
        )


def _refusal(
    path: Path,
    entry: zipfile.ZipInfo,
    why: str,
    remedy: str = "Pack the files again, without this one.",
) -> DataError:
    name = ascii(entry.orig_filename)
    shown = name if len(name) <= 120 else name[:117] + "...'"
    return DataError(f"{path.name}: the entry {shown} {why}.", remedy)
