"""The database file: one process writes it, many threads use it, each with its own cursor."""

import contextlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from backend.errors import StoreError
from backend.store.relations import Relations
from backend.store.schema import migrate
from backend.store.sweep import Damage, Swept, sweep, verify
from backend.store.tables import Cursor

_CONFIG = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "lock_configuration": "true",
}
_RESTART = "Restart Penultimate; what was committed is kept."


@dataclass
class _Shared:
    """What all stores of this process on one file have in common."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    relations: Relations = field(default_factory=Relations)
    columns: dict[str, Any] = field(default_factory=dict)  # of data sets, see slices
    stores: int = 0


_OPEN: dict[Path, _Shared] = {}
_OPEN_LOCK = threading.Lock()


class Store:
    """Everything Penultimate remembers, in one folder.

    Opening brings the file to this version and removes what a crash left behind (`swept` says
    what). All methods may be called from several threads.

    Parameters
    ----------
    home : the data folder; `store.duckdb`, `vectors` and `data` lie in it.
    read_only : look only; several processes may, as long as none writes.

    Raises
    ------
    StoreError : another process has the file, it is newer than this program, or damaged.
    """

    def __init__(self, home: Path, *, read_only: bool = False):
        self.home, self.read_only = Path(home).expanduser().resolve(), read_only
        self.file = self.home / "store.duckdb"
        self.swept = Swept()
        self._closed = False
        with _OPEN_LOCK:
            self._connection = self._connect()
            self._shared = _OPEN.setdefault(self.file, _Shared())
            self.relations, self.columns = self._shared.relations, self._shared.columns
            self._shared.stores += 1
            try:
                with self.cursor() as cursor:
                    migrate(cursor, read_only=read_only)
                # A second store of this process must not sweep away what the first is writing.
                if not read_only and self._shared.stores == 1:
                    self.swept = self.sweep()
            except BaseException:
                self._release()
                raise

    @contextlib.contextmanager
    def cursor(self) -> Iterator[Cursor]:
        """A cursor for reading, of this call alone; DuckDB's own are not safe to share."""
        if self._closed:
            raise StoreError("The store is closed.", "Open it again.")
        cursor = self._connection.cursor()
        try:
            yield cursor
        except duckdb.Error as error:
            if (said := _as_store_error(error, self.file)) is None:
                raise
            raise said from error
        finally:
            cursor.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """A cursor for writing: all of it is kept, or, on an exception, nothing.

        Writers take turns, so transactions of several threads never conflict.
        """
        if self.read_only:
            raise StoreError("The store was opened to read only.", "Open it for writing.")
        with self._shared.lock, self.cursor() as cursor:
            cursor.begin()
            try:
                yield cursor
                cursor.commit()
            except BaseException:
                with contextlib.suppress(duckdb.Error):  # a failed commit has ended it already
                    cursor.rollback()
                raise

    def sweep(self) -> Swept:
        """Remove unfinished files, orphan shards, and catalogue rows without their files."""
        return sweep(self)

    def verify(self) -> tuple[Damage, ...]:
        """Read every shard and compare its checksum; returns those that are damaged."""
        return verify(self)

    def close(self) -> None:
        """Fold the write-ahead log into the file and let other processes have it."""
        with _OPEN_LOCK:
            self._release()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _connect(self) -> duckdb.DuckDBPyConnection:
        if self.read_only and not self.file.is_file():
            raise StoreError(f"There is no store in {self.home}.", "Start the dashboard once.")
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            return duckdb.connect(str(self.file), read_only=self.read_only, config=_CONFIG)
        except (duckdb.Error, OSError) as error:
            said = _as_store_error(error, self.file)
            if said is None:
                said = StoreError(
                    f"The store {self.file} cannot be opened: {one_line(error)}",
                    "Check that the folder may be written, or set PENULTIMATE_HOME to another.",
                )
            raise said from error

    def _release(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._shared.stores -= 1
        if not self._shared.stores:
            _OPEN.pop(self.file, None)
            self.relations.clear()
        self._connection.close()


def one_line(error: BaseException) -> str:
    """The first line of a DuckDB message, without its class name in front."""
    text = next((line for line in str(error).splitlines() if line.strip()), "no reason given")
    return re.sub(r"^[A-Za-z ]+ Error: ", "", text.strip())


def _as_store_error(error: BaseException, file: Path) -> StoreError | None:
    """What the user can do about a failure of the database; None where it is a bug of ours."""
    text = str(error)
    if "Could not set lock" in text:
        return _locked(text, file)
    if "No space left" in text or "Disk quota" in text:
        return StoreError(
            f"The disk of {file.parent} is full.",
            "Free some space; what was committed is kept.",
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        return StoreError(f"Memory ran out: {one_line(error)}", "Choose fewer rows.")
    if "read-only" in text and isinstance(error, duckdb.ConnectionException):
        return StoreError(f"{file} is open for writing in this process.", "Use that store.")
    if "different configuration" in text:
        return StoreError(
            f"{file} is already open in this process, in another mode.", "Use that store."
        )
    if "version number" in text:
        return StoreError(
            f"{file} was written by another version of DuckDB: {one_line(error)}",
            "Update Penultimate, or choose another folder with PENULTIMATE_HOME.",
        )
    if "not a valid DuckDB database file" in text:
        return StoreError(
            f"{file} is not a database.",
            "Move it away, or choose another folder with PENULTIMATE_HOME.",
        )
    if isinstance(error, duckdb.FatalException):
        return StoreError(f"The store {file} has stopped: {one_line(error)}", _RESTART)
    return None


def _locked(text: str, file: Path) -> StoreError:
    """Name the process that holds the file."""
    found = re.search(r"held in (.*?) ?\(PID (\d+)\)", text)
    if not found:
        return StoreError(f"{file} is in use by another process.", "Stop that process first.")
    command, pid = found.group(1), found.group(2)
    with contextlib.suppress(OSError):  # no /proc, or another user's process
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        command = " ".join(words).strip() or command
    return StoreError(
        f"{file} is in use by process {pid} ({command[:200]}).",
        f"Use that one, stop it (kill {pid}), or choose another folder with PENULTIMATE_HOME.",
    )
