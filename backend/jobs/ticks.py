"""Progress and cancelling across processes: two small files per job.

Files rather than messages, because workers share the store's folder anyway, and a file outlives
the death of either side.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from backend.errors import Cancelled


@dataclass
class Ticker:
    """The worker's end: report progress, and ask whether to stop."""

    folder: Path
    job: str
    _last: float = 0.0

    def progress(self, done: int, total: int, message: str = "") -> None:
        """Report at most ten times a second; raises Cancelled when the user has stopped the job."""
        self.check()
        now = monotonic()
        if now - self._last < 0.1 and done < total:
            return
        self._last = now
        temporary = self.folder / f"{self.job}.{os.getpid()}.tmp"
        temporary.write_text(json.dumps([done, total, message]))
        os.replace(temporary, self.folder / f"{self.job}.tick")

    def check(self) -> None:
        """Raise Cancelled when the user has stopped the job."""
        if (self.folder / f"{self.job}.cancel").exists():
            raise Cancelled


def read_tick(folder: Path, job: str) -> tuple[int, int, str] | None:
    """The last progress that a worker reported for a job: done, total, message."""
    try:
        done, total, message = json.loads((folder / f"{job}.tick").read_text())
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return done, total, message


def ask_to_cancel(folder: Path, job: str) -> None:
    """Leave the mark that workers look for."""
    (folder / f"{job}.cancel").touch()


def clear_ticks(folder: Path, job: str, *, cancel: bool = True) -> None:
    """Remove a job's files; `cancel=False` leaves the mark for workers that have yet to see it."""
    for ending in ("tick", "cancel") if cancel else ("tick",):
        (folder / f"{job}.{ending}").unlink(missing_ok=True)


def clear_all(folder: Path) -> None:
    """Remove what a server that was killed left behind; no worker of its own is alive now."""
    for ending in ("tick", "cancel", "tmp"):
        for path in folder.glob(f"*.{ending}"):
            path.unlink(missing_ok=True)
